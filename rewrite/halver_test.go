package rewrite

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestWholeGraph shows where casts stand when a whole graph computes in 16 bit.
func TestWholeGraph(t *testing.T) {
	w := ramp("w", onnx.Float, 3, 3)
	number := func(name string, v float32) *onnx.Tensor { return onnx.FloatTensor(name, nil, []float32{v}) }
	for _, test := range []struct {
		name   string
		sketch sketch
	}{
		{"chain", sketch{weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("Relu", "r", "x"), op("MatMul", "p", "r", "w"), op("Add", "y", "p", "x")}}},
		{"softmax between", sketch{weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), op("Softmax", "s", "p"), op("Mul", "y", "s", "x")}}},
		{"inner output", sketch{outputs: []string{"y", "r"}, nodes: []*onnx.Node{op("Relu", "r", "x"), op("Tanh", "y", "r")}}},
		{"large constant", sketch{weights: []*onnx.Tensor{number("big", -3e38)}, nodes: []*onnx.Node{op("Relu", "r", "x"), op("Mul", "m", "r", "big"), op("Add", "a", "m", "x"), op("Softmax", "s", "a"), op("Neg", "y", "s")}}},
		{"small constant", sketch{weights: []*onnx.Tensor{number("epsilon", 1e-12)}, nodes: []*onnx.Node{op("Add", "a", "x", "epsilon"), op("Sqrt", "s", "a"), op("Div", "y", "x", "s")}}},
		{"casts and integers", sketch{inputs: []string{"x"}, nodes: []*onnx.Node{op("Shape", "s", "x"), with(op("Cast", "f", "s"), onnx.IntAttr("to", 1)), op("Add", "y", "x", "f")}}},
		{"bodies", sketch{inputs: []string{"x", "c"}, weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("Relu", "r", "x"), choose("i",
			body("t", nil, op("MatMul", "t", "r", "w")),
			body("e", []*onnx.Tensor{ramp("v", onnx.Float, 3)}, op("Neg", "n", "r"), op("Add", "e", "n", "v"))), op("Tanh", "y", "i")}}},
		{"branches that are constants or other values", sketch{inputs: []string{"x", "c"}, outputs: []string{"y", "z", "u"}, nodes: []*onnx.Node{op("Relu", "r", "x"),
			choose("i", body("t", nil, op("Add", "t", "r", "r")), body("e", nil, with(op("Constant", "e"), onnx.TensorAttr("value", ramp("v", onnx.Float, 3, 3))))),
			choose("j", body("p", nil, op("Identity", "p", "r")), body("q", []*onnx.Tensor{number("q", 1e9)}, op("Neg", "n", "q"))),
			choose("k", body("a", nil, choose("a", body("l", nil, op("Neg", "l", "r")), body("m", nil, op("Abs", "m", "r")))), body("d", nil, op("Exp", "d", "r"))),
			op("Tanh", "y", "i"), op("Tanh", "z", "j"), op("Tanh", "u", "k")}}},
		{"a loop", sketch{inputs: []string{"x"}, outputs: []string{"y", "z"}, weights: []*onnx.Tensor{onnx.Int64Tensor("three", nil, []int64{3})}, nodes: []*onnx.Node{op("Relu", "r", "x"),
			several(with(op("Loop", "s", "three", "", "r"), onnx.GraphAttr("body", &onnx.Graph{
				Name: "turn", Nodes: []*onnx.Node{op("Identity", "go", "cond"), op("Add", "next", "state", "r"), op("Neg", "seen", "next")},
				Inputs:  []*onnx.Value{{Name: "turn", Type: typeOf(onnx.Int64)}, {Name: "cond", Type: typeOf(onnx.Bool)}, {Name: "state", Type: typeOf(onnx.Float)}},
				Outputs: []*onnx.Value{{Name: "go", Type: typeOf(onnx.Bool)}, {Name: "next", Type: typeOf(onnx.Float)}, {Name: "seen", Type: typeOf(onnx.Float)}},
			})), "all"), op("Tanh", "y", "s"), op("Tanh", "z", "all")}}},
		{"batch moved before a product", sketch{weights: []*onnx.Tensor{w}, outputs: []string{"y", "z"}, nodes: []*onnx.Node{op("Relu", "r", "x"),
			with(op("Transpose", "t", "r"), onnx.IntsAttr("perm", []int64{1, 0, 2})), op("MatMul", "y", "t", "w"),
			with(op("Transpose", "u", "r"), onnx.IntsAttr("perm", []int64{0, 2, 1})), op("MatMul", "z", "u", "w")}}},
		{"constant behind a node, read in both types", sketch{weights: []*onnx.Tensor{ramp("b", onnx.Float, 3)}, nodes: []*onnx.Node{op("Identity", "c", "b"), op("Identity", "d", "b"),
			op("LayerNormalization", "n", "x", "c", "c"), op("Add", "a", "n", "c"), op("Mul", "y", "a", "d")}}},
		{"old model", sketch{ir: 3, opset: 9, inputs: []string{"x", "b"}, weights: []*onnx.Tensor{ramp("b", onnx.Float, 3)}, nodes: []*onnx.Node{op("Add", "a", "x", "b"), op("Relu", "y", "a")}}},
	} {
		t.Run(strings.NewReplacer(" ", "_", ",", "").Replace(test.name), func(t *testing.T) {
			var b strings.Builder
			for _, narrow := range []onnx.DType{onnx.Float16, onnx.BFloat16} {
				recipe := Recipe{Activations: W8A16, WholeGraph: true, SixteenBit: narrow}
				result := apply(t, test.sketch.model(t), recipe)
				fmt.Fprintf(&b, "== %v\n", narrow)
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
			}
			golden(t, t.Name(), b.String())
		})
	}
}

// several gives a node more outputs.
func several(n *onnx.Node, outputs ...string) *onnx.Node {
	n.Outputs = append(n.Outputs, outputs...)
	return n
}

// typeOf is a tensor's type without a shape.
func typeOf(t onnx.DType) *onnx.Type { return &onnx.Type{Kind: onnx.TensorKind, DType: t} }
