package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// attentionBias is what is added to the scores of a query: -Inf for keys that
// it may not see, and what a mask of numbers says for the others.
type attentionBias[T real] struct {
	*attentionPlan
	mask    []T // nil: none
	strides []int
	width   int // keys that the mask covers; the rest are hidden
}

// newAttentionBias reads the mask, which broadcasts to (batch, heads, queries,
// keys) and may be nil: true is 0 and false -Inf, a number itself.
func newAttentionBias[T real](p *attentionPlan, mask *tensor.Tensor) (attentionBias[T], error) {
	b := attentionBias[T]{attentionPlan: p}
	if mask == nil {
		return b, nil
	}
	own := mask.Shape()
	b.width = p.keys
	if len(own) > 0 && p.shortMasks {
		b.width = min(p.keys, own[len(own)-1])
	}
	shape := []int{p.batch, p.attentionHeads.queryHeads, p.queries, b.width}
	fits := len(own) > 0 && len(own) <= len(shape)
	for i := range own {
		fits = fits && (own[i] == 1 || own[i] == shape[len(shape)-len(own)+i])
	}
	if !fits {
		return b, fmt.Errorf("mask %v does not broadcast to %v", own, shape)
	}
	b.strides = broadcastStrides(own, shape)
	if allowed, ok := tensor.Data[bool](mask); ok {
		b.mask = make([]T, len(allowed))
		for i, v := range allowed {
			if !v {
				b.mask[i] = T(math.Inf(-1))
			}
		}
		return b, nil
	}
	var err error
	b.mask, err = numbersAsReals[T](mask)
	return b, err
}

// add adds the bias of a query to its scores and says whether it hides all keys.
func (b attentionBias[T]) add(sample, head, query int, scores []T) (hidden bool) {
	least := T(math.Inf(-1))
	from, to := b.visible(sample, query)
	hidden = true
	if b.mask == nil {
		hidden = from == to
	} else {
		offset := sample*b.strides[0] + head*b.strides[1] + query*b.strides[2]
		to = min(to, b.width)
		for key := from; key < to; key++ {
			v := b.mask[offset+key*b.strides[3]]
			scores[key] += v
			hidden = hidden && v == least
		}
	}
	fillWith(scores[:min(from, len(scores))], least)
	fillWith(scores[max(to, 0):], least)
	return hidden
}
