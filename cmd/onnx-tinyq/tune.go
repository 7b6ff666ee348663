package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// tunePoint is one trade of size against error that tuning measured.
type tunePoint struct {
	LeftInFloat int    `json:"left_in_float"` // how many sites
	BytesSaved  int64  `json:"bytes_saved"`
	SQNR        number `json:"sqnr_db"` // the lowest of all outputs
}

// tuner finds the sites that have to stay in float for a model to reach a
// signal-to-noise ratio.
type tuner struct {
	app      *app
	original *onnx.Model
	plan     *rewrite.Plan
	feeds    []map[string]tensor.Value
	threads  int
	mark     float64
}

// tune leaves the layers of a job's plan in float that keep it from its mark.
func (a *app) tune(ctx context.Context, j *job) error {
	feeds, err := j.flags.feedFlags.make(j.model)
	if err != nil {
		return err
	}
	t := &tuner{
		app: a, original: j.model, plan: j.plan, feeds: feeds,
		threads: j.flags.threads, mark: j.flags.minSQNR,
	}
	j.plan, j.report.Curve, err = t.tune(ctx)
	return err
}

// effect is what one site does to the outputs when it alone is quantized.
type effect struct {
	site  int
	noise float64 // relative to the signal, of the output that suffers most
	saved int64
}

// tune gives the plan less the sites that do the most harm for the bytes they
// save, as few of them as reach the mark, and the curve of what was tried.
//
// Errors of different layers hardly correlate, so the noise that each makes
// alone adds up: sites are left out in the order of noise for each byte saved,
// and how many of them is found by bisection on the measured models.
func (t *tuner) tune(ctx context.Context) (*rewrite.Plan, []tunePoint, error) {
	full, err := t.measure(ctx, t.plan, 0)
	if err != nil {
		return nil, nil, err
	}
	curve := []tunePoint{full}
	if float64(full.SQNR) >= t.mark {
		return t.plan, curve, nil
	}
	effects, err := t.effects(ctx)
	if err != nil {
		return nil, nil, err
	}
	reasons := func(count int) map[int]string {
		left := map[int]string{}
		for _, e := range effects[:count] {
			left[e.site] = fmt.Sprintf("left in float to reach %g dB: quantized alone it brings the outputs to %.1f dB", t.mark, -10*math.Log10(e.noise))
		}
		return left
	}
	// With all of them left out nothing is quantized, which always reaches it.
	low, high := 0, len(effects)
	for high-low > 1 {
		middle := (low + high) / 2
		point, err := t.measure(ctx, t.plan.Without(reasons(middle)), middle)
		if err != nil {
			return nil, nil, err
		}
		curve = append(curve, point)
		if float64(point.SQNR) >= t.mark {
			high = middle
		} else {
			low = middle
		}
	}
	slices.SortFunc(curve, func(a, b tunePoint) int { return cmp.Compare(a.LeftInFloat, b.LeftInFloat) })
	return t.plan.Without(reasons(high)), curve, nil
}

// effects measures every site alone, the most harmful for its bytes first.
func (t *tuner) effects(ctx context.Context) ([]effect, error) {
	bar := t.app.progress("measuring each layer", false)
	defer bar.end()
	var effects []effect
	for site := range t.plan.Sites {
		others := map[int]string{}
		for i := range t.plan.Sites {
			if i != site {
				others[i] = "not measured now"
			}
		}
		point, err := t.measure(ctx, t.plan.Without(others), 0)
		if err != nil {
			return nil, err
		}
		effects = append(effects, effect{site: site, noise: math.Pow(10, -float64(point.SQNR)/10), saved: max(1, point.BytesSaved)})
		bar.at(int64(site+1), int64(len(t.plan.Sites)))
	}
	slices.SortStableFunc(effects, func(a, b effect) int {
		return cmp.Compare(b.noise/float64(b.saved), a.noise/float64(a.saved))
	})
	return effects, nil
}

// measure runs a plan's result and the original.
func (t *tuner) measure(ctx context.Context, plan *rewrite.Plan, left int) (tunePoint, error) {
	point := tunePoint{LeftInFloat: left, SQNR: number(math.Inf(1))}
	result, err := plan.Apply(ctx)
	if err != nil {
		return point, err
	}
	report := rewriteReport{Sites: reportSites(result.Sites)}
	point.BytesSaved = report.saved()
	if len(result.Sites) == 0 {
		return point, nil
	}
	compared, err := runtime.Compare(ctx, t.original, result.Model, runtime.CompareOptions{Feeds: t.feeds, Threads: t.threads})
	if err != nil {
		return point, err
	}
	for _, output := range compared.Outputs {
		point.SQNR = min(point.SQNR, number(output.SQNR))
	}
	return point, nil
}
