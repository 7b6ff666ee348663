package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestExpandFamily(t *testing.T) {
	ints := list[int64]
	column := shaped([]int{2, 1}, "a", "b")
	runNodeTests(t, []nodeTest{
		{op: "Expand", opset: 8, in: values(column, ints(3)), want: values(shaped([]int{2, 3}, "a", "a", "a", "b", "b", "b"))},
		{op: "Expand", opset: 13, name: "to less", in: values(column, ints(2, 1, 1)), want: values(shaped([]int{2, 2, 1}, "a", "b", "a", "b"))},
		{op: "Expand", opset: 13, name: "to nothing", in: values(column, ints(2, 0)), want: values(shaped[string]([]int{2, 0}))},
		{op: "Expand", opset: 13, name: "does not broadcast", in: values(column, ints(3, 1)), err: "broadcast"},
		{op: "Expand", opset: 13, name: "too large", in: values(column, ints(1<<40)), err: "too large"},
		{op: "Expand", opset: 13, name: "negative", in: values(column, ints(-1)), err: "negative"},
		{op: "Tile", opset: 1, in: values(list[float32](1, 2), tensor.Scalar[float32](2), tensor.Scalar[float32](0)), want: values(list[float32](1, 2, 1, 2))},
		{op: "Tile", opset: 1, name: "wrong axis", in: values(list[float32](1, 2), tensor.Scalar[float32](2), tensor.Scalar[float32](1)), err: "axis 1"},
		{op: "Tile", opset: 6, in: values(column, ints(1, 2)), want: values(shaped([]int{2, 2}, "a", "a", "b", "b"))},
		{op: "Tile", opset: 13, in: values(shaped[int8]([]int{2, 2}, 1, 2, 3, 4), ints(2, 2)), want: values(shaped[int8]([]int{4, 4}, 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4))},
		{op: "Tile", opset: 13, name: "no times", in: values(column, ints(0, 5)), want: values(shaped[string]([]int{0, 5}))},
		{op: "Tile", opset: 13, name: "fewer repeats", in: values(column, ints(2)), err: "each axis"},
		{op: "Tile", opset: 13, name: "negative", in: values(column, ints(-1, 1)), err: "negative"},
		{op: "Tile", opset: 13, name: "too large", in: values(column, ints(1<<62, 1<<62)), err: "too large"},
		{op: "ConstantOfShape", opset: 9, in: values(ints(2)), want: values(list[float32](0, 0))},
		{op: "ConstantOfShape", opset: 9, name: "a scalar", attrs: []*onnx.Attr{onnx.TensorAttr("value", onnx.Int64Tensor("", []int64{1}, []int64{7}))}, in: values(ints()), want: values(tensor.Scalar[int64](7))},
		{op: "ConstantOfShape", opset: 9, name: "two values", attrs: []*onnx.Attr{onnx.TensorAttr("value", onnx.Int64Tensor("", []int64{2}, []int64{7, 8}))}, in: values(ints()), err: "one element"},
		{op: "ConstantOfShape", opset: 9, name: "negative", in: values(ints(-2)), err: "negative"},
		{op: "ConstantOfShape", opset: 9, name: "too large", in: values(ints(1<<20, 1<<20)), err: "too large"},
		{op: "Transpose", opset: 1, in: values(counting(2, 3)), want: values(shaped[float32]([]int{3, 2}, 0, 3, 1, 4, 2, 5))},
		{op: "Transpose", opset: 13, attrs: []*onnx.Attr{onnx.IntsAttr("perm", []int64{1, 0, 2})}, in: values(counting(2, 2, 2)), want: values(shaped[float32]([]int{2, 2, 2}, 0, 1, 4, 5, 2, 3, 6, 7))},
		{op: "Transpose", opset: 13, name: "axes of size 1", attrs: []*onnx.Attr{onnx.IntsAttr("perm", []int64{2, 1, 0})}, in: values(counting(1, 3, 1)), want: values(counting(1, 3, 1))},
		{op: "Transpose", opset: 13, name: "a scalar", in: values(tensor.Scalar(true)), want: values(tensor.Scalar(true))},
		{op: "Transpose", opset: 13, name: "an axis twice", attrs: []*onnx.Attr{onnx.IntsAttr("perm", []int64{1, 1})}, in: values(counting(2, 2)), err: "listed twice"},
		{op: "Transpose", opset: 13, name: "fewer axes", attrs: []*onnx.Attr{onnx.IntsAttr("perm", []int64{0})}, in: values(counting(2, 2)), err: "perm"},
	})
}
