package rewrite

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestRemaining holds a plan to name the operators that would take more.
func TestRemaining(t *testing.T) {
	m := sketch{
		weights: []*onnx.Tensor{ramp("e", onnx.Float, 9, 4), ramp("w", onnx.Float, 4, 4), ramp("k", onnx.Float, 2, 4, 3)},
		nodes:   []*onnx.Node{op("Gather", "h", "e", "x"), op("MatMul", "p", "h", "w"), op("Conv", "y", "p", "k")},
	}.model(t)
	plan, err := New(m, Recipe{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Remaining{{"Gather", 1, 144}, {"Conv", 1, 96}}
	if diff := cmp.Diff(want, plan.Remaining); diff != "" {
		t.Error(diff)
	}
	if plan.RemainingBytes != 144+96 {
		t.Errorf("%d bytes remain, want 240", plan.RemainingBytes)
	}
	if plan, err = New(m, Recipe{Ops: Operators()}); err != nil || len(plan.Remaining) != 0 || plan.RemainingBytes != 0 {
		t.Errorf("with all operators %v remain, %d bytes, error %v", plan.Remaining, plan.RemainingBytes, err)
	}
}

// TestRemainingTied holds a table that the plan takes where it multiplies, and
// leaves where it is looked up, to remain.
func TestRemainingTied(t *testing.T) {
	e := ramp("e", onnx.Float, 4, 4)
	m := sketch{weights: []*onnx.Tensor{e}, nodes: []*onnx.Node{op("Gather", "h", "e", "x"), with(op("Gemm", "y", "h", "e"), onnx.IntAttr("transB", 1))}}.model(t)
	plan, err := New(m, Recipe{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []Remaining{{"Gather", 1, 64}}; !slices.Equal(plan.Remaining, want) || plan.RemainingBytes != 64 {
		t.Errorf("%v remain, %d bytes, want %v", plan.Remaining, plan.RemainingBytes, want)
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
