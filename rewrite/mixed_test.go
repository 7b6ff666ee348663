package rewrite

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestWith holds a plan with other forms for some sites to have just those, with
// their verdicts, and the plan that it was made from to stay as it was.
func TestWith(t *testing.T) {
	m := sketch{
		opset: 21, ir: 10, weights: []*onnx.Tensor{ramp("v", onnx.Float, 64, 4), ramp("w", onnx.Float, 4, 64), ramp("u", onnx.Float, 64, 2)},
		nodes: []*onnx.Node{op("MatMul", "a", "x", "v"), op("MatMul", "b", "a", "w"), op("MatMul", "y", "b", "u")},
	}.model(t)
	plan, err := New(m, Recipe{})
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := plan.Also(Recipe{Granularity: PerBlock, Block: 16})
	if err != nil {
		t.Fatal(err)
	}
	mixed := plan.With(map[int]Instead{2: {blocks, "harmful"}}).Without(map[int]string{0: "worse"})
	if got := mixed.Sites[1].Verdicts; len(got) != len(Runtimes()) {
		t.Errorf("the plan's site has the verdicts %v", got)
	}
	result, err := mixed.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var forms []string
	for _, site := range result.Sites {
		forms = append(forms, site.Weight+": "+site.Form+": "+site.Note)
		if len(site.Verdicts) != len(Runtimes()) {
			t.Errorf("%s has the verdicts %v", site.Weight, site.Verdicts)
		}
	}
	want := []string{"w: DequantizeLinear float: ", "u: DequantizeLinear in blocks of 16 float: harmful"}
	if diff := cmp.Diff(want, forms); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(plan.Sites[2].Form, "blocks") || plan.Sites[2].Note != "" || len(plan.Sites) != 3 {
		t.Errorf("the plan changed: %+v", plan.Sites)
	}
}

// TestGroups holds the sites of a node together, and those of one tensor.
func TestGroups(t *testing.T) {
	m := sketch{
		weights: []*onnx.Tensor{ramp("r", onnx.Float, 1, 12, 4), ramp("s", onnx.Float, 1, 12, 3), ramp("w", onnx.Float, 4, 4), ramp("u", onnx.Float, 3, 4)},
		nodes: []*onnx.Node{
			op("MatMul", "a", "x", "w"), with(op("LSTM", "h", "a", "r", "s"), onnx.IntAttr("hidden_size", 3)),
			op("MatMul", "b", "h", "u"), with(op("Gemm", "y", "b", "w"), onnx.IntAttr("transB", 1)),
		},
	}.model(t)
	plan, err := New(m, Recipe{Ops: Operators()})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := plan.Groups(), [][]int{{0, 4}, {1, 2}, {3}}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("groups %v, want %v", got, want)
	}
}

// TestWithout holds a plan without some sites to leave just those alone, and the
// plan that it was made from as it was.
func TestWithout(t *testing.T) {
	m := sketch{
		weights: []*onnx.Tensor{ramp("v", onnx.Float, 4, 4), ramp("w", onnx.Float, 4, 5), ramp("u", onnx.Float, 5, 2)},
		nodes:   []*onnx.Node{op("MatMul", "a", "x", "v"), op("MatMul", "b", "a", "w"), op("MatMul", "y", "b", "u")},
	}.model(t)
	plan, err := New(m, Recipe{})
	if err != nil {
		t.Fatal(err)
	}
	without := plan.Without(map[int]string{1: "harmful"})
	if plan.RemainingBytes != 0 || without.RemainingBytes != 4*4*5 {
		t.Errorf("%d bytes remain, without one weight %d, want 0 and 80", plan.RemainingBytes, without.RemainingBytes)
	}
	result, err := without.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var weights []string
	for _, site := range result.Sites {
		weights = append(weights, site.Weight)
	}
	if !slices.Equal(weights, []string{"v", "u"}) || !slices.Equal(result.Skips, []Skip{{"b", "MatMul", "harmful"}}) {
		t.Errorf("sites %v, skips %v", weights, result.Skips)
	}
	if len(plan.Sites) != 3 || len(plan.Skips) != 0 {
		t.Errorf("the plan changed: %v %v", plan.Sites, plan.Skips)
	}
}
