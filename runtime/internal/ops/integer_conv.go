package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var integerConvFamily = []Kernel{
	{Op: "ConvInteger", Since: 10, Build: needs(2, Single(buildConvInteger))},
	{Op: "QLinearConv", Since: 10, Build: needs(8, Single(buildQLinearConv))},
}

func buildConvInteger(n *Node) (single, error) {
	v, err := readConvolution(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		p, y, err := v.runIntegers(c, in[0], in[1], operand(in, 2), operand(in, 3), nil)
		if err != nil {
			return nil, err
		}
		return tensor.New(p.shape(), y), nil
	}, err
}

// runIntegers convolves x − xZero with w − wZero, all int8 or uint8, in int32,
// and adds a bias of int32. Zero points may be nil; x has one, w one or one for
// each map. What is padded counts as x's zero point.
func (v convolver) runIntegers(c *Call, x, w, xZero, wZero, bias *tensor.Tensor) (*convPlan, []int32, error) {
	p, err := v.plan(x, w, bias)
	if err != nil {
		return nil, nil, err
	}
	var terms []int32
	if bias != nil {
		var ok bool
		if terms, ok = tensor.Data[int32](bias); !ok {
			return nil, nil, fmt.Errorf("bias of type %v: want int32", bias.DType())
		}
	}
	if xZero != nil && xZero.Len() != 1 {
		return nil, nil, fmt.Errorf("zero points of the input have shape %v: want one", xZero.Shape())
	}
	input, err := lessZeros(x, xZero)
	if err != nil {
		return nil, nil, fmt.Errorf("input: %w", err)
	}
	weights, err := lessZeros(w, wZero)
	if err != nil {
		return nil, nil, fmt.Errorf("weight: %w", err)
	}
	y, err := convolve(c, p, input, weights, terms)
	return p, y, err
}

// lessZeros is an int8 or uint8 tensor less its zero points, in int32: none
// (nil), one, or one for each index of its first axis.
func lessZeros(t, zeros *tensor.Tensor) ([]int32, error) {
	if t.DType() != onnx.Int8 && t.DType() != onnx.Uint8 {
		return nil, fmt.Errorf("type %v: want int8 or uint8", t.DType())
	}
	wide, err := numbersAs[int32](t)
	if err != nil || zeros == nil {
		return wide, err
	}
	if zeros.DType() != t.DType() {
		return nil, fmt.Errorf("type %v with zero points of type %v: want one type", t.DType(), zeros.DType())
	}
	grid, err := granularity{}.grid(t.Shape(), []int{zeros.Len()})
	if err != nil {
		return nil, err
	}
	shifts, err := numbersAs[int32](zeros)
	if err != nil {
		return nil, err
	}
	grid.Runs(0, len(wide), func(start, length, scale int, each bool) {
		for i := range wide[start : start+length] {
			shift := shifts[scale]
			if each {
				shift = shifts[scale+i]
			}
			wide[start+i] -= shift
		}
	})
	return wide, nil
}

// buildQLinearConv builds round((x∗w + bias)·xScale·wScale/yScale) + yZero, with
// one weight scale or one for each map.
func buildQLinearConv(n *Node) (single, error) {
	v, err := readConvolution(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		x, xScale, xZero, w, wScale, wZero, yScale, yZero := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]
		if xScale.Len() != 1 || yScale.Len() != 1 || yZero.Len() != 1 {
			return nil, fmt.Errorf("scales and zero points of shape %v, %v and %v for input and output: want one each", xScale.Shape(), yScale.Shape(), yZero.Shape())
		}
		p, sums, err := v.runIntegers(c, x, w, xZero, wZero, operand(in, 8))
		if err != nil {
			return nil, err
		}
		s, err := p.rescaling(xScale, wScale, yScale, yZero)
		if err != nil {
			return nil, err
		}
		return encodeQuotients(c, yZero.DType(), true, p.shape(), rescaled{s, converted[int32, float32](sums)})
	}, err
}

// rescaling is what sums of a convolution are multiplied with, map by map.
func (p *convPlan) rescaling(xScale, wScale, yScale, yZero *tensor.Tensor) (*scaling, error) {
	values, err := allReals[float32](xScale, wScale, yScale)
	if err != nil {
		return nil, err
	}
	zero, err := numbersAs[float32](yZero)
	if err != nil {
		return nil, err
	}
	maps := p.groups * p.maps
	s := &scaling{grid: quantops.Grid{Outer: p.batch, Length: maps, Inner: p.outputs}, zeros: zero, scales: make([]float32, len(values[1]))}
	switch len(values[1]) {
	case maps:
	case 1:
		s.grid = quantops.Grid{Outer: 1, Length: 1, Inner: s.grid.Len()}
	default:
		return nil, fmt.Errorf("weight scales of shape %v for %d maps: want one, or one for each", wScale.Shape(), maps)
	}
	for i, scale := range values[1] {
		s.scales[i] = values[0][0] * scale / values[2][0]
	}
	return s, nil
}
