package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func axisAttr(axis int64) []*onnx.Attr { return []*onnx.Attr{onnx.IntAttr("axis", axis)} }

func TestConcatFamily(t *testing.T) {
	left, right := shaped([]int{2, 1}, "a", "b"), shaped([]int{2, 2}, "c", "d", "e", "f")
	five := counting(5)
	numbers := func(v ...float32) *tensor.Tensor { return list(v...) }
	sequence := func(v ...tensor.Value) *tensor.Sequence { return &tensor.Sequence{Elem: onnx.Float, Values: v} }
	parts := func(n int64) []*onnx.Attr { return []*onnx.Attr{onnx.IntAttr("num_outputs", n)} }
	runNodeTests(t, []nodeTest{
		{op: "Concat", opset: 1, name: "on axis 1 by default", in: values(left, right), want: values(shaped([]int{2, 3}, "a", "c", "d", "b", "e", "f"))},
		{op: "Concat", opset: 4, name: "without axis", in: values(left), err: "axis is missing"},
		{op: "Concat", opset: 13, attrs: axisAttr(-2), in: values(right, shaped([]int{0, 2}, []string{}...), right),
			want: values(shaped([]int{4, 2}, "c", "d", "e", "f", "c", "d", "e", "f"))},
		{op: "Concat", opset: 13, name: "other shape", attrs: axisAttr(0), in: values(left, right), err: "not only along axis 0"},
		{op: "Concat", opset: 13, name: "other rank", attrs: axisAttr(0), in: values(right, list("a")), err: "not only along axis 0"},
		{op: "Concat", opset: 13, name: "other type", attrs: axisAttr(0), in: values(list[int32](1), list[int64](1)), err: "type"},
		{op: "Concat", opset: 13, name: "a scalar", attrs: axisAttr(0), in: values(tensor.Scalar(true)), err: "the rank is 0"},

		{op: "Split", opset: 1, name: "by an operand", in: values(five, list[float32](2, 3)), want: values(numbers(0, 1), numbers(2, 3, 4))},
		{op: "Split", opset: 2, attrs: []*onnx.Attr{onnx.IntsAttr("split", []int64{4, 1})}, in: values(five), want: values(numbers(0, 1, 2, 3), numbers(4))},
		{op: "Split", opset: 11, attrs: axisAttr(-1), in: values(counting(2, 2)),
			want: values(shaped[float32]([]int{2, 1}, 0, 2), shaped[float32]([]int{2, 1}, 1, 3))},
		{op: "Split", opset: 13, name: "unequal without lengths", in: values(five), want: values(five, five), err: "2 equal parts"},
		{op: "Split", opset: 13, in: values(five, list[int64](5, 0)), want: values(five, numbers())},
		{op: "Split", opset: 18, name: "the last is shorter", attrs: parts(2), in: values(five), want: values(numbers(0, 1, 2), numbers(3, 4))},
		{op: "Split", opset: 18, name: "num_outputs and outputs differ", attrs: parts(1 << 40), in: values(five), err: "num_outputs"},
		{op: "Split", opset: 18, name: "too short", in: values(five, list[int64](2, 2)), want: values(five, five), err: "leaves 1"},
		{op: "Split", opset: 18, name: "too long", in: values(five, list[int64](2, 4)), want: values(five, five), err: "does not fit"},
		{op: "Split", opset: 18, name: "negative", in: values(five, list[int64](6, -1)), want: values(five, five), err: "does not fit"},

		{op: "SplitToSequence", opset: 11, name: "one by one", attrs: []*onnx.Attr{onnx.IntAttr("keepdims", 0)}, in: values(counting(2)),
			want: values(sequence(tensor.Scalar[float32](0), tensor.Scalar[float32](1)))},
		{op: "SplitToSequence", opset: 11, name: "the lengths left out", attrs: []*onnx.Attr{onnx.IntAttr("keepdims", 0)}, in: values(counting(1), nil),
			want: values(sequence(tensor.Scalar[float32](0)))},
		{op: "SplitToSequence", opset: 11, name: "keepdims has no say beside lengths", attrs: []*onnx.Attr{onnx.IntAttr("keepdims", 0)}, in: values(counting(1), tensor.Scalar[int64](1)),
			want: values(sequence(numbers(0)))},
		{op: "SplitToSequence", opset: 11, name: "by a length", in: values(counting(3), tensor.Scalar[int64](2)), want: values(sequence(numbers(0, 1), numbers(2)))},
		{op: "SplitToSequence", opset: 24, name: "by lengths", in: values(counting(3), list[int32](1, 2)), want: values(sequence(numbers(0), numbers(1, 2)))},
		{op: "SplitToSequence", opset: 24, name: "by nothing", in: values(counting(3), tensor.Scalar[int64](0)), err: "at least 1"},
		{op: "ConcatFromSequence", opset: 11, attrs: axisAttr(0), in: values(sequence(numbers(0, 1), numbers(2))), want: values(numbers(0, 1, 2))},
		{op: "ConcatFromSequence", opset: 11, name: "new_axis", attrs: append(axisAttr(-1), onnx.IntAttr("new_axis", 1)),
			in: values(sequence(numbers(0, 1), numbers(2, 3))), want: values(shaped[float32]([]int{2, 2}, 0, 2, 1, 3))},
		{op: "ConcatFromSequence", opset: 11, name: "of unequal on a new axis", attrs: append(axisAttr(0), onnx.IntAttr("new_axis", 1)),
			in: values(sequence(numbers(0, 1), numbers(2))), err: "a new axis needs equal ones"},
		{op: "ConcatFromSequence", opset: 11, name: "of none", attrs: axisAttr(0), in: values(sequence()), err: "empty sequence"},
		{op: "ConcatFromSequence", opset: 11, name: "of a tensor", attrs: axisAttr(0), in: values(five), err: "not a sequence"},
	})
}
