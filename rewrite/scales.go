package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// scaleDims is the shape that a weight's scales are stored in: a scalar for one,
// a vector for one each channel, a matrix for blocks, and the weight's own rank
// for a batch of matrices; with broadcast the shape that multiplies the weight,
// whose blocks are an axis of their own then.
func (w *weight) scaleDims(broadcast bool) []int64 {
	if !w.perChannel() {
		return nil
	}
	if w.block > 0 {
		dims := slices.Clone(w.dims)
		along := w.summed()
		dims[along] = (dims[along] + int64(w.block) - 1) / int64(w.block)
		if broadcast {
			dims = slices.Insert(dims, along+1, 1)
		}
		return dims
	}
	if w.batched {
		dims := slices.Clone(w.dims)
		dims[w.summed()] = 1
		return dims
	}
	dims := []int64{w.dims[w.axis]}
	if broadcast {
		for range w.dims[w.axis+1:] {
			dims = append(dims, 1)
		}
	}
	return dims
}

// blockedDims is the shape of the weight with its blocks as an axis of their own.
func (w *weight) blockedDims() []int64 {
	dims := slices.Clone(w.dims)
	along := w.summed()
	dims[along] /= int64(w.block)
	return slices.Insert(dims, along+1, int64(w.block))
}

// scaleTensor holds the scales.
func (w *weight) scaleTensor(dtype onnx.DType, broadcast bool) *onnx.Tensor {
	return w.scaleTensorOf(w.name+"_scale", dtype, w.scaleDims(broadcast), 1)
}

// scaleTensorOf holds the scales times a factor.
func (w *weight) scaleTensorOf(name string, dtype onnx.DType, dims []int64, factor float32) *onnx.Tensor {
	return w.ofScales(name, dtype, dims, scalesPart{of: scaleValues, factor: factor})
}

// zeroPointTensor holds an int8 zero point for each scale. It is never left out:
// without one, a runtime has taken the weight for uint8.
func (w *weight) zeroPointTensor() *onnx.Tensor {
	name, dims := w.name+"_zero_point", w.scaleDims(false)
	if !w.scheme.Asymmetric {
		if n := elements(dims); n > longZeros {
			return onnx.NewTensor(name, onnx.Int8, dims, zeros(n))
		}
		return onnx.Int8Tensor(name, dims, make([]int8, elements(dims)))
	}
	return w.ofScales(name, onnx.Int8, dims, scalesPart{of: zeroPoints})
}

// zeroTensor holds the zero points as floats, which int8 values are floats of
// exactly in every type.
func (w *weight) zeroTensor(dtype onnx.DType) *onnx.Tensor {
	return w.ofScales(w.name+"_zero", dtype, w.scaleDims(true), scalesPart{of: zeroPoints})
}

// inRank gives a tensor that broadcasts onto the weight the weight's own rank,
// so that what picks rows of the weight picks rows of it in the same way.
func (w *weight) inRank(t *onnx.Tensor) *onnx.Tensor {
	for len(t.Dims) > 0 && len(t.Dims) < len(w.dims) {
		t.Dims = slices.Insert(t.Dims, 0, 1)
	}
	return t
}

// partInRank names a part that inRank may have changed.
func (w *weight) partInRank(part string) string {
	if len(w.scaleDims(true)) < len(w.dims) {
		return part + " in rank"
	}
	return part
}

// floatConstant stores values in a float type, rounded to it.
func floatConstant(name string, dtype onnx.DType, dims []int64, values []float32) *onnx.Tensor {
	t := onnx.FloatTensor(name, dims, values)
	if dtype != onnx.Float {
		return storedAs(t, values, dtype)
	}
	return t
}
