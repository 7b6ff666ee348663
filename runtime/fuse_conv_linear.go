package runtime

import (
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// linearOf reads a step that computes a linear function of a slot, of its own
// for each map: a BatchNormalization, or arithmetic with a constant.
func (t *convTail) linearOf(st *step, slot int) (l linear, ok bool) {
	n := st.node
	if isOperator(n, "BatchNormalization") {
		return t.normalization(st, slot)
	}
	if !isOperator(n, "Add", "Sub", "Mul", "Div") || len(st.in) != 2 || t.scope.compiler.inlined.opset(n) < 7 {
		return l, false
	}
	constant, onLeft := st.in[1], false
	if constant == slot {
		constant, onLeft = st.in[0], true
	}
	values := t.perMap(constant)
	if values == nil || constant == slot {
		return l, false
	}
	each := func(f func(float64) float64) []float64 {
		for i, v := range values {
			values[i] = f(v)
		}
		return values
	}
	switch n.OpType {
	case "Add":
		l.offset = values
	case "Sub":
		if l.offset = values; onLeft {
			l.scale = []float64{-1}
		} else {
			each(func(v float64) float64 { return -v })
		}
	case "Mul":
		l.scale = values
	case "Div":
		if onLeft {
			return l, false
		}
		l.scale = each(func(v float64) float64 { return 1 / v })
	}
	return l, l.foldable()
}

// perMap is a constant that has one number for all maps, or one for each, as
// float64 of the caller's own; nil if it is none.
func (t *convTail) perMap(slot int) []float64 {
	v := t.fixedTensor(slot)
	if v == nil || v.DType() != onnx.Float || v.Rank() > t.rank {
		return nil
	}
	values, err := v.Float64s()
	if err != nil {
		return nil
	}
	if v.Len() != 1 {
		// The axis of the maps is the second of rank; the others have to be 1.
		shape := v.Shape()
		axis := len(shape) - (t.rank - 1)
		if v.Len() != t.maps || axis < 0 || shape[axis] != t.maps {
			return nil
		}
	}
	return values
}

// normalization reads a BatchNormalization by constants.
func (t *convTail) normalization(st *step, slot int) (l linear, ok bool) {
	n := st.node
	if len(st.in) != 5 || st.in[0] != slot || t.scope.compiler.inlined.opset(n) < 7 {
		return l, false
	}
	for i, out := range st.out {
		if i > 0 && out != absent {
			return l, false
		}
	}
	if a := n.Attr("spatial"); a != nil && a.I == 0 {
		return l, false
	}
	if a := n.Attr("training_mode"); a != nil && a.I != 0 {
		return l, false
	}
	var operands [4][]float64
	for i := range operands {
		v := t.fixedTensor(st.in[i+1])
		if v == nil || v.DType() != onnx.Float || v.Rank() != 1 || v.Len() != t.maps {
			return l, false
		}
		var err error
		if operands[i], err = v.Float64s(); err != nil {
			return l, false
		}
	}
	epsilon := floatOr(n, "epsilon", float64(float32(1e-5)))
	l = linear{make([]float64, t.maps), make([]float64, t.maps)}
	for i := range l.scale {
		scale, offset, mean, variance := operands[0][i], operands[1][i], operands[2][i], operands[3][i]
		l.scale[i] = scale / math.Sqrt(variance+epsilon)
		l.offset[i] = offset - mean*l.scale[i]
	}
	return l, l.foldable()
}
