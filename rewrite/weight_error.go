package rewrite

import (
	"fmt"
	"math"
	"runtime"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
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
	view, err := w.floats()
	if err != nil {
		return 0, fmt.Errorf("rewrite: weight %q: %w", w.name, err)
	}
	p := promise{w}
	if int64(len(view.Data)) != p.Len()*int64(view.Type.Size()) {
		return 0, fmt.Errorf("rewrite: weight %q: %d int8 weights stand for %d bytes of floats", w.name, p.Len(), len(view.Data))
	}
	// In pieces, whose sums are added in their order.
	unit := max(1, p.PieceLen())
	length := max(1, errorPiece/unit) * unit
	pieces := make([]weightError, (p.Len()+length-1)/length)
	workers := quantops.NewWorkers(runtime.GOMAXPROCS(0))
	defer workers.Close()
	workers.Each(len(pieces), func(i int) {
		from := int64(i) * length
		pieces[i] = w.errorOf(scales, view, from, min(length, p.Len()-from))
	})
	var all weightError
	for _, piece := range pieces {
		if piece.err != nil {
			return 0, fmt.Errorf("rewrite: weight %q: %w", w.name, piece.err)
		}
		all.signal, all.noise = all.signal+piece.signal, all.noise+piece.noise
	}
	if all.noise == 0 {
		return math.Inf(1), nil
	}
	return 10 * math.Log10(all.signal/all.noise), nil
}

// errorPiece is about how many elements are compared at a time.
const errorPiece = 1 << 20

// weightError are the sums of squares of a piece of a weight, and of what it is off.
type weightError struct {
	signal, noise float64
	err           error
}

// errorOf quantizes elements of the stored weight and compares them with the floats.
func (w *weight) errorOf(scales *quantops.Scales, view *quantops.Weights, from, count int64) (e weightError) {
	quantized := make([]byte, count)
	if _, e.err = (promise{w}).ReadAt(quantized, from); e.err != nil {
		return e
	}
	var floats [256]float32
	for first := 0; first < len(quantized); first += len(floats) {
		part := quantized[first:min(len(quantized), first+len(floats))]
		if !w.flip {
			view.Floats(floats[:len(part)], int(from)+first)
		} else {
			for i := range part {
				view.Floats(floats[i:i+1], w.sourceAt(int(from)+first+i))
			}
		}
		for done := 0; done < len(part); {
			run := w.scales(int(from) + first + done)
			until := min(len(part), done+run.length)
			at := run.first
			for i, q := range part[done:until] {
				zero := int8(0)
				if scales.Zeros != nil {
					zero = scales.Zeros[at]
				}
				want := float64(floats[done+i])
				d := float64(scales.Values[at])*(float64(int8(q))-float64(zero)) - want
				e.signal += want * want
				e.noise += d * d
				at += run.step
			}
			done = until
		}
	}
	return e
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

// scaleRun says where among the scales those of neighbouring elements are: of so
// many, a step apart.
type scaleRun struct{ first, step, length int }

// scales finds the scales of the elements of the stored weight from one on.
func (w *weight) scales(i int) scaleRun {
	if w.axis < 0 {
		return scaleRun{0, 0, int(elements(w.dims)) - i}
	}
	columns := int(w.dims[len(w.dims)-1])
	row, column := i/columns, i%columns
	rest := columns - column
	switch {
	case w.block > 0 && w.axis == 1: // a matrix, with scales as a matrix
		return scaleRun{row/w.block*columns + column, 1, rest}
	case w.block > 0:
		blocks := (columns + w.block - 1) / w.block
		return scaleRun{row*blocks + column/w.block, 0, min(rest, w.block-column%w.block)}
	case w.batched && w.summed() == len(w.dims)-2:
		return scaleRun{row/int(w.dims[len(w.dims)-2])*columns + column, 1, rest}
	case w.batched:
		return scaleRun{row, 0, rest}
	case w.axis == len(w.dims)-1:
		return scaleRun{column, 1, rest}
	}
	inner, channels := int(elements(w.dims[w.axis+1:])), int(w.dims[w.axis])
	return scaleRun{i / inner % channels, 0, inner - i%inner}
}
