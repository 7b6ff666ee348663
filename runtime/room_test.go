package runtime

import (
	"fmt"
	goruntime "runtime"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// overwriting compiles a model so that memory which is not in use holds rubbish.
func overwriting(t testing.TB, m *onnx.Model) *Session {
	t.Helper()
	flat, err := inline(m)
	if err != nil {
		t.Fatal(err)
	}
	s, err := compile(flat, Options{Threads: 2}, judged{overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// encoder is a small transformer as it is exported: shapes that are computed,
// heads that are split and merged, residuals.
func encoder(t testing.TB, layers, width, heads int) *onnx.Model {
	w := func(name string, shape ...int) *onnx.Tensor { return stored(t, name, ramp(shape...)) }
	var nodes []*onnx.Node
	initializers := []*onnx.Tensor{
		stored(t, "zero", tensor.Scalar(int64(0))), stored(t, "one", tensor.Scalar(int64(1))), stored(t, "axis", tensor.New([]int{1}, []int64{0})),
		stored(t, "heads", tensor.New([]int{2}, []int64{int64(heads), int64(width / heads)})),
		stored(t, "width", tensor.New([]int{1}, []int64{int64(width)})), stored(t, "root", tensor.Scalar(float32(4))),
		w("scale", width), w("bias", width),
	}
	add := func(op, in, out string, attrs ...*onnx.Attr) { nodes = append(nodes, node(op, in, out, attrs...)) }
	before := "x"
	for l := range layers {
		at := func(name string) string { return fmt.Sprintf("%s%d", name, l) }
		for _, name := range []string{"wq", "wk", "wv", "wo"} {
			initializers = append(initializers, w(at(name), width, width))
		}
		initializers = append(initializers, w(at("up"), width, 4*width), w(at("down"), 4*width, width))
		add("LayerNormalization", before+",scale,bias", at("n"), onnx.IntAttr("axis", -1))
		add("Shape", at("n"), at("shape"))
		add("Gather", at("shape")+",zero", at("b"))
		add("Gather", at("shape")+",one", at("s"))
		add("Unsqueeze", at("b")+",axis", at("b1"))
		add("Unsqueeze", at("s")+",axis", at("s1"))
		add("Concat", at("b1")+","+at("s1")+",heads", at("split"), onnx.IntAttr("axis", 0))
		add("Concat", at("b1")+","+at("s1")+",width", at("join"), onnx.IntAttr("axis", 0))
		for _, name := range []string{"q", "k", "v"} {
			add("MatMul", at("n")+","+at("w"+name), at(name))
			add("Reshape", at(name)+","+at("split"), at(name+"r"))
			order := []int64{0, 2, 1, 3}
			if name == "k" {
				order = []int64{0, 2, 3, 1}
			}
			add("Transpose", at(name+"r"), at(name+"t"), onnx.IntsAttr("perm", order))
		}
		add("MatMul", at("qt")+","+at("kt"), at("scores"))
		add("Div", at("scores")+",root", at("scaled"))
		add("Softmax", at("scaled"), at("p"), onnx.IntAttr("axis", -1))
		add("MatMul", at("p")+","+at("vt"), at("c"))
		add("Transpose", at("c"), at("ct"), onnx.IntsAttr("perm", []int64{0, 2, 1, 3}))
		add("Reshape", at("ct")+","+at("join"), at("cj"))
		add("MatMul", at("cj")+","+at("wo"), at("o"))
		add("Add", before+","+at("o"), at("h"))
		add("MatMul", at("h")+","+at("up"), at("u"))
		add("Relu", at("u"), at("a"))
		add("MatMul", at("a")+","+at("down"), at("d"))
		add("Add", at("h")+","+at("d"), at("y"))
		before = at("y")
	}
	add("LayerNormalization", before+",scale,bias", "y", onnx.IntAttr("axis", -1))
	x := []*onnx.Value{value("x", floatType(-1, -1, int64(width)))}
	return modelOf(17, graphOf(x, "y", nodes, initializers...))
}

// TestSteadyState: a second run on the same shapes allocates what it returns, and
// for each node a little that does not grow with its tensors.
func TestSteadyState(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector pools let go of what they hold")
	}
	const perNode = 1500
	m := encoder(t, 4, 64, 4)
	s, err := Compile(m, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, length := range []int{8, 96} {
		in := feeds{"x": ramp(2, length, 64)}
		bytes := bytesPerRun(t, s, in, func(feeds) {})
		returned := uint64(2 * length * 64 * 4)
		if limit := returned*5/4 + uint64(len(s.plan.steps)*perNode); bytes > limit {
			t.Errorf("length %d: a run allocates %d bytes, of which it returns %d; want no more than %d", length, bytes, returned, limit)
		}
	}
}

// bytesPerRun is what a run allocates when others have gone before it, whose
// results after has seen.
func bytesPerRun(t testing.TB, s *Session, in feeds, after func(feeds)) uint64 {
	t.Helper()
	const runs = 20
	var begin, end goruntime.MemStats
	for i := range runs + 2 {
		if i == 2 {
			goruntime.ReadMemStats(&begin)
		}
		out, err := s.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		after(out)
	}
	goruntime.ReadMemStats(&end)
	return (end.TotalAlloc - begin.TotalAlloc) / runs
}

// TestMemoryIsNotUsedTooEarly compares runs that share memory with runs that do
// not, whose shapes change from one to the next.
func TestMemoryIsNotUsedTooEarly(t *testing.T) {
	m := encoder(t, 3, 32, 4)
	shared := overwriting(t, m)
	flat, err := inline(m)
	if err != nil {
		t.Fatal(err)
	}
	apart, err := compile(flat, Options{Threads: 1}, judged{literal: true, trace: func(*onnx.Node, []tensor.Value, []tensor.Value) {}})
	if err != nil {
		t.Fatal(err)
	}
	type result struct{ before, now feeds }
	var kept []result
	for round, length := range []int{40, 40, 3, 64, 40, 1, 64} {
		in := feeds{"x": ramp(1+round%3, length, 32)}
		want, err := apart.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := shared.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, result{want, got})
	}
	for round, r := range kept { // later runs must not have written to what earlier ones returned
		if err := (Tolerance{Absolute: 1e-4, Relative: 1e-4}).Equal(r.now["y"], r.before["y"]); err != nil {
			t.Errorf("run %d: %v", round, err)
		}
	}
}

// TestResultsThatShareMemory has kernels give results that lie in their
// operands' memory, which they tell nobody.
func TestResultsThatShareMemory(t *testing.T) {
	part := func(_ *ops.Call, in []tensor.Value) ([]tensor.Value, error) {
		data, _ := tensor.Data[float32](in[0].(*tensor.Tensor))
		return []tensor.Value{tensor.New([]int{1, 300}, data[200:500])}, nil
	}
	nodes := []*onnx.Node{node("Neg", "x", "n"), node("Identity", "n", "part")}
	for i := range 10 { // these take what is free
		nodes = append(nodes, node("Abs", "x", fmt.Sprintf("a%d", i)), node("Exp", fmt.Sprintf("a%d", i), fmt.Sprintf("e%d", i)))
	}
	nodes = append(nodes, node("Neg", "part", "back"), node("Identity", "part", "also"))
	m := modelOf(17, graphOf([]*onnx.Value{value("x", floatType(-1))}, "back,also,part", nodes))
	s := overwriting(t, m)
	s.plan.steps[1].run = part
	x := ramp(1000)
	for range 3 {
		out, err := s.Run(t.Context(), feeds{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		data, _ := tensor.Data[float32](x)
		same(t, "back", out["back"], tensor.New([]int{1, 300}, data[200:500]))
		minus := make([]float32, 300)
		for i := range minus {
			minus[i] = -data[200+i]
		}
		same(t, "part", out["part"], tensor.New([]int{1, 300}, minus))
		same(t, "also", out["also"], tensor.New([]int{1, 300}, minus))
	}
}

// TestMemoryOfSequences keeps tensors in sequences, optionals and bodies beyond
// the slots that they came from.
func TestMemoryOfSequences(t *testing.T) {
	x := []*onnx.Value{value("x", floatType(-1)), value("m", typed(onnx.Int64))}
	body := graphOf([]*onnx.Value{value("i", typed(onnx.Int64)), value("c", typed(onnx.Bool)), value("state", floatType(-1))}, "go,next,kept", []*onnx.Node{
		node("Identity", "c", "go"), node("Add", "state,negative", "next"), node("Identity", "state", "kept"),
	})
	m := modelOf(17, graphOf(x, "all,last,first", []*onnx.Node{
		node("Neg", "x", "negative"),
		node("Exp", "x", "state"),
		node("Loop", "m,_,state", "final,slices", onnx.GraphAttr("body", body)),
		node("SequenceConstruct", "negative,state,final", "list"),
		node("Abs", "x", "u1"), node("Abs", "u1", "u2"), node("Abs", "u2", "u3"),
		node("ConcatFromSequence", "list", "all", onnx.IntAttr("axis", 0)),
		node("SequenceAt", "list,m", "last"),
		node("Identity", "slices", "first"),
	}))
	in := feeds{"x": ramp(400), "m": scalar(int64(2))}
	want := run(t, m, in)
	s := overwriting(t, m)
	for range 3 {
		got, err := s.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for name := range want {
			same(t, name, got[name], want[name])
		}
	}
	// What the plain run gave is right as well.
	data, _ := tensor.Data[float32](want["all"].(*tensor.Tensor))
	source, _ := tensor.Data[float32](in["x"].(*tensor.Tensor))
	if data[0] != -source[0] || len(data) != 1200 {
		t.Errorf("%d elements, the first %v", len(data), data[0])
	}
}

// BenchmarkSmallTransformer is a run of which the arithmetic is next to nothing:
// what it shows is what a node costs.
func BenchmarkSmallTransformer(b *testing.B) {
	s, err := Compile(encoder(b, 12, 64, 4), Options{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	in := feeds{"x": ramp(1, 1, 64)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Run(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(s.plan.steps)), "ns/step")
}
