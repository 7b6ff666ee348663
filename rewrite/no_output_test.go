package rewrite

import (
	"fmt"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestNodesWithoutOutputs plans and rewrites layers whose results go to nodes
// that have none themselves, and to calls that leave theirs out.
func TestNodesWithoutOutputs(t *testing.T) {
	w, bias := ramp("w", onnx.Float, 8, 4), ramp("b", onnx.Float, 4)
	none := func(n *onnx.Node) *onnx.Node {
		n.Outputs = nil
		return n
	}
	used := op("Relu", "y", "x")
	half := onnx.IntAttr("to", int64(onnx.Float))
	function := &onnx.Function{
		Domain: "local", Name: "Layer", Inputs: []string{"a", "v"}, Outputs: []string{"left out", "given"},
		Opsets: []onnx.OpsetImport{{Version: 17}},
		Nodes:  []*onnx.Node{op("MatMul", "left out", "a", "v"), op("Relu", "given", "a")},
	}
	call := op("Layer", "unused", "x", "w")
	call.Domain, call.Outputs = "local", nil
	for name, s := range map[string]sketch{
		"bias":        {nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), none(op("Add", "", "p", "b")), used}},
		"activation":  {nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), op("Add", "h", "p", "b"), none(op("Relu", "", "h")), used}},
		"cast":        {nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), none(with(op("Cast", "", "p"), half)), used}},
		"transpose":   {nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), none(with(op("Transpose", "", "p"), onnx.IntsAttr("perm", []int64{1, 0, 2}))), used}},
		"quantizer":   {nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), none(op("DynamicQuantizeLinear", "", "p")), used}},
		"all of them": {nodes: []*onnx.Node{none(op("MatMul", "", "x", "w")), used}},
		"call":        {nodes: []*onnx.Node{call, used}, functions: []*onnx.Function{function}},
	} {
		s.weights = []*onnx.Tensor{w, bias}
		for _, recipe := range []Recipe{{}, {Activations: W8A16}, {Activations: W8A16, WholeGraph: true}, {Activations: W8A8}, {Target: ORT}, {Granularity: PerBlock, Block: 16}} {
			t.Run(fmt.Sprintf("%s %v %v", name, recipe.Activations, recipe.WholeGraph), func(t *testing.T) {
				result := apply(t, s.model(t), recipe)
				if _, err := onnx.Check(result.Model); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
