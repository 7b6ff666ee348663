package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func buildMaxPool(n *Node) (several, error) {
	a, err := readWindowAttributes(n)
	columnMajor := n.Int("storage_order", 0) != 0
	wantIndices := len(n.Outputs) > 1 && n.Outputs[1] != ""
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		p, err := a.pool(in[0])
		if err != nil {
			return nil, err
		}
		var where []int64
		if wantIndices {
			where = make([]int64, p.channels*p.outputs)
		}
		y, err := maxPool(c, p, in[0], where)
		if err != nil || !wantIndices {
			return []*tensor.Tensor{y}, err
		}
		if columnMajor {
			p.transposeIndices(where)
		}
		return []*tensor.Tensor{y, tensor.New(p.shape, where)}, nil
	}, err
}

// maxPool also writes to where, unless it is nil, the row-major position in x
// of each maximum: of several equal ones, the first.
func maxPool(c *Call, p *pooling, x *tensor.Tensor, where []int64) (*tensor.Tensor, error) {
	switch data := x.Any().(type) {
	case []float32:
		if where == nil {
			if y, ok, err := p.largestByRows(c, data); ok {
				return tensor.New(p.shape, y), err
			}
		}
		y, err := maxima(c, p, data, where)
		return tensor.New(p.shape, y), err
	case []float64:
		y, err := maxima(c, p, data, where)
		return tensor.New(p.shape, y), err
	case []int8:
		y, err := maxima(c, p, data, where)
		return tensor.New(p.shape, y), err
	case []uint8:
		y, err := maxima(c, p, data, where)
		return tensor.New(p.shape, y), err
	}
	data, err := reals[float32](x)
	if err != nil {
		return nil, err
	}
	y, err := maxima(c, p, data, where)
	if err != nil {
		return nil, err
	}
	return ofReals(x.DType(), p.shape, y)
}

func maxima[T float32 | float64 | int8 | uint8](c *Call, p *pooling, x []T, where []int64) ([]T, error) {
	rows, err := p.rows()
	if err != nil {
		return nil, err
	}
	last := len(p.input) - 1
	width, size, stride := p.output[last], p.input[last], p.strides[last]
	y := make([]T, p.channels*p.outputs)
	return y, p.each(c, func(channel int) {
		best := make([]int, width) // position in x, or -1 for none yet
		for line, taps := range rows.lines {
			out := y[channel*p.outputs+line*width:][:width]
			fillWith(best, -1)
			for _, tap := range taps {
				base := channel*p.inputs + tap.offset
				source := x[base:][:size]
				for _, cover := range rows.inner {
					at := cover.start
					for o := cover.from; o < cover.to; o++ {
						if v := source[at]; best[o] < 0 || v > out[o] {
							out[o], best[o] = v, base+at
						}
						at += stride
					}
				}
			}
			if where != nil {
				for o, at := range best {
					where[channel*p.outputs+line*width+o] = int64(at)
				}
			}
		}
	})
}

// transposeIndices renumbers positions in place as storage_order 1 asks: within
// a channel the first spatial axis runs fastest.
func (p *pooling) transposeIndices(where []int64) {
	for i, at := range where {
		if at < 0 {
			continue
		}
		channel, rest := int(at)/p.inputs, int(at)%p.inputs
		position, below := 0, p.inputs
		for axis := len(p.input) - 1; axis >= 0; axis-- {
			below /= p.input[axis]
			position += rest % p.input[axis] * below
			rest /= p.input[axis]
		}
		where[i] = int64(channel*p.inputs + position)
	}
}

func buildMaxUnpool(n *Node) (single, error) {
	a, err := readWindowAttributes(n)
	if err == nil && a.kernel == nil {
		err = fmt.Errorf("kernel_shape is missing")
	}
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		wanted, err := optionalIntegers(in, 2)
		if err != nil {
			return nil, fmt.Errorf("output_shape: %w", err)
		}
		return a.unpool(in[0], in[1], wanted)
	}, err
}

