package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
)

// tunePoint is one trade of size against error that tuning measured.
type tunePoint struct {
	LeftInFloat int    `json:"left_in_float"` // how many sites
	InOtherForm int    `json:"in_other_form"` // how many sites have a finer form than the recipe's
	Bytes       int64  `json:"bytes"`         // of the model, an estimate
	BytesSaved  int64  `json:"bytes_saved"`
	SQNR        number `json:"sqnr_db"` // the lowest of all outputs
	Chosen      bool   `json:"chosen"`
}

// tuner finds forms for a plan's sites, coarse ones where that does little harm
// and finer ones where it does, with which a model reaches a signal-to-noise ratio.
//
// Errors of different layers hardly correlate, so the noise that each makes alone
// adds up. Each is measured alone, in each form. The steps from a form to a finer
// one, or to float, are then taken in the order of noise that they save for each
// byte that they cost, and how many of them it takes is found by bisection on
// models that are measured whole.
type tuner struct {
	app       *app
	plan      *rewrite.Plan
	finer     []finerForm
	groups    [][]int // sites that stand or fall together
	reference *runtime.Reference
	mark      float64 // dB
	before    int64   // the original model's bytes
	weights   int64   // what its tensors take
	measured  map[string]tunePoint
	tried     []assignment // on the way to the mark
}

// finerForm is a form that costs more bytes than the plan's, for less noise.
type finerForm struct {
	plan  *rewrite.Plan
	words string
}

// assignment is the form of every group of sites: 0 the plan's, then the finer
// forms, and behind the last of them float.
type assignment []int

// tune gives the sites of a job's plan finer forms, or leaves them in float,
// until it reaches its mark.
func (a *app) tune(ctx context.Context, j *job) error {
	feeds, err := j.flags.feedFlags.make(j.model)
	if err != nil {
		return err
	}
	census, err := newCensus(j.model)
	if err != nil {
		return err
	}
	t := &tuner{app: a, plan: j.plan, groups: j.plan.Groups(), mark: j.flags.minSQNR, before: j.report.BytesBefore, weights: census.bytes(), measured: map[string]tunePoint{}}
	if t.finer, err = finerForms(j.plan, j.recipe); err != nil {
		return err
	}
	t.reference, err = runtime.NewReference(ctx, j.model, runtime.CompareOptions{Feeds: feeds, Threads: j.flags.threads, Memory: j.flags.memoryLimit(j.model)})
	if err != nil {
		return fmt.Errorf("--tune runs the model, and that failed: %w", err)
	}
	chosen, effects, err := t.tune(ctx)
	if err != nil {
		return err
	}
	j.plan = t.planOf(chosen, effects)
	j.report.Curve = t.curve(chosen)
	return nil
}

// finerForms plans the forms that lie between a recipe's and float: activations
// in float32 instead of 8 bit, and blocks instead of channels.
func finerForms(plan *rewrite.Plan, recipe rewrite.Recipe) ([]finerForm, error) {
	var forms []finerForm
	add := func(words string) error {
		finer, err := plan.Also(recipe)
		forms = append(forms, finerForm{finer, words})
		return err
	}
	if recipe.Activations == rewrite.W8A8 {
		recipe.Activations = rewrite.W8A32
		if err := add("as w8a32"); err != nil {
			return nil, err
		}
	}
	inBlocks := recipe.Granularity == rewrite.PerBlock || recipe.Target == rewrite.ORT
	const finest = 16
	if inBlocks && recipe.Block <= finest {
		return forms, nil
	}
	if inBlocks {
		recipe.Block = finest
	}
	recipe.Granularity = rewrite.PerBlock
	return forms, add(fmt.Sprintf("in blocks of %d", recipe.Block))
}

// tune finds the assignment, and what each group does alone if it had to be
// measured for that.
func (t *tuner) tune(ctx context.Context) (assignment, []effect, error) {
	bar := t.app.progress("measuring each layer", false)
	defer bar.end()
	coarse := make(assignment, len(t.groups))
	if reached, err := t.try(ctx, coarse); err != nil || reached {
		return coarse, nil, err
	}
	effects, err := t.effects(ctx, bar)
	if err != nil {
		return nil, nil, err
	}
	steps := t.steps(effects)
	taken := func(count int) assignment {
		c := slices.Clone(coarse)
		for _, s := range steps[:count] {
			c[s.group] = s.to
		}
		return c
	}
	// With all steps taken nothing is quantized, which always reaches the mark.
	low, high := 0, len(steps)
	for high-low > 1 {
		middle := (low + high) / 2
		reached, err := t.try(ctx, taken(middle))
		if err != nil {
			return nil, nil, err
		}
		if reached {
			high = middle
		} else {
			low = middle
		}
	}
	chosen, err := t.lessen(ctx, taken(high), steps[:high], effects)
	if err == nil {
		_, err = t.try(ctx, chosen) // for the curve
	}
	return chosen, effects, err
}

