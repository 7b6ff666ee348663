package main

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// effect is what one group of sites does when it alone is quantized.
type effect struct {
	forms []formEffect // one for each form; the last is float
}

// formEffect is a group's in one form.
type formEffect struct {
	noise float64 // relative to the signal, of the output that suffers most
	saved int64   // bytes
}

// effects measures every group alone. Finer forms of groups that do next to no
// harm are not measured: they are counted as if they saved nothing.
func (t *tuner) effects(ctx context.Context, bar *progress) ([]effect, error) {
	var effects []effect
	for group := range t.groups {
		e := effect{forms: make([]formEffect, t.inFloat()+1)}
		for form := range t.inFloat() {
			if form > 0 && e.forms[0].noise < t.budget()/float64(20*len(t.groups)) {
				e.forms[form] = e.forms[0]
				continue
			}
			alone := make(assignment, len(t.groups))
			for i := range alone {
				alone[i] = t.inFloat()
			}
			alone[group] = form
			point, err := t.measure(ctx, alone)
			if err != nil {
				return nil, err
			}
			e.forms[form] = formEffect{noise: math.Pow(10, -float64(point.SQNR)/10), saved: point.BytesSaved}
		}
		effects = append(effects, e)
		bar.at(int64(group+1), int64(len(t.groups)))
	}
	return effects, nil
}

// tuneStep takes a group from a form to a finer one.
type tuneStep struct {
	group, from, to int
	noise           float64 // that it saves
	bytes           int64   // that it costs
}

// worth is the noise saved for each byte.
func (s tuneStep) worth() float64 {
	if s.bytes <= 0 {
		return math.Inf(1)
	}
	return s.noise / float64(s.bytes)
}

// steps lists every group's way from the plan's form to float, the most
// worthwhile steps first. On each way the worth falls from step to step: what is
// worth less than what follows it is passed over.
func (t *tuner) steps(effects []effect) []tuneStep {
	var steps []tuneStep
	for group, e := range effects {
		for from := 0; from < t.inFloat(); {
			best := tuneStep{}
			for to := from + 1; to <= t.inFloat(); to++ {
				s := tuneStep{group, from, to, e.forms[from].noise - e.forms[to].noise, e.forms[from].saved - e.forms[to].saved}
				if to == t.inFloat() && best.to == 0 || s.noise > 0 && (best.to == 0 || s.worth() > best.worth()) {
					best = s
				}
			}
			steps = append(steps, best)
			from = best.to
		}
	}
	slices.SortStableFunc(steps, func(a, b tuneStep) int { return cmp.Compare(b.worth(), a.worth()) })
	return steps
}
