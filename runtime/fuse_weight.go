package runtime

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func errNoTensor(v tensor.Value) error { return fmt.Errorf("operand %s is no tensor", describe(v)) }

// integerWeight is a weight as the steps before a product state it: integers,
// and the scale and zero point of each.
type integerWeight struct {
	integers *tensor.Tensor
	scales   *tensor.Tensor
	zeros    *tensor.Tensor // nil: 0
	axis     int            // that the scales lie along, of the integers; absent: one scale for all
	block    int            // of so many neighbours along it; 0: one scale for all of them
}

// weight reads a weight whose floats a slot would hold; nil if it is none that
// can be multiplied as integers.
func (f *fuser) weight(use weightUse) *ops.Int8Product {
	slot, turned := use.slot, use.turned
	computed := onnx.Undefined // the type that the weight is made, by the last step that says
	typed := func(p *ops.Int8Product, t onnx.DType) *ops.Int8Product {
		if p != nil {
			p.Type = t
			if computed != onnx.Undefined {
				p.Type = computed
			}
		}
		return p
	}
	for slot != absent {
		st := f.makers[slot]
		if st == nil {
			return nil
		}
		switch op := st.node.OpType; {
		case st.node.Domain != "" && st.node.Domain != "ai.onnx" || st.product != nil:
			return nil
		case op == "DequantizeLinear":
			w := f.dequantized(st)
			return typed(w.product(turned), w.floatType(st))
		case op == "Mul":
			w := f.multiplied(st)
			return typed(w.product(turned), w.floatType(st))
		case op == "Cast" && narrowFloat(castTarget(st.node)):
			if computed == onnx.Undefined {
				computed = castTarget(st.node)
			}
		case op == "Identity":
		case op == "Transpose" && exchangesTwo(st.node):
			turned = !turned
		default:
			return nil
		}
		slot = slotAt(st.in, 0)
	}
	return nil
}

// floatType is the type of the floats that a step makes of a weight.
func (w *integerWeight) floatType(st *step) onnx.DType {
	if w == nil {
		return onnx.Undefined
	}
	if a := st.node.Attr("output_dtype"); a != nil && a.I != 0 {
		return onnx.DType(a.I)
	}
	return w.scales.DType()
}

// narrowFloat says whether products of a type are summed in float32.
func narrowFloat(t onnx.DType) bool {
	return t == onnx.Float || t == onnx.Float16 || t == onnx.BFloat16
}

func castTarget(n *onnx.Node) onnx.DType {
	if a := n.Attr("to"); a != nil {
		return onnx.DType(a.I)
	}
	return onnx.Undefined
}

// exchangesTwo says whether a Transpose is that of a matrix.
func exchangesTwo(n *onnx.Node) bool {
	a := n.Attr("perm")
	return a != nil && slices.Equal(a.Ints, []int64{1, 0})
}

// fixedTensor is the tensor in a slot that is the same in every run, else nil.
func (f *fuser) fixedTensor(slot int) *tensor.Tensor {
	if slot == absent || !f.scope.fixed[slot] {
		return nil
	}
	t, _ := f.scope.plan.initial[slot].(*tensor.Tensor)
	return t
}

// dequantized reads a DequantizeLinear; nil if an operand is not constant.
func (f *fuser) dequantized(st *step) *integerWeight {
	w := &integerWeight{
		integers: f.fixedTensor(st.in[0]), scales: f.fixedTensor(slotAt(st.in, 1)), zeros: f.fixedTensor(slotAt(st.in, 2)), axis: absent,
	}
	if w.integers == nil || w.scales == nil || slotAt(st.in, 2) != absent && w.zeros == nil {
		return nil
	}
	if a := st.node.Attr("output_dtype"); a != nil && a.I != 0 && !narrowFloat(onnx.DType(a.I)) {
		return nil
	}
	if w.scales.Rank() == 0 || w.scales.Rank() == 1 && w.scales.Len() == 1 {
		return w
	}
	axis := int64(1)
	if a := st.node.Attr("axis"); a != nil {
		axis = a.I
	}
	if axis < 0 {
		axis += int64(w.integers.Rank())
	}
	w.axis = int(axis)
	if a := st.node.Attr("block_size"); a != nil && w.scales.Rank() > 1 {
		w.block = int(a.I)
	}
	return w
}

