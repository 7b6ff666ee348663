package runtime

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// hiding is a mask under which row i sees the first i+1 columns, and more rows
// than tiles have are not hidden in whole tiles alone.
func hiding(rows, columns int, term float32) []float32 {
	mask := make([]float32, rows*columns)
	for row := range rows {
		for column := row + 1; column < columns; column++ {
			mask[row*columns+column] = term
		}
	}
	return mask
}

// TestMaskedAttention compares attention in one step with its nodes one by one.
func TestMaskedAttention(t *testing.T) {
	const batch, heads, length, size = 2, 3, 50, 8
	perm := func(order ...int64) *onnx.Attr { return onnx.IntsAttr("perm", order) }
	attention := []*onnx.Node{
		node("Transpose", "x", "q", perm(0, 2, 1, 3)), node("Transpose", "w", "k", perm(0, 2, 3, 1)), node("Transpose", "w", "v", perm(0, 2, 1, 3)),
		node("MatMul", "q,k", "s"), node("Div", "s,number", "d"), node("Add", "d,mask", "m"), node("Softmax", "m", "p", onnx.IntAttr("axis", -1)),
		node("MatMul", "p,v", "c"), node("Transpose", "c", "y", perm(0, 2, 1, 3)),
	}
	infinite := float32(math.Inf(-1))
	alone := hiding(length, length, infinite)
	for i := range length {
		alone[i] = infinite // the first row sees nothing
	}
	wide := ramp(batch, length, heads, size)
	large := tensor.New(wide.Shape(), make([]float32, wide.Len()))
	data, _ := tensor.Data[float32](wide)
	largeData, _ := tensor.Data[float32](large)
	for i, v := range data {
		largeData[i] = 1e4 * v
	}
	lost := tensor.New(wide.Shape(), append([]float32(nil), data...))
	lostData, _ := tensor.Data[float32](lost)
	lostData[len(lostData)-1] = float32(math.NaN())
	for name, test := range map[string]struct {
		mask, x *tensor.Tensor
	}{
		"later tokens, by -1e9":      {floats([]int{length, length}, hiding(length, length, -1e9)...), wide},
		"later tokens, by infinity":  {floats([]int{1, 1, length, length}, hiding(length, length, infinite)...), wide},
		"later tokens, by -65504":    {floats([]int{1, length, length}, hiding(length, length, -65504)...), wide},
		"terms that hide too little": {floats([]int{length, length}, hiding(length, length, -20)...), wide},
		"scores larger than terms":   {floats([]int{length, length}, hiding(length, length, -1e4)...), large},
		"a row that sees nothing":    {floats([]int{length, length}, alone...), wide},
		"no numbers":                 {floats([]int{length, length}, hiding(length, length, -1e9)...), lost},
		"a mask of one row":          {floats([]int{1, length}, hiding(1, length, infinite)...), wide},
		"a mask of nothing":          {floats([]int{length, length}, make([]float32, length*length)...), wide},
	} {
		t.Run(name, func(t *testing.T) {
			in := []*onnx.Value{value("x", floatType(batch, length, heads, size)), value("w", floatType(batch, length, heads, size))}
			number := stored(t, "number", scalar(float32(3)))
			m := modelOf(17, graphOf(in, "y", attention, number, stored(t, "mask", test.mask)))
			compareFused(t, m, feeds{"x": test.x, "w": wide}, "[Transpose]", 0)

		})
	}
}

// TestMaskedAttentionOfOtherShapes is about a softmax that is not taken along rows,
// and masks that add axes.
func TestMaskedAttentionOfOtherShapes(t *testing.T) {
	const length, size = 24, 8
	mask := hiding(length, length, -1e9)
	for name, test := range map[string]struct {
		opset int64
		axis  *onnx.Attr
		shape []int
	}{
		"along the last axis":       {17, onnx.IntAttr("axis", 2), []int{length, length}},
		"along columns":             {17, onnx.IntAttr("axis", 1), []int{length, length}},
		"along the batch":           {17, onnx.IntAttr("axis", 0), []int{length, length}},
		"along all but the batch":   {11, nil, []int{length, length}},
		"under a mask of more axes": {17, onnx.IntAttr("axis", -1), []int{1, 1, length, length}},
	} {
		t.Run(name, func(t *testing.T) {
			softmax := node("Softmax", "m", "p")
			if test.axis != nil {
				softmax = node("Softmax", "m", "p", test.axis)
			}
			nodes := []*onnx.Node{
				node("Transpose", "w", "k", onnx.IntsAttr("perm", []int64{0, 2, 1})), node("MatMul", "x,k", "s"), node("Add", "s,mask", "m"), softmax, node("MatMul", "p,w", "y"),
			}
			in := []*onnx.Value{value("x", floatType(2, length, size)), value("w", floatType(2, length, size))}
			m := modelOf(test.opset, graphOf(in, "y", nodes, stored(t, "mask", floats(test.shape, mask...))))
			compareFused(t, m, feeds{"x": ramp(2, length, size), "w": ramp(2, length, size)}, "MatMul", 0)
		})
	}
}
