package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestGatherFamily(t *testing.T) {
	table, box := counting(3, 2), counting(2, 2, 2)
	ints := list[int64]
	batch := func(n int64) []*onnx.Attr { return []*onnx.Attr{onnx.IntAttr("batch_dims", n)} }
	runNodeTests(t, []nodeTest{
		{op: "Gather", opset: 1, in: values(table, list[int32](2, 0)), want: values(shaped[float32]([]int{2, 2}, 4, 5, 0, 1))},
		{op: "Gather", opset: 11, name: "a scalar from the end", attrs: axisAttr(1), in: values(table, tensor.Scalar[int64](-1)), want: values(list[float32](1, 3, 5))},
		{op: "Gather", opset: 13, name: "a table of strings", in: values(list("a", "b"), shaped[int64]([]int{2, 2}, 0, 1, 1, 0)), want: values(shaped([]int{2, 2}, "a", "b", "b", "a"))},
		{op: "Gather", opset: 13, name: "nothing", in: values(table, ints()), want: values(counting(0, 2))},
		{op: "Gather", opset: 13, name: "out of range", in: values(table, ints(0, 3)), err: "index 3 is out of range"},
		{op: "Gather", opset: 13, name: "out of range before", in: values(table, ints(-4)), err: "index -4 is out of range"},
		{op: "Gather", opset: 13, name: "wrong axis", attrs: axisAttr(2), in: values(table, ints(0)), err: "axis 2 is out of range"},
		{op: "Gather", opset: 13, name: "a great many nothings", in: values(counting(1, 0), tensor.New([]int{1 << 30, 0}, []int64{})), want: values(tensor.New([]int{1 << 30, 0, 0}, []float32{}))},

		{op: "GatherElements", opset: 11, attrs: axisAttr(-1), in: values(table, shaped[int64]([]int{2, 1}, 1, -2)), want: values(shaped[float32]([]int{2, 1}, 1, 2))},
		{op: "GatherElements", opset: 13, in: values(table, shaped[int32]([]int{1, 2}, 2, 1)), want: values(shaped[float32]([]int{1, 2}, 4, 3))},
		{op: "GatherElements", opset: 13, name: "beyond another axis", in: values(table, shaped[int64]([]int{1, 3}, 0, 0, 0)), err: "reach beyond axis 1"},
		{op: "GatherElements", opset: 13, name: "another rank", in: values(table, ints(0)), err: "the rank of data"},
		{op: "GatherElements", opset: 13, name: "out of range", in: values(table, shaped[int64]([]int{1, 1}, 3)), err: "index 3"},

		{op: "GatherND", opset: 11, in: values(box, shaped[int64]([]int{2, 3}, 0, 1, 0, -1, -1, -1)), want: values(list[float32](2, 7))},
		{op: "GatherND", opset: 11, name: "slices", in: values(box, shaped[int64]([]int{1, 1, 1}, 1)), want: values(shaped[float32]([]int{1, 1, 2, 2}, 4, 5, 6, 7))},
		{op: "GatherND", opset: 12, name: "in batches", attrs: batch(1), in: values(box, shaped[int64]([]int{2, 1}, 1, 0)), want: values(shaped[float32]([]int{2, 2}, 2, 3, 4, 5))},
		{op: "GatherND", opset: 12, name: "several in each batch", attrs: batch(1), in: values(box, shaped[int64]([]int{2, 2, 2}, 0, 0, 1, 1, 0, 1, 1, 0)), want: values(shaped[float32]([]int{2, 2}, 0, 3, 5, 6))},
		{op: "GatherND", opset: 13, name: "out of range", in: values(box, shaped[int64]([]int{1, 1}, 2)), err: "index 2"},
		{op: "GatherND", opset: 13, name: "tuples too long", in: values(table, shaped[int64]([]int{1, 3}, 0, 0, 0)), err: "longer than the rank"},
		{op: "GatherND", opset: 13, name: "no batch in common", attrs: batch(1), in: values(box, shaped[int64]([]int{3, 1}, 0, 0, 0)), err: "batch axes"},
		{op: "GatherND", opset: 13, name: "negative batch", attrs: batch(-1), in: values(box, shaped[int64]([]int{3, 1}, 0, 0, 0)), err: "batch axes"},

		{op: "Compress", opset: 9, attrs: axisAttr(0), in: values(table, list(false, true, true)), want: values(shaped[float32]([]int{2, 2}, 2, 3, 4, 5))},
		{op: "Compress", opset: 11, name: "flat, a shorter condition", in: values(table, list(false, true)), want: values(list[float32](1))},
		{op: "Compress", opset: 11, name: "a longer condition", attrs: axisAttr(1), in: values(table, list(false, false, true)), err: "index 2"},
		{op: "Compress", opset: 11, name: "numbers", in: values(table, ints(1)), err: "list of bool"},

		{op: "ReverseSequence", opset: 10, in: values(counting(3, 2), ints(2, 3)), want: values(shaped[float32]([]int{3, 2}, 2, 5, 0, 3, 4, 1))},
		{op: "ReverseSequence", opset: 10, name: "batch first", attrs: []*onnx.Attr{onnx.IntAttr("batch_axis", 0), onnx.IntAttr("time_axis", 1)},
			in: values(counting(2, 2, 2), ints(1, 2)), want: values(shaped[float32]([]int{2, 2, 2}, 0, 1, 2, 3, 6, 7, 4, 5))},
		{op: "ReverseSequence", opset: 10, name: "too long", in: values(counting(3, 2), ints(2, 4)), err: "want 0 to 3"},
		{op: "ReverseSequence", opset: 10, name: "one axis twice", attrs: []*onnx.Attr{onnx.IntAttr("batch_axis", 0)}, in: values(counting(3, 2), ints(2, 2)), err: "batch_axis"},
		{op: "ReverseSequence", opset: 10, name: "another batch", in: values(counting(3, 2), ints(2)), err: "do not fit"},
	})
}
