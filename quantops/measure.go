package quantops

import (
	"fmt"
	"math"
)

// Scales are the scales of Weights, one for each channel and block. They lie
// as the quantized weights do: blocks are [blocks][channels] where the channels
// are the columns of the stored result (after Flip), else [channels][blocks].
type Scales struct {
	Scheme   Scheme
	Channels int // columns, rows, or 1
	Blocks   int // along the other axis; 1 without blocks
	// Values are the scales as stored, all positive and normal: what a reader
	// of the stored type sees. Zeros are the zero points, nil if symmetric.
	Values []float32
	Zeros  []int8
	// Substituted counts the channels (or blocks) of zeros and those whose
	// scale would be subnormal in float32: their scale is 1 and their weights
	// become 0.
	Substituted int
	// Underflow counts those whose scale float32 holds and the narrower stored
	// type does not (it would be subnormal or zero); Overflow those with a
	// weight beyond the largest number of the stored type. Either way Values
	// are of no use for the stored type: measure with Float32Type instead.
	Underflow, Overflow int
}

// NonfiniteError is a weight that is NaN or infinite, or a float64 weight that
// is beyond float32's range.
type NonfiniteError struct {
	Value   float64 // as stored
	Channel int     // along the scales' axis
	Index   int     // among the stored floats, in their order
}

func (e *NonfiniteError) Error() string {
	return fmt.Sprintf("element %d (channel %d) is %v", e.Index, e.Channel, e.Value)
}

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
	w.check()
	scheme.check()
	channels, blocks := w.shape()
	low, high := make([]float32, channels*blocks), make([]float32, channels*blocks)
	if !w.extremes(low, high) {
		return nil, w.findNonfinite()
	}
	s := &Scales{Scheme: scheme, Channels: channels, Blocks: blocks, Values: make([]float32, len(low))}
	if scheme.Asymmetric {
		s.Zeros = make([]int8, len(low))
	}
	for i := range low {
		s.set(i, low[i], high[i])
	}
	return s, nil
}

// extremes finds the least and the largest weight of each scale, or 0 where all
// are on one side of it. It reports whether all are finite.
func (w *Weights) extremes(low, high []float32) bool {
	buffer := make([]float32, min(run, w.Columns))
	step, _ := w.steps()
	var notFinite float32 // 0, or NaN
	for row := range w.Batch * w.Rows {
		for from := 0; from < w.Columns; from += run {
			values := buffer[:min(run, w.Columns-from)]
			w.decode(values, row*w.Columns+from)
			for _, v := range values {
				notFinite += v - v
			}
			for at := 0; at < len(values); {
				i, until := w.scaleAt(row, from+at)
				if w.Axis == AlongColumns {
					for _, v := range values {
						if v < low[i] {
							low[i] = v
						} else if v > high[i] {
							high[i] = v
						}
						i += step
					}
					break
				}
				l, h := low[i], high[i]
				same := min(until-from, len(values))
				for _, v := range values[at:same] {
					if v < l {
						l = v
					} else if v > h {
						h = v
					}
				}
				low[i], high[i] = l, h
				at = same
			}
		}
	}
	return notFinite == 0
}

// scaleAt is the index of the scale of a weight (row counts over all batches),
// and the column up to which its neighbours have it too.
func (w *Weights) scaleAt(row, column int) (scale, until int) {
	channelStep, blockStep := w.steps()
	switch {
	case w.Axis == AlongColumns && w.Block > 0:
		return column*channelStep + row/w.Block*blockStep, column + 1
	case w.Axis == AlongColumns:
		return column * channelStep, column + 1
	case w.Axis == AlongRows && w.Block > 0:
		block := column / w.Block
		return row*channelStep + block*blockStep, (block + 1) * w.Block
	case w.Axis == AlongRows:
		return row % w.Rows * channelStep, w.Columns
	}
	return 0, w.Columns
}

// findNonfinite names the first weight that is NaN or infinite as float32.
func (w *Weights) findNonfinite() *NonfiniteError {
	var one [1]float32
	for i := range w.len() {
		w.decode(one[:], i)
		if v := one[0]; v-v != 0 {
			row, column := i/w.Columns, i%w.Columns
			channel := [...]int{Whole: 0, AlongColumns: column, AlongRows: row % w.Rows}[w.Axis]
			return &NonfiniteError{Value: w.at(i), Channel: channel, Index: i}
		}
	}
	return nil
}

// set computes one scale, and its zero point, from the range of its weights,
// which holds 0.
func (s *Scales) set(i int, low, high float32) {
	scheme := s.Scheme
	least, most := scheme.Range()
	var exact float32
	if scheme.Asymmetric {
		// Halves first: the range of two large floats may be beyond float32.
		exact = (high/2 - low/2) / (float32(most-least) / 2)
	} else {
		exact = max(-low, high) / float32(most)
	}
	if exact < Float32Type.smallestNormal() {
		s.Values[i] = 1
		s.Substituted++
		return
	}
	stored := scheme.Scale.Round(exact)
	if scheme.Asymmetric && stored < exact {
		stored = scheme.Scale.next(stored, 1)
	}
	if stored < scheme.Scale.smallestNormal() {
		s.Values[i] = stored
		s.Underflow++
		return
	}
	if max(-low, high) > scheme.Scale.largest() {
		s.Values[i] = stored
		s.Overflow++
		return
	}
	zero := s.zero(stored, low)
	if far := scheme.Scale.Round(stored * max(float32(most)-zero, zero-float32(least))); far > math.MaxFloat32 {
		stored = scheme.Scale.next(stored, -1)
		zero = s.zero(stored, low)
	}
	s.Values[i] = stored
	if scheme.Asymmetric {
		s.Zeros[i] = int8(zero)
	}
}

// zero is the zero point: the integer that stands for 0 if the least one stands
// for low.
func (s *Scales) zero(scale, low float32) float32 {
	if !s.Scheme.Asymmetric {
		return 0
	}
	least, most := s.Scheme.Range()
	zero := int(roundHalfEven(float32(least) - low/scale))
	return float32(max(least, min(most, zero)))
}