// multiplied reads a Mul of cast integers, less their zero points if there is a
// Sub, and scales; nil if it is another one.
func (f *fuser) multiplied(st *step) *integerWeight {
	for i := range 2 {
		scales, cast := f.fixedTensor(slotAt(st.in, 1-i)), f.makers[slotAt(st.in, i)]
		if scales == nil || cast == nil || !narrowFloat(scales.DType()) {
			continue
		}
		w := &integerWeight{scales: scales}
		if cast.node.OpType == "Sub" {
			if w.zeros = f.castIntegers(slotAt(cast.in, 1)); w.zeros == nil || !slices.Equal(w.zeros.Shape(), scales.Shape()) {
				return nil
			}
			cast = f.makers[slotAt(cast.in, 0)]
		}
		if cast == nil || cast.node.OpType != "Cast" || !narrowFloat(castTarget(cast.node)) {
			return nil
		}
		if w.integers = f.fixedTensor(cast.in[0]); w.integers == nil {
			return nil
		}
		return w.broadcast()
	}
	return nil
}

// castIntegers is the constant that a slot holds the floats of, before or after
// they were made; nil if it is none of integers.
func (f *fuser) castIntegers(slot int) *tensor.Tensor {
	if st := f.makers[slot]; st != nil && st.node.OpType == "Cast" {
		return f.fixedTensor(st.in[0])
	}
	return f.fixedTensor(slot)
}

// broadcast finds the axis that the scales of a Mul lie along; nil if they lie
// along several.
func (w *integerWeight) broadcast() *integerWeight {
	shape, rank := w.scales.Shape(), w.integers.Rank()
	if len(shape) > rank {
		return nil
	}
	w.axis = absent
	for i, size := range shape {
		if size == 1 {
			continue
		}
		if w.axis != absent {
			return nil
		}
		w.axis = rank - len(shape) + i
		if size != w.integers.Shape()[w.axis] {
			return nil
		}
	}
	return w
}

// product lays a weight out as the right operand of a product: its integers with
// the summed axis before the channels' (turned says that they are stored the
// other way round), its scales by channel. nil if its scales lie otherwise.
func (w *integerWeight) product(turned bool) *ops.Int8Product {
	if w == nil || w.axis >= w.integers.Rank() {
		return nil
	}
	q, offset, ok := asInt8(w.integers)
	scales, err := w.scales.Float64s()
	if !ok || err != nil || !narrowFloat(w.scales.DType()) {
		return nil
	}
	zeros := w.zeroPoints(offset, len(scales))
	if zeros == nil {
		return nil
	}
	if !slices.ContainsFunc(zeros, func(z int8) bool { return z != 0 }) {
		zeros = nil
	}
	shape := w.integers.Shape()
	rank := len(shape)
	p := &ops.Int8Product{}
	rows, columns := 0, 1
	switch {
	case rank == 0:
		return nil
	case rank == 1:
		p.Vector, rows, turned = true, shape[0], false
		if w.axis != absent {
			return nil
		}
	default:
		p.Batch, rows, columns = shape[:rank-2], shape[rank-2], shape[rank-1]
	}
	channels := rank - 1
	if turned {
		channels = rank - 2
	}
	matrix := quantops.Int8Weights{K: rows, N: columns, Zeros: zeros, Scales: make([]float32, len(scales))}
	for i, v := range scales {
		matrix.Scales[i] = float32(v)
	}
	switch {
	case w.block > 0:
		// Blocks run along the summed axis, which is the other one.
		if rank != 2 || w.axis != 1-channels || w.scales.Rank() != 2 || w.scales.Shape()[channels] != shape[channels] ||
			w.scales.Shape()[w.axis] != (shape[w.axis]+w.block-1)/w.block {
			return nil
		}
		matrix.Block = w.block
		if turned {
			matrix.Scales = transposed(matrix.Scales, w.scales.Shape()[0], w.scales.Shape()[1])
			matrix.Zeros = transposed(matrix.Zeros, w.scales.Shape()[0], w.scales.Shape()[1])
		}
	case w.axis != absent && (w.axis != channels || len(scales) != shape[channels]), w.axis == absent && len(scales) != 1:
		return nil
	}
	if turned {
		matrix.K, matrix.N = columns, rows
	}
	for first := 0; first < len(q); first += rows * columns {
		m := matrix
		m.Q, m.Transposed = q[first:first+rows*columns], turned
		p.Weights = append(p.Weights, ops.NewInt8Matrix(&m))
	}
	if len(p.Weights) == 0 {
		return nil
	}
	return p
}

