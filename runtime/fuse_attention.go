package runtime

import (
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// attentionChain finds attention with a mask:
//
//	MatMul → Softmax(x·number + mask) → MatMul
//
// of products of which neither operand is constant, once the Softmax has taken in
// scaling and masking.
func (f *chainFinder) attentionChain(last *step) *chain {
	values := f.laidProduct(last)
	if values == nil {
		return nil
	}
	weights := f.makers[last.in[0]]
	if weights == nil || weights.softmax == nil || f.readers[last.in[0]] != 1 {
		return nil
	}
	first := f.makers[weights.in[0]]
	if first == nil || f.readers[weights.in[0]] != 1 {
		return nil
	}
	scores := f.laidProduct(first)
	if scores == nil {
		return nil
	}
	attention := &ops.MaskedAttention{Scores: scores, Values: values, Factor: weights.softmax.factor, Axis: weights.softmax.axis}
	return &chain{
		steps: []*step{first, weights, last},
		in:    []int{first.in[0], first.in[1], weights.softmax.mask, last.in[1]},
		run: func(c *ops.Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
			return attention.Run(c, in[0], in[1], in[2], in[3])
		},
	}
}

// laidProduct is the product that a step computes of two operands that are not
// constant; nil if it is no such step.
func (f *chainFinder) laidProduct(st *step) *ops.LaidProduct {
	switch {
	case st.laid != nil:
		return st.laid
	case !runsOperator(st, "MatMul") || len(st.in) != 2 || f.scope.fixed[st.in[0]] || f.scope.fixed[st.in[1]]:
		return nil
	}
	return &ops.LaidProduct{}
}

// attentions puts attention in the places of its last steps.
func (f *chainFinder) attentions() {
	for _, st := range f.scope.plan.steps {
		if found := f.attentionChain(st); found != nil && !f.removed[st] {
			f.join(found, st)
		}
	}
}
