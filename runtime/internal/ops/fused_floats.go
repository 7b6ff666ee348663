package ops

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// MapFloats applies a loop to the elements of a tensor of float32.
func MapFloats(c *Call, x *tensor.Tensor, loop func(y, x []float32)) (*tensor.Tensor, error) {
	data, _ := tensor.Data[float32](x)
	y := buffer[float32](c, len(data))
	err := c.parallel(len(y), blockGrain, func(lo, hi int) { loop(y[lo:hi], data[lo:hi]) })
	return tensor.New(x.Shape(), y), err
}

// LayerNormRows normalizes the rows of a tensor of float32 along its last axis,
// which is as long as scale and bias; see vector.LayerNorm.
func LayerNormRows(c *Call, x *tensor.Tensor, scale, bias []float32, epsilon float32) (*tensor.Tensor, error) {
	return mapFloatRows(c, x, func(_ int, y, x []float32) { vector.LayerNorm(y, x, scale, bias, epsilon) })
}

// RMSNormRows divides the rows of a tensor of float32 along its last axis, which
// is as long as scale, by the root of their mean square; see vector.RMSNorm.
func RMSNormRows(c *Call, x *tensor.Tensor, scale []float32, epsilon float32) (*tensor.Tensor, error) {
	return mapFloatRows(c, x, func(_ int, y, x []float32) { vector.RMSNorm(y, x, scale, epsilon) })
}

// MaskedSoftmax is the softmax of x·factor + mask, of float32, along x's last
// axis. mask may be nil; the result is if it does not broadcast to x's shape in
// whole rows.
func MaskedSoftmax(c *Call, x, mask *tensor.Tensor, factor float32) (*tensor.Tensor, error) {
	if mask == nil {
		return mapFloatRows(c, x, func(_ int, y, x []float32) {
			vector.MulNumber(y, x, factor)
			vector.Softmax(y, y)
		})
	}
	shape := x.Shape()
	last := len(shape) - 1
	full, err := broadcastShapes(shape, mask.Shape())
	if err != nil || !slices.Equal(full, shape) || mask.Rank() == 0 || mask.Shape()[mask.Rank()-1] != shape[last] {
		return nil, nil
	}
	strides := broadcastStrides(mask.Shape(), shape)
	terms, _ := tensor.Data[float32](mask)
	return mapFloatRows(c, x, func(row int, y, x []float32) {
		offset := 0
		for axis := last - 1; axis >= 0; axis-- {
			offset += row % shape[axis] * strides[axis]
			row /= shape[axis]
		}
		vector.MaskedSoftmax(y, x, terms[offset:][:len(x)], factor)
	})
}

// mapFloatRows makes a row of each row along the last axis of a tensor of float32.
func mapFloatRows(c *Call, x *tensor.Tensor, f func(row int, y, x []float32)) (*tensor.Tensor, error) {
	shape := x.Shape()
	data, _ := tensor.Data[float32](x)
	width := shape[len(shape)-1]
	y := buffer[float32](c, len(data))
	err := parallel(c, len(data)/max(width, 1), 4*width, func(from, to int) {
		for row := from; row < to; row++ {
			f(row, y[row*width:][:width], data[row*width:][:width])
		}
	})
	return tensor.New(shape, y), err
}
