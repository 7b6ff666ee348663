package rewrite

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// transposed is a matrix stored the other way round.
func transposed(t *onnx.Tensor, name string) *onnx.Tensor {
	values, err := t.Float32s()
	if err != nil {
		panic(err)
	}
	rows, columns := int(t.Dims[0]), int(t.Dims[1])
	turned := make([]float32, len(values))
	for r := range rows {
		for c := range columns {
			turned[c*rows+r] = values[r*columns+c]
		}
	}
	return onnx.FloatTensor(name, []int64{t.Dims[1], t.Dims[0]}, turned)
}

// TestTwins shows that a table which is looked up and multiplied, or stored
// twice, is stored once as int8.
func TestTwins(t *testing.T) {
	e := ramp("e", onnx.Float, 5, 4)
	copied := ramp("f", onnx.Float, 5, 4)
	lookup := op("Gather", "h", "e", "x")
	for _, test := range []struct {
		name    string
		weights []*onnx.Tensor
		nodes   []*onnx.Node
	}{
		{"embedding and matmul behind transpose", []*onnx.Tensor{e}, []*onnx.Node{lookup, op("Transpose", "t", "e"), op("MatMul", "y", "h", "t")}},
		{"embedding and gemm", []*onnx.Tensor{e}, []*onnx.Node{lookup, with(op("Gemm", "y", "h", "e"), onnx.IntAttr("transB", 1))}},
		{"output layer before lookup", []*onnx.Tensor{e}, []*onnx.Node{op("Transpose", "t", "e"), op("MatMul", "m", "x", "t"), op("Gather", "h", "e", "m"), op("Relu", "y", "h")}},
		{"copy of the embedding", []*onnx.Tensor{e, copied}, []*onnx.Node{lookup, op("Transpose", "t", "f"), op("MatMul", "y", "h", "t")}},
		{"transposed copy of the embedding", []*onnx.Tensor{e, transposed(e, "f")}, []*onnx.Node{lookup, op("MatMul", "y", "h", "f")}},
		{"copies of a weight", []*onnx.Tensor{ramp("v", onnx.Float, 4, 4), ramp("w", onnx.Float, 4, 4)}, []*onnx.Node{op("MatMul", "h", "x", "v"), op("MatMul", "y", "h", "w")}},
		{"transposed copy of a weight", []*onnx.Tensor{ramp("v", onnx.Float, 4, 4), transposed(ramp("v", onnx.Float, 4, 4), "w")}, []*onnx.Node{op("MatMul", "h", "x", "v"), with(op("Gemm", "y", "h", "w"), onnx.IntAttr("transB", 1))}},
		{"weights that differ", []*onnx.Tensor{ramp("v", onnx.Float, 4, 4), transposed(ramp("w", onnx.Float, 4, 4), "w")}, []*onnx.Node{op("MatMul", "h", "x", "v"), op("MatMul", "y", "h", "w")}},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "_"), func(t *testing.T) {
			var b strings.Builder
			for _, recipe := range []Recipe{{}, {Target: Fold}, {Activations: W8A16}, {Activations: W8A8}} {
				recipe.Ops = Operators()
				result := apply(t, sketch{weights: test.weights, nodes: test.nodes}.model(t), recipe)
				fmt.Fprintf(&b, "== %s %s\n", recipe.Activations, recipe.Target)
				tables := 0
				for _, initializer := range result.Model.Graph.Initializers {
					if initializer.Type == onnx.Int8 && len(initializer.Dims) == 2 {
						tables++
					}
				}
				want := 1
				if strings.HasSuffix(test.name, "differ") {
					want = 2
				}
				if tables != want {
					t.Errorf("%s: %d int8 tables, want %d", recipe.Activations, tables, want)
				}
				for _, site := range result.Sites {
					fmt.Fprintf(&b, "site %s %s %v: %s, %d -> %d %s\n", site.Op, site.Weight, site.Dims, site.Form, site.BytesBefore, site.BytesAfter, site.Note)
				}
				b.WriteString(outline(result.Model))
			}
			golden(t, t.Name(), b.String())
		})
	}
}
