package runtime

import (
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// maskedSoftmax is what attention reads of a step that is the Softmax of scores
// times a factor and with a mask.
type maskedSoftmax struct {
	mask   int // its slot
	factor float32
	axis   int // as it is stated
}

// softmaxChain finds the Softmax of scores that are scaled, masked or both:
//
//	Softmax(x·number + mask), Softmax(x + mask)
//
// along the last axis.
func (f *chainFinder) softmaxChain(last *step) *chain {
	if !isOperator(last.node, "Softmax") {
		return nil
	}
	axis := int64(-1)
	if a := last.node.Attr("axis"); a != nil {
		axis = a.I
	} else if f.scope.compiler.inlined.opset(last.node) < 13 {
		axis = 1
	}
	fits := func(x *tensor.Tensor) bool {
		// Before version 13, a row runs over all axes from the stated one on.
		return x.Rank() > 0 && (axis == -1 || axis == int64(x.Rank())-1)
	}
	found := &chain{steps: []*step{last}}
	scores := last.in[0]
	mask := absent
	if sum := f.maker(scores, "Add"); sum != nil {
		// The scores are the operand that a product or its scaling gives.
		at := 0
		if !f.givesScores(sum.in[0]) {
			at = 1
		}
		if !f.givesScores(sum.in[at]) {
			return nil
		}
		found.steps = append(found.steps, sum)
		scores, mask = sum.in[at], sum.in[1-at]
	}
	number := float32(1)
	if scaling := f.maker(scores, "Mul", "Div"); scaling != nil && f.isProduct(scaling) {
		if p := f.factorsOf(scaling); len(p.slots) == 1 {
			found.steps, scores, number = append(found.steps, p.steps...), p.slots[0], float32(p.number)
		}
	}
	if len(found.steps) == 1 {
		return nil
	}
	found.in = []int{scores}
	if mask != absent {
		found.in = append(found.in, mask)
		found.softmax = &maskedSoftmax{mask, number, int(axis)}
	}
	found.run = func(c *ops.Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if !fits(in[0]) {
			return nil, nil
		}
		var mask *tensor.Tensor
		if len(in) > 1 {
			mask = in[1]
		}
		return ops.MaskedSoftmax(c, in[0], mask, number)
	}
	return found
}

// givesScores says whether a slot holds a product, which may have taken in other
// steps, or what is scaled.
func (f *chainFinder) givesScores(slot int) bool {
	st := f.makers[slot]
	return st != nil && isOperator(st.node, "MatMul", "Mul", "Div")
}
