package rewrite

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// body is a graph for If, with its own weights and one output.
func body(output string, weights []*onnx.Tensor, nodes ...*onnx.Node) *onnx.Graph {
	return &onnx.Graph{
		Name: "body", Initializers: weights, Nodes: nodes,
		Outputs: []*onnx.Value{{Name: output, Type: &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float}}},
	}
}

// choose is an If over two bodies.
func choose(output string, then, otherwise *onnx.Graph) *onnx.Node {
	return with(op("If", output, "c"), onnx.GraphAttr("then_branch", then), onnx.GraphAttr("else_branch", otherwise))
}

// cases of weights that are not read by one node of the main graph alone.
func scopeCases() []struct {
	name   string
	sketch sketch
	sites  int
} {
	w := ramp("w", onnx.Float, 3, 3)
	v := onnx.FloatTensor("v", []int64{3, 3}, []float32{3, 1, 4, 1, 5, 9, 2, 6, 5})
	call := func(output string, inputs ...string) *onnx.Node {
		n := op("Linear", output, inputs...)
		n.Domain = "local"
		return n
	}
	function := func(inputs []string, nodes ...*onnx.Node) []*onnx.Function {
		return []*onnx.Function{{
			Domain: "local", Name: "Linear", Inputs: inputs, Outputs: []string{"o"}, Nodes: nodes,
			Opsets: []onnx.OpsetImport{{Version: 17}},
		}}
	}
	constant := with(op("Constant", "w"), onnx.TensorAttr("value", w))
	return []struct {
		name   string
		sketch sketch
		sites  int
	}{
		{"shared by two layers", sketch{weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), op("MatMul", "y", "p", "w")}}, 2},
		{"shared, once transposed", sketch{weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), with(op("Gemm", "y", "p", "w"), onnx.IntAttr("transB", 1))}}, 2},
		{"read by something else", sketch{weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("Add", "p", "x", "w"), op("MatMul", "y", "p", "w")}}, 1},
		{"graph output", sketch{outputs: []string{"y", "w"}, weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}}, 1},
		{"names taken", sketch{inputs: []string{"x", "w_quantized"}, weights: []*onnx.Tensor{w, v}, nodes: []*onnx.Node{op("MatMul", "w_scale", "x", "w"), op("Add", "w_dequantized", "w_scale", "v"), op("Add", "y", "w_dequantized", "w_quantized")}}, 1},
		{"ir 3", sketch{ir: 3, opset: 9, inputs: []string{"x", "w"}, weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}}, 1},
		{"neighbours", sketch{weights: []*onnx.Tensor{w, v, ramp("b", onnx.Float, 3)}, nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), op("Add", "s", "p", "b"), op("MatMul", "y", "s", "v")}}, 2},
		{"neighbours with a reader between", sketch{outputs: []string{"y", "r"}, weights: []*onnx.Tensor{w, v}, nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), op("Relu", "r", "p"), op("MatMul", "y", "p", "v")}}, 2},
		{"two readers of one activation", sketch{outputs: []string{"y", "z"}, weights: []*onnx.Tensor{w, v}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w"), op("MatMul", "z", "x", "v")}}, 2},
		{"outer and inner weights", sketch{inputs: []string{"x", "c"}, weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{choose("y",
			body("t", nil, op("MatMul", "t", "x", "w")),
			body("e", []*onnx.Tensor{v}, op("MatMul", "e", "x", "v")))}}, 2},
		{"outer weight in both bodies", sketch{inputs: []string{"x", "c"}, weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), choose("y",
			body("t", nil, op("MatMul", "t", "x", "w")),
			body("e", nil, op("MatMul", "e", "p", "w")))}}, 3},
		{"constant node in a body, ir 3", sketch{ir: 3, opset: 9, inputs: []string{"x", "c"}, nodes: []*onnx.Node{choose("y",
			body("t", nil, with(op("Constant", "k"), onnx.TensorAttr("value", w)), op("MatMul", "t", "x", "k")),
			body("e", nil, op("Relu", "e", "x")))}}, 1},
		{"weight inside a function", sketch{nodes: []*onnx.Node{call("p", "x"), call("y", "p")}, functions: function([]string{"a"}, constant, op("MatMul", "o", "a", "w"))}, 1},
		{"weights from the caller", sketch{weights: []*onnx.Tensor{w, v}, nodes: []*onnx.Node{call("p", "x", "w"), call("y", "p", "v")}, functions: function([]string{"a", "m"}, op("MatMul", "o", "a", "m"))}, 2},
		{"weight from the caller, transposed inside", sketch{weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{call("y", "x", "w")}, functions: function([]string{"a", "m"}, with(op("Gemm", "o", "a", "m"), onnx.IntAttr("transB", 1)))}, 1},
		{"weight from one caller of two", sketch{inputs: []string{"x", "z"}, weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{call("p", "x", "w"), call("y", "p", "z")}, functions: function([]string{"a", "m"}, op("MatMul", "o", "a", "m"))}, 1},
	}
}

