package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

func TestScatterFamily(t *testing.T) {
	ints := list[int64]
	reduction := func(name string) []*onnx.Attr { return []*onnx.Attr{onnx.StringAttr("reduction", name)} }
	half := func(v float32) quantops.Float16 { return quantops.Float16FromFloat32(v) }
	reduce := func(name string, want ...int32) nodeTest {
		return nodeTest{op: "ScatterElements", opset: 18, name: name, attrs: reduction(name),
			in: values(list[int32](5, 5, 5), ints(0, 2, 0), list[int32](2, 3, 7)), want: values(list(want...))}
	}
	runNodeTests(t, []nodeTest{
		reduce("add", 14, 5, 8),
		reduce("mul", 70, 5, 15),
		reduce("max", 7, 5, 5),
		reduce("min", 2, 5, 3),
		{op: "Scatter", opset: 9, attrs: axisAttr(1), in: values(counting(2, 3), shaped[int32]([]int{2, 1}, 2, -3), shaped[float32]([]int{2, 1}, 8, 9)),
			want: values(shaped[float32]([]int{2, 3}, 0, 1, 8, 9, 4, 5))},
		{op: "ScatterElements", opset: 11, in: values(list("a", "b"), ints(1), list("c")), want: values(list("a", "c"))},
		{op: "ScatterElements", opset: 18, name: "halves", attrs: reduction("add"), in: values(list(half(1)), ints(0, 0), list(half(0.5), half(2))), want: values(list(half(3.5)))},
		{op: "ScatterElements", opset: 16, name: "max", attrs: reduction("max"), in: values(counting(1), ints(0), counting(1)), err: "none of opset 16"},
		{op: "ScatterElements", opset: 18, name: "add strings", attrs: reduction("add"), in: values(list("a"), ints(0), list("b")), err: "want numbers"},
		{op: "ScatterElements", opset: 18, name: "out of range", in: values(counting(2), ints(2), counting(1)), err: "index 2"},
		{op: "ScatterElements", opset: 18, name: "other type", in: values(counting(2), ints(0), ints(1)), err: "cannot go into"},
		{op: "ScatterElements", opset: 18, name: "fewer updates", in: values(counting(2), ints(0, 1), counting(1)), err: "one shape"},
		{op: "ScatterND", opset: 11, in: values(counting(4), shaped[int64]([]int{2, 1}, -1, 0), list[float32](8, 9)), want: values(list[float32](9, 1, 2, 8))},
		{op: "ScatterND", opset: 18, name: "slices", attrs: reduction("add"), in: values(counting(2, 2), shaped[int64]([]int{2, 1}, 1, 1), shaped[float32]([]int{2, 2}, 1, 2, 3, 4)),
			want: values(shaped[float32]([]int{2, 2}, 0, 1, 6, 9))},
		{op: "ScatterND", opset: 18, name: "other updates", in: values(counting(2, 2), shaped[int64]([]int{1, 1}, 1), counting(2)), err: "want [1 2]"},
		{op: "ScatterND", opset: 18, name: "out of range", in: values(counting(2, 2), shaped[int64]([]int{1, 2}, 0, 2), counting(1)), err: "index 2"},
		{op: "TensorScatter", opset: 24, in: values(counting(2, 3, 1), shaped[float32]([]int{2, 1, 1}, 8, 9), ints(2, 0)), want: values(shaped[float32]([]int{2, 3, 1}, 0, 1, 8, 9, 4, 5))},
		{op: "TensorScatter", opset: 24, name: "from the beginning", in: values(counting(1, 3, 1), shaped[float32]([]int{1, 2, 1}, 8, 9)), want: values(shaped[float32]([]int{1, 3, 1}, 8, 9, 2))},
		{op: "TensorScatter", opset: 24, name: "circular", attrs: []*onnx.Attr{onnx.StringAttr("mode", "circular"), onnx.IntAttr("axis", 1)},
			in: values(counting(1, 3), shaped[float32]([]int{1, 2}, 8, 9), ints(5)), want: values(shaped[float32]([]int{1, 3}, 9, 1, 8))},
		{op: "TensorScatter", opset: 24, name: "beyond", in: values(counting(1, 3, 1), shaped[float32]([]int{1, 2, 1}, 8, 9), ints(2)), err: "do not fit"},
		{op: "TensorScatter", opset: 24, name: "along the batch", attrs: axisAttr(0), in: values(counting(3, 1), counting(1, 1), ints(2, 2, 2)), err: "does not fit"},
	})
}
