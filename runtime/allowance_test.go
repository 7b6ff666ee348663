package runtime

import (
	"errors"
	"fmt"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// A run stays within the memory that it may have, whatever a model asks for, and
// what is freed on the way may be taken again.
func TestMemoryOfARun(t *testing.T) {
	const mebi = 1 << 20
	chain := func(steps int) []*onnx.Node { // each value is freed when the next one is there
		nodes := []*onnx.Node{node("Add", "x,x", "v0")}
		for i := range steps {
			nodes = append(nodes, node("Add", indexed("v", i)+",x", indexed("v", i+1)))
		}
		nodes[steps].Outputs[0] = "y"
		return nodes
	}
	held := chain(8) // until they are joined
	join := node("Concat", "v0,v1,v2,v3,v4,v5,v6,v7", "z", onnx.IntAttr("axis", 0))
	body := graphOf([]*onnx.Value{value("i", nil), value("c", nil), value("a", nil)}, "c,b", []*onnx.Node{node("Concat", "a,a", "b", onnx.IntAttr("axis", 0))})
	for _, test := range []struct {
		name  string
		nodes []*onnx.Node
		limit int64
		fits  bool
	}{
		{"one value of 1 MiB, no limit", chain(0), 0, true},
		{"one value of 1 MiB, room for it", chain(0), mebi, true},
		{"one value of 1 MiB, no room for it", chain(0), mebi - 1, false},
		{"fifty values, two at a time", chain(50), 2 * mebi, true},
		{"nine values at a time", append(held[:8:8], join, node("Identity", "v7", "y")), 9 * mebi, false},
		{"nine values and their join", append(held[:8:8], join, node("Identity", "v7", "y")), 17 * mebi, true},
		{"a view of a value, again and again", []*onnx.Node{node("Add", "x,x", "a"), node("Identity", "a", "b"), node("Identity", "b", "c"), node("Identity", "c", "y")}, mebi, true},
		{"a loop that doubles what it carries", []*onnx.Node{node("Loop", "trips,,x", "y", onnx.GraphAttr("body", body))}, 64 * mebi, false},
	} {
		in := []*onnx.Value{value("x", floatType(mebi/4))}
		out := "y"
		if len(test.nodes) > 8 && test.nodes[8] == join {
			out = "y,z"
		}
		m := modelOf(17, graphOf(in, out, test.nodes, onnx.Int64Tensor("trips", nil, []int64{40})))
		s, err := Compile(m, Options{Threads: 2, Memory: test.limit})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		feeds := map[string]tensor.Value{"x": tensor.New([]int{mebi / 4}, make([]float32, mebi/4))}
		for range 3 { // the memory of a run is used again by the next
			_, err = s.Run(t.Context(), feeds)
			var limit *LimitError
			if test.fits && err != nil || !test.fits && !errors.As(err, &limit) {
				t.Errorf("%s: error %v", test.name, err)
			}
		}
	}
}

// Constants that ask for more than is worth having are left for the run, which
// has a limit of its own.
func TestLargeConstantsAreNotFolded(t *testing.T) {
	var nodes []*onnx.Node
	for i := range 2000 {
		nodes = append(nodes, node("ConstantOfShape", "n", indexed("v", i)), node("ReduceSum", indexed("v", i), indexed("s", i), onnx.IntAttr("keepdims", 0)))
	}
	nodes = append(nodes, node("Add", "s0,s1999", "y"))
	m := modelOf(17, graphOf(nil, "y", nodes, onnx.Int64Tensor("n", []int64{1}, []int64{60_000})))
	s, err := Compile(m, Options{Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	constants := 0
	for _, v := range s.plan.initial {
		if v != nil {
			constants += bytesOf(v)
		}
	}
	if constants > foldedMost+1<<20 {
		t.Errorf("%d bytes of constants were computed", constants)
	}
	if _, err := s.Run(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func indexed(prefix string, i int) string { return fmt.Sprintf("%s%d", prefix, i) }
