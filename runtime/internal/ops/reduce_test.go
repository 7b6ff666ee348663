package ops

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestReduce(t *testing.T) {
	box := counting(2, 3, 4)
	axes := func(list ...int64) *onnx.Attr { return onnx.IntsAttr("axes", list) }
	keep := func(v int64) *onnx.Attr { return onnx.IntAttr("keepdims", v) }
	noop := onnx.IntAttr("noop_with_empty_axes", 1)
	empty := shaped[float32]([]int{2, 0})
	runNodeTests(t, []nodeTest{
		{name: "everything", op: "ReduceSum", opset: 1, in: values(box), want: values(shaped[float32]([]int{1, 1, 1}, 276))},
		{name: "first axis", op: "ReduceSum", opset: 1, attrs: attrs(axes(0), keep(0)), in: values(counting(2, 3)), want: values(list[float32](3, 5, 7))},
		{name: "middle axis", op: "ReduceMax", opset: 1, attrs: attrs(axes(1)), in: values(box), want: values(shaped[float32]([]int{2, 1, 4}, 8, 9, 10, 11, 20, 21, 22, 23))},
		{name: "outer axes", op: "ReduceMin", opset: 18, attrs: attrs(keep(0)), in: values(box, list[int64](-1, 0)), want: values(list[float32](0, 4, 8))},
		{name: "no axes", op: "ReduceSum", opset: 13, attrs: attrs(noop), in: values(list[int32](1, -2), list[int64]()), want: values(list[int32](1, -2))},
		{name: "no axes", op: "ReduceSumSquare", opset: 18, attrs: attrs(noop), in: values(list[int32](1, -2)), want: values(list[int32](1, 4))},
		{name: "empty axes mean all", op: "ReduceSum", opset: 13, attrs: attrs(keep(0)), in: values(list[int32](1, -2), list[int64]()), want: values(tensor.Scalar(int32(-1)))},
		{name: "a scalar", op: "ReduceMean", opset: 18, in: values(tensor.Scalar(float32(3))), want: values(tensor.Scalar(float32(3)))},
		{name: "an axis twice", op: "ReduceSum", opset: 13, in: values(box, list[int64](0, -3)), err: "twice"},
		{name: "no such axis", op: "ReduceSum", opset: 13, in: values(box, list[int64](3)), err: "out of range"},
		{name: "of strings", op: "ReduceSum", opset: 13, in: values(list("a")), err: "type string"},

		{name: "nothing", op: "ReduceSum", opset: 13, in: values(empty, list[int64](1)), want: values(shaped[float32]([]int{2, 1}, 0, 0))},
		{name: "nothing", op: "ReduceProd", opset: 18, in: values(empty, list[int64](1)), want: values(shaped[float32]([]int{2, 1}, 1, 1))},
		{name: "nothing", op: "ReduceMax", opset: 20, in: values(empty, list[int64](1)), want: values(shaped([]int{2, 1}, -infinity, -infinity))},
		{name: "nothing", op: "ReduceMax", opset: 20, in: values(shaped[int8]([]int{1, 0}), list[int64](1)), want: values(shaped[int8]([]int{1, 1}, -128))},
		{name: "nothing", op: "ReduceMin", opset: 20, in: values(shaped[uint16]([]int{1, 0}), list[int64](1)), want: values(shaped[uint16]([]int{1, 1}, math.MaxUint16))},
		{name: "nothing", op: "ReduceMin", opset: 20, in: values(shaped[int64]([]int{0})), want: values(shaped[int64]([]int{1}, math.MaxInt64))},
		{name: "nothing", op: "ReduceMean", opset: 18, in: values(empty), want: values(shaped([]int{1, 1}, notNumber))},
		{name: "nothing", op: "ReduceLogSumExp", opset: 18, in: values(empty), want: values(shaped([]int{1, 1}, -infinity))},
		{name: "to nothing", op: "ReduceSum", opset: 13, in: values(shaped[float32]([]int{0, 3}), list[int64](1)), want: values(shaped[float32]([]int{0, 1}))},

		{name: "of truth", op: "ReduceMax", opset: 20, in: values(shaped([]int{2, 2}, true, false, false, false), list[int64](1)), want: values(shaped([]int{2, 1}, true, false))},
		{name: "of truth", op: "ReduceMin", opset: 20, in: values(shaped([]int{2, 2}, true, true, true, false), list[int64](1)), want: values(shaped([]int{2, 1}, true, false))},
		{name: "keeps NaN", op: "ReduceMin", opset: 18, in: values(list(1, notNumber)), want: values(list(notNumber))},
		{name: "wraps around", op: "ReduceSum", opset: 13, in: values(list[uint32](math.MaxUint32, 2)), want: values(list[uint32](1))},
		{name: "cuts off", op: "ReduceMean", opset: 18, in: values(list[int32](-2, -1, 0)), want: values(list[int32](-1))},
		{name: "of integers", op: "ReduceL1", opset: 18, in: values(list[int64](-3, 4, -1<<60)), want: values(list[int64](1<<60 + 7))},
		{name: "of unsigned", op: "ReduceL1", opset: 18, in: values(list[uint32](3, 4)), want: values(list[uint32](7))},
		{name: "of integers", op: "ReduceL2", opset: 18, in: values(list[int32](3, -4)), want: values(list[int32](5))},
		{name: "far out on the way", op: "ReduceProd", opset: 18, in: values(list[float32](0x1p100, 0x1p100, 0x1p-100)), want: values(list[float32](0x1p100))},
		{name: "far out on the way", op: "ReduceProd", opset: 18, attrs: attrs(keep(0)), in: values(shaped[float32]([]int{3, 2}, 0x1p100, 1, 0x1p100, 2, 0x1p-100, 3), list[int64](0)), want: values(list[float32](0x1p100, 6))},
		{name: "far out", op: "ReduceLogSumExp", opset: 18, in: values(list[float64](1000, 1000)), want: values(list(1000 + math.Ln2))},
		{name: "of zeros", op: "ReduceLogSum", opset: 18, in: values(list[float32](0, 0)), want: values(list(-infinity))},
	})
}

