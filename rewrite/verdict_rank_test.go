package rewrite

import (
	"fmt"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestRank holds ranks to what types and simple operators tell, in chains longer
// than a stack would hold, in circles, through captures and through calls.
func TestRank(t *testing.T) {
	matrix := &onnx.Value{Name: "x", Type: &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float, HasShape: true, Shape: make([]onnx.Dim, 2)}}
	const long = 100_000
	var chain []*onnx.Node
	for i := range long {
		input := "x"
		if i > 0 {
			input = fmt.Sprintf("v%d", i-1)
		}
		chain = append(chain, op("Relu", fmt.Sprintf("v%d", i), input))
	}
	last := fmt.Sprintf("v%d", long-1)
	reversed := slices.Clone(chain)
	slices.Reverse(reversed)
	body := &onnx.Graph{Name: "body", Nodes: []*onnx.Node{op("Relu", "i", "x")}, Outputs: []*onnx.Value{{Name: "i"}}}
	for name, test := range map[string]struct {
		nodes []*onnx.Node
		value string
		rank  []int // those that it may be
	}{
		"input":    {nil, "x", []int{2}},
		"nothing":  {nil, "nowhere", []int{unknownRank}},
		"constant": {nil, "w", []int{3}},
		"sum":      {[]*onnx.Node{op("Add", "y", "x", "w")}, "y", []int{3}},
		"unknown":  {[]*onnx.Node{op("NonZero", "y", "x")}, "y", []int{unknownRank}},
		"chain":    {chain, last, []int{2}},
		// From its end a chain is looked through only so far.
		"chain from its end": {reversed, last, []int{2, unknownRank}},
		"circle":             {[]*onnx.Node{op("Relu", "a", "b"), op("Relu", "b", "a")}, "a", []int{unknownRank}},
		"itself":             {[]*onnx.Node{op("Relu", "a", "a")}, "a", []int{unknownRank}},
		"capture":            {[]*onnx.Node{with(op("If", "y", "x"), onnx.GraphAttr("then_branch", body))}, "i", []int{2}},
		"call":               {[]*onnx.Node{{OpType: "Twice", Domain: "local", Inputs: []string{"x"}, Outputs: []string{"y"}}}, "o", []int{2}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetImport{{Version: 17}}, Graph: &onnx.Graph{
				Name: "g", Inputs: []*onnx.Value{matrix}, Initializers: []*onnx.Tensor{ramp("w", onnx.Float, 2, 3, 4)}, Nodes: test.nodes,
			}, Functions: []*onnx.Function{{Domain: "local", Name: "Twice", Inputs: []string{"f"}, Outputs: []string{"o"}, Nodes: []*onnx.Node{op("Relu", "o", "f")}}}}
			index, err := onnx.NewIndex(m)
			if err != nil {
				t.Fatal(err)
			}
			p := place{scope: index.Main()}
			switch name {
			case "capture":
				p.scope = index.Main().Bodies()[0]
			case "call":
				p.scope = index.Scopes()[1]
				p.via = &place{scope: index.Main(), node: test.nodes[0]}
			}
			look := newLook(index)
			for range 2 { // worked out, and remembered
				if rank := look.rank(p, test.value); !slices.Contains(test.rank, rank) {
					t.Errorf("rank %d, not one of %v", rank, test.rank)
				}
			}
		})
	}
}
