package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestPad(t *testing.T) {
	three, ints := list[int32](1, 2, 3), list[int64]
	mode := func(name string) []*onnx.Attr { return []*onnx.Attr{onnx.StringAttr("mode", name)} }
	padded := func(name string, before, after int64, want ...int32) nodeTest {
		return nodeTest{op: "Pad", opset: 19, name: name, attrs: mode(name), in: values(three, ints(before, after)), want: values(list(want...))}
	}
	runNodeTests(t, []nodeTest{
		padded("edge", 2, 1, 1, 1, 1, 2, 3, 3),
		padded("reflect", 2, 1, 3, 2, 1, 2, 3, 2),
		padded("reflect", 5, 0, 2, 1, 2, 3, 2, 1, 2, 3), // more than once to and fro
		padded("wrap", 4, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2),
		padded("constant", -1, 1, 2, 3, 0),
		padded("edge", -1, -2),
		padded("wrap", -1, 3, 2, 3, 2, 3, 2),
		{op: "Pad", opset: 1, attrs: []*onnx.Attr{onnx.IntsAttr("paddings", []int64{1, 0}), onnx.FloatAttr("value", 7)}, in: values(counting(1)), want: values(list[float32](7, 0))},
		{op: "Pad", opset: 2, attrs: []*onnx.Attr{onnx.IntsAttr("pads", []int64{0, 2})}, in: values(list[float64](5)), want: values(list[float64](5, 0, 0))},
		{op: "Pad", opset: 11, in: values(list("x"), ints(1, 1), tensor.Scalar("?")), want: values(list("?", "x", "?"))},
		{op: "Pad", opset: 13, name: "two axes", attrs: mode("wrap"), in: values(counting(2, 2), ints(1, 0, 0, 1)), err: "none of opset 13"},
		{op: "Pad", opset: 19, name: "two axes", attrs: mode("wrap"), in: values(counting(2, 2), ints(1, 0, 0, 1)),
			want: values(shaped[float32]([]int{3, 3}, 2, 3, 2, 0, 1, 0, 2, 3, 2))},
		{op: "Pad", opset: 18, name: "axes", in: values(counting(2, 2), ints(0, 1), tensor.Scalar[float32](9), list[int32](-1)),
			want: values(shaped[float32]([]int{2, 3}, 0, 1, 9, 2, 3, 9))},
		{op: "Pad", opset: 18, name: "axes twice", in: values(counting(2, 2), ints(0, 1, 0, 1), nil, ints(1, -1)), err: "listed twice"},
		{op: "Pad", opset: 18, name: "of nothing", attrs: mode("edge"), in: values(counting(0), ints(1, 1)), err: "nothing left to repeat"},
		{op: "Pad", opset: 18, name: "too few pads", in: values(counting(2, 2), ints(1, 1)), err: "for each axis"},
		{op: "Pad", opset: 18, name: "away more than there is", in: values(three, ints(-2, -2)), err: "do not fit"},
		{op: "Pad", opset: 18, name: "too much", in: values(three, ints(1<<62, 1<<62)), err: "do not fit"},
		{op: "Pad", opset: 18, name: "too large", in: values(counting(1, 1), ints(1<<30, 1<<30, 0, 0)), err: "too large"},
		{op: "Pad", opset: 18, name: "another type", in: values(three, ints(1, 1), tensor.Scalar[float32](1)), err: "constant_value"},
	})
}
