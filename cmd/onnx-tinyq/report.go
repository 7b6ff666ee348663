package main

import (
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
)

// rewriteReport is what rewrite and plan found and did.
type rewriteReport struct {
	Model       string       `json:"model"`
	Output      string       `json:"output"` // "" if no file was put in place
	Recipe      string       `json:"recipe"`
	Activation  string       `json:"activation,omitempty"` // of w8a16
	Target      string       `json:"target"`
	BytesBefore int64        `json:"bytes_before"` // of the model, external data included
	BytesAfter  int64        `json:"bytes_after"`  // a plan's is an estimate
	Sites       []siteReport `json:"sites"`
	Skips       []skipReport `json:"skips"`
	Check       *checkReport `json:"check"`
	// Remaining lists what other operators would take, RemainingBytes is what all
	// float weights of rank 2 and more take that stay.
	Remaining      []remainingReport `json:"remaining"`
	RemainingBytes int64             `json:"remaining_bytes"`
	Curve          []tunePoint       `json:"curve,omitempty"`       // what --tune tried
	MinSQNR        number            `json:"min_sqnr_db,omitempty"` // the mark that --min-sqnr sets
	Warnings       []string          `json:"warnings"`
	Seconds        number            `json:"seconds"`
	PeakRSSBytes   int64             `json:"peak_rss_bytes"` // 0: the system does not say
}

// siteReport is one weight that was quantized where one node reads it.
type siteReport struct {
	Node        string            `json:"node"`
	Op          string            `json:"op"`
	Weight      string            `json:"weight"`
	Type        string            `json:"type"`
	Dims        []int64           `json:"dims"`
	Axis        int               `json:"axis"` // of the scales in the stored weight; -1: one scale
	Rule        string            `json:"rule"`
	Form        string            `json:"form"`
	BytesBefore int64             `json:"bytes_before"`
	BytesAfter  int64             `json:"bytes_after"`
	Verdicts    map[string]string `json:"verdicts"` // by runtime, what it does with the form
	Note        string            `json:"note,omitempty"`
	// Of a check: the signal-to-noise ratios of the int8 weight, and of the
	// layer's output when it is fed the original's activations; null where it was
	// not measured.
	WeightSQNR number `json:"weight_sqnr_db"`
	OutputSQNR number `json:"output_sqnr_db"`
}

type skipReport struct {
	Node   string `json:"node"`
	Op     string `json:"op"`
	Reason string `json:"reason"`
}

// remainingReport is what one more operator in --ops would take.
type remainingReport struct {
	Op      string `json:"op"`
	Weights int    `json:"weights"`
	Bytes   int64  `json:"bytes"`
}

// checkReport is how far apart two models are.
type checkReport struct {
	Outputs   []outputReport    `json:"outputs"`
	Sites     []checkSiteReport `json:"sites"`
	Within    bool              `json:"within"`
	BoundHeld *bool             `json:"bound_held"` // nil: no layer has a bound
	Reasons   []string          `json:"reasons"`    // why it is not within
}

type outputReport struct {
	Name            string `json:"name"`
	MaxAbs          number `json:"max_abs"`
	RelL2           number `json:"rel_l2"`
	SQNR            number `json:"sqnr_db"`
	Cosine          number `json:"cosine"`
	ArgmaxAgreement number `json:"argmax_agreement"`
}

// checkSiteReport is one rewritten layer, fed the original model's activations.
type checkSiteReport struct {
	Node      string `json:"node"`
	Op        string `json:"op"`
	K         int    `json:"k"` // how many products are summed
	N         int    `json:"n"` // how many channels come out
	MaxAbs    number `json:"max_abs"`
	RelL2     number `json:"rel_l2"`
	SQNR      number `json:"sqnr_db"`
	OfBound   number `json:"of_bound"`   // the largest error, as a part of what is proven for that element
	BoundHeld *bool  `json:"bound_held"` // nil: it has no bound
	Note      string `json:"note,omitempty"`
}

// Held says in a word whether the layer's bound held.
func (s checkSiteReport) Held() string {
	switch {
	case s.BoundHeld == nil:
		return "no bound"
	case *s.BoundHeld:
		return "yes"
	}
	return "no"
}

func reportSites(sites []rewrite.Site) []siteReport {
	reports := make([]siteReport, len(sites))
	for i, s := range sites {
		reports[i] = siteReport{
			Node: s.Node, Op: s.Op, Weight: s.Weight, Type: s.DType.String(), Dims: append([]int64{}, s.Dims...), Axis: s.Axis,
			Rule: s.Rule, Form: s.Form, BytesBefore: s.BytesBefore, BytesAfter: s.BytesAfter,
			Verdicts: map[string]string{}, Note: s.Note, WeightSQNR: number(math.NaN()), OutputSQNR: number(math.NaN()),
		}
		for _, v := range s.Verdicts {
			reports[i].Verdicts[v.Runtime] = v.String()
		}
	}
	return reports
}

func reportRemaining(list []rewrite.Remaining) []remainingReport {
	reports := make([]remainingReport, len(list))
	for i, r := range list {
		reports[i] = remainingReport(r)
	}
	return reports
}

func reportSkips(skips []rewrite.Skip) []skipReport {
	reports := make([]skipReport, len(skips))
	for i, s := range skips {
		reports[i] = skipReport(s)
	}
	return reports
}

func reportCheck(r *runtime.Report) *checkReport {
	c := &checkReport{Outputs: []outputReport{}, Sites: []checkSiteReport{}, Within: r.Within, BoundHeld: r.BoundHeld, Reasons: append([]string{}, r.Reasons...)}
	for _, o := range r.Outputs {
		c.Outputs = append(c.Outputs, outputReport{
			Name: o.Name, MaxAbs: number(o.MaxAbs), RelL2: number(o.RelL2), SQNR: number(o.SQNR),
			Cosine: number(o.Cosine), ArgmaxAgreement: number(o.ArgmaxAgreement),
		})
	}
	for _, s := range r.Sites {
		c.Sites = append(c.Sites, checkSiteReport{
			Node: s.Node, Op: s.Op, K: s.K, N: s.N, MaxAbs: number(s.MaxAbs), RelL2: number(s.RelL2), SQNR: number(s.SQNR),
			OfBound: number(s.OfBound), BoundHeld: s.BoundHeld, Note: s.Note,
		})
	}
	return c
}

// bounded counts the layers that have a bound.
func (c *checkReport) bounded() int {
	n := 0
	for _, s := range c.Sites {
		if s.BoundHeld != nil {
			n++
		}
	}
	return n
}
