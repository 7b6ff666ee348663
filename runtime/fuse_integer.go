package runtime

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// integerProducts makes one step of a product of integers with a constant right
// operand and of what makes floats of its sums, where each has one reader:
//
//	MatMulInteger → Cast → Mul by scales → (Add of a bias)
//
// It reports whether there was one.
func (f *fuser) integerProducts() bool {
	if !slices.ContainsFunc(f.scope.plan.steps, func(st *step) bool { return isOperator(st.node, "MatMulInteger") }) {
		return false
	}
	users := f.users()
	next := func(st *step, op string) *step {
		slot := st.out[0]
		if slot == absent || f.readers[slot] != 1 || len(users[slot]) != 1 {
			return nil
		}
		if after := users[slot][0]; isOperator(after.node, op) && slices.Contains(after.in, slot) {
			return after
		}
		return nil
	}
	found := false
	for _, st := range f.scope.plan.steps {
		if !isOperator(st.node, "MatMulInteger") || len(st.in) < 2 {
			continue
		}
		zeros := slotAt(st.in, 3)
		if f.fixedTensor(st.in[1]) == nil || zeros != absent && f.fixedTensor(zeros) == nil {
			continue
		}
		cast := next(st, "Cast")
		if cast == nil || castTarget(cast.node) != onnx.Float {
			continue
		}
		mul := next(cast, "Mul")
		if mul == nil {
			continue
		}
		product := ops.NewIntegerProduct(f.fixedTensor(st.in[1]), f.fixedTensor(zeros))
		if product == nil {
			continue
		}
		in := []int{st.in[0], slotAt(st.in, 2), otherSlot(mul.in, cast.out[0])}
		last := mul
		taken := []*step{st, cast}
		if add := next(mul, "Add"); add != nil {
			other := otherSlot(add.in, mul.out[0])
			if f.scope.fixed[other] {
				if product.Bias = biasOf(f.scope.plan.initial[other], onnx.Float, product.N()); product.Bias != nil {
					last, taken = add, append(taken, mul)
				}
			}
		}
		f.takeInteger(taken, last, in, runInteger(product))
		found = true
	}
	return found
}

// otherSlot is the operand of two that is not the given one.
func otherSlot(in []int, slot int) int {
	if in[0] == slot {
		return in[1]
	}
	return in[0]
}

// takeInteger makes the last step compute the product; sweep leaves out the
// others, whose results nobody reads then.
func (f *fuser) takeInteger(taken []*step, last *step, in []int, run ops.Run) {
	for _, st := range taken {
		st.packed = true
	}
	for _, slot := range last.in {
		f.readers[slot]--
	}
	for _, slot := range in {
		f.readers[slot]++
	}
	last.in, last.run, last.packed = in, run, true
}

// runInteger is a kernel of three operands: the integers, their zero point, which
// may be absent, and the scales.
func runInteger(product *ops.IntegerProduct) ops.Run {
	return func(c *ops.Call, in []tensor.Value) ([]tensor.Value, error) {
		var operands [3]*tensor.Tensor
		for i, v := range in {
			t, ok := v.(*tensor.Tensor)
			if v != nil && !ok {
				return nil, errNoTensor(v)
			}
			operands[i] = t
		}
		y, err := product.Run(c, operands[0], operands[1], operands[2])
		if err != nil {
			return nil, err
		}
		return []tensor.Value{y}, nil
	}
}
