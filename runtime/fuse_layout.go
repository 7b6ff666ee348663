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
		p.A = f.takeOrder(&in[0], ops.LeftLies)
		p.B = f.takeOrder(&in[1], ops.RightLies)
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

// takeOrder has an operand be read from before its Transpose.
func (f *fuser) takeOrder(slot *int, lies func(order []int) bool) []int {
	before := f.makers[*slot]
	if before == nil || before.packed || f.readers[*slot] != 1 {
		return nil
	}
	order := orderOf(before)
	if order == nil || !lies(order) {
		return nil
	}
	f.readers[*slot]--
	*slot = before.in[0]
	f.readers[*slot]++
	return order
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
