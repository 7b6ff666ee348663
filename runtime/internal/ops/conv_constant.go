package ops

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// ConvConstants are what is known of a Conv when a graph is compiled.
type ConvConstants struct {
	Type  onnx.DType // of the weights' floats, and so of the input: float, float16 or bfloat16
	Shape []int      // of the weight: (maps, channels, kernel)
	// Floats are the weights; or Integers, which stand for (q − zero)·scale with
	// one scale and one zero point for each map. No zero points: 0.
	Floats   []float32
	Integers []int8
	Scales   []float32
	Zeros    []int8
	// Factors, if not nil, multiply each map.
	Factors []float32
	// Bias, if not nil, is added to each map, after the factors.
	Bias []float32
	// End, if not nil, is what becomes of the result, which is float.
	End *ConvEnd
}

// ConstantConv is a Conv whose weights are packed once, when its graph is
// compiled. Integers stay integers: a block of them at a time is widened for all
// outputs that a task computes. Those of a convolution that slides over its
// channels, a few for each, are widened at once.
type ConstantConv struct {
	convolver
	ConvConstants
	weights *ConvWeights
	filters []float32
	planned atomic.Pointer[plannedConv] // of the last run
}

// plannedConv is a convolution laid over an input of one shape.
type plannedConv struct {
	input []int
	work  convWork
}

// NewConstantConv packs the weights of a Conv node; an error says that node and
// constants do not fit each other.
func NewConstantConv(n *Node, constants ConvConstants) (*ConstantConv, error) {
	v, err := readConvolution(n)
	if err != nil {
		return nil, err
	}
	shape := constants.Shape
	if count, err := tensor.CheckedCount(shape); err != nil || count == 0 || len(shape) < 3 || shape[0]%v.group != 0 {
		return nil, fmt.Errorf("weight %v does not fit %d groups", shape, v.group)
	}
	f := &ConstantConv{convolver: v, ConvConstants: constants}
	groups, maps, depth := v.group, shape[0]/v.group, tensor.Count(shape[1:])
	if constants.Integers != nil {
		scales := slices.Clone(constants.Scales)
		for i, factor := range constants.Factors {
			scales[i] *= factor
		}
		f.weights = PackConvIntegers(constants.Integers, groups, maps, depth, scales, constants.Zeros)
	} else {
		f.weights = PackConvWeights(constants.Floats, groups, maps, depth, constants.Factors)
	}
	if shape[1] == 1 && maps < mostSliding {
		f.filters = make([]float32, shape[0]*depth)
		for m := range shape[0] {
			f.weights.row(m/maps, m%maps, f.filters[m*depth:][:depth])
		}
		f.weights = nil
	}
	f.Floats, f.Integers, f.Scales, f.Zeros, f.Factors = nil, nil, nil, nil, nil // packed
	return f, nil
}

// Run convolves x. bias, one number for each map, is added if there is no
// constant one; it may be nil.
func (f *ConstantConv) Run(c *Call, x, bias *tensor.Tensor) (*tensor.Tensor, error) {
	if x.DType() != f.Type {
		return nil, fmt.Errorf("input of type %v with a weight of type %v: want one type", x.DType(), f.Type)
	}
	p := f.planned.Load()
	if p == nil || !slices.Equal(p.input, x.Shape()) {
		var err error
		if p, err = f.plan(x); err != nil {
			return nil, err
		}
		f.planned.Store(p)
	}
	work := p.work
	if bias != nil {
		if err := checkBias(bias, f.Shape[0]); err != nil {
			return nil, err
		}
		var err error
		if work.bias, err = reals[float32](bias); err != nil {
			return nil, err
		}
	}
	data, err := reals[float32](x)
	if err != nil {
		return nil, err
	}
	var y []float32
	if work.source != nil {
		y, err = work.run(c, data)
	} else if y, err = convolve(c, work.convPlan, data, f.unpacked(), work.bias); err == nil {
		for i := range work.batch * f.Shape[0] {
			work.end.finish(y[i*work.outputs:], 0, i%f.Shape[0], 1, work.outputs)
		}
	}
	if err != nil {
		return nil, err
	}
	return ofReals(f.Type, work.shape(), y)
}

// unpacked are the weights as the loop wants them that takes any window.
func (f *ConstantConv) unpacked() []float32 {
	if f.filters != nil {
		return f.filters
	}
	w := f.weights
	rows := make([]float32, f.Shape[0]*w.depth)
	for m := range f.Shape[0] {
		w.row(m/w.maps, m%w.maps, rows[m*w.depth:][:w.depth])
	}
	return rows
}

func (f *ConstantConv) plan(x *tensor.Tensor) (*plannedConv, error) {
	p, err := f.convolver.planShapes(x.Shape(), f.Shape)
	if err != nil {
		return nil, err
	}
	return &plannedConv{input: slices.Clone(x.Shape()), work: convWork{
		convPlan: p, source: newConvSource(p.slidingWindow, 1), weights: f.weights, filters: f.filters, bias: f.Bias, end: f.End,
	}}, nil
}
