package ops

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestTrilu(t *testing.T) {
	matrix := shaped[int64]([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	lower := []*onnx.Attr{onnx.IntAttr("upper", 0)}
	at := func(k int64) *tensor.Tensor { return tensor.Scalar(k) }
	part := func(v ...int64) []tensor.Value { return values(shaped([]int{2, 3}, v...)) }
	runNodeTests(t, []nodeTest{
		{op: "Trilu", opset: 14, in: values(matrix), want: part(1, 2, 3, 0, 5, 6)},
		{op: "Trilu", opset: 14, name: "above", in: values(matrix, at(2)), want: part(0, 0, 3, 0, 0, 0)},
		{op: "Trilu", opset: 14, name: "far above", in: values(matrix, at(math.MaxInt64)), want: part(0, 0, 0, 0, 0, 0)},
		{op: "Trilu", opset: 14, name: "far below", in: values(matrix, at(math.MinInt64)), want: part(1, 2, 3, 4, 5, 6)},
		{op: "Trilu", opset: 14, name: "lower", attrs: lower, in: values(matrix), want: part(1, 0, 0, 4, 5, 0)},
		{op: "Trilu", opset: 14, name: "lower, below", attrs: lower, in: values(matrix, at(-1)), want: part(0, 0, 0, 4, 0, 0)},
		{op: "Trilu", opset: 14, name: "lower, far below", attrs: lower, in: values(matrix, at(math.MinInt64)), want: part(0, 0, 0, 0, 0, 0)},
		{op: "Trilu", opset: 14, name: "a batch", in: values(shaped([]int{2, 1, 2}, "a", "b", "c", "d"), at(1)), want: values(shaped([]int{2, 1, 2}, "", "b", "", "d"))},
		{op: "Trilu", opset: 14, name: "nothing", in: values(counting(0, 0)), want: values(counting(0, 0))},
		{op: "Trilu", opset: 14, name: "a list", in: values(counting(3)), err: "want matrices"},
	})
}
