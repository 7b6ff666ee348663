package runtime

import (
	"sync"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestShapesAreComputedOnce counts which kernels run again on the same shapes.
func TestShapesAreComputedOnce(t *testing.T) {
	nodes := []*onnx.Node{
		node("Shape", "x", "shape"), node("Gather", "shape,zero", "n"), node("Unsqueeze", "n,axis", "n1"),
		node("Concat", "n1,minus", "target", onnx.IntAttr("axis", 0)), node("Reshape", "x,target", "flat"),
		node("Abs", "n1", "length"), node("ConstantOfShape", "length", "mask"),
		node("Neg", "flat", "minusx"), node("Size", "flat", "size"),
		node("Mul", "counts,n1", "data"), // counts are fed
	}
	initializers := []*onnx.Tensor{stored(t, "zero", scalar(int64(0))), stored(t, "axis", tensor.New([]int{1}, []int64{0})), stored(t, "minus", tensor.New([]int{1}, []int64{-1}))}
	in := []*onnx.Value{value("x", floatType(-1, -1, -1)), value("counts", typed(onnx.Int64, 1))}
	s := overwriting(t, modelOf(17, graphOf(in, "minusx,mask,size,data,target", nodes, initializers...)))
	calls := map[string]int{}
	var counting sync.Mutex // of branches that run side by side
	for _, st := range s.plan.steps {
		run := st.run
		st.run = func(c *ops.Call, in []tensor.Value) ([]tensor.Value, error) {
			counting.Lock()
			calls[st.node.OpType]++
			counting.Unlock()
			return run(c, in)
		}
	}
	check := func(shape []int, count int64, want map[string]int) {
		t.Helper()
		clear(calls)
		out, err := s.Run(t.Context(), feeds{"x": ramp(shape...), "counts": tensor.New([]int{1}, []int64{count})})
		if err != nil {
			t.Fatal(err)
		}
		for op, n := range want {
			if calls[op] != n {
				t.Errorf("%v: %s ran %d times, want %d", shape, op, calls[op], n)
			}
		}
		n := int64(shape[0])
		same(t, "size", out["size"], scalar(int64(tensor.Count(shape))))
		same(t, "mask", out["mask"], tensor.Make[float32]([]int{shape[0]}))
		same(t, "data", out["data"], tensor.New([]int{1}, []int64{n * count}))
		same(t, "target", out["target"], tensor.New([]int{2}, []int64{n, -1}))
	}
	all := map[string]int{"Shape": 1, "Gather": 1, "Unsqueeze": 1, "Concat": 1, "Abs": 1, "ConstantOfShape": 1, "Size": 1, "Reshape": 1, "Neg": 1, "Mul": 1}
	none := map[string]int{"Shape": 0, "Gather": 0, "Unsqueeze": 0, "Concat": 0, "Abs": 0, "ConstantOfShape": 0, "Size": 0, "Reshape": 1, "Neg": 1, "Mul": 1}
	check([]int{300, 2, 3}, 5, all)
	check([]int{300, 2, 3}, 7, none)
	check([]int{400, 1, 2}, 7, all)
	check([]int{400, 1, 2}, 7, none)
	check([]int{300, 2, 3}, 1, all)
}
