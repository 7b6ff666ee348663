package runtime

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestCompareReports(t *testing.T) {
	w := ramp(k, n)
	original := graphOf(inputX, "y", []*onnx.Node{node("MatMul", "x,w", "y")}, stored(t, "w", w))
	q := quantizeColumns(w)
	rewritten := graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 1), node("MatMul", "x,w_d", "y")}, q.initializers("w", k, n)...)
	var last, total int64
	r, err := Compare(t.Context(), modelOf(21, original), modelOf(21, rewritten), CompareOptions{
		Feeds: []feeds{{"x": ramp(5, k)}, {"x": ramp(2, k)}}, MinSQNR: 30,
		Progress: func(done, of int64) {
			if done < last || done > of {
				t.Errorf("%d of %d is done after %d", done, of, last)
			}
			last, total = done, of
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Within || len(r.Outputs) != 1 || len(r.Sites) != 1 || last != total || total == 0 {
		t.Fatalf("%+v, progress %d of %d", r, last, total)
	}
	out, site := r.Outputs[0], r.Sites[0]
	if site.K != k || site.N != n || site.Op != "MatMul" || site.Node != "y" {
		t.Errorf("the site is %+v", site)
	}
	// One layer alone: what the output is off by is what the site is.
	if math.Abs(out.SQNR-site.SQNR) > 1e-3 || out.MaxAbs == 0 || math.Abs(out.SQNR+20*math.Log10(out.RelL2)) > 1e-9 || out.Cosine < 0.999 || out.Cosine > 1 {
		t.Errorf("the output is %+v, the site %+v", out, site)
	}
	if site.OfBound <= 0.02 || site.OfBound > 1 {
		t.Errorf("the error is %v of its bound: a bound that wide proves nothing", site.OfBound)
	}

	// A reference says the same of the outputs, of one model after the other.
	reference, err := NewReference(t.Context(), modelOf(21, original), CompareOptions{Feeds: []feeds{{"x": ramp(5, k)}, {"x": ramp(2, k)}}})
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := reference.Compare(t.Context(), modelOf(21, rewritten))
	if err != nil || !slices.Equal(outputs, r.Outputs) {
		t.Errorf("the reference says %+v, %v, want %+v", outputs, err, r.Outputs)
	}
	if outputs, err = reference.Compare(t.Context(), modelOf(21, original)); err != nil || outputs[0].MaxAbs != 0 {
		t.Errorf("the original is off by %+v, %v", outputs, err)
	}

	r, err = Compare(t.Context(), modelOf(21, original), modelOf(21, rewritten), CompareOptions{Feeds: []feeds{{"x": ramp(5, k)}}, MinSQNR: 90})
	if err != nil {
		t.Fatal(err)
	}
	if r.Within || !strings.Contains(strings.Join(r.Reasons, ""), "less than 90") {
		t.Errorf("within %v: %v", r.Within, r.Reasons)
	}
}

func TestCompareRefuses(t *testing.T) {
	y := modelOf(21, graphOf(inputX, "y", []*onnx.Node{node("Neg", "x", "y")}))
	in := CompareOptions{Feeds: []feeds{{"x": ramp(2)}}}
	tests := map[string]struct {
		rewritten *onnx.Model
		options   CompareOptions
		words     []string
	}{
		"no inputs":            {y, CompareOptions{}, []string{"no inputs"}},
		"an output is missing": {modelOf(21, graphOf(inputX, "z", []*onnx.Node{node("Neg", "x", "z")})), in, []string{`no output "y"`}},
		"another shape":        {modelOf(21, graphOf(inputX, "y", []*onnx.Node{node("ReduceMax", "x", "y")})), in, []string{`"y"`, "float[1]", "float[2]"}},
		"another operator":     {modelOf(21, graphOf(inputX, "y", []*onnx.Node{node("Missing", "x", "y")})), in, []string{"the rewritten model", "Missing"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Compare(t.Context(), y, test.rewritten, test.options)
			wantError(t, err, test.words...)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Compare(ctx, y, y, in); err == nil {
		t.Error("a cancelled comparison gives no error")
	}
}

// TestCompareReportsOtherLayers has layers with weights for which no bound is
// proven: what they are off by is measured all the same.
func TestCompareReportsOtherLayers(t *testing.T) {
	w := ramp(k, n)
	q := quantizeColumns(w)
	original := graphOf([]*onnx.Value{value("i", nil)}, "y", []*onnx.Node{node("Gather", "w,i", "y")}, stored(t, "w", w))
	rewritten := graphOf([]*onnx.Value{value("i", nil)}, "y", []*onnx.Node{dequantizing("w", 1), node("Gather", "w_d,i", "y")}, q.initializers("w", k, n)...)
	indices := tensor.New([]int{3}, []int64{2, 0, 1})
	r, err := Compare(t.Context(), modelOf(21, original), modelOf(21, rewritten), CompareOptions{Feeds: []feeds{{"i": indices}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Sites) != 1 || !r.Within || r.BoundHeld != nil {
		t.Fatalf("%+v", r)
	}
	if s := r.Sites[0]; s.Op != "Gather" || s.MaxAbs == 0 || math.Abs(s.SQNR-r.Outputs[0].SQNR) > 1e-3 || s.BoundHeld != nil || s.Note == "" {
		t.Errorf("the site is %+v, the output %+v", s, r.Outputs[0])
	}
}
