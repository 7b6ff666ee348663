package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func values(v ...tensor.Value) []tensor.Value { return v }

func TestReshapeFamily(t *testing.T) {
	box, empty := counting(2, 3, 4), counting(0, 3)
	six, one := counting(6), counting(1, 3, 1)
	axes := func(list ...int64) []*onnx.Attr { return []*onnx.Attr{onnx.IntsAttr("axes", list)} }
	allowZero := []*onnx.Attr{onnx.IntAttr("allowzero", 1)}
	runNodeTests(t, []nodeTest{
		{op: "Reshape", opset: 1, attrs: []*onnx.Attr{onnx.IntsAttr("shape", []int64{0, -1})}, in: values(box), want: values(box.WithShape([]int{2, 12}))},
		{op: "Reshape", opset: 1, name: "without shape", in: values(box), err: "shape is missing"},
		{op: "Reshape", opset: 5, in: values(box, list[int64](4, 0, -1)), want: values(box.WithShape([]int{4, 3, 2}))},
		{op: "Reshape", opset: 5, name: "to a scalar", in: values(counting(1), list[int64]()), want: values(tensor.Scalar[float32](0))},
		{op: "Reshape", opset: 13, name: "of nothing", in: values(empty, list[int64](3, -1)), want: values(empty.WithShape([]int{3, 0}))},
		{op: "Reshape", opset: 14, name: "allowzero", attrs: allowZero, in: values(empty, list[int64](3, 0)), want: values(empty.WithShape([]int{3, 0}))},
		{op: "Reshape", opset: 14, name: "allowzero and -1", attrs: allowZero, in: values(empty, list[int64](0, -1)), err: "in place of -1"},
		{op: "Reshape", opset: 14, name: "two unknown", in: values(box, list[int64](-1, -1)), err: "more than one -1"},
		{op: "Reshape", opset: 14, name: "negative", in: values(box, list[int64](-2, 3)), err: "negative"},
		{op: "Reshape", opset: 14, name: "0 beyond the rank", in: values(six, list[int64](6, 0)), err: "copies dimension 1"},
		{op: "Reshape", opset: 14, name: "another size", in: values(six, list[int64](4, 2)), err: "has 6 elements"},
		{op: "Reshape", opset: 14, name: "not divisible", in: values(six, list[int64](4, -1)), err: "in place of -1"},
		{op: "Reshape", opset: 14, name: "overflow", in: values(six, list[int64](1<<62, 1<<62, -1)), err: "too large"},
		{op: "Reshape", opset: 14, name: "float shape", in: values(six, list[float32](6)), err: "want int64"},
		{op: "Reshape", opset: 14, name: "no shape", in: values(six), err: "operand 1 is missing"},
		{op: "Flatten", opset: 1, in: values(box), want: values(box.WithShape([]int{2, 12}))},
		{op: "Flatten", opset: 9, name: "at 0", attrs: []*onnx.Attr{onnx.IntAttr("axis", 0)}, in: values(box), want: values(box.WithShape([]int{1, 24}))},
		{op: "Flatten", opset: 13, name: "at the rank", attrs: []*onnx.Attr{onnx.IntAttr("axis", 3)}, in: values(box), want: values(box.WithShape([]int{24, 1}))},
		{op: "Flatten", opset: 13, name: "from the end", attrs: []*onnx.Attr{onnx.IntAttr("axis", -1)}, in: values(box), want: values(box.WithShape([]int{6, 4}))},
		{op: "Flatten", opset: 13, name: "beyond", attrs: []*onnx.Attr{onnx.IntAttr("axis", 4)}, in: values(box), err: "axis 4 is out of range"},
		{op: "Squeeze", opset: 1, name: "all", in: values(one), want: values(one.WithShape([]int{3}))},
		{op: "Squeeze", opset: 11, attrs: axes(-1), in: values(one), want: values(one.WithShape([]int{1, 3}))},
		{op: "Squeeze", opset: 13, in: values(one, list[int64](0)), want: values(one.WithShape([]int{3, 1}))},
		{op: "Squeeze", opset: 13, name: "all", in: values(one, nil), want: values(one.WithShape([]int{3}))},
		{op: "Squeeze", opset: 13, name: "size 3", in: values(one, list[int64](1)), err: "not 1"},
		{op: "Squeeze", opset: 13, name: "axis 3", in: values(one, list[int64](3)), err: "axis 3 is out of range"},
		{op: "Unsqueeze", opset: 1, attrs: axes(0, 2), in: values(six), want: values(six.WithShape([]int{1, 6, 1}))},
		{op: "Unsqueeze", opset: 13, in: values(six, list[int64](-1, 0)), want: values(six.WithShape([]int{1, 6, 1}))},
		{op: "Unsqueeze", opset: 13, name: "twice", in: values(six, list[int64](-3, 0)), err: "listed twice"},
		{op: "Unsqueeze", opset: 13, name: "beyond", in: values(six, list[int64](2)), err: "axis 2 is out of range"},
		{op: "Unsqueeze", opset: 11, name: "no axes", in: values(six), err: "axes are missing"},
		{op: "Shape", opset: 1, in: values(box), want: values(list[int64](2, 3, 4))},
		{op: "Shape", opset: 15, attrs: []*onnx.Attr{onnx.IntAttr("start", -2), onnx.IntAttr("end", 9)}, in: values(box), want: values(list[int64](3, 4))},
		{op: "Shape", opset: 15, name: "none", attrs: []*onnx.Attr{onnx.IntAttr("start", 2), onnx.IntAttr("end", 1)}, in: values(box), want: values(list[int64]())},
		{op: "Size", opset: 1, in: values(box), want: values(tensor.Scalar[int64](24))},
	})
}
