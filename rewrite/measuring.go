package rewrite

import (
	"errors"
	"sync"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// measuring is a weight on the way to its scales.
type measuring struct {
	begin  sync.Once
	view   *quantops.Weights
	sweep  *quantops.Measurement
	failed error // to begin

	end    sync.Once
	scales *quantops.Scales
	err    error
}

// start makes the view of the floats and the sweep over them.
func (w *weight) start() {
	w.begin.Do(func() {
		if w.view, w.failed = w.viewed(); w.failed != nil {
			return
		}
		scheme := w.scheme
		scheme.Scale = floatTypes[w.scale]
		w.sweep = w.measurement(scheme)
	})
}

func (w *weight) measurement(scheme quantops.Scheme) *quantops.Measurement {
	m := quantops.NewMeasurement(w.view, scheme)
	m.Swept = func(bytes int) { w.quantizer.model.Swept(int64(bytes)) }
	return m
}

// floats are the weight's elements as they are stored.
func (w *weight) floats() (*quantops.Weights, error) {
	w.start()
	return w.view, w.failed
}

// help takes part in measuring the weight, with whoever else does, and does not
// wait for them.
func (w *weight) help() {
	if w.start(); w.failed == nil {
		w.sweep.Help()
	}
}

// measured finds the scales, in the stored type where that can hold them and in
// float32 else. Several goroutines share the work.
func (w *weight) measured() (*quantops.Scales, error) {
	if w.start(); w.failed != nil {
		return nil, w.failed
	}
	scales, err := w.sweep.Join()
	w.end.Do(func() {
		if err == nil && scales.Underflow > 0 && scales.Overflow == 0 {
			scales, err = w.measurement(w.scheme).Join()
		}
		w.scales, w.err = scales, err
	})
	return w.scales, w.err
}

// late says whether the weight is measured only while the new model is written.
func (w *weight) late() bool { return w.quantizer.late }

// known are the scales, nil if they are measured late.
func (w *weight) known() *quantops.Scales {
	if w.late() {
		return nil
	}
	return w.scales
}

// scaleType is the type that the scales are stored in.
func (w *weight) scaleType() quantops.FloatType {
	if scales := w.known(); scales != nil {
		return scales.Scheme.Scale
	}
	return floatTypes[w.scale]
}

// undecided says whether nothing in the graph depends on what measuring finds:
// float32 holds every scale, and a weight without one is an error.
func (q *quantizer) undecided() bool {
	for _, w := range q.ordered {
		if floatTypes[w.scale] != quantops.Float32Type {
			return false
		}
	}
	return !q.recipe.SkipNonfinite
}

func isNonfinite(err error) bool {
	var nonfinite *quantops.NonfiniteError
	return errors.As(err, &nonfinite)
}