// unpool puts every element of x at its index in a tensor of zeros, whose shape
// is the input's of the pool that this undoes. An output that is wanted in
// another shape has that tensor in its corner.
func (a windowAttributes) unpool(x, indices *tensor.Tensor, wanted []int) (*tensor.Tensor, error) {
	shape := x.Shape()
	positions, err := integers(indices)
	if err != nil {
		return nil, fmt.Errorf("indices: %w", err)
	}
	if len(shape) < 3 || len(positions) != x.Len() {
		return nil, fmt.Errorf("input %v must have rank 3 or more and an index for each element: indices are %v", shape, indices.Shape())
	}
	w, err := a.axes(len(shape)-2, a.kernel)
	if err != nil {
		return nil, err
	}
	pooled := slices.Clone(shape)
	for i := range w.kernel {
		if shape[i+2] > maxWindowExtent {
			return nil, fmt.Errorf("input %v is out of range", shape)
		}
		pooled[i+2] = (shape[i+2]-1)*w.strides[i] - w.before[i] - w.after[i] + w.kernel[i]
	}
	count, err := checkedCount(pooled)
	if err != nil {
		return nil, err
	}
	source := elementsIn(x)
	flat := source.like(count)
	for _, at := range positions {
		if at < 0 || at >= count {
			return nil, fmt.Errorf("index %d is outside the unpooled tensor %v", at, pooled)
		}
	}
	flat.put(positions, 1, source)
	if wanted == nil || slices.Equal(wanted, pooled) {
		return flat.tensor(pooled), nil
	}
	if len(wanted) != len(pooled) {
		return nil, fmt.Errorf("output_shape %v must have one number for each axis of %v", wanted, pooled)
	}
	count, err = checkedCount(wanted)
	if err != nil {
		return nil, err
	}
	corner := slices.Clone(pooled)
	for i, size := range wanted {
		corner[i] = min(size, corner[i])
	}
	result := source.like(count)
	move(result, rowMajor(wanted), flat, rowMajor(pooled), corner)
	return result.tensor(wanted), nil
}

// channelRows checks an input (N, C, ...) of a global pool: its shape with
// every spatial axis 1, and how many elements each channel has.
func channelRows(x *tensor.Tensor) (shape []int, each int, err error) {
	in := x.Shape()
	if len(in) < 2 {
		return nil, 0, fmt.Errorf("input %v must have rank 2 or more", in)
	}
	shape = orAll(nil, len(in), 1)
	copy(shape, in[:2])
	_, err = checkedCount(shape)
	return shape, tensor.Count(in[2:]), err
}

// globally reduces each channel of x to one number.
func globally[T real](c *Call, x *tensor.Tensor, reduce func(channel []T) T) (*tensor.Tensor, error) {
	shape, each, err := channelRows(x)
	if err != nil {
		return nil, err
	}
	data, err := reals[T](x)
	if err != nil {
		return nil, err
	}
	y := make([]T, tensor.Count(shape))
	err = c.parallel(len(y), worthSliding/max(1, each), func(from, to int) {
		for i := from; i < to; i++ {
			y[i] = reduce(data[i*each : (i+1)*each])
		}
	})
	if err != nil {
		return nil, err
	}
	return ofReals(x.DType(), shape, y)
}

func buildGlobalAveragePool(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if in[0].DType() == onnx.Double {
			return globally(c, in[0], mean[float64])
		}
		return globally(c, in[0], func(channel []float32) float32 {
			return float32(vector.Sum(channel) / float64(len(channel)))
		})
	}, nil
}

func buildGlobalMaxPool(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if tensor.Count(in[0].Shape()[min(2, in[0].Rank()):]) == 0 {
			return nil, fmt.Errorf("input %v has no elements to take the maximum of", in[0].Shape())
		}
		if in[0].DType() == onnx.Double {
			return globally(c, in[0], slices.Max[[]float64])
		}
		return globally(c, in[0], slices.Max[[]float32])
	}, nil
}

func buildGlobalLpPool(n *Node) (single, error) {
	order, err := normOrder(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if in[0].DType() == onnx.Double {
			return globally(c, in[0], func(channel []float64) float64 { return lpNorm(channel, order) })
		}
		return globally(c, in[0], func(channel []float32) float32 { return lpNorm(channel, order) })
	}, err
}
