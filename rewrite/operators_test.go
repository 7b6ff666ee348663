package rewrite

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestOperators shows what becomes of the weights of every operator in the table.
func TestOperators(t *testing.T) {
	contrib := func(n *onnx.Node) *onnx.Node { n.Domain = microsoft; return n }
	equation := func(s string) *onnx.Attr { return onnx.StringAttr("equation", s) }
	w := func(dims ...int64) []*onnx.Tensor { return []*onnx.Tensor{ramp("w", onnx.Float, dims...)} }
	for _, test := range []struct {
		name    string
		weights []*onnx.Tensor
		node    *onnx.Node
		sites   int
	}{
		{"conv", append(w(4, 3, 3, 3), ramp("b", onnx.Float, 4)), op("Conv", "y", "x", "w", "b"), 1},
		{"conv 1-D", w(4, 3, 5), op("Conv", "y", "x", "w"), 1},
		{"conv transpose", w(3, 4, 2, 2), op("ConvTranspose", "y", "x", "w"), 1},
		{"conv transpose, in groups", w(6, 2, 2, 2), with(op("ConvTranspose", "y", "x", "w"), onnx.IntAttr("group", 3)), 1},
		{"conv transpose, depthwise", w(3, 1, 2, 2), with(op("ConvTranspose", "y", "x", "w"), onnx.IntAttr("group", 3)), 1},
		{"lstm", append(w(1, 8, 3), ramp("r", onnx.Float, 1, 8, 2)), with(op("LSTM", "y", "x", "w", "r"), onnx.IntAttr("hidden_size", 2)), 2},
		{"gru", append(w(2, 6, 3), ramp("r", onnx.Float, 2, 6, 2)), with(op("GRU", "y", "x", "w", "r"), onnx.IntAttr("hidden_size", 2)), 2},
		{"rnn", append(w(1, 2, 3), ramp("r", onnx.Float, 1, 2, 2)), with(op("RNN", "y", "x", "w", "r"), onnx.IntAttr("hidden_size", 2)), 2},
		{"gather", w(5, 4), op("Gather", "y", "w", "x"), 1},
		{"gather columns", w(5, 4), with(op("Gather", "y", "w", "x"), onnx.IntAttr("axis", -1)), 1},
		{"gather numbers", w(5), op("Gather", "y", "w", "x"), 0},
		{"gather elements", w(5, 4), op("GatherElements", "y", "w", "x"), 1},
		{"einsum", w(4, 2, 3), with(op("Einsum", "y", "x", "w"), equation("bk, khn -> bhn")), 1},
		{"einsum left", w(3, 4), with(op("Einsum", "y", "w", "x"), equation("mk,kn->mn")), 1},
		{"einsum implicit", w(3, 4), with(op("Einsum", "y", "x", "w"), equation("mk,kn")), 1},
		{"einsum summed", w(3), with(op("Einsum", "y", "x", "w"), equation("mk,k->m")), 1},
		{"fused matmul", w(4, 3), contrib(with(op("FusedMatMul", "y", "x", "w"), onnx.IntAttr("transB", 1))), 1},
		{"fused matmul of batches", w(2, 4, 3), contrib(with(op("FusedMatMul", "y", "x", "w"), onnx.IntAttr("transB", 1))), 1},
		{"fused matmul with moved batch", w(2, 4, 3), contrib(with(op("FusedMatMul", "y", "x", "w"), onnx.IntAttr("transBatchB", 1))), 0},
		{"fused gemm", w(4, 3), contrib(with(op("FusedGemm", "y", "x", "w"), onnx.IntAttr("transB", 1), onnx.StringAttr("activation", "Relu"))), 1},
		{"attention", append(w(4, 12), ramp("b", onnx.Float, 12)), contrib(with(op("Attention", "y", "x", "w", "b"), onnx.IntAttr("num_heads", 2))), 1},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "_"), func(t *testing.T) {
			var b strings.Builder
			for _, recipe := range []Recipe{{Ops: Operators()}, {Ops: Operators(), Target: Fold}, {Ops: Operators(), Activations: W8A16}, {Ops: Operators(), Activations: W8A8}} {
				m := sketch{weights: test.weights, nodes: []*onnx.Node{test.node}}.model(t)
				result := apply(t, m, recipe)
				if len(result.Sites) != test.sites {
					t.Errorf("%d sites, want %d", len(result.Sites), test.sites)
				}
				fmt.Fprintf(&b, "== %s %s\n", recipe.Activations, recipe.Target)
				for _, skip := range result.Skips {
					fmt.Fprintln(&b, &skip)
				}
				for _, site := range result.Sites {
					fmt.Fprintf(&b, "site %s %v axis %d: %s, %d -> %d\n", site.Weight, site.Dims, site.Axis, site.Form, site.BytesBefore, site.BytesAfter)
				}
				b.WriteString(outline(result.Model))
			}
			golden(t, t.Name(), b.String())
		})
	}
}