// Half a million ones are more than float16, or float32 summed in halves of it,
// could count to.
func TestSumsAreWide(t *testing.T) {
	ones := castOf(t, tensor.Make[bool]([]int{1 << 19}), onnx.Float16)
	data, _ := tensor.Data[quantops.Float16](ones)
	fillWith(data, quantops.Float16FromFloat32(1))
	got, err := runNode(t, nodeTest{op: "ReduceMean", opset: 18, in: values(ones)})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(got...), show(list(quantops.Float16FromFloat32(1))); got != want {
		t.Errorf("the mean of ones is %s, want %s", got, want)
	}
}

func TestRanking(t *testing.T) {
	box := shaped[float32]([]int{2, 3}, 1, 3, 3, 5, 4, 5)
	axis := func(v int64) *onnx.Attr { return onnx.IntAttr("axis", v) }
	one := list[int64](1)
	many := make([]int32, 1000)
	for i := range many {
		many[i] = int32(i * 7919 % 1000)
	}
	runNodeTests(t, []nodeTest{
		{name: "first of equals", op: "ArgMax", opset: 13, attrs: attrs(axis(1)), in: values(box), want: values(shaped[int64]([]int{2, 1}, 1, 0))},
		{name: "last of equals", op: "ArgMax", opset: 13, attrs: attrs(axis(-1), onnx.IntAttr("select_last_index", 1), onnx.IntAttr("keepdims", 0)), in: values(box), want: values(list[int64](2, 2))},
		{name: "along the first axis", op: "ArgMin", opset: 1, in: values(box), want: values(shaped[int64]([]int{1, 3}, 0, 0, 0))},
		{name: "of NaN", op: "ArgMax", opset: 13, in: values(list(1, notNumber, infinity)), want: values(list[int64](1))},
		{name: "of NaN", op: "ArgMin", opset: 13, in: values(list(1, notNumber, -1)), want: values(list[int64](2))},
		{name: "of nothing", op: "ArgMax", opset: 13, in: values(list[float32]()), err: "size 0"},

		{name: "by attribute", op: "TopK", opset: 1, attrs: attrs(onnx.IntAttr("k", 2)), in: values(box), want: values(shaped[float32]([]int{2, 2}, 3, 3, 5, 5), shaped[int64]([]int{2, 2}, 1, 2, 0, 2))},
		{name: "along the first axis", op: "TopK", opset: 10, attrs: attrs(axis(0)), in: values(box, one), want: values(shaped[float32]([]int{1, 3}, 5, 4, 5), shaped[int64]([]int{1, 3}, 1, 1, 1))},
		{name: "smallest", op: "TopK", opset: 11, attrs: attrs(onnx.IntAttr("largest", 0)), in: values(box, list[int64](3)), want: values(shaped[float32]([]int{2, 3}, 1, 3, 3, 4, 5, 5), shaped[int64]([]int{2, 3}, 0, 1, 2, 1, 0, 2))},
		{name: "of many", op: "TopK", opset: 24, in: values(list(many...), list[int64](4)), want: values(list[int32](999, 998, 997, 996), list[int64](321, 642, 963, 284))},
		{name: "none", op: "TopK", opset: 11, in: values(box, list[int64](0)), want: values(shaped[float32]([]int{2, 0}), shaped[int64]([]int{2, 0}))},
		{name: "of NaN", op: "TopK", opset: 11, in: values(list(1, notNumber, 3), list[int64](3)), want: values(list(notNumber, 3, 1), list[int64](1, 2, 0))},
		{name: "too many", op: "TopK", opset: 11, in: values(box, list[int64](4)), err: "k is 4"},
		{name: "too few", op: "TopK", opset: 11, in: values(box, list[int64](-1)), err: "k is -1"},
	})
}

