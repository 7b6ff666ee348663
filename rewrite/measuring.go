package rewrite

import (
	"errors"
	"sync"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// measuring is a weight on the way to its scales.
//
// Scales in blocks, with what goes with them, may take an eighth of the weights'
// bytes, so they are not kept for a whole model: once all that is promised of a
// weight has been read, they are let go of, and whoever asks again has them
// measured again.
type measuring struct {
	begin  sync.Once
	view   *quantops.Weights
	failed error // to see the floats

	mu    sync.Mutex
	round *round   // nil: not begun, or let go of
	found *finding // nil: never measured
	kept  bool     // the scales stay once they are measured
	// promised is how many bytes wait for the scales in all, unread how many of
	// them have not been read since the scales were measured.
	promised, unread int64
}

// round is one sweep over a weight.
type round struct {
	sweep *quantops.Measurement

	end    sync.Once
	scales *quantops.Scales
	err    error
}

// finding is what is known of scales after they are let go of.
type finding struct {
	stored      quantops.FloatType // that holds the scales
	substituted int
	overflow    int
	err         error
}

// keptScales is how many bytes of scales, all told, are kept between measuring
// weights and writing what becomes of them. Scales beyond are measured twice.
const keptScales = 16 << 20

// floats are the weight's elements as they are stored.
func (w *weight) floats() (*quantops.Weights, error) {
	w.begin.Do(func() { w.view, w.failed = w.viewed() })
	return w.view, w.failed
}

// sweeping is the sweep that goes on, or begins.
func (w *weight) sweeping() (*round, error) {
	view, err := w.floats()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.round == nil {
		scheme := w.scheme
		scheme.Scale = floatTypes[w.scale]
		if w.found != nil {
			scheme.Scale = w.found.stored
		}
		w.round = &round{sweep: w.measurement(view, scheme)}
	}
	return w.round, nil
}

func (w *weight) measurement(view *quantops.Weights, scheme quantops.Scheme) *quantops.Measurement {
	m := quantops.NewMeasurement(view, scheme)
	m.Swept = func(bytes int) { w.quantizer.model.Swept(int64(bytes)) }
	return m
}

// help takes part in measuring the weight, with whoever else does, and does not
// wait for them; unless there are so many scales that they may have to go.
func (w *weight) help() {
	if w.block > 0 {
		_, _ = w.measured() // ready says what is wrong
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.kept {
			w.round = nil
		}
		return
	}
	if r, err := w.sweeping(); err == nil {
		r.sweep.Help()
	}
}

// measured finds the scales, in the stored type where that can hold them and in
// float32 else. Several goroutines share the work.
func (w *weight) measured() (*quantops.Scales, error) {
	r, err := w.sweeping()
	if err != nil {
		return nil, err
	}
	scales, err := r.sweep.Join()
	r.end.Do(func() {
		if err == nil && scales.Underflow > 0 && scales.Overflow == 0 {
			scales, err = w.measurement(w.view, w.scheme).Join()
		}
		r.scales, r.err = scales, err
		w.conclude(r)
	})
	return r.scales, r.err
}

// conclude notes what a sweep has found, and whether its scales stay.
func (w *weight) conclude(r *round) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = &finding{stored: floatTypes[w.scale], err: r.err}
	if s := r.scales; r.err == nil {
		w.found = &finding{stored: s.Scheme.Scale, substituted: s.Substituted, overflow: s.Overflow}
	}
	if w.late() || w.kept {
		return
	}
	size := int64(0)
	if r.err == nil {
		size = int64(2*4*len(r.scales.Values) + len(r.scales.Zeros)) // with what the assembly multiplies by
	}
	if w.quantizer.kept.Add(size) <= keptScales {
		w.kept = true
		return
	}
	w.quantizer.kept.Add(-size)
}

// restart begins the count of what waits for the scales, for a new model.
func (w *weight) restart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.promised, w.unread = 0, 0
}

// awaits counts bytes that are to be made with the help of the scales.
func (w *weight) awaits(bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.promised += bytes
	w.unread += bytes
}

// made counts bytes that were made, and lets go of the scales with the last.
func (w *weight) made(bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unread -= int64(bytes); w.unread <= 0 && !w.kept {
		w.round, w.unread = nil, w.promised
	}
}

// finding is what measuring the weight has found, if need be by doing it.
func (w *weight) finding() *finding {
	w.mu.Lock()
	found := w.found
	w.mu.Unlock()
	if found == nil {
		if _, err := w.measured(); err != nil {
			return &finding{stored: floatTypes[w.scale], err: err}
		}
		w.mu.Lock()
		found = w.found
		w.mu.Unlock()
	}
	return found
}

// late says whether the weight is measured only while the new model is written.
func (w *weight) late() bool { return w.quantizer.late }

// known are the scales, nil if they are measured late or were too many to stay.
func (w *weight) known() *quantops.Scales {
	if w.late() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.kept || w.round == nil {
		return nil
	}
	return w.round.scales
}

// scaleType is the type that the scales are stored in.
func (w *weight) scaleType() quantops.FloatType {
	if w.late() {
		return floatTypes[w.scale]
	}
	return w.finding().stored
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
