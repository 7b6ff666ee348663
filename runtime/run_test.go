package runtime

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestRunChecksFeeds(t *testing.T) {
	batch := &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Param: "n"}, {Known: true, Size: 3}}}
	m := modelOf(17, graphOf([]*onnx.Value{value("a", batch), value("b", batch)}, "y", []*onnx.Node{node("Add", "a,b", "y")}))
	s, err := Compile(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	good := ramp(2, 3)
	tests := map[string]struct {
		feeds feeds
		words []string
	}{
		"nothing":            {nil, []string{`"a" is missing`, "float[n,3]", `"b" is missing`}},
		"one is missing":     {feeds{"a": good}, []string{`"b" is missing`}},
		"one too many":       {feeds{"a": good, "b": good, "c": good}, []string{`no input "c"`, `"a", "b"`}},
		"another type":       {feeds{"a": good, "b": ints([]int{2, 3}, 1, 2, 3, 4, 5, 6)}, []string{`"b"`, "int64", "float"}},
		"another rank":       {feeds{"a": good, "b": ramp(6)}, []string{`"b"`, "[6]", "[n,3]"}},
		"another size":       {feeds{"a": good, "b": ramp(2, 4)}, []string{`"b"`, "[2 4]", "[n,3]"}},
		"sizes that differ":  {feeds{"a": good, "b": ramp(4, 3)}, []string{`"b"`, "n is 4 here", `2 in input "a"`}},
		"not a tensor":       {feeds{"a": good, "b": &tensor.Sequence{}}, []string{`"b"`, "sequence"}},
		"everything at once": {feeds{"a": ramp(1), "c": good}, []string{`"a"`, `"b"`, `"c"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := s.Run(t.Context(), test.feeds)
			wantError(t, err, test.words...)
		})
	}
	if _, err := s.Run(t.Context(), feeds{"a": good, "b": good}); err != nil {
		t.Error(err)
	}
}

func TestNodeErrorNamesNodeAndOperands(t *testing.T) {
	x := []*onnx.Value{value("x", nil), value("w", nil)}
	named := node("MatMul", "x,w", "y")
	named.Name = "layer"
	for _, test := range []struct {
		node *onnx.Node
		name string
	}{{named, `node "layer" (MatMul)`}, {node("MatMul", "x,w", "y"), `node "y" (MatMul)`}} {
		s, err := Compile(modelOf(17, graphOf(x, "y", []*onnx.Node{test.node})), Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Run(t.Context(), feeds{"x": ramp(2, 3), "w": ramp(4, 5)})
		wantError(t, err, test.name, "float[2,3], float[4,5]")
		var failed *NodeError
		if !errors.As(err, &failed) || failed.Node != test.node {
			t.Errorf("%v is no *NodeError of the node", err)
		}
	}
}

func TestPanicBecomesAnError(t *testing.T) {
	list := []int{1}
	st := &step{node: node("Neg", "x", "y"), run: func(*ops.Call, []tensor.Value) ([]tensor.Value, error) {
		return []tensor.Value{scalar(int64(list[len(list)]))}, nil
	}}
	_, err := st.call(&ops.Call{Context: t.Context()}, nil)
	wantError(t, err, "index out of range")
	var p *PanicError
	if !errors.As(err, &p) || len(p.Stack) == 0 {
		t.Errorf("%v is no *PanicError with a stack", err)
	}
}

func TestObserve(t *testing.T) {
	x := []*onnx.Value{value("x", floatType()), value("m", typed(onnx.Int64))}
	m := modelOf(17, graphOf(x, "y", []*onnx.Node{
		node("Neg", "x", "n"),
		node("Loop", "m,_,n", "y,s", onnx.GraphAttr("body", counting())),
	}))
	var seen []string
	s, err := Compile(m, Options{Observe: func(n *onnx.Node, name string, v tensor.Value) {
		seen = append(seen, fmt.Sprintf("%s %s %s", n.OpType, name, describe(v)))
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), feeds{"x": scalar(float32(1)), "m": scalar(int64(1))}); err != nil {
		t.Fatal(err)
	}
	want := []string{"Neg n float[]", "Add next float[]", "Less below bool[]", "Identity slice float[]", "Loop y float[]", "Loop s float[1]"}
	if !slices.Equal(seen, want) {
		t.Errorf("it saw %q, want %q", seen, want)
	}
}

// TestRunInSeveralGoroutines runs one session at once from eight goroutines,
// with inputs of their own; the race detector watches.
func TestRunInSeveralGoroutines(t *testing.T) {
	m, err := onnx.Open("../testdata/models/digits_vit/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := Compile(m, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for seed := range uint64(8) {
		in, err := MakeFeeds(m, FeedOptions{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			for range 3 {
				got, err := s.Run(t.Context(), in)
				if err != nil {
					t.Error(err)
					return
				}
				for name := range want {
					same(t, name, got[name], want[name])
				}
			}
		})
	}
	group.Wait()
}

// TestCancel ends long runs: of a loop, and of large products.
func TestCancel(t *testing.T) {
	x := []*onnx.Value{value("x", nil)}
	forever := graphOf([]*onnx.Value{value("i", nil), value("c", nil)}, "c", nil)
	const size = 3000
	large := tensor.New([]int{size, size}, make([]float32, size*size))
	tests := map[string]struct {
		graph *onnx.Graph
		x     *tensor.Tensor
	}{
		"a loop without an end": {graphOf(x, "x", []*onnx.Node{node("Loop", "", "", onnx.GraphAttr("body", forever))}), floats([]int{1, 1}, 1)},
		"products of large matrices": {graphOf(x, "y", []*onnx.Node{
			node("MatMul", "x,x", "b"), node("MatMul", "b,b", "d"), node("MatMul", "d,d", "y"),
		}), large},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stopped atomic.Bool
			var after int // values that were computed in spite of it
			s, err := Compile(modelOf(17, test.graph), Options{Observe: func(*onnx.Node, string, tensor.Value) {
				if stopped.Load() {
					after++
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, func() {
				cancel()
				stopped.Store(true)
			})
			_, err = s.Run(ctx, feeds{"x": test.x})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("it ended with %v, want that it was cancelled", err)
			}
			if after > 0 {
				t.Errorf("%d more values were computed", after)
			}
		})
	}
}

// TestMemoryDoesNotGrow runs a session a thousand times.
func TestMemoryDoesNotGrow(t *testing.T) {
	body := graphOf([]*onnx.Value{value("i", nil), value("c", nil), value("a", nil)}, "c,b,b", []*onnx.Node{node("MatMul", "a,w", "b")})
	m := modelOf(17, graphOf([]*onnx.Value{value("x", nil)}, "y,s", []*onnx.Node{node("Loop", "m,_,x", "y,s", onnx.GraphAttr("body", body))},
		stored(t, "w", ramp(16, 16)), onnx.Int64Tensor("m", nil, []int64{4})))
	s, err := Compile(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := feeds{"x": ramp(16, 16)}
	held := func(runs int) uint64 {
		for range runs {
			if _, err := s.Run(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		goruntime.GC()
		var stats goruntime.MemStats
		goruntime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := held(10)
	if after := held(1000); after > before+64<<10 {
		t.Errorf("after a thousand runs %d bytes are held, before it were %d", after, before)
	}
}

// TestValuesAreFreed runs a chain of operators on a large value: no more than a
// few of the values may be held at once.
func TestValuesAreFreed(t *testing.T) {
	const size, length = 1 << 20, 40
	nodes := []*onnx.Node{node("Neg", "x", "v0")}
	for i := range length {
		nodes = append(nodes, node("Neg", fmt.Sprintf("v%d", i), fmt.Sprintf("v%d", i+1)))
	}
	g := graphOf([]*onnx.Value{value("x", nil)}, "y", append(nodes, node("ReduceMax", fmt.Sprintf("v%d", length), "y")))
	most := uint64(0)
	s, err := Compile(modelOf(17, g), Options{Observe: func(*onnx.Node, string, tensor.Value) {
		goruntime.GC()
		var stats goruntime.MemStats
		goruntime.ReadMemStats(&stats)
		most = max(most, stats.HeapAlloc)
	}})
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.Make[float32]([]int{size})
	goruntime.GC()
	var before goruntime.MemStats
	goruntime.ReadMemStats(&before)
	if _, err := s.Run(t.Context(), feeds{"x": x}); err != nil {
		t.Fatal(err)
	}
	if held := most - before.HeapAlloc; held > 4*4*size {
		t.Errorf("%d bytes were held at once, that is %d values", held, held/(4*size))
	}
}
