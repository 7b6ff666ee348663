package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func buildConvTranspose(n *Node) (single, error) {
	v, err := readConvolution(n)
	if err != nil {
		return nil, err
	}
	t := transposedConvolution{
		convolver:     v,
		outputShape:   n.Ints("output_shape"),
		outputPadding: n.Ints("output_padding"),
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return t.run(c, in[0], in[1], operand(in, 2))
	}, nil
}

// transposedConvolution is what a ConvTranspose node states.
type transposedConvolution struct {
	convolver
	outputShape, outputPadding []int // nil where not stated
}

// run computes y (N, M, ...) of x (N, C, D1, ..., Dn), w (C, M/group, K1, ...,
// Kn) and b (M), which may be nil. Products are summed in float32, for double
// in float64, and rounded once.
func (v transposedConvolution) run(c *Call, x, w, b *tensor.Tensor) (*tensor.Tensor, error) {
	xs, ws := x.Shape(), w.Shape()
	if len(xs) < 3 || len(ws) != len(xs) {
		return nil, fmt.Errorf("input %v and weight %v must have one rank, 3 or more", xs, ws)
	}
	if xs[1] != ws[0] || xs[1]%v.group != 0 {
		return nil, fmt.Errorf("weight %v does not fit input %v in %d groups", ws, xs, v.group)
	}
	if v.window.kernel != nil && !slices.Equal(v.window.kernel, ws[2:]) {
		return nil, fmt.Errorf("kernel_shape %v is not that of the weight %v", v.window.kernel, ws)
	}
	if err := checkBias(b, ws[1]*v.group); err != nil {
		return nil, err
	}
	window, err := v.spread(xs[2:], ws[2:])
	if err != nil {
		return nil, err
	}
	shape := append([]int{xs[0], ws[1] * v.group}, window.input...)
	if _, err := checkedCount(shape); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	p := &convPlan{
		slidingWindow: window,
		batch:         xs[0], groups: v.group,
		channels: xs[1] / v.group, maps: ws[1],
		inputs: tensor.Count(xs[2:]), outputs: tensor.Count(window.input), taps: tensor.Count(ws[2:]),
	}
	if x.DType() == onnx.Double {
		return spreadTensors[float64](c, p, shape, x, w, b)
	}
	return spreadTensors[float32](c, p, shape, x, w, b)
}

// spread gives the window of the convolution whose transpose this is: the
// window's input is the node's output, and its output the node's input.
func (v transposedConvolution) spread(input, kernel []int) (*slidingWindow, error) {
	rank := len(input)
	w, err := v.window.axes(rank, kernel)
	if err != nil {
		return nil, err
	}
	extra := orAll(v.outputPadding, rank, 0)
	wanted := v.outputShape
	if len(wanted) == rank+2 {
		// Exporters of old also listed batch and channels.
		wanted = wanted[2:]
	}
	if len(extra) < rank || (wanted != nil && len(wanted) != rank) {
		return nil, fmt.Errorf("output_padding %v and output_shape %v must have one number for each of the %d spatial axes",
			v.outputPadding, v.outputShape, rank)
	}
	same := v.window.autoPad == "SAME_UPPER" || v.window.autoPad == "SAME_LOWER"
	w.output, w.input = input, make([]int, rank)
	for i, size := range input {
		if size > maxWindowExtent || extra[i] < 0 || extra[i] > maxWindowExtent {
			return nil, fmt.Errorf("spatial axis %d: size %d with output padding %d is out of range", i, size, extra[i])
		}
		full := w.strides[i]*(size-1) + extra[i] + w.extent(i)
		switch {
		case wanted != nil:
			w.input[i] = wanted[i]
		case same:
			w.input[i] = size * w.strides[i]
		default:
			w.input[i] = full - w.before[i] - w.after[i]
		}
		if w.input[i] < 0 || w.input[i] > maxWindowExtent {
			return nil, fmt.Errorf("the output of spatial axis %d would have size %d: out of range", i, w.input[i])
		}
		if wanted != nil || same {
			// The formula in version 1's text has the sides the other way round;
			// its own attribute's text, version 11 and runtimes agree on this one.
			// What an output is longer than the taps reach goes to its end.
			total := full - w.input[i]
			w.before[i], w.after[i] = splitPadding(max(0, total), v.window.autoPad != "SAME_UPPER")
			w.after[i] += min(0, total)
		}
	}
	return w, nil
}

func spreadTensors[T real](c *Call, p *convPlan, shape []int, x, w, b *tensor.Tensor) (*tensor.Tensor, error) {
	in, err := allReals[T](x, w, b)
	if err != nil {
		return nil, err
	}
	y, err := convolveTransposed(c, p, in[0], in[1], in[2])
	if err != nil {
		return nil, err
	}
	return ofReals(x.DType(), shape, y)
}

// convolveTransposed gives y (batch, maps, outputs) of x (batch, channels,
// inputs), w (channels, maps/groups, taps) and bias (maps), which may be nil.
// Map by map, every tap's share is first a weighted sum of the group's channels
// and then added where the tap falls.
func convolveTransposed[T real](c *Call, p *convPlan, x, w, bias []T) ([]T, error) {
	y := make([]T, p.batch*p.groups*p.maps*p.outputs)
	if len(y) == 0 {
		return y, nil
	}
	rows, err := p.rows()
	if err != nil {
		return nil, err
	}
	work := p.channels * p.taps * p.inputs
	return y, parallel(c, p.batch*p.groups*p.maps, work, func(from, to int) {
		shares := make([]T, p.taps*p.inputs)
		weights := make([]T, p.taps*p.channels)
		for i := from; i < to; i++ {
			sample, m := i/p.maps, i%p.maps
			group := sample % p.groups
			for channel := range p.channels {
				for tap := range p.taps {
					weights[tap*p.channels+channel] = w[((group*p.channels+channel)*p.maps+m)*p.taps+tap]
				}
			}
			clear(shares)
			source := matrix[T]{x[sample*p.channels*p.inputs:], p.inputs}
			addProduct(matrix[T]{shares, p.inputs}, matrix[T]{weights, p.channels}, source, p.taps, p.channels, p.inputs)
			out := y[i*p.outputs:][:p.outputs]
			if bias != nil {
				fillWith(out, bias[group*p.maps+m])
			}
			fold(rows, out, shares)
		}
	})
}

// summand is what fold adds up; 16-bit floats are widened.
type summand interface {
	number | complex64 | complex128
}

// fold is unroll of one channel turned around: it adds every element of columns
// (taps, outputs of the window) to the input element that its tap meets.
func fold[T summand](r *windowRows, input, columns []T) {
	last := len(r.input) - 1
	width, size, stride, kernel := r.output[last], r.input[last], r.strides[last], r.kernel[last]
	row := len(r.lines) * width
	for line, taps := range r.lines {
		for _, tap := range taps {
			target := input[tap.offset:][:size]
			for t, cover := range r.inner {
				source := columns[(tap.tap*kernel+t)*row+line*width:][cover.from:cover.to]
				at := cover.start
				for _, v := range source {
					target[at] += v
					at += stride
				}
			}
		}
	}
}
