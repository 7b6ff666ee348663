package rewrite

import (
	"fmt"
	"math"
)

// WeightSQNR is the signal-to-noise ratio in dB of a site's int8 weight against
// the floats that it stands for, of all its elements together; NaN for a site
// without a weight, infinite where nothing is lost. It reads and quantizes the
// weight.
func (s *Site) WeightSQNR() (float64, error) {
	w := s.weight
	if w == nil {
		return math.NaN(), nil
	}
	scales, err := w.measured()
	if err != nil {
		return 0, fmt.Errorf("rewrite: %w", w.explained(err))
	}
	floats, err := w.source.Float32s()
	if err != nil {
		return 0, fmt.Errorf("rewrite: weight %q: %w", w.name, err)
	}
	quantized, err := promise{w}.Bytes()
	if err != nil {
		return 0, fmt.Errorf("rewrite: weight %q: %w", w.name, err)
	}
	if len(quantized) != len(floats) {
		return 0, fmt.Errorf("rewrite: weight %q: %d int8 weights stand for %d floats", w.name, len(quantized), len(floats))
	}
	scaleAt := w.scaleAt()
	signal, noise := 0.0, 0.0
	for i, q := range quantized {
		at := scaleAt(i)
		zero := int8(0)
		if scales.Zeros != nil {
			zero = scales.Zeros[at]
		}
		want := float64(floats[w.sourceAt(i)])
		d := float64(scales.Values[at])*(float64(int8(q))-float64(zero)) - want
		signal += want * want
		noise += d * d
	}
	if noise == 0 {
		return math.Inf(1), nil
	}
	return 10 * math.Log10(signal/noise), nil
}

// sourceAt is the place in the source of an element of the stored weight.
func (w *weight) sourceAt(i int) int {
	if !w.flip {
		return i
	}
	rank := len(w.dims)
	rows, columns := int(w.dims[rank-2]), int(w.dims[rank-1])
	matrix, at := i/(rows*columns), i%(rows*columns)
	return matrix*rows*columns + at%columns*rows + at/columns
}

// scaleAt gives the place among the scales of that of an element of the stored weight.
func (w *weight) scaleAt() func(i int) int {
	if w.axis < 0 {
		return func(int) int { return 0 }
	}
	if w.block > 0 { // a matrix, with scales as a matrix
		columns := int(w.dims[1])
		if w.axis == 1 {
			return func(i int) int { return i/columns/w.block*columns + i%columns }
		}
		blocks := (columns + w.block - 1) / w.block
		return func(i int) int { return i/columns*blocks + i%columns/w.block }
	}
	if columns := int(w.dims[len(w.dims)-1]); w.batched {
		if rows := int(w.dims[len(w.dims)-2]); w.summed() == len(w.dims)-2 {
			return func(i int) int { return i/(rows*columns)*columns + i%columns }
		}
		return func(i int) int { return i / columns }
	}
	inner, channels := int(elements(w.dims[w.axis+1:])), int(w.dims[w.axis])
	return func(i int) int { return i / inner % channels }
}
