package ops

import (
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/convolution"
)

// largestByRows gives the maximum under each window, of float32, a row of them
// at a time; ok is false for windows that only maxima can take: those that see
// nothing but padding, or need too much of it.
func (p *pooling) largestByRows(c *Call, x []float32) (y []float32, ok bool, err error) {
	for axis := range p.input {
		if slices.ContainsFunc(p.spans(axis), func(s tapSpan) bool { return s.first == s.last }) {
			return nil, false, nil
		}
	}
	s := newConvSource(p.slidingWindow, 2)
	if s == nil {
		return nil, false, nil
	}
	s.padding = float32(math.Inf(-1))
	if stride, ok := s.continued(); ok {
		// The lines of all channels lie at equal distances.
		y = buffer[float32](c, p.channels*p.outputs)
		lines := len(s.lines)
		return y, true, c.parallel(p.channels, worthSliding/max(1, p.inputs+p.outputs*len(s.taps)), func(from, to int) {
			convolution.Largest(y[from*p.outputs:], s.width, x[from*p.inputs:], stride, (to-from)*lines, s.width, s.taps, s.step)
		})
	}
	y, err = p.byRows(c, s, x, func(out, plane []float32) {
		s.stretches(func(first, rows, stride int) {
			convolution.Largest(out[first*s.width:], s.width, plane[s.lines[first]:], stride, rows, s.width, s.taps, s.step)
		})
	})
	return y, true, err
}

// continued says whether the lines of a direct source go on at the same distance
// in the next channel, and that distance.
func (s *convSource) continued() (stride int, ok bool) {
	if !s.direct || len(s.lines) == 0 || s.size%len(s.lines) != 0 {
		return 0, false
	}
	stride = s.size / len(s.lines)
	for i, line := range s.lines {
		if line != i*stride {
			return 0, false
		}
	}
	return stride, true
}

// sumsByRows gives the sum of what lies under each window; ok is false if its
// planes would be too large.
func (p *pooling) sumsByRows(c *Call, x []float32) (y []float32, ok bool, err error) {
	s := newConvSource(p.slidingWindow, 1)
	if s == nil {
		return nil, false, nil
	}
	ones := make([]float32, len(s.taps))
	fillWith(ones, 1)
	y, err = p.byRows(c, s, x, func(out, plane []float32) { s.slide(out, plane, ones, 0) })
	return y, true, err
}

// byRows runs reduce on every channel, or on the plane that is made of it.
func (p *pooling) byRows(c *Call, s *convSource, x []float32, reduce func(out, plane []float32)) ([]float32, error) {
	y := buffer[float32](c, p.channels*p.outputs)
	if len(y) == 0 {
		return y, nil
	}
	return y, c.parallel(p.channels, worthSliding/max(1, p.inputs+p.outputs*len(s.taps)), func(from, to int) {
		var scratch []float32
		if !s.direct {
			scratch = buffer[float32](c, s.size)
		}
		for channel := from; channel < to; channel++ {
			plane := x[channel*p.inputs:][:p.inputs]
			if !s.direct {
				s.fill(scratch, plane)
				plane = scratch
			}
			reduce(y[channel*p.outputs:][:p.outputs], plane)
		}
	})
}