// TestScopes shows where constants and nodes go when a weight is shared, lies in
// another scope than its reader, or comes from a function's caller.
func TestScopes(t *testing.T) {
	for _, test := range scopeCases() {
		t.Run(strings.NewReplacer(" ", "_", ",", "").Replace(test.name), func(t *testing.T) {
			var b strings.Builder
			for _, recipe := range []Recipe{{}, {Activations: W8A16, Target: Fold}} {
				result := apply(t, test.sketch.model(t), recipe)
				if recipe.Activations == "" && len(result.Sites) != test.sites {
					t.Errorf("%d sites, want %d; skips %v", len(result.Sites), test.sites, result.Skips)
				}
				fmt.Fprintf(&b, "== %s %s\n", recipe.Activations, recipe.Target)
				for _, skip := range result.Skips {
					fmt.Fprintln(&b, &skip)
				}
				b.WriteString(outline(result.Model))
			}
			golden(t, t.Name(), b.String())
		})
	}
}

// TestAgain holds a second run on a result to change nothing.
func TestAgain(t *testing.T) {
	for _, test := range scopeCases() {
		for _, recipe := range []Recipe{{}, {Target: Fold}, {Activations: W8A16}, {Activations: W8A16, Target: Fold}, {Activations: W8A8}, {Target: ORT}} {
			t.Run(fmt.Sprintf("%s/%s/%s", test.name, recipe.Activations, recipe.Target), func(t *testing.T) {
				first := apply(t, test.sketch.model(t), recipe)
				var b bytes.Buffer
				if err := onnx.Encode(&b, first.Model); err != nil {
					t.Fatal(err)
				}
				m, err := onnx.Decode(b.Bytes())
				if err != nil {
					t.Fatal(err)
				}
				if again := apply(t, m, recipe); again.Model != m {
					t.Errorf("the second run rewrote %v", again.Sites)
				}
			})
		}
	}
}

// TestOriginalUntouched holds a plan to leave its model's bytes alone, and two
// applications of one plan to give the same bytes.
func TestOriginalUntouched(t *testing.T) {
	for _, test := range scopeCases() {
		t.Run(test.name, func(t *testing.T) {
			m := test.sketch.model(t)
			encode := func(m *onnx.Model) []byte {
				var b bytes.Buffer
				if err := onnx.Encode(&b, m); err != nil {
					t.Fatal(err)
				}
				return b.Bytes()
			}
			before := encode(m)
			plan, err := New(m, Recipe{})
			if err != nil {
				t.Fatal(err)
			}
			var results [2][]byte
			for i := range results {
				result, err := plan.Apply(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				results[i] = encode(result.Model)
			}
			if !bytes.Equal(results[0], results[1]) {
				t.Error("two applications of one plan differ")
			}
			if !bytes.Equal(before, encode(m)) {
				t.Error("the plan's own model changed")
			}
		})
	}
}
