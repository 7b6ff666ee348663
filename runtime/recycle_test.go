package runtime

import (
	"sync"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestRecycledResultsAreUsedAgain: who gives results back runs in memory that does
// not grow with the tensors.
func TestRecycledResultsAreUsedAgain(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector pools let go of what they hold")
	}
	m := modelOf(17, graphOf([]*onnx.Value{value("x", floatType(-1))}, "y,z", []*onnx.Node{
		node("Neg", "x", "n"), node("Exp", "n", "y"), node("Abs", "x", "z"),
	}))
	s, err := Compile(m, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	const size = 100_000
	in := feeds{"x": ramp(size)}
	kept := bytesPerRun(t, s, in, func(feeds) {})
	recycled := bytesPerRun(t, s, in, s.Recycle)
	if kept < 2*4*size || recycled > 20_000 {
		t.Errorf("a run allocates %d bytes, and %d where results are given back; want more than %d and less than 20,000", kept, recycled, 2*4*size)
	}
}

// TestOnlyResultsAreRecycled gives back what is the caller's or the model's too,
// what was given back before, and what was never a result.
func TestOnlyResultsAreRecycled(t *testing.T) {
	constant := ramp(700)
	m := modelOf(17, graphOf([]*onnx.Value{value("x", floatType(-1))}, "same,constant,y,none", []*onnx.Node{
		node("Identity", "x", "same"), node("Neg", "x", "n"), node("Exp", "n", "y"),
		node("Identity", "w", "constant"), node("Slice", "n,zero,zero", "none"),
	}, stored(t, "w", constant), stored(t, "zero", tensor.New([]int{1}, []int64{0}))))
	s := overwriting(t, m)
	x, unasked := ramp(700), ramp(700)
	want := run(t, m, feeds{"x": x})
	for range 5 {
		got, err := s.Run(t.Context(), feeds{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		for name := range want {
			same(t, name, got[name], want[name])
		}
		got["unasked"], got["nil"] = unasked, nil
		s.Recycle(got)
		s.Recycle(got)
	}
	same(t, "x", x, ramp(700))
	same(t, "constant", constant, ramp(700))
	same(t, "unasked", unasked, ramp(700))
}

// TestResultsThatAreNotRecycledStay also where others are, and where they are fed
// to the next run.
func TestResultsThatAreNotRecycledStay(t *testing.T) {
	m := modelOf(17, graphOf([]*onnx.Value{value("x", floatType(-1))}, "y", []*onnx.Node{node("Neg", "x", "n"), node("Neg", "n", "y")}))
	s := overwriting(t, m)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			state, first := tensor.Value(ramp(700)), tensor.Value(nil)
			for i := range 40 {
				got, err := s.Run(t.Context(), feeds{"x": state})
				if err != nil {
					t.Error(err)
					return
				}
				if i == 0 {
					first = got["y"]
				} else if i > 1 {
					s.Recycle(feeds{"y": state})
				}
				state = got["y"]
			}
			same(t, "the first", first, ramp(700))
			same(t, "the last", state, ramp(700))
		})
	}
	wait.Wait()
}
