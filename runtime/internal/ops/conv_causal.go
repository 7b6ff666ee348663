package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func buildCausalConv(n *Node) (several, error) {
	swish := false
	switch activation := n.Text("activation", "none"); activation {
	case "none":
	case "silu", "swish":
		swish = true
	default:
		return nil, fmt.Errorf("activation is %q: want none, silu or swish", activation)
	}
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		y, state, err := causalConvolution(c, in[0], in[1], operand(in, 2), operand(in, 3), swish)
		return []*tensor.Tensor{y, state}, err
	}, nil
}

// causalConvolution convolves every channel of x (N, C, L) with its own kernel,
// w (C, 1, K), over what lies before it: past (N, C, K-1), zeros where that is
// nil, and then x itself. state is the last K-1 elements of the two joined, to
// be the next call's past. A 16-bit type is rounded before the swish and after.
func causalConvolution(c *Call, x, w, bias, past *tensor.Tensor, swish bool) (y, state *tensor.Tensor, err error) {
	if x.Rank() != 3 || w.Rank() != 3 || w.Shape()[0] != x.Shape()[1] || w.Shape()[1] != 1 || w.Shape()[2] < 1 {
		return nil, nil, fmt.Errorf("input %v and weight %v: want (batch, channels, length) and (channels, 1, kernel)", x.Shape(), w.Shape())
	}
	batch, channels, length, kernel := x.Shape()[0], x.Shape()[1], x.Shape()[2], w.Shape()[2]
	carried := []int{batch, channels, kernel - 1}
	if past != nil && (!slices.Equal(past.Shape(), carried) || past.DType() != x.DType()) {
		return nil, nil, fmt.Errorf("past state of type %v and shape %v: want %v %v", past.DType(), past.Shape(), x.DType(), carried)
	}
	source := elementsIn(x)
	shape := []int{batch, channels, kernel - 1 + length}
	whole := rowMajor(shape)
	joined := source.like(tensor.Count(shape))
	if past != nil {
		move(joined, whole, elementsIn(past), rowMajor(carried), carried)
	}
	move(joined, whole.at([]int{0, 0, kernel - 1}), source, rowMajor(x.Shape()), x.Shape())
	all := joined.tensor(shape)

	if length == 0 {
		return x, all, nil
	}
	y, err = convolver{window: windowAttributes{autoPad: "NOTSET"}, group: channels}.run(c, all, w, bias)
	if err != nil {
		return nil, nil, err
	}
	if swish {
		data, err := reals[float32](y)
		if err != nil {
			return nil, nil, err
		}
		data = slices.Clone(data)
		for i, v := range data {
			data[i] = float32(float64(v) * sigmoid(float64(v)))
		}
		if y, err = ofReals(x.DType(), y.Shape(), data); err != nil {
			return nil, nil, err
		}
	}
	return y, pick(c, all, whole.at([]int{0, 0, length}), carried), nil
}
