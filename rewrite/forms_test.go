package rewrite

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestForms shows what each recipe and target make of one layer, at opsets on
// both sides of every floor and in every float type.
func TestForms(t *testing.T) {
	for _, dtype := range []onnx.DType{onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16} {
		for _, opset := range []int64{9, 12, 13, 18, 19, 21} {
			if dtype == onnx.BFloat16 && opset < opsetBFloat16 {
				continue
			}
			t.Run(fmt.Sprintf("%v_%d", dtype, opset), func(t *testing.T) {
				var b strings.Builder
				for _, recipe := range []Recipe{
					{}, {Target: Fold}, {Granularity: PerTensor},
					{Activations: W8A16}, {Activations: W8A16, Target: Fold},
					{Activations: W8A16, SixteenBit: onnx.BFloat16},
					{Activations: W8A8},
				} {
					m := sketch{
						opset:   opset,
						input:   dtype,
						weights: []*onnx.Tensor{ramp("w", dtype, 3, 4), ramp("b", dtype, 4)},
						nodes:   []*onnx.Node{op("MatMul", "p", "x", "w"), op("Add", "y", "p", "b")},
					}.model(t)
					result := apply(t, m, recipe)
					fmt.Fprintf(&b, "== %s %s %s %v\n", recipe.Activations, recipe.Target, recipe.Granularity, recipe.SixteenBit)
					for _, skip := range result.Skips {
						fmt.Fprintln(&b, &skip)
					}
					b.WriteString(outline(result.Model))
				}
				golden(t, t.Name(), b.String())
			})
		}
	}
}

// TestSpellings shows the normal form of every spelling of a linear layer.
func TestSpellings(t *testing.T) {
	gemm := func(inputs []string, attrs ...*onnx.Attr) *onnx.Node {
		return with(op("Gemm", "y", inputs...), attrs...)
	}
	transA, transB := onnx.IntAttr("transA", 1), onnx.IntAttr("transB", 1)
	alpha, beta := onnx.FloatAttr("alpha", 0.5), onnx.FloatAttr("beta", 2)
	w := ramp("w", onnx.Float, 3, 4)
	constant := func(attrs ...*onnx.Attr) *onnx.Node { return with(op("Constant", "w"), attrs...) }
	for _, test := range []struct {
		name    string
		weights []*onnx.Tensor
		nodes   []*onnx.Node
	}{
		{"matmul right", []*onnx.Tensor{w}, []*onnx.Node{op("MatMul", "y", "x", "w")}},
		{"matmul left", []*onnx.Tensor{w}, []*onnx.Node{op("MatMul", "y", "w", "x")}},
		{"matmul vector right", []*onnx.Tensor{ramp("w", onnx.Float, 3)}, []*onnx.Node{op("MatMul", "y", "x", "w")}},
		{"matmul vector left", []*onnx.Tensor{ramp("w", onnx.Float, 3)}, []*onnx.Node{op("MatMul", "y", "w", "x")}},
		{"matmul batch right", []*onnx.Tensor{ramp("w", onnx.Float, 2, 3, 4)}, []*onnx.Node{op("MatMul", "y", "x", "w")}},
		{"matmul batch left", []*onnx.Tensor{ramp("w", onnx.Float, 2, 3, 4)}, []*onnx.Node{op("MatMul", "y", "w", "x")}},
		{"gemm", []*onnx.Tensor{w}, []*onnx.Node{gemm([]string{"x", "w"})}},
		{"gemm transB", []*onnx.Tensor{w, ramp("c", onnx.Float, 3)}, []*onnx.Node{gemm([]string{"x", "w", "c"}, transB)}},
		{"gemm transA", []*onnx.Tensor{w}, []*onnx.Node{gemm([]string{"x", "w"}, transA)}},
		{"gemm both transposed", []*onnx.Tensor{w}, []*onnx.Node{gemm([]string{"x", "w"}, transA, transB, alpha)}},
		{"gemm alpha beta", []*onnx.Tensor{w, ramp("c", onnx.Float, 1, 4)}, []*onnx.Node{gemm([]string{"x", "w", "c"}, alpha, beta)}},
		{"gemm absent c", []*onnx.Tensor{w}, []*onnx.Node{gemm([]string{"x", "w", ""})}},
		{"gemm computed c", []*onnx.Tensor{w}, []*onnx.Node{op("ReduceMean", "c", "x"), gemm([]string{"x", "w", "c"})}},
		{"gemm left", []*onnx.Tensor{w}, []*onnx.Node{gemm([]string{"w", "x"})}},
		{"gemm left transA", []*onnx.Tensor{w}, []*onnx.Node{gemm([]string{"w", "x"}, transA, transB)}},
		{"behind identity", []*onnx.Tensor{w}, []*onnx.Node{op("Identity", "i", "w"), op("MatMul", "y", "x", "i")}},
		{"behind transpose", []*onnx.Tensor{w}, []*onnx.Node{op("Transpose", "i", "w"), op("MatMul", "y", "x", "i")}},
		{"behind two transposes", []*onnx.Tensor{w}, []*onnx.Node{op("Transpose", "i", "w"), op("Transpose", "j", "i"), op("MatMul", "y", "x", "j")}},
		{"transpose and transB", []*onnx.Tensor{w}, []*onnx.Node{op("Transpose", "i", "w"), gemm([]string{"x", "i"}, transB)}},
		{"behind cast", []*onnx.Tensor{ramp("w", onnx.Double, 3, 4)}, []*onnx.Node{with(op("Cast", "i", "w"), onnx.IntAttr("to", 1)), op("MatMul", "y", "x", "i")}},
		{"behind reshape", []*onnx.Tensor{ramp("w", onnx.Float, 12), onnx.Int64Tensor("s", []int64{2}, []int64{3, -1})}, []*onnx.Node{op("Reshape", "i", "w", "s"), op("MatMul", "y", "x", "i")}},
		{"constant node", nil, []*onnx.Node{constant(onnx.TensorAttr("value", w)), op("MatMul", "y", "x", "w")}},
		{"constant floats", nil, []*onnx.Node{constant(onnx.FloatsAttr("value_floats", []float32{1, -2, 3})), op("MatMul", "y", "x", "w")}},
		{"constant node transposed", nil, []*onnx.Node{constant(onnx.TensorAttr("value", w)), op("Transpose", "i", "w"), op("MatMul", "y", "x", "i")}},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "_"), func(t *testing.T) {
			var b strings.Builder
			for _, recipe := range []Recipe{{}, {Activations: W8A16, Target: Fold}, {Activations: W8A8}} {
				result := apply(t, sketch{weights: test.weights, nodes: test.nodes}.model(t), recipe)
				fmt.Fprintf(&b, "== %s %s\n", recipe.Activations, recipe.Target)
				for _, site := range result.Sites {
					fmt.Fprintf(&b, "site %s %s %s %v axis %d: %s, %d -> %d\n", site.Node, site.Op, site.Weight, site.Dims, site.Axis, site.Form, site.BytesBefore, site.BytesAfter)
				}
				if len(result.Sites) != 1 {
					t.Errorf("%d sites, want 1; skips %v", len(result.Sites), result.Skips)
				}
				b.WriteString(outline(result.Model))
			}
			golden(t, t.Name(), b.String())
		})
	}
}
