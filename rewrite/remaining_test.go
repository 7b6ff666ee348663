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