func TestSoftmaxFamily(t *testing.T) {
	zeros := tensor.Make[float64]([]int{2, 1, 2})
	axis := func(v int64) *onnx.Attr { return onnx.IntAttr("axis", v) }
	reverse, exclusive := onnx.IntAttr("reverse", 1), onnx.IntAttr("exclusive", 1)
	runNodeTests(t, []nodeTest{
		{name: "one axis", op: "Softmax", opset: 13, attrs: attrs(axis(0)), in: values(zeros), want: values(shaped([]int{2, 1, 2}, 0.5, 0.5, 0.5, 0.5))},
		{name: "all axes from one on", op: "Softmax", opset: 11, attrs: attrs(axis(0)), in: values(zeros), want: values(shaped([]int{2, 1, 2}, 0.25, 0.25, 0.25, 0.25))},
		{name: "all axes from one on", op: "Softmax", opset: 1, in: values(zeros), want: values(shaped([]int{2, 1, 2}, 0.5, 0.5, 0.5, 0.5))},
		{name: "each alone", op: "Softmax", opset: 11, attrs: attrs(axis(3)), in: values(zeros), want: values(shaped([]int{2, 1, 2}, 1.0, 1, 1, 1))},
		{name: "far out", op: "Softmax", opset: 13, in: values(list[float32](10000, 10000)), want: values(list[float32](0.5, 0.5))},
		{name: "of nothing", op: "Softmax", opset: 13, in: values(shaped[float32]([]int{3, 0})), want: values(shaped[float32]([]int{3, 0}))},
		{name: "masked", op: "Softmax", opset: 13, in: values(list(-infinity, 0)), want: values(list[float32](0, 1))},
		{name: "of integers", op: "Softmax", opset: 13, in: values(list[int32](1)), err: "want float"},
		{name: "far out", op: "LogSoftmax", opset: 13, in: values(list[float64](0, 0, -10000)), want: values(list(-math.Ln2, -math.Ln2, -10000-math.Ln2))},
		{name: "of float16", op: "LogSoftmax", opset: 13, in: values(castOf(t, list[float32](5), onnx.Float16)), want: values(castOf(t, list[float32](0), onnx.Float16))},
		{name: "first of equals", op: "Hardmax", opset: 13, in: values(shaped[float32]([]int{2, 3}, 1, 3, 3, 5, 4, 5)), want: values(shaped[float32]([]int{2, 3}, 0, 1, 0, 1, 0, 0))},
		{name: "of all", op: "Hardmax", opset: 11, attrs: attrs(axis(0)), in: values(shaped[float32]([]int{2, 2}, 1, 3, 3, 5)), want: values(shaped[float32]([]int{2, 2}, 0, 0, 0, 1))},
		{name: "of nothing", op: "Hardmax", opset: 13, in: values(shaped[float32]([]int{2, 0})), want: values(shaped[float32]([]int{2, 0}))},

		{name: "first axis", op: "CumSum", opset: 14, in: values(shaped[int32]([]int{2, 2}, 1, 2, 3, 4), tensor.Scalar(int32(0))), want: values(shaped[int32]([]int{2, 2}, 1, 2, 4, 6))},
		{name: "backwards", op: "CumSum", opset: 11, attrs: attrs(reverse), in: values(list[float32](1, 2, 3), tensor.Scalar(int64(-1))), want: values(list[float32](6, 5, 3))},
		{name: "without itself", op: "CumSum", opset: 11, attrs: attrs(exclusive), in: values(list[float32](1, 2, 3), list[int64](0)), want: values(list[float32](0, 1, 3))},
		{name: "backwards without itself", op: "CumProd", opset: 26, attrs: attrs(reverse, exclusive), in: values(list[int64](1, 2, 3), tensor.Scalar(int64(0))), want: values(list[int64](6, 3, 1))},
		{name: "two axes", op: "CumSum", opset: 14, in: values(list[float32](1), list[int64](0, 0)), err: "want one number"},
	})
}
