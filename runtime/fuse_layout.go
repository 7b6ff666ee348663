package runtime

import (
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// layProducts takes the Transposes of a MatMul's operands and of its result, and
// a constant factor, into the product, where nobody else reads what is between:
//
//	(Transpose), (Transpose) → MatMul → (Mul, Div by a constant) → (Transpose)
//
// and takes an operand out of one Transpose for several, where it is a part of it.
// It is done where neither operand is constant: constant ones are packed.
func (f *fuser) layProducts() (changed bool) {
	users := make(map[int]*step, len(f.scope.plan.initial)) // by slot: a step that reads it
	for _, st := range f.scope.plan.steps {
		for _, slot := range st.in {
			users[slot] = st
		}
	}
	for _, st := range f.scope.plan.steps {
		if !runsOperator(st, "MatMul") || len(st.in) != 2 || st.in[0] == absent || st.in[1] == absent || f.scope.fixed[st.in[0]] || f.scope.fixed[st.in[1]] {
			continue
		}
		p := &ops.LaidProduct{}
		in := slices.Clone(st.in)
		p.A, p.PartA = f.takeOrder(&in[0], ops.LeftLies)
		p.B, p.PartB = f.takeOrder(&in[1], ops.RightLies)
		last := st // the step that gives the result
		for {
			next := users[last.out[0]]
			if last.out[0] == absent || f.readers[last.out[0]] != 1 || next == nil || next.packed || len(next.captured) > 0 {
				break
			}
			if order := orderOf(next); order != nil && p.Y == nil && ops.ResultLies(order) {
				p.Y = order
			} else if factor := f.factorOf(next, last.out[0]); factor != nil && p.Factor == nil && p.Y == nil {
				p.Factor = factor
			} else {
				break
			}
			f.readers[last.out[0]]--
			last.packed = true
			last = next
		}
		if p.A == nil && p.B == nil && last == st {
			continue
		}
		if last != st { // the operands are read by another step than before
			for i, slot := range in {
				if slot == st.in[i] {
					f.readers[slot]++
				}
			}
		}
		last.in = in
		last.run, last.laid = runLaidProduct(p), p
		last.packed, changed = true, true
	}
	return changed
}

// takeOrder has an operand be read from before its Transpose, and as a part of
// what was transposed together with others.
func (f *fuser) takeOrder(slot *int, lies func(order []int) bool) ([]int, *ops.Part) {
	var order []int
	reads := 1 // of the slot, if nobody else needs it
	if before := f.makers[*slot]; before != nil && !before.packed && f.readers[*slot] == 1 {
		if order = orderOf(before); order != nil && lies(order) {
			f.readers[*slot]--
			*slot = before.in[0]
			f.readers[*slot]++
			reads++ // the Transpose is still there
		} else {
			order = nil
		}
	}
	together, part := f.partOf(*slot, reads)
	if part == nil {
		return order, nil
	}
	all := orderOf(together)
	if order != nil && len(order) != len(all)-1 {
		return order, nil
	}
	whole := []int{all[0]}
	for i, axis := range all[1:] {
		if order != nil {
			axis = all[1+order[i]]
		}
		whole = append(whole, axis)
	}
	if !lies(whole) {
		return order, nil
	}
	f.readers[*slot]--
	*slot = together.in[0]
	f.readers[*slot]++
	return whole, part
}

// partOf finds the Transpose of which a slot is one part along the first axis:
//
//	Transpose → Split into single parts → Squeeze
//	Transpose → Gather of one part
//
// where nobody reads the part but so many.
func (f *fuser) partOf(slot, reads int) (together *step, part *ops.Part) {
	st := f.makers[slot]
	if st == nil || st.packed || f.readers[slot] != reads {
		return nil, nil
	}
	from := st.in[0]
	switch {
	case runsOperator(st, "Gather") && axisOf(st, 0) == 0:
		index := f.fixedTensor(st.in[1])
		if index == nil || index.Rank() != 0 {
			return nil, nil
		}
		numbers, err := index.Float64s()
		if err != nil {
			return nil, nil
		}
		part = &ops.Part{Index: int(numbers[0])}
	case runsOperator(st, "Squeeze") && slices.Equal(f.axesOf(st), []int64{0}):
		split := f.makers[from]
		if split == nil || f.readers[from] != 1 || !runsOperator(split, "Split") || axisOf(split, 0) != 0 || !f.splitsSingly(split) {
			return nil, nil
		}
		part = &ops.Part{Index: slices.Index(split.out, from), Of: len(split.out)}
		from = split.in[0]
	default:
		return nil, nil
	}
	if together = f.makers[from]; together == nil || together.packed || len(orderOf(together)) < 3 {
		return nil, nil
	}
	return together, part
}

// splitsSingly says whether each part of a Split is one element long, provided
// that the axis has as many as there are parts.
func (f *fuser) splitsSingly(st *step) bool {
	if slotAt(st.in, 1) != absent {
		lengths := f.fixedTensor(st.in[1])
		if lengths == nil {
			return false
		}
		numbers, err := lengths.Float64s()
		return err == nil && !slices.ContainsFunc(numbers, func(n float64) bool { return n != 1 })
	}
	a := st.node.Attr("split")
	return a == nil || !slices.ContainsFunc(a.Ints, func(n int64) bool { return n != 1 })
}

// axisOf is the axis that a step's node states.
func axisOf(st *step, otherwise int64) int64 {
	if a := st.node.Attr("axis"); a != nil {
		return a.I
	}
	return otherwise
}

// orderOf is the order that a Transpose states; nil if the step is none.
func orderOf(st *step) []int {
	if !runsOperator(st, "Transpose") || len(st.in) != 1 {
		return nil
	}
	a := st.node.Attr("perm")
	if a == nil {
		return nil
	}
	order := make([]int, len(a.Ints))
	seen := make([]bool, len(order))
	for i, axis := range a.Ints {
		if axis < 0 || axis >= int64(len(order)) || seen[axis] {
			return nil // it says itself what is wrong with it
		}
		order[i], seen[axis] = int(axis), true
	}
	return order
}

// factorOf is the number that a step multiplies a slot's floats by, exactly as
// the step does it: a quotient is such a product if the divisor is a power of two.
// nil: it does something else.
func (f *fuser) factorOf(st *step, slot int) *tensor.Tensor {
	isMul := runsOperator(st, "Mul")
	if !isMul && !runsOperator(st, "Div") || len(st.in) != 2 {
		return nil
	}
	other := st.in[1]
	if isMul && other == slot {
		other = st.in[0]
	}
	if other == slot || st.in[0] != slot && !isMul {
		return nil
	}
	t := f.fixedTensor(other)
	if t == nil || t.Len() != 1 {
		return nil
	}
	values, ok := tensor.Data[float32](t)
	if !ok || values[0] == 0 {
		return nil
	}
	if isMul {
		return t
	}
	if fraction, _ := math.Frexp(math.Abs(float64(values[0]))); fraction != 0.5 || math.IsInf(float64(1/values[0]), 0) {
		return nil
	}
	return tensor.New(t.Shape(), []float32{1 / values[0]})
}

func runLaidProduct(p *ops.LaidProduct) ops.Run {
	return func(c *ops.Call, in []tensor.Value) ([]tensor.Value, error) {
		var operands [2]*tensor.Tensor
		for i := range operands {
			t, ok := in[i].(*tensor.Tensor)
			if !ok {
				return nil, errNoTensor(in[i])
			}
			operands[i] = t
		}
		y, err := p.Run(c, operands[0], operands[1])
		if err != nil {
			return nil, err
		}
		return []tensor.Value{y}, nil
	}
}

// runsOperator says whether a step still runs an operator of ONNX's own.
func runsOperator(st *step, op string) bool {
	return isOperator(st.node, op) && !st.packed && st.product == nil
}
