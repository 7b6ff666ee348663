package ops

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

func TestSlice(t *testing.T) {
	ten, table := counting(10), counting(2, 4)
	ints := list[int64]
	one := func(start, end, step int64, want ...float32) nodeTest {
		return nodeTest{op: "Slice", opset: 13, in: values(ten, ints(start), ints(end), nil, ints(step)), want: values(list(want...))}
	}
	runNodeTests(t, []nodeTest{
		one(2, 5, 1, 2, 3, 4),
		one(-3, math.MaxInt64, 2, 7, 9),
		one(-100, -8, 1, 0, 1),
		one(5, 5, 1),
		one(7, 3, 1),
		one(9, 0, -4, 9, 5, 1),
		one(100, math.MinInt64, -3, 9, 6, 3, 0),
		one(-100, -200, -1, 0), // a start before the axis is its first element
		one(3, 5, -1),
		one(1, 9, math.MaxInt64, 1),
		one(8, 0, math.MinInt64, 8),
		{op: "Slice", opset: 1, attrs: []*onnx.Attr{onnx.IntsAttr("starts", []int64{1, -2}), onnx.IntsAttr("ends", []int64{2, 1000})}, in: values(table),
			want: values(shaped[float32]([]int{1, 2}, 6, 7))},
		{op: "Slice", opset: 1, name: "one axis", attrs: []*onnx.Attr{onnx.IntsAttr("axes", []int64{1}), onnx.IntsAttr("starts", []int64{1}), onnx.IntsAttr("ends", []int64{-1})},
			in: values(table), want: values(shaped[float32]([]int{2, 2}, 1, 2, 5, 6))},
		{op: "Slice", opset: 1, name: "without ends", attrs: []*onnx.Attr{onnx.IntsAttr("starts", []int64{1})}, in: values(table), err: "missing"},
		{op: "Slice", opset: 10, in: values(table, list[int32](3), list[int32](0), list[int32](-1), list[int32](-2)), want: values(shaped[float32]([]int{2, 2}, 3, 1, 7, 5))},
		{op: "Slice", opset: 13, name: "of nothing", in: values(counting(0), ints(0), ints(9), nil, ints(-1)), want: values(counting(0))},
		{op: "Slice", opset: 13, name: "by 0", in: values(ten, ints(0), ints(9), nil, ints(0)), err: "step"},
		{op: "Slice", opset: 13, name: "an axis twice", in: values(ten, ints(0, 0), ints(9, 9), ints(0, -1)), err: "listed twice"},
		{op: "Slice", opset: 13, name: "more axes than the rank", in: values(ten, ints(0, 0), ints(9, 9)), err: "one number for each"},
		{op: "Slice", opset: 13, name: "fewer ends", in: values(table, ints(0, 0), ints(9)), err: "one number for each"},
	})
}
