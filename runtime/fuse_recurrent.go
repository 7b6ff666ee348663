package runtime

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
)

// recurrences puts recurrent layers on integers in the place of those whose
// weights are both made float of constant integers first, by DequantizeLinear or
// by Cast and Mul. It reports whether there was one.
func (f *fuser) recurrences() bool {
	found := false
	for _, st := range f.scope.plan.steps {
		if !isOperator(st.node, "RNN", "GRU", "LSTM") || len(st.in) < 3 {
			continue
		}
		w, r := f.recurrentWeight(st.in[1]), f.recurrentWeight(st.in[2])
		if w == nil || r == nil {
			continue
		}
		opset := int(f.scope.compiler.inlined.opset(st.node))
		run, err := ops.BuildQuantizedRecurrent(&ops.Node{Node: st.node, Opset: opset}, w, r)
		if err != nil {
			continue // running the node tells what is wrong
		}
		f.readers[st.in[1]]--
		f.readers[st.in[2]]--
		st.in = slices.Clone(st.in)
		st.in[1], st.in[2] = absent, absent
		st.run, st.packed = run, true
		found = true
	}
	return found
}

// recurrentWeight reads the weights in a slot, which have scales by row; nil if
// they are others.
func (f *fuser) recurrentWeight(slot int) *ops.RecurrentIntegers {
	w := f.dequantizedWeight(slot)
	if w == nil || w.integers.Rank() != 3 || w.axis != 1 && w.axis != absent {
		return nil
	}
	rows := w.integers.Shape()[1]
	q, scales, zeros := w.perChannel(rows)
	if q == nil {
		return nil
	}
	return &ops.RecurrentIntegers{Type: w.scales.DType(), Shape: w.integers.Shape(), Q: q, Scales: scales, Zeros: zeros}
}
