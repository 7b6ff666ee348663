package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
)

// measureSites fills in how much noise there is in each weight, and in its
// layer's output as the check found it, and sorts the check's layers, the
// noisiest first. The check sees a function's layer once for each call, with the
// call's name before its own; the noisiest call counts, and where functions have
// layers of one name, the noisiest of them.
func (r *rewriteReport) measureSites(sites []rewrite.Site) error {
	outputs := map[string]number{}
	called := map[string]number{}
	for _, s := range r.Check.Sites {
		outputs[s.Node] = s.SQNR
		for _, own, nested := strings.Cut(s.Node, "::"); nested; _, own, nested = strings.Cut(own, "::") {
			if known, ok := called[own]; !ok || compareNoise(s.SQNR, known) < 0 {
				called[own] = s.SQNR
			}
		}
	}
	for i := range sites {
		sqnr, err := sites[i].WeightSQNR()
		if err != nil {
			return err
		}
		r.Sites[i].WeightSQNR = number(sqnr)
		output, ok := outputs[r.Sites[i].Node]
		if !ok {
			output, ok = called[r.Sites[i].Node]
		}
		if ok {
			r.Sites[i].OutputSQNR = output
		}
	}
	slices.SortStableFunc(r.Check.Sites, func(a, b checkSiteReport) int { return compareNoise(a.SQNR, b.SQNR) })
	return nil
}

// Offenders are the sites of a check, the noisiest outputs first and, where the
// output was not measured, by their weights behind them.
func (r *rewriteReport) Offenders() []siteReport {
	if r.Check == nil {
		return nil
	}
	list := slices.Clone(r.Sites)
	slices.SortStableFunc(list, func(a, b siteReport) int {
		return cmp.Or(compareNoise(a.OutputSQNR, b.OutputSQNR), compareNoise(a.WeightSQNR, b.WeightSQNR))
	})
	return list
}

// compareNoise orders ratios from the worst to the best, those that are not
// known last.
func compareNoise(a, b number) int {
	known := func(n number) float64 {
		if math.IsNaN(float64(n)) {
			return math.Inf(1)
		}
		return float64(n)
	}
	return cmp.Compare(known(a), known(b))
}

// printOffenders lists the layers whose outputs have the most noise.
func (r *rewriteReport) printOffenders(out io.Writer) {
	const most = 8
	list := r.Offenders()
	t := newTable("largest errors", "operator", "weight", "its SQNR dB", "output's SQNR dB")
	rightAlign(t, 4, 5)
	for _, s := range list[:min(most, len(list))] {
		t.AppendRow([]any{shorten(s.Node, nameWidth), s.Op, shorten(s.Weight, nameWidth), ratio(s.WeightSQNR), ratio(s.OutputSQNR)})
	}
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s", render(t))
	if len(list) > most {
		fmt.Fprintf(out, "  and %d more: --report FILE has them all\n", len(list)-most)
	}
}

// ratio is a signal-to-noise ratio in words.
func ratio(n number) string {
	switch f := float64(n); {
	case math.IsNaN(f):
		return "–"
	case math.IsInf(f, 1):
		return "exact"
	default:
		return fmt.Sprintf("%.1f", f)
	}
}
