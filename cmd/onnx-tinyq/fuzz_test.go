package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// fuzzedRecipe is the recipe that a number stands for: each choice takes a digit.
func fuzzedRecipe(number uint16) rewrite.Recipe {
	pick := func(choices int) int {
		digit := int(number) % choices
		number /= uint16(choices)
		return digit
	}
	r := rewrite.Recipe{
		Activations:   []rewrite.Activations{rewrite.W8A32, rewrite.W8A16, rewrite.W8A8}[pick(3)],
		Target:        []rewrite.Target{rewrite.Portable, rewrite.Fold, rewrite.ORT}[pick(3)],
		Granularity:   []rewrite.Granularity{rewrite.PerChannel, rewrite.PerTensor, rewrite.PerBlock}[pick(3)],
		Block:         16,
		SixteenBit:    []onnx.DType{onnx.Float16, onnx.BFloat16}[pick(2)],
		SkipNonfinite: pick(2) == 0,
		Ops:           rewrite.Operators(),
	}
	r.Asymmetric = pick(2) == 1 && r.Activations != rewrite.W8A8
	r.WholeGraph = pick(2) == 1 && r.Activations == rewrite.W8A16
	return r
}

// smallModel is a MatMul with a bias and a Gemm, of 18 inputs, 4 hidden values
// and 3 outputs.
func smallModel(opset int64) *onnx.Model {
	ramp := func(name string, dims ...int64) *onnx.Tensor {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i%7)/4 - 0.6
		}
		return onnx.FloatTensor(name, dims, v)
	}
	value := func(name string, dims ...int64) *onnx.Value {
		t := &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float, HasShape: true}
		for _, d := range dims {
			t.Shape = append(t.Shape, onnx.Dim{Known: true, Size: d})
		}
		return &onnx.Value{Name: name, Type: t}
	}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetImport{{Version: opset}}, Graph: &onnx.Graph{
		Name:   "small",
		Inputs: []*onnx.Value{value("x", 2, 18)}, Outputs: []*onnx.Value{value("y", 2, 3)},
		Initializers: []*onnx.Tensor{ramp("w", 18, 4), ramp("b", 4), ramp("v", 3, 4), ramp("c", 3)},
		Nodes: []*onnx.Node{
			{Name: "first", OpType: "MatMul", Inputs: []string{"x", "w"}, Outputs: []string{"p"}},
			{Name: "bias", OpType: "Add", Inputs: []string{"p", "b"}, Outputs: []string{"h"}},
			{Name: "relu", OpType: "Relu", Inputs: []string{"h"}, Outputs: []string{"r"}},
			{Name: "last", OpType: "Gemm", Inputs: []string{"r", "v", "c"}, Outputs: []string{"y"}, Attrs: []*onnx.Attr{onnx.IntAttr("transB", 1), onnx.FloatAttr("alpha", 0.5)}},
		},
	}}
}

// FuzzRewrite plans and applies a recipe to models whose bytes were changed. A
// model that is valid and that the executor can run gives a valid model that can
// be run too, with no layer beyond the bound that is proven for it.
func FuzzRewrite(f *testing.F) {
	encoded := func(m *onnx.Model) []byte {
		var b bytes.Buffer
		if err := onnx.Encode(&b, m); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	for i, opset := range []int64{9, 13, 17, 21} {
		f.Add(encoded(smallModel(opset)), uint16(37*i))
	}
	paths, err := filepath.Glob(filepath.Join("..", "..", "testdata", "models", "*", "model.onnx"))
	if err != nil || len(paths) == 0 {
		f.Fatal("no models to begin with", err)
	}
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 20_000 { // larger ones are changed in their weights alone
			f.Add(data, uint16(11*i))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, recipe uint16) {
		fuzzedRewrite(t, data, fuzzedRecipe(recipe)) // what takes 10 s is a finding of the fuzzer itself
	})
}

func fuzzedRewrite(t *testing.T, data []byte, recipe rewrite.Recipe) {
	m, err := onnx.Decode(data)
	if err != nil {
		return
	}
	_, unsound := onnx.Check(m)
	plan, err := rewrite.New(m, recipe)
	if err != nil {
		return
	}
	result, err := plan.Apply(t.Context())
	if err != nil {
		if unsound == nil && strings.Contains(err.Error(), "not valid") {
			t.Errorf("recipe %+v: %v", recipe, err)
		}
		return
	}
	if unsound != nil || len(result.Sites) == 0 {
		return
	}
	var b bytes.Buffer
	if err := onnx.Encode(&b, result.Model); err != nil {
		return // a payload that promises other bytes than it gives
	}
	rewritten, err := onnx.Decode(b.Bytes())
	if err != nil {
		t.Fatalf("recipe %+v: what was written cannot be read: %v", recipe, err)
	}
	if _, err := onnx.Check(rewritten); err != nil {
		t.Fatalf("recipe %+v: what was written is not valid: %v", recipe, err)
	}
	if asksForMuch(m.Graph) {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	feeds, err := runtime.MakeFeeds(m, runtime.FeedOptions{})
	if err != nil || !executes(ctx, t, m, feeds) {
		return
	}
	report, err := runtime.Compare(ctx, m, rewritten, runtime.CompareOptions{Feeds: []map[string]tensor.Value{feeds}, Threads: 2})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		t.Errorf("recipe %+v: the original runs, the rewritten model does not: %v", recipe, err)
	case report.BoundHeld != nil && !*report.BoundHeld && !overflows(report):
		t.Errorf("recipe %+v: a bound does not hold: %+v", recipe, report.Sites)
	}
}

// overflows says whether sums went beyond what float32 holds, where no bound is
// proven: the rewritten layer may add in another order.
func overflows(r *runtime.Report) bool {
	return slices.ContainsFunc(r.Sites, func(s runtime.SiteReport) bool { return math.IsInf(s.MaxAbs, 0) || s.MaxAbs > 1e30 })
}

// executes says whether the executor can run a model; one on which it falls over
// is a finding.
func executes(ctx context.Context, t *testing.T, m *onnx.Model, feeds map[string]tensor.Value) bool {
	session, err := runtime.Compile(m, runtime.Options{Threads: 2})
	if err == nil {
		_, err = session.Run(ctx, feeds)
	}
	var fallen *runtime.PanicError
	if errors.As(err, &fallen) {
		t.Errorf("%v\n%s", err, fallen.Stack)
	}
	return err == nil
}

// asksForMuch says whether a graph has numbers that may be large shapes: it
// would take much memory, honestly, and teach nothing.
func asksForMuch(g *onnx.Graph) bool {
	beyond := func(list ...int64) bool {
		count := int64(1)
		for _, v := range list {
			if v = max(v, -v, 1); v > 1<<10 || count*v > 1<<16 {
				return true
			}
			count *= v
		}
		return false
	}
	tensorBeyond := func(t *onnx.Tensor) bool {
		v, err := t.Int64s()
		return err == nil && t.Type == onnx.Int64 && beyond(v...)
	}
	for _, t := range g.Initializers {
		if tensorBeyond(t) {
			return true
		}
	}
	for _, v := range g.Inputs {
		if v.Type == nil {
			continue
		}
		for _, d := range v.Type.Shape {
			if beyond(d.Size) {
				return true
			}
		}
	}
	for _, n := range g.Nodes {
		for _, a := range n.Attrs {
			if beyond(a.Ints...) || beyond(a.I) || a.G != nil && asksForMuch(a.G) || a.T != nil && tensorBeyond(a.T) {
				return true
			}
		}
	}
	return false
}
