package rewrite

import (
	"math"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestSkips holds every refusal to its reason.
func TestSkips(t *testing.T) {
	w := ramp("w", onnx.Float, 3, 4)
	matmul := []*onnx.Node{op("MatMul", "y", "x", "w")}
	nonfinite := func(v float64) []*onnx.Tensor {
		return []*onnx.Tensor{floatTensor("w", onnx.Float, []int64{2, 2}, []float32{1, 2, 3, float32(v)})}
	}
	quantized := onnx.Int8Tensor("q", []int64{3, 4}, make([]int8, 12))
	scale := onnx.FloatTensor("s", []int64{4}, []float32{1, 2, 3, 4})
	for _, test := range []struct {
		name   string
		sketch sketch
		recipe Recipe
		reason string // a part of it
	}{
		{"no constant", sketch{inputs: []string{"x", "z"}, nodes: []*onnx.Node{op("Relu", "r", "z"), op("MatMul", "y", "x", "r")}}, Recipe{}, "no operand is constant: A is an input, B is computed by Relu"},
		{"both constant", sketch{weights: []*onnx.Tensor{w, ramp("v", onnx.Float, 4, 3)}, nodes: []*onnx.Node{op("MatMul", "y", "w", "v")}}, Recipe{}, "all its operands are constant"},
		{"integers", sketch{input: onnx.Int32, weights: []*onnx.Tensor{onnx.NewTensor("w", onnx.Int32, []int64{1, 1}, onnx.Bytes{1, 0, 0, 0})}, nodes: matmul}, Recipe{}, "its weight is int32, not float"},
		{"no elements", sketch{weights: []*onnx.Tensor{onnx.FloatTensor("w", []int64{0, 8}, nil)}, nodes: matmul}, Recipe{}, "has no elements"},
		{"small", sketch{weights: []*onnx.Tensor{w}, nodes: matmul}, Recipe{MinBytes: 49}, "takes 48 bytes, less than --min-bytes 49"},
		{"old opset", sketch{opset: 6, weights: []*onnx.Tensor{w}, nodes: matmul}, Recipe{}, "opset 6 is older than 7"},
		{"new opset", sketch{opset: 99, weights: []*onnx.Tensor{w}, nodes: matmul}, Recipe{}, "opset 99 is newer than 28"},
		{"overridable", sketch{inputs: []string{"x", "w"}, weights: []*onnx.Tensor{w}, nodes: matmul}, Recipe{}, "a caller may replace it"},
		{"excluded", sketch{weights: []*onnx.Tensor{w}, nodes: matmul}, Recipe{Exclude: []string{"w*"}}, `--exclude "w*" matches it`},
		{"not included", sketch{weights: []*onnx.Tensor{w, ramp("v", onnx.Float, 4, 4)}, nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), op("MatMul", "y", "p", "v")}}, Recipe{Include: []string{"v"}}, "no --include glob matches it"},
		{"DequantizeLinear before", sketch{weights: []*onnx.Tensor{quantized, scale}, nodes: []*onnx.Node{with(op("DequantizeLinear", "w", "q", "s"), onnx.IntAttr("axis", 1)), op("MatMul", "y", "x", "w")}}, Recipe{}, "operand B is quantized already, by DequantizeLinear"},
		{"Cast and Mul before", sketch{weights: []*onnx.Tensor{quantized, scale}, nodes: []*onnx.Node{with(op("Cast", "f", "q"), onnx.IntAttr("to", 1)), op("Mul", "w", "f", "s"), op("MatMul", "y", "x", "w")}}, Recipe{}, "operand B is quantized already, by Cast and Mul"},
		{"stored as integers", sketch{weights: []*onnx.Tensor{quantized}, nodes: []*onnx.Node{with(op("Cast", "w", "q"), onnx.IntAttr("to", 1)), op("MatMul", "y", "x", "w")}}, Recipe{}, "stored as int8 already"},
		{"NaN", sketch{weights: nonfinite(math.NaN()), nodes: matmul}, Recipe{SkipNonfinite: true}, "NaN"},
		{"infinity", sketch{weights: nonfinite(math.Inf(-1)), nodes: matmul}, Recipe{SkipNonfinite: true}, "Inf"},
		{"double in 16 bit", sketch{input: onnx.Double, weights: []*onnx.Tensor{ramp("w", onnx.Double, 3, 4)}, nodes: matmul}, Recipe{Activations: W8A16}, "float64"},
		{"bfloat16 at opset 12", sketch{opset: 12, weights: []*onnx.Tensor{w}, nodes: matmul}, Recipe{Activations: W8A16, SixteenBit: onnx.BFloat16}, "bfloat16 needs opset 13"},
		{"beyond float16", sketch{weights: []*onnx.Tensor{onnx.FloatTensor("w", []int64{1, 2}, []float32{70000, 1})}, nodes: matmul}, Recipe{Activations: W8A16}, "float16 cannot hold"},
		{"bias beyond float16", sketch{weights: []*onnx.Tensor{w, onnx.FloatTensor("b", []int64{4}, []float32{1, 2, 1e6, 3})}, nodes: []*onnx.Node{op("Gemm", "y", "x", "w", "b")}}, Recipe{Activations: W8A16}, "beyond 65504"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := test.sketch.model(t)
			result := apply(t, m, test.recipe)
			if len(result.Skips) != 1 || !strings.Contains(result.Skips[0].Reason, test.reason) {
				t.Errorf("skips %v, want one with %q", result.Skips, test.reason)
			}
			if len(result.Sites) == 0 && result.Model != m {
				t.Error("nothing was rewritten, yet the model is another")
			}
		})
	}
}

// TestErrors holds what stops a rewrite to naming what is at fault.
func TestErrors(t *testing.T) {
	w := ramp("w", onnx.Float, 3, 4)
	plain := sketch{weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}}
	for _, test := range []struct {
		name   string
		sketch sketch
		recipe Recipe
		want   []string
	}{
		{"NaN", sketch{weights: []*onnx.Tensor{floatTensor("w", onnx.Float, []int64{2, 2}, []float32{1, 2, 3, float32(math.NaN())})}, nodes: plain.nodes}, Recipe{}, []string{`MatMul "y"`, `"w"`, "NaN", "--nonfinite skip"}},
		{"idle glob", plain, Recipe{Exclude: []string{"nothing*"}}, []string{`"nothing*"`, "matches no"}},
		{"broken glob", plain, Recipe{Include: []string{"[a"}}, []string{`"[a"`, "not a glob"}},
		{"unknown recipe", plain, Recipe{Activations: "w4a4"}, []string{`"w4a4"`}},
		{"unknown target", plain, Recipe{Target: "moon"}, []string{`"moon"`}},
		{"unknown granularity", plain, Recipe{Granularity: "atom"}, []string{`"atom"`}},
		{"unknown operator", plain, Recipe{Ops: []string{"Relu"}}, []string{"Relu"}},
		{"16 bit of another kind", plain, Recipe{SixteenBit: onnx.Int8}, []string{"int8"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan, err := New(test.sketch.model(t), test.recipe)
			if err == nil {
				_, err = plan.Apply(t.Context())
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}
