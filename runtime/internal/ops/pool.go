package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var poolFamily = []Kernel{
	{Op: "AveragePool", Since: 1, Build: needs(1, Single(buildAveragePool))},
	{Op: "LpPool", Since: 1, Build: needs(1, Single(buildLpPool))},
	{Op: "MaxPool", Since: 1, Build: needs(1, Tensors(buildMaxPool))},
	{Op: "MaxUnpool", Since: 9, Build: needs(2, Single(buildMaxUnpool))},
	{Op: "GlobalAveragePool", Since: 1, Build: needs(1, Single(buildGlobalAveragePool))},
	{Op: "GlobalLpPool", Since: 1, Build: needs(1, Single(buildGlobalLpPool))},
	{Op: "GlobalMaxPool", Since: 1, Build: needs(1, Single(buildGlobalMaxPool))},
}

// pooling is a pool laid over an input of a given shape.
type pooling struct {
	*slidingWindow
	shape           []int // of the output
	channels        int   // batches times channels
	inputs, outputs int   // elements of one channel
}

// pool lays the window over every channel of x (N, C, D1, ..., Dn).
func (a windowAttributes) pool(x *tensor.Tensor) (*pooling, error) {
	shape := x.Shape()
	if len(shape) < 3 {
		return nil, fmt.Errorf("input %v must have rank 3 or more", shape)
	}
	if a.kernel == nil {
		return nil, fmt.Errorf("kernel_shape is missing")
	}
	w, err := a.slide(shape[2:], a.kernel)
	if err != nil {
		return nil, err
	}
	p := &pooling{
		shape:    append([]int{shape[0], shape[1]}, w.output...),
		channels: shape[0] * shape[1],
		inputs:   tensor.Count(shape[2:]),
	}
	if _, err := checkedCount(p.shape); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	p.outputs, p.slidingWindow = tensor.Count(w.output), w
	return p, nil
}

// each runs work on every channel in turn, several at once.
func (p *pooling) each(c *Call, work func(channel int)) error {
	return parallel(c, p.channels, p.outputs*p.kernel[len(p.kernel)-1], func(from, to int) {
		for channel := from; channel < to; channel++ {
			work(channel)
		}
	})
}

// sums adds up transform(v) over all elements v under each window of a channel.
func sums[T real](r *windowRows, x, y []T, transform func(line []T) []T) {
	last := len(r.input) - 1
	width, size, stride := r.output[last], r.input[last], r.strides[last]
	for line, taps := range r.lines {
		out := y[line*width:][:width]
		for _, tap := range taps {
			source := x[tap.offset:][:size]
			if transform != nil {
				source = transform(source)
			}
			for _, cover := range r.inner {
				at := cover.start
				target := out[cover.from:cover.to]
				for i := range target {
					target[i] += source[at]
					at += stride
				}
			}
		}
	}
}

// counts gives how many elements each window of a channel covers: those inside
// the input, or with its explicit padding too.
func (r *windowRows) counts(includePadding bool) []int {
	last := len(r.input) - 1
	inner := make([]int, r.output[last])
	for o, s := range r.spans(last) {
		inner[o] = s.last - s.first
		if includePadding {
			inner[o] = r.withPadding(last, s)
		}
	}
	counts := make([]int, 0, len(r.lines)*len(inner))
	for line, taps := range r.lines {
		n := len(taps)
		if includePadding {
			n = r.paddedTaps[line]
		}
		for _, count := range inner {
			counts = append(counts, n*count)
		}
	}
	return counts
}

func buildAveragePool(n *Node) (single, error) {
	a, err := readWindowAttributes(n)
	includePadding := n.Int("count_include_pad", 0) != 0
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		p, err := a.pool(in[0])
		if err != nil {
			return nil, err
		}
		if in[0].DType() == onnx.Double {
			return averagePool[float64](c, p, includePadding, in[0])
		}
		return averagePool[float32](c, p, includePadding, in[0])
	}, err
}

func averagePool[T real](c *Call, p *pooling, includePadding bool, x *tensor.Tensor) (*tensor.Tensor, error) {
	data, err := reals[T](x)
	if err != nil {
		return nil, err
	}
	rows, err := p.rows()
	if err != nil {
		return nil, err
	}
	var y []T
	added := false
	if wide, ok := any(data).([]float32); ok {
		var narrow []float32
		if narrow, added, err = p.sumsByRows(c, wide); err != nil {
			return nil, err
		}
		y, _ = any(narrow).([]T)
	}
	if !added {
		y = make([]T, p.channels*p.outputs)
	}
	counts := rows.counts(includePadding)
	err = p.each(c, func(channel int) {
		out := y[channel*p.outputs:][:p.outputs]
		if !added {
			sums(rows, data[channel*p.inputs:][:p.inputs], out, nil)
		}
		for i, count := range counts {
			out[i] /= T(count)
		}
	})
	if err != nil {
		return nil, err
	}
	return ofReals(x.DType(), p.shape, y)
}

// normOrder is the attribute p of the Lp pools: a float in version 1.
func normOrder(n *Node) (float64, error) {
	p := float64(n.Int("p", 2))
	if n.Opset < 2 {
		p = float64(n.Float("p", 2))
	}
	if !(p > 0) {
		return 0, fmt.Errorf("p is %v: want a positive number", p)
	}
	return p, nil
}

func buildLpPool(n *Node) (single, error) {
	a, err := readWindowAttributes(n)
	if err != nil {
		return nil, err
	}
	order, err := normOrder(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		p, err := a.pool(in[0])
		if err != nil {
			return nil, err
		}
		if in[0].DType() == onnx.Double {
			return lpPool[float64](c, p, order, in[0])
		}
		return lpPool[float32](c, p, order, in[0])
	}, err
}

func lpPool[T real](c *Call, p *pooling, order float64, x *tensor.Tensor) (*tensor.Tensor, error) {
	data, err := reals[T](x)
	if err != nil {
		return nil, err
	}
	rows, err := p.rows()
	if err != nil {
		return nil, err
	}
	y := make([]T, p.channels*p.outputs)
	err = p.each(c, func(channel int) {
		powers := make([]T, p.input[len(p.input)-1])
		out := y[channel*p.outputs:][:p.outputs]
		sums(rows, data[channel*p.inputs:][:p.inputs], out, func(line []T) []T {
			for i, v := range line {
				powers[i] = absolutePower(v, order)
			}
			return powers
		})
		for i, v := range out {
			out[i] = T(math.Pow(float64(v), 1/order))
		}
	})
	if err != nil {
		return nil, err
	}
	return ofReals(x.DType(), p.shape, y)
}

// absolutePower is |v|^p.
func absolutePower[T real](v T, p float64) T {
	switch p {
	case 1:
		return max(v, -v)
	case 2:
		return v * v
	}
	return T(math.Pow(math.Abs(float64(v)), p))
}
