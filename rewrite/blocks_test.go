package rewrite

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestBlocks shows blocked and asymmetric weights in every form.
func TestBlocks(t *testing.T) {
	for _, test := range []struct {
		name    string
		opset   int64
		weights []*onnx.Tensor
		nodes   []*onnx.Node
	}{
		{"right at 21", 21, []*onnx.Tensor{ramp("w", onnx.Float, 40, 3)}, []*onnx.Node{op("MatMul", "y", "x", "w")}},
		{"left at 21", 21, []*onnx.Tensor{ramp("w", onnx.Float, 3, 40)}, []*onnx.Node{op("MatMul", "y", "w", "x")}},
		{"right at 17, whole blocks", 17, []*onnx.Tensor{ramp("w", onnx.Float, 32, 3)}, []*onnx.Node{op("MatMul", "y", "x", "w")}},
		{"left at 17, whole blocks", 17, []*onnx.Tensor{ramp("w", onnx.Float, 3, 32)}, []*onnx.Node{op("MatMul", "y", "w", "x")}},
		{"transB at 17, whole blocks", 17, []*onnx.Tensor{ramp("w", onnx.Float, 3, 32)}, []*onnx.Node{with(op("Gemm", "y", "x", "w"), onnx.IntAttr("transB", 1))}},
		{"at 17, broken blocks", 17, []*onnx.Tensor{ramp("w", onnx.Float, 40, 3)}, []*onnx.Node{op("MatMul", "y", "x", "w")}},
		{"one block", 21, []*onnx.Tensor{ramp("w", onnx.Float, 16, 3)}, []*onnx.Node{op("MatMul", "y", "x", "w")}},
		{"lookup", 21, []*onnx.Tensor{ramp("w", onnx.Float, 40, 32)}, []*onnx.Node{op("Gather", "y", "w", "x")}},
	} {
		t.Run(strings.NewReplacer(" ", "_", ",", "").Replace(test.name), func(t *testing.T) {
			var b strings.Builder
			for _, recipe := range []Recipe{
				{Granularity: PerBlock, Block: 16},
				{Granularity: PerBlock, Block: 16, Asymmetric: true},
				{Granularity: PerBlock, Block: 16, Activations: W8A16},
				{Granularity: PerBlock, Block: 16, Target: Fold, Asymmetric: true},
				{Asymmetric: true},
				{Target: ORT, Block: 16},
				{Target: ORT, Block: 16, Asymmetric: true, Activations: W8A16, AccuracyLevel: 4},
			} {
				recipe.Ops = Operators()
				result := apply(t, sketch{opset: test.opset, weights: test.weights, nodes: test.nodes}.model(t), recipe)
				fmt.Fprintf(&b, "== %s %s %s asymmetric %v\n", recipe.Activations, recipe.Target, recipe.Granularity, recipe.Asymmetric)
				for _, site := range result.Sites {
					fmt.Fprintf(&b, "site %s: %s, %d -> %d %s\n", site.Weight, site.Form, site.BytesBefore, site.BytesAfter, site.Note)
				}
				b.WriteString(outline(result.Model))
			}
			golden(t, t.Name(), b.String())
		})
	}
}