// curve is what was tried, by size.
func (t *tuner) curve(chosen assignment) []tunePoint {
	var curve []tunePoint
	drawn := map[string]bool{}
	for _, c := range t.tried {
		key := fmt.Sprint(c)
		if drawn[key] {
			continue
		}
		drawn[key] = true
		point := t.measured[key]
		point.Chosen = slices.Equal(c, chosen)
		curve = append(curve, point)
	}
	slices.SortStableFunc(curve, func(a, b tunePoint) int { return cmp.Compare(a.Bytes, b.Bytes) })
	return curve
}

// lessen takes steps back that turn out not to be needed, the dearest first: the
// last one that was taken may have saved far more noise than was asked for.
func (t *tuner) lessen(ctx context.Context, c assignment, taken []tuneStep, effects []effect) (assignment, error) {
	const patience = 12
	dearest := slices.Clone(taken)
	slices.SortStableFunc(dearest, func(a, b tuneStep) int { return cmp.Compare(b.bytes, a.bytes) })
	tries := 0
	for _, s := range dearest {
		if c[s.group] != s.to || tries == patience {
			continue
		}
		less := slices.Clone(c)
		less[s.group] = s.from
		if t.noiseOf(less, effects) > 1.5*t.budget() { // not worth a run
			continue
		}
		tries++
		reached, err := t.try(ctx, less)
		if err != nil {
			return nil, err
		}
		if reached {
			c = less
		}
	}
	return c, nil
}

// budget is how much noise the mark allows, relative to the signal.
func (t *tuner) budget() float64 { return math.Pow(10, -t.mark/10) }

// noiseOf is what an assignment's noise should be, from that of each group alone.
func (t *tuner) noiseOf(c assignment, effects []effect) float64 {
	sum := 0.0
	for group, form := range c {
		sum += effects[group].forms[form].noise
	}
	return sum
}

// try measures an assignment, and says whether it reaches the mark.
func (t *tuner) try(ctx context.Context, c assignment) (bool, error) {
	point, err := t.measure(ctx, c)
	t.tried = append(t.tried, c)
	return float64(point.SQNR) >= t.mark, err
}

// measure runs an assignment's model beside the original, unless it has.
func (t *tuner) measure(ctx context.Context, c assignment) (tunePoint, error) {
	key := fmt.Sprint(c)
	if known, ok := t.measured[key]; ok {
		return known, nil
	}
	point := tunePoint{SQNR: number(math.Inf(1)), Bytes: t.before}
	for group, form := range c {
		switch {
		case form == t.inFloat():
			point.LeftInFloat += len(t.groups[group])
		case form > 0:
			point.InOtherForm += len(t.groups[group])
		}
	}
	result, err := t.planOf(c, nil).Apply(ctx)
	if err != nil {
		return point, err
	}
	if len(result.Sites) > 0 {
		census, err := newCensus(result.Model)
		if err != nil {
			return point, err
		}
		point.BytesSaved = t.weights - census.bytes()
		point.Bytes -= point.BytesSaved
		outputs, err := t.reference.Compare(ctx, result.Model)
		if err != nil {
			return point, err
		}
		for _, output := range outputs {
			point.SQNR = min(point.SQNR, number(output.SQNR))
		}
	}
	t.measured[key] = point
	return point, nil
}

// inFloat is the form of a group that is left alone.
func (t *tuner) inFloat() int { return len(t.finer) + 1 }

// planOf is the plan of an assignment, with the reasons for it, if they are known.
func (t *tuner) planOf(c assignment, effects []effect) *rewrite.Plan {
	forms, left := map[int]rewrite.Instead{}, map[int]string{}
	for group, form := range c {
		why := ""
		if effects != nil {
			why = fmt.Sprintf(" to reach %g dB: quantized alone it brings the outputs to %.1f dB", t.mark, -10*math.Log10(effects[group].forms[0].noise))
		}
		for _, site := range t.groups[group] {
			switch {
			case form == t.inFloat():
				left[site] = "left in float" + why
			case form > 0:
				finer := t.finer[form-1]
				forms[site] = rewrite.Instead{Plan: finer.plan, Note: finer.words + why}
			}
		}
	}
	// Forms first: they keep the number of sites, by which those left are named.
	return t.plan.With(forms).Without(left)
}

// bytes is what the tensors of a model take.
func (c *census) bytes() int64 {
	sum := int64(0)
	for _, w := range c.weights {
		sum += w.bytes
	}
	return sum
}
