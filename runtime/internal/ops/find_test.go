package ops

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestFindFamily(t *testing.T) {
	ints := list[int64]
	nan := float32(math.NaN())
	unsorted := []*onnx.Attr{onnx.IntAttr("sorted", 0)}
	offOn := list[int8](0, 1)
	runNodeTests(t, []nodeTest{
		{op: "NonZero", opset: 9, in: values(shaped([]int{2, 2}, true, false, true, true)), want: values(shaped[int64]([]int{2, 3}, 0, 1, 1, 0, 0, 1))},
		{op: "NonZero", opset: 13, name: "minus zero", in: values(list[quantops.Float16](0x8000, 0x0001)), want: values(shaped[int64]([]int{1, 1}, 1))},
		{op: "NonZero", opset: 13, name: "a scalar", in: values(tensor.Scalar("x")), want: values(tensor.New([]int{0, 1}, []int64{}))},
		{op: "NonZero", opset: 13, name: "nothing", in: values(list[float32](0, nan)), want: values(shaped[int64]([]int{1, 1}, 1))},

		{op: "OneHot", opset: 11, in: values(ints(1, -1, 3), tensor.Scalar[int64](3), offOn), want: values(shaped[int8]([]int{3, 3}, 0, 1, 0, 0, 0, 1, 0, 0, 0))},
		{op: "OneHot", opset: 9, name: "negative", in: values(ints(1, -1), list[float32](2), offOn), want: values(shaped[int8]([]int{2, 2}, 0, 1, 0, 0))},
		{op: "OneHot", opset: 11, name: "first axis, strings", attrs: axisAttr(0), in: values(list[float32](1, 0, 1), ints(2), list("no", "yes")),
			want: values(shaped([]int{2, 3}, "no", "yes", "no", "yes", "no", "yes"))},
		{op: "OneHot", opset: 11, name: "middle axis", attrs: axisAttr(1), in: values(shaped[int64]([]int{1, 2}, 0, 1), ints(2), offOn), want: values(shaped[int8]([]int{1, 2, 2}, 1, 0, 0, 1))},
		{op: "OneHot", opset: 11, name: "negative depth", in: values(ints(1), ints(-1), offOn), err: "negative"},
		{op: "OneHot", opset: 11, name: "huge depth", in: values(ints(1), ints(1<<40), offOn), err: "too large"},
		{op: "OneHot", opset: 11, name: "two depths", in: values(ints(1), ints(1, 2), offOn), err: "one number"},
		{op: "OneHot", opset: 11, name: "one value", in: values(ints(1), ints(2), ints(1)), err: "an off and an on value"},
		{op: "OneHot", opset: 11, name: "strings", in: values(list("1"), ints(2), offOn), err: "indices"},

		{op: "Unique", opset: 11, in: values(list[float32](2, 1, 1, 3, 4, 3)), want: values(list[float32](1, 2, 3, 4), ints(1, 0, 3, 4), ints(1, 0, 0, 2, 3, 2), ints(2, 1, 2, 1))},
		{op: "Unique", opset: 11, name: "in order", attrs: unsorted, in: values(list("b", "a", "b")), want: values(list("b", "a"), ints(0, 1), ints(0, 1, 0), ints(2, 1))},
		{op: "Unique", opset: 11, name: "columns", attrs: axisAttr(-1), in: values(shaped[int32]([]int{2, 3}, 1, 0, 1, 2, 5, 2)),
			want: values(shaped[int32]([]int{2, 2}, 0, 1, 5, 2), ints(1, 0), ints(1, 0, 1), ints(1, 2))},
		{op: "Unique", opset: 11, name: "not numbers come last", in: values(list(nan, 1, nan, -1)), want: values(list(-1, 1, nan), ints(3, 1, 0), ints(2, 1, 2, 0), ints(1, 1, 2))},
		{op: "Unique", opset: 11, name: "booleans", in: values(list(true, false, true)), want: values(list(false, true), ints(1, 0), ints(1, 0, 1), ints(1, 2))},
		{op: "Unique", opset: 11, name: "nothing", in: values(ints()), want: values(ints(), ints(), ints(), ints())},
		{op: "Unique", opset: 11, name: "complex", in: values(list[complex64](1)), err: "want numbers"},
		{op: "Unique", opset: 11, name: "wrong axis", attrs: axisAttr(1), in: values(ints(1)), err: "axis 1 is out of range"},
	})
}
