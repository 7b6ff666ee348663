package rewrite

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestWholeGraphFunctions shows what becomes of local functions when a whole
// graph computes in 16 bit: bodies are converted where all calls agree.
func TestWholeGraphFunctions(t *testing.T) {
	w := ramp("w", onnx.Float, 3, 3)
	constant := with(op("Constant", "k"), onnx.TensorAttr("value", w))
	function := func(name string, inputs []string, nodes ...*onnx.Node) *onnx.Function {
		return &onnx.Function{Domain: "local", Name: name, Inputs: inputs, Outputs: []string{"o"}, Nodes: nodes,
			Opsets: []onnx.OpsetImport{{Version: 17}, {Domain: "local", Version: 1}}}
	}
	call := func(name, output string, inputs ...string) *onnx.Node {
		n := op(name, output, inputs...)
		n.Domain = "local"
		return n
	}
	layer := function("Layer", []string{"a"}, constant, op("MatMul", "p", "a", "k"), op("Softmax", "s", "p"), op("Add", "o", "s", "a"))
	residual := function("Layer", []string{"a"}, op("Softmax", "s", "a"), op("Add", "o", "s", "a"))
	double := with(op("Cast", "d", "x"), onnx.IntAttr("to", int64(onnx.Double)))
	referred := op("Cast", "q", "a")
	referred.Attrs = []*onnx.Attr{{Name: "to", RefName: "kind", Type: onnx.IntAttr("to", 1).Type}}
	typed := function("Typed", []string{"a"}, referred, op("Add", "s", "a", "q"), op("Relu", "o", "s"))
	typed.Attributes = []string{"kind"}
	for _, test := range []struct {
		name   string
		sketch sketch
	}{
		{"two calls of one type", sketch{nodes: []*onnx.Node{call("Layer", "p", "x"), call("Layer", "y", "p")}, functions: []*onnx.Function{layer}}},
		{"two calls of two types", sketch{nodes: []*onnx.Node{call("Sum", "p", "x"), double, call("Sum", "e", "d"), with(op("Cast", "f", "e"), onnx.IntAttr("to", 1)), op("Add", "y", "p", "f")},
			functions: []*onnx.Function{function("Sum", []string{"a"}, op("Add", "o", "a", "a"))}}},
		{"a function calls a function", sketch{nodes: []*onnx.Node{call("Outer", "y", "x")},
			functions: []*onnx.Function{layer, function("Outer", []string{"a"}, op("Relu", "r", "a"), call("Layer", "l", "r"), op("Mul", "o", "l", "r"))}}},
		{"branches in a function", sketch{inputs: []string{"x", "c"}, nodes: []*onnx.Node{call("Either", "y", "x", "c")},
			functions: []*onnx.Function{function("Either", []string{"a", "c"}, constant, op("Relu", "r", "a"),
				choose("i", body("t", nil, op("MatMul", "t", "r", "k")), body("e", nil, op("Neg", "e", "r"))), op("Tanh", "o", "i"))}}},
		{"a type from the call's attribute", sketch{nodes: []*onnx.Node{with(call("Typed", "y", "x"), onnx.IntAttr("kind", 1))}, functions: []*onnx.Function{typed}}},
		{"large numbers from a call", sketch{nodes: []*onnx.Node{op("Exp", "e", "x"), call("Sum", "y", "e")},
			functions: []*onnx.Function{function("Sum", []string{"a"}, op("Add", "o", "a", "a"))}}},
		{"large numbers out of a call", sketch{nodes: []*onnx.Node{call("Power", "e", "x"), op("Add", "y", "e", "x")},
			functions: []*onnx.Function{function("Power", []string{"a"}, op("Exp", "o", "a"))}}},
		{"weights from the calls", sketch{weights: []*onnx.Tensor{ramp("v", onnx.Float, 3, 3), ramp("w", onnx.Float, 3, 3)},
			nodes:     []*onnx.Node{call("Linear", "p", "x", "v"), call("Linear", "y", "p", "w")},
			functions: []*onnx.Function{function("Linear", []string{"a", "m"}, op("MatMul", "o", "a", "m"))}}},
		// A recurrent layer keeps float32, and so do the scales of its weights.
		{"weights of a recurrent layer from the call", sketch{weights: []*onnx.Tensor{ramp("w", onnx.Float, 1, 2, 3), ramp("r", onnx.Float, 1, 2, 2)},
			nodes:     []*onnx.Node{call("Recurrent", "y", "x", "w", "r")},
			functions: []*onnx.Function{function("Recurrent", []string{"a", "w", "r"}, with(op("RNN", "o", "a", "w", "r"), onnx.IntAttr("hidden_size", 2)))}}},
		{"read in both types and passed in 16 bit", sketch{nodes: []*onnx.Node{op("Relu", "r", "x"), call("Layer", "p", "r"), call("Layer", "y", "p")},
			functions: []*onnx.Function{residual}}},
		{"read in both types and passed in float32", sketch{nodes: []*onnx.Node{call("Layer", "p", "x"), call("Layer", "y", "p")}, functions: []*onnx.Function{residual}}},
		{"a cast is put out", sketch{input: onnx.Float16, nodes: []*onnx.Node{call("Widen", "w", "x"), op("Relu", "r", "w"), with(op("Cast", "y", "r"), onnx.IntAttr("to", int64(onnx.Float16)))},
			functions: []*onnx.Function{function("Widen", []string{"a"}, with(op("Cast", "o", "a"), onnx.IntAttr("to", 1)))}}},
		{"constants from the calls", sketch{weights: []*onnx.Tensor{w, onnx.FloatTensor("big", nil, []float32{-3e38})},
			nodes:     []*onnx.Node{call("Product", "p", "x", "w"), call("Sum", "s", "p", "big"), call("Sum", "y", "s", "p")},
			functions: []*onnx.Function{function("Product", []string{"a", "b"}, op("MatMul", "o", "a", "b")), function("Sum", []string{"a", "b"}, op("Add", "o", "a", "b"))}}},
		{"large numbers in a branch of a function", sketch{inputs: []string{"x", "c"}, nodes: []*onnx.Node{call("Either", "e", "x", "c"), op("Add", "y", "e", "x")},
			functions: []*onnx.Function{function("Either", []string{"a", "c"}, choose("i", body("t", nil, op("Exp", "t", "a")), body("e", nil, op("Neg", "e", "a"))), op("Relu", "o", "i"))}}},
	} {
		t.Run(strings.NewReplacer(" ", "_", "'", "").Replace(test.name), func(t *testing.T) {
			recipe := Recipe{Activations: W8A16, WholeGraph: true, SixteenBit: onnx.Float16, Ops: Operators()}
			result := apply(t, test.sketch.model(t), recipe)
			var b strings.Builder
			for _, skip := range result.Skips {
				fmt.Fprintln(&b, &skip)
			}
			b.WriteString(outline(result.Model))
			var encoded bytes.Buffer
			if err := onnx.Encode(&encoded, result.Model); err != nil {
				t.Fatal(err)
			}
			m, err := onnx.Decode(encoded.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if again := apply(t, m, recipe); again.Model != m {
				t.Errorf("a second run changed the model:\n%s", outline(again.Model))
			}
			golden(t, t.Name(), b.String())
		})
	}
}
