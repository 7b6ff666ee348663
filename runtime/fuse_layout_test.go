package runtime

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestLaidProducts is about which steps around a product it takes in.
func TestLaidProducts(t *testing.T) {
	perm := func(order ...int64) *onnx.Attr { return onnx.IntsAttr("perm", order) }
	four, third := stored(t, "four", scalar(float32(4))), stored(t, "third", floats([]int{1}, 3))
	wide := stored(t, "wide", floats([]int{1, 1, 1, 1, 1}, 2))
	heads := func() []*onnx.Node {
		return []*onnx.Node{node("Transpose", "x", "q", perm(0, 2, 1, 3)), node("Transpose", "w", "k", perm(0, 2, 3, 1))}
	}
	for _, test := range []struct {
		name  string
		nodes []*onnx.Node
		out   string
		steps string
	}{
		{"both operands", append(heads(), node("MatMul", "q,k", "y")), "y", "[MatMul]"},
		{"a quotient by a power of two", append(heads(), node("MatMul", "q,k", "s"), node("Div", "s,four", "y")), "y", "[Div]"},
		{"a quotient by another number", append(heads(), node("MatMul", "q,k", "s"), node("Div", "s,third", "y")), "y", "[MatMul] Div"},
		{"a factor on the left", append(heads(), node("MatMul", "q,k", "s"), node("Mul", "third,s", "y")), "y", "[Mul]"},
		{"a divisor on the right", append(heads(), node("MatMul", "q,k", "s"), node("Div", "four,s", "y")), "y", "[MatMul] Div"},
		{"a factor with more axes", append(heads(), node("MatMul", "q,k", "s"), node("Mul", "s,wide", "y")), "y", "[Mul]"},
		{"the result", append(heads(), node("MatMul", "q,k", "s"), node("Transpose", "s", "y", perm(0, 2, 1, 3))), "y", "[Transpose]"},
		{"a result whose rows would be torn", append(heads(), node("MatMul", "q,k", "s"), node("Transpose", "s", "y", perm(0, 1, 3, 2))), "y", "[MatMul] Transpose"},
		{"all of it", append(heads(), node("MatMul", "q,k", "s"), node("Mul", "s,third", "m"), node("Transpose", "m", "t", perm(2, 0, 1, 3)), node("Neg", "t", "y")), "y", "[Transpose] Neg"},
		{"what others read stays", append(heads(), node("MatMul", "q,k", "s"), node("Div", "s,four", "y")), "y,s,q", "Transpose [MatMul] Div"},
		{"an operand used twice", []*onnx.Node{node("Transpose", "x", "q", perm(0, 1, 3, 2)), node("Mul", "q,q", "r"), node("MatMul", "x,q", "s"), node("Neg", "s", "y")}, "y,r", "Transpose Mul MatMul Neg"},
		{"both operands are one", []*onnx.Node{node("Transpose", "x", "q", perm(0, 1, 3, 2)), node("MatMul", "x,q", "y")}, "y", "[MatMul]"},
		{"columns on the left stay", []*onnx.Node{node("Transpose", "x", "q", perm(0, 1, 3, 2)), node("MatMul", "q,x", "y")}, "y", "Transpose MatMul"},
		{"masked scores, which Softmax takes in", append(heads(), node("MatMul", "q,k", "s"), node("Div", "s,four", "d"), node("Add", "d,third", "m"), node("Softmax", "m", "y", onnx.IntAttr("axis", -1))), "y", "[Div] Softmax"},
		{"two products in a row", append(heads(), node("MatMul", "q,k", "s"), node("Transpose", "w", "v", perm(0, 2, 1, 3)), node("MatMul", "s,v", "c"), node("Transpose", "c", "y", perm(0, 2, 1, 3))), "y", "[MatMul] [Transpose]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := []*onnx.Value{value("x", floatType(2, 5, 3, 8)), value("w", floatType(2, 5, 3, 8))}
			m := modelOf(17, graphOf(in, test.out, test.nodes, four, third, wide))
			compareFused(t, m, feeds{"x": ramp(2, 5, 3, 8), "w": ramp(2, 5, 3, 8)}, test.steps, 0)
		})
	}
}

// TestPartsOfOneTranspose is about operands that are transposed together.
func TestPartsOfOneTranspose(t *testing.T) {
	perm := func(order ...int64) *onnx.Attr { return onnx.IntsAttr("perm", order) }
	zero := onnx.IntAttr("axis", 0)
	together := node("Transpose", "x", "t", perm(2, 0, 3, 1, 4))
	split := func(from, lengths string) []*onnx.Node {
		return []*onnx.Node{together, node("Split", from+lengths, "a,b,c", zero), node("Squeeze", "a,first", "q"), node("Squeeze", "b,first", "r"), node("Squeeze", "c,first", "v"),
			node("Transpose", "r", "k", perm(0, 1, 3, 2))}
	}
	gather := []*onnx.Node{together, node("Gather", "t,nought", "q", zero), node("Gather", "t,minus2", "r", zero), node("Gather", "t,two", "v", zero), node("Transpose", "r", "k", perm(0, 1, 3, 2))}
	products := []*onnx.Node{node("MatMul", "q,k", "s"), node("MatMul", "s,v", "y")}
	constants := []*onnx.Tensor{
		stored(t, "first", ints([]int{1}, 0)), stored(t, "lengths", ints([]int{3}, 1, 1, 1)),
		stored(t, "nought", tensor.Scalar(int64(0))), stored(t, "minus2", tensor.Scalar(int64(-2))), stored(t, "two", tensor.Scalar(int64(2))),
	}
	for _, test := range []struct {
		name  string
		nodes []*onnx.Node
		out   string
		steps string
	}{
		{"by Split", append(split("t", ",lengths"), products...), "y", "[MatMul] [MatMul]"},
		{"by Split in equal parts", append(split("t", ""), products...), "y", "[MatMul] [MatMul]"},
		{"by Gather", append(gather, products...), "y", "[MatMul] [MatMul]"},
		{"a part that is put out", append(split("t", ",lengths"), products...), "y,v", "Transpose Split Squeeze [MatMul] MatMul"},
		{"a Transpose that is put out", append(gather, products...), "y,t", "Transpose [MatMul] [MatMul]"},
		{"a part that is read twice", []*onnx.Node{together, node("Gather", "t,nought", "q", zero), node("Transpose", "q", "k", perm(0, 1, 3, 2)), node("MatMul", "q,k", "y")}, "y", "Transpose Gather [MatMul]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := []*onnx.Value{value("x", floatType(2, 5, 3, 4, 8))}
			m := modelOf(17, graphOf(in, test.out, test.nodes, constants...))
			compareFused(t, m, feeds{"x": ramp(2, 5, 3, 4, 8)}, test.steps, 0)
		})
	}
}

// TestLaidProductInABody has the result of a product be read by a body alone.
func TestLaidProductInABody(t *testing.T) {
	branch := graphOf(nil, "r", []*onnx.Node{node("Neg", "s", "r")})
	m := modelOf(17, graphOf([]*onnx.Value{value("x", floatType(2, 3)), value("b", typed(onnx.Bool))}, "y", []*onnx.Node{
		node("Transpose", "x", "t", onnx.IntsAttr("perm", []int64{1, 0})), node("MatMul", "x,t", "s"),
		node("If", "b", "y", onnx.GraphAttr("then_branch", branch), onnx.GraphAttr("else_branch", graphOf(nil, "r", []*onnx.Node{node("Abs", "s", "r")}))),
	}))
	compareFused(t, m, feeds{"x": ramp(2, 3), "b": tensor.Scalar(true)}, "[MatMul] If", 0)
}
