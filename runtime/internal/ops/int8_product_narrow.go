package ops

import (
	"sync"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// narrowPiece is how many floats are rounded at a time: they are in the nearest
// cache in both widths then.
const narrowPiece = 1024

var brainScratches = sync.Pool{New: func() any { return new([narrowPiece]quantops.BFloat16) }}

// roundFloats writes x to y, which may be the same, as a Cast to a type of 16 bits
// and one back would leave it.
func roundFloats(t onnx.DType, y, x []float32) {
	if t == onnx.Float16 {
		quantops.RoundFloat16(y, x)
		return
	}
	s := brainScratches.Get().(*[narrowPiece]quantops.BFloat16)
	for len(x) > 0 {
		n := min(len(x), narrowPiece)
		quantops.NarrowBFloat16(s[:n], x[:n])
		quantops.WidenBFloat16(y[:n], s[:n])
		y, x = y[n:], x[n:]
	}
	brainScratches.Put(s)
}

// widenInto is a tensor of 16-bit floats in float32, or one of float32 rounded to
// type rounded; it may be x itself.
func widenInto(c *Call, x *tensor.Tensor, rounded onnx.DType) (*tensor.Tensor, error) {
	var widen func(lo, hi int, y []float32)
	switch data := x.Any().(type) {
	case []float32:
		if rounded == onnx.Undefined {
			return x, nil
		}
		widen = func(lo, hi int, y []float32) { roundFloats(rounded, y, data[lo:hi]) }
	case []quantops.Float16:
		widen = func(lo, hi int, y []float32) { quantops.WidenFloat16(y, data[lo:hi]) }
	case []quantops.BFloat16:
		widen = func(lo, hi int, y []float32) { quantops.WidenBFloat16(y, data[lo:hi]) }
	}
	y := buffer[float32](c, x.Len())
	err := c.parallel(len(y), blockGrain, func(lo, hi int) { widen(lo, hi, y[lo:hi]) })
	return tensor.New(x.Shape(), y), err
}

// narrowResult is the result of a product that the model computes in 16 bit.
type narrowResult struct {
	stored *tensor.Tensor
	finish func(at int, y []float32) // a piece of the product, from an element on
}

// narrowResult gives a place to a product's result of type t and shape, and what
// makes it of the sums.
func (w *Int8Product) narrowResult(c *Call, t onnx.DType, shape []int, sums []float32) narrowResult {
	// added is a piece with the bias, all but the last rounding.
	added := func(at int, y []float32) {
		if w.Bias == nil {
			return
		}
		bias := w.Bias[at%w.Weights[0].N:][:len(y)]
		if t == onnx.Float16 {
			quantops.RoundFloat16AndAdd(y, y, bias)
			return
		}
		roundFloats(t, y, y)
		vector.Add(y, y, bias)
	}
	switch {
	case w.Widened:
		return narrowResult{tensor.New(shape, sums), func(at int, y []float32) {
			added(at, y)
			if w.Bias == nil || !w.BiasWide {
				roundFloats(t, y, y)
			}
		}}
	case t == onnx.BFloat16:
		stored := buffer[quantops.BFloat16](c, len(sums))
		return narrowResult{tensor.New(shape, stored), func(at int, y []float32) {
			added(at, y)
			quantops.NarrowBFloat16(stored[at:], y)
		}}
	default:
		stored := buffer[quantops.Float16](c, len(sums))
		return narrowResult{tensor.New(shape, stored), func(at int, y []float32) {
			added(at, y)
			quantops.NarrowFloat16(stored[at:], y)
		}}
	}
}
