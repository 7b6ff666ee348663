package rewrite

import (
	"slices"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// A function of another opset than the model's gets no operator that is another
// one there: the ONNX checker refuses such a model.
func TestFunctionOfAnotherOpset(t *testing.T) {
	for _, test := range []struct {
		model, function int64
		added           bool
	}{{17, 17, true}, {18, 15, true}, {14, 18, true}, {21, 17, false}, {19, 21, false}, {13, 14, false}} {
		f := &onnx.Function{Domain: "local", Name: "F", Inputs: []string{"a", "w"}, Outputs: []string{"o"},
			Nodes:  []*onnx.Node{op("MatMul", "p", "a", "w"), op("Tanh", "o", "p")},
			Opsets: []onnx.OpsetImport{{Version: test.function}}}
		call := op("F", "y", "x", "w")
		call.Domain = "local"
		m := sketch{opset: test.model, weights: []*onnx.Tensor{ramp("w", onnx.Float, 3, 3)}, nodes: []*onnx.Node{call}, functions: []*onnx.Function{f}}.model(t)
		result := apply(t, m, Recipe{Activations: W8A16, WholeGraph: true, SixteenBit: onnx.Float16})
		isCast := func(n *onnx.Node) bool { return n.OpType == "Cast" }
		changed := slices.ContainsFunc(result.Model.Functions[0].Nodes, isCast) ||
			slices.ContainsFunc(result.Model.Graph.Nodes, func(n *onnx.Node) bool { return isCast(n) && n.Inputs[0] == "x" })
		said := slices.ContainsFunc(result.Skips, func(s Skip) bool { return strings.Contains(s.Reason, "ONNX wants them the same in both") })
		if changed != test.added || said == test.added {
			t.Errorf("model of opset %d, function of %d: changed %v, with the reason %v; want it changed: %v", test.model, test.function, changed, said, test.added)
		}
	}
}

// A body in a function is in the function: what it would have to import, the
// function would.
func TestFunctionBodyImportsNothing(t *testing.T) {
	constant := with(op("Constant", "k"), onnx.TensorAttr("value", ramp("w", onnx.Float, 3, 3)))
	f := &onnx.Function{Domain: "local", Name: "F", Inputs: []string{"a", "c"}, Outputs: []string{"o"},
		Nodes: []*onnx.Node{constant, choose("o",
			body("t", nil, op("MatMul", "t", "a", "k")), body("e", nil, op("Neg", "e", "a")))},
		Opsets: []onnx.OpsetImport{{Version: 17}}}
	call := op("F", "y", "x", "c")
	call.Domain = "local"
	m := sketch{inputs: []string{"x", "c"}, nodes: []*onnx.Node{call}, functions: []*onnx.Function{f}}.model(t)
	result := apply(t, m, Recipe{Target: ORT})
	if len(result.Sites) != 1 || !strings.Contains(result.Sites[0].Note, "a function would have to import com.microsoft") {
		t.Errorf("the function's layer became %+v", result.Sites)
	}
}