// transposed is a rows×columns matrix with its axes exchanged; nil stays nil.
func transposed[T any](data []T, rows, columns int) []T {
	if data == nil {
		return nil
	}
	turned := make([]T, len(data))
	for row := range rows {
		for column, v := range data[row*columns : (row+1)*columns] {
			turned[column*rows+row] = v
		}
	}
	return turned
}

// asInt8 is a tensor of integers of 8 bits or less as int8; offset is what was
// taken from each to make it fit.
func asInt8(t *tensor.Tensor) (q []int8, offset int, ok bool) {
	switch data := t.Any().(type) {
	case []int8:
		return data, 0, true
	case []uint8:
		return narrowed(data, 128), 128, true
	case []quantops.Int4:
		return narrowed(data, 0), 0, true
	case []quantops.Uint4:
		return narrowed(data, 0), 0, true
	case []quantops.Int2:
		return narrowed(data, 0), 0, true
	case []quantops.Uint2:
		return narrowed(data, 0), 0, true
	}
	return nil, 0, false
}

func narrowed[T ~int8 | ~uint8](data []T, offset int) []int8 {
	q := make([]int8, len(data))
	for i, v := range data {
		q[i] = int8(int(v) - offset)
	}
	return q
}

// zeroPoints are a weight's zero points less the offset, one for each of its
// scales; nil if there are other ones.
func (w *integerWeight) zeroPoints(offset, scales int) []int8 {
	zeros := make([]int8, scales)
	if w.zeros == nil {
		for i := range zeros {
			zeros[i] = int8(-offset)
		}
		return zeros
	}
	list, err := w.zeros.Float64s() // they may have been cast already
	if err != nil || len(list) != scales {
		return nil
	}
	for i, v := range list {
		v -= float64(offset)
		if v < math.MinInt8 || v > math.MaxInt8 || v != math.Trunc(v) {
			return nil
		}
		zeros[i] = int8(v)
	}
	return zeros
}

// dequantizedWeight reads the integers that a slot's floats are made of by a
// DequantizeLinear, or a Cast and a Mul, of constants, with scales for all or
// along one axis; nil if they are made otherwise.
func (f *fuser) dequantizedWeight(slot int) *integerWeight {
	st := f.makers[slot]
	for st != nil && isOperator(st.node, "Identity") {
		st = f.makers[slotAt(st.in, 0)]
	}
	if st == nil || st.product != nil || st.packed {
		return nil
	}
	var w *integerWeight
	switch {
	case isOperator(st.node, "DequantizeLinear"):
		w = f.dequantized(st)
	case isOperator(st.node, "Mul"):
		w = f.multiplied(st)
	}
	if w == nil || w.block > 0 || !narrowFloat(w.scales.DType()) {
		return nil
	}
	// A DequantizeLinear may say another type than its scales have.
	if a := st.node.Attr("output_dtype"); a != nil && a.I != 0 && onnx.DType(a.I) != w.scales.DType() {
		return nil
	}
	return w
}

// perChannel gives the weight's integers, and a scale and a zero point for each
// of so many channels; no integers if there are other ones.
func (w *integerWeight) perChannel(channels int) (q []int8, scales []float32, zeros []int8) {
	q, offset, ok := asInt8(w.integers)
	values, err := w.scales.Float64s()
	if !ok || err != nil || len(values) != channels && len(values) != 1 {
		return nil, nil, nil
	}
	points := w.zeroPoints(offset, len(values))
	if points == nil {
		return nil, nil, nil
	}
	scales, zeros = make([]float32, channels), make([]int8, channels)
	for i := range channels {
		scales[i], zeros[i] = float32(values[i%len(values)]), points[i%len(points)]
	}
	if !slices.ContainsFunc(zeros, func(z int8) bool { return z != 0 }) {
		zeros = nil
	}
	return q, scales, zeros
}
