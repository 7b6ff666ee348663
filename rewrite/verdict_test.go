package rewrite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestVerdicts shows the verdicts on layers that differ in what runtimes look
// at. What ONNX Runtime does with such graphs is compared elsewhere.
func TestVerdicts(t *testing.T) {
	w, v := ramp("w", onnx.Float, 32, 48), ramp("v", onnx.Float, 48, 48)
	row, column := ramp("b", onnx.Float, 48), ramp("b", onnx.Float, 1, 48)
	var b strings.Builder
	for _, test := range []struct {
		name    string
		input   onnx.DType
		opset   int64
		weights []*onnx.Tensor
		nodes   []*onnx.Node
		recipe  Recipe
	}{
		{name: "MatMul", weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}},
		{name: "MatMul, per tensor", weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}, recipe: Recipe{Granularity: PerTensor}},
		{name: "MatMul, in blocks", opset: 21, weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}, recipe: Recipe{Granularity: PerBlock, Block: 16}},
		{name: "MatMul, asymmetric", weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}, recipe: Recipe{Asymmetric: true}},
		{name: "MatMul, fold", weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}, recipe: Recipe{Target: Fold}},
		{name: "MatMul, ort", weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}, recipe: Recipe{Target: ORT}},
		{name: "MatMul, w8a8", weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}, recipe: Recipe{Activations: W8A8}},
		{name: "MatMul, float16 casts", weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}, recipe: Recipe{Activations: W8A16}},
		{name: "MatMul, float16 scales", opset: 19, weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}, recipe: Recipe{Activations: W8A16}},
		{name: "MatMul, bfloat16", opset: 19, weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}, recipe: Recipe{Activations: W8A16, SixteenBit: onnx.BFloat16}},
		{name: "MatMul of float16", input: onnx.Float16, weights: []*onnx.Tensor{ramp("w", onnx.Float16, 32, 48)}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}},
		{name: "MatMul of double", input: onnx.Double, weights: []*onnx.Tensor{ramp("w", onnx.Double, 32, 48)}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}},
		{name: "MatMul, on the left", weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "y", "w", "x")}},
		{name: "MatMul, rank 3", weights: []*onnx.Tensor{ramp("w", onnx.Float, 2, 32, 48)}, nodes: []*onnx.Node{op("MatMul", "y", "x", "w")}},
		{name: "two readers", weights: []*onnx.Tensor{v}, nodes: []*onnx.Node{op("MatMul", "p", "x", "v"), op("MatMul", "y", "p", "v")}},
		{name: "MatMul, Relu, more", weights: []*onnx.Tensor{w, v}, nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), op("Relu", "r", "p"), op("MatMul", "y", "r", "v")}},
		{name: "MatMul, Relu", weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{op("MatMul", "p", "x", "w"), op("Relu", "y", "p")}},
		{name: "Gemm", weights: []*onnx.Tensor{w, row}, nodes: []*onnx.Node{op("Gemm", "y", "x", "w", "b")}},
		{name: "Gemm, bias [1,N]", weights: []*onnx.Tensor{w, column}, nodes: []*onnx.Node{op("Gemm", "y", "x", "w", "b")}},
		{name: "Gemm, alpha", weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{with(op("Gemm", "y", "x", "w"), onnx.FloatAttr("alpha", 2))}},
		{name: "Gemm, transB", weights: []*onnx.Tensor{v}, nodes: []*onnx.Node{with(op("Gemm", "y", "x", "v"), onnx.IntAttr("transB", 1))}},
		{name: "Gemm, transA", weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{with(op("Gemm", "y", "x", "w"), onnx.IntAttr("transA", 1))}},
		{name: "Conv", weights: []*onnx.Tensor{ramp("w", onnx.Float, 4, 3, 3, 3)}, nodes: []*onnx.Node{op("Conv", "y", "x", "w")}, recipe: Recipe{Ops: Operators()}},
		{name: "LSTM", weights: []*onnx.Tensor{ramp("w", onnx.Float, 1, 8, 3), ramp("r", onnx.Float, 1, 8, 2)}, nodes: []*onnx.Node{with(op("LSTM", "y", "x", "w", "r"), onnx.IntAttr("hidden_size", 2))}, recipe: Recipe{Ops: Operators()}},
		{name: "Gather", weights: []*onnx.Tensor{ramp("w", onnx.Float, 5, 8)}, nodes: []*onnx.Node{with(op("Cast", "i", "x"), onnx.IntAttr("to", int64(onnx.Int64))), op("Gather", "y", "w", "i")}, recipe: Recipe{Ops: Operators()}},
	} {
		m := sketch{opset: test.opset, input: test.input, weights: test.weights, nodes: test.nodes}.model(t)
		plan, err := New(m, test.recipe)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		result, err := plan.Apply(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if len(result.Sites) == 0 {
			t.Errorf("%s: no site", test.name)
		}
		for i, site := range result.Sites {
			fmt.Fprintf(&b, "== %s: %s\n", test.name, site.Form)
			if len(site.Verdicts) != len(Runtimes()) {
				t.Errorf("%s: %d verdicts, want one for each of %v", test.name, len(site.Verdicts), Runtimes())
			}
			for _, verdict := range site.Verdicts {
				fmt.Fprintf(&b, "%s: %s\n", verdict.Runtime, verdict)
			}
			if diff := cmp.Diff(site.Verdicts, plan.Sites[i].Verdicts); diff != "" {
				t.Errorf("%s: the plan's verdicts differ from the result's:\n%s", test.name, diff)
			}
		}
	}
	golden(t, t.Name(), b.String())
}

// TestVerdictsOfModels plans whole models and finds the same verdicts again in
// what is emitted, but for weights that turned out to be stored twice.
func TestVerdictsOfModels(t *testing.T) {
	models, err := filepath.Glob("../testdata/models/*/model.onnx")
	if err != nil || len(models) == 0 {
		t.Fatalf("no models: %v", err)
	}
	for _, path := range models {
		for _, target := range []Target{Portable, Fold, ORT} {
			m, err := onnx.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			plan, err := New(m, Recipe{Target: target, Ops: Operators(), SkipNonfinite: true})
			if err != nil {
				t.Fatal(err)
			}
			result, err := plan.Apply(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			plans := map[string][]Verdict{}
			for _, site := range plan.Sites {
				plans[site.Node+" "+site.Weight] = site.Verdicts
			}
			for _, site := range result.Sites {
				if len(site.Verdicts) == 0 {
					t.Errorf("%s %s: %s has no verdicts", path, target, site.Node)
				}
				if diff := cmp.Diff(site.Verdicts, plans[site.Node+" "+site.Weight]); diff != "" && !strings.Contains(site.Note, "shares") {
					t.Errorf("%s %s %s: the plan's verdicts differ from the result's:\n%s", path, target, site.Node, diff)
				}
			}
		}
	}
}
