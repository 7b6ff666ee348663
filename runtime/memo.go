package runtime

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// memo is what a step gave last and what it gave it for. Exporters compute every
// Reshape's target from Shape nodes, and masks from sizes: as long as the shapes
// stay the same from run to run, so do the values, which are then not computed
// again. A step that reads a remembered value gets the very same tensor, so it
// is enough to compare where operands are, and only Shape and Size look further.
type memo struct {
	shape    []int // of the operand of Shape and Size
	operands []tensor.Value
	results  []tensor.Value
}

// rememberable is how many bytes the results of a step may have that are kept.
const rememberable = 1 << 20

// findMemos numbers the steps whose results depend on nothing but shapes.
func (s *scope) findMemos() {
	if s.parent != nil {
		return // a body's frame is new in every run
	}
	ofShapes := map[int]bool{}
	for _, st := range s.plan.steps {
		if st.product != nil || len(st.captured) > 0 || !deterministic(st.node) || !(readsShapeAlone(st) || s.onlyReads(st, ofShapes)) {
			continue
		}
		s.plan.memos++
		st.memo = s.plan.memos
		for _, slot := range st.out {
			ofShapes[slot] = true
		}
	}
}

func readsShapeAlone(st *step) bool {
	return isOperator(st.node, "Shape", "Size") && !st.packed && len(st.in) == 1
}

// onlyReads says whether all that a step reads is the same in every run or in
// the given slots, of which it reads one.
func (s *scope) onlyReads(st *step, slots map[int]bool) bool {
	if st.node.Domain != "" && st.node.Domain != "ai.onnx" || len(st.node.Bodies()) > 0 {
		return false
	}
	reads := false
	for _, slot := range st.in {
		switch {
		case slot == absent || s.fixed[slot]:
		case slots[slot]:
			reads = true
		default:
			return false
		}
	}
	return reads
}

// recall gives a step's results if they are known.
func (f *frame) recall(st *step, operands []tensor.Value) ([]tensor.Value, bool) {
	if st.memo == 0 || f.memos == nil {
		return nil, false
	}
	m := &f.memos[st.memo-1]
	if m.results == nil {
		return nil, false
	}
	if m.operands == nil {
		t, ok := operands[0].(*tensor.Tensor)
		return m.results, ok && slices.Equal(t.Shape(), m.shape)
	}
	return m.results, slices.Equal(operands, m.operands)
}

// remember keeps a step's results.
func (f *frame) remember(st *step, operands, results []tensor.Value, memory *ops.Memory) {
	if st.memo == 0 || f.memos == nil {
		return
	}
	m := &f.memos[st.memo-1]
	*m = memo{}
	total := 0
	for _, v := range results {
		total += bytesOf(v)
	}
	if total > rememberable {
		return
	}
	if readsShapeAlone(st) {
		t, ok := operands[0].(*tensor.Tensor)
		if !ok {
			return
		}
		m.shape = slices.Clone(t.Shape())
	} else {
		m.operands = slices.Clone(operands)
	}
	m.results = slices.Clone(results)
	for _, v := range results {
		memory.Forget(v)
	}
}
