package quantops

import (
	"errors"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Measure finds the scales of weights in one sweep over them, in the order in
// which they are stored. Its error is a *NonfiniteError for the first weight
// that has no place in a scale. A float64 is rounded to float32 first.
//
// Symmetric: scale = absmax/127, computed in float32 and rounded half to even
// to the stored type. Asymmetric: scale = (max−min)/255 with 0 inside the
// range, zero = round(−128 − min/scale); in a 16-bit type it is rounded up
// instead, as the range of 256 integers has no room to spare at its ends. A
// scale so large that 127·scale (or what the zero point makes of it) would be
// infinite in the stored type is the next smaller one.
func Measure(w *Weights, scheme Scheme) (*Scales, error) {
	return NewMeasurement(w, scheme).Join()
}

// Measurement is Measure for several goroutines, which share the sweep. The
// scales do not depend on how many they are.
type Measurement struct {
	// Swept, if not nil, is called after each piece of the sweep with the bytes
	// of floats that it took: by any of the goroutines, also at once.
	Swept func(bytes int)

	w      *Weights
	scheme Scheme
	units  units
	level  sweepLevel

	claimed  atomic.Int64  // bands that somebody has begun
	finished chan struct{} // closed when scales and err are there

	mu     sync.Mutex
	low    []extremeLow // of each scale: [blocks][columns] or [rows][blocks]
	high   []extremeHigh
	swept  int64 // bands
	closed bool

	scales *Scales
	err    error
}

// NewMeasurement begins measuring. It reads nothing yet, and takes no memory.
func NewMeasurement(w *Weights, scheme Scheme) *Measurement {
	w.check()
	scheme.check()
	m := &Measurement{w: w, scheme: scheme, units: w.units(), level: fastestSweep, finished: make(chan struct{})}
	return m
}

// Join takes part in the sweep, and returns the scales once all weights are
// swept. Any number of goroutines may call it, at any time: all get the same.
func (m *Measurement) Join() (*Scales, error) {
	m.work()
	<-m.finished
	return m.scales, m.err
}

// Help takes part in the sweep as Join does, and does not wait for the others.
func (m *Measurement) Help() { m.work() }

// errAbandoned is for those that wait for a goroutine that panicked.
var errAbandoned = errors.New("the weights could not be read to their end")

func (m *Measurement) work() {
	bands := m.units.bands()
	s := &sweep{}
	var low []extremeLow
	var high []extremeHigh
	swept := int64(0)
	completed := false
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.swept += swept
		if !m.closed && (!completed || m.swept == bands) {
			m.closed = true
			if completed {
				m.conclude()
			} else {
				m.err = errAbandoned
			}
			close(m.finished)
		}
	}()
	for {
		band := m.claimed.Add(1) - 1
		if band >= bands {
			break
		}
		if swept == 0 {
			low, high = m.extremes()
			if m.units.shared {
				low, high = make([]extremeLow, len(low)), make([]extremeHigh, len(high))
			}
		}
		bytes := m.units.sweep(s, m.level, band, low, high)
		swept++
		if m.Swept != nil {
			m.Swept(bytes)
		}
	}
	if swept > 0 && m.units.shared {
		m.fold(low, high)
	}
	completed = true
}

// extremes are those that all goroutines widen.
func (m *Measurement) extremes() ([]extremeLow, []extremeHigh) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.low == nil {
		channels, blocks := m.w.shape()
		m.low, m.high = make([]extremeLow, channels*blocks), make([]extremeHigh, channels*blocks)
	}
	return m.low, m.high
}

// fold widens the extremes by those that one goroutine has found.
func (m *Measurement) fold(low []extremeLow, high []extremeHigh) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range low {
		m.low[i] = max(m.low[i], low[i])
		m.high[i] = max(m.high[i], high[i])
	}
}

// conclude makes scales of the extremes.
func (m *Measurement) conclude() {
	w := m.w
	for i := range m.low {
		if !m.low[i].finite() || !m.high[i].finite() {
			m.err = w.findNonfinite()
			return
		}
	}
	channels, blocks := w.shape()
	s := &Scales{Scheme: m.scheme, Channels: channels, Blocks: blocks}
	// Scales in blocks are many: they take the place of the extremes that they are
	// made of, unless they lie in another order.
	if s.Values = asFloats(m.low); w.Flip {
		s.Values = make([]float32, len(m.low))
	}
	if m.scheme.Asymmetric {
		s.Zeros = make([]int8, len(m.low))
	}
	channelStep, blockStep := w.steps()
	for channel := range channels {
		for block := range blocks {
			at := channel*blocks + block
			if w.Axis == AlongColumns {
				at = block*channels + channel
			}
			s.set(channel*channelStep+block*blockStep, m.low[at].float(), m.high[at].float())
		}
	}
	if m.level != sweepGeneric {
		s.over = overReciprocals(s.Values, asFloats(m.high))
	}
	m.scales, m.low, m.high = s, nil, nil
}

// asFloats is the memory of extremes, for floats.
func asFloats[E extremeLow | extremeHigh](extremes []E) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(extremes))), len(extremes))
}

// findNonfinite names the first weight that is NaN or infinite as float32.
func (w *Weights) findNonfinite() *NonfiniteError {
	var one [1]float32
	for i := range w.len() {
		decodeFloats(one[:], w.from(i), w.Type)
		if v := one[0]; v-v != 0 {
			row, column := i/w.Columns, i%w.Columns
			channel := [...]int{Whole: 0, AlongColumns: column, AlongRows: row % w.Rows}[w.Axis]
			return &NonfiniteError{Value: w.at(i), Channel: channel, Index: i}
		}
	}
	return nil
}
