package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// buildMultiHeadAttention builds an attention with query, key and value given,
// side by side or packed into fewer operands, and a bias of their projections.
func buildMultiHeadAttention(n *Node) (several, error) {
	a, err := readPaddedAttention(n)
	if err != nil {
		return nil, err
	}
	if n.Input(8) != "" || n.Input(9) != "" {
		return nil, fmt.Errorf("past_sequence_length and cache_indirection, of states that share a buffer, cannot be run")
	}
	wantsScores := len(n.Outputs) > 3 && n.Outputs[3] != ""
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		o, err := a.unpack(in[0], operand(in, 1), operand(in, 2))
		if err != nil {
			return nil, err
		}
		if bias := operand(in, 3); bias != nil {
			if err := o.addBias(c, bias); err != nil {
				return nil, fmt.Errorf("bias: %w", err)
			}
		}
		o.mask, o.bias, o.pastKey, o.pastValue = operand(in, 4), operand(in, 5), operand(in, 6), operand(in, 7)
		if (o.pastKey == nil) != (o.pastValue == nil) || o.pastKey != nil && o.headsFirst {
			return nil, fmt.Errorf("past key and value must be given together, and only with keys and values that are new")
		}
		var shown []float32
		if wantsScores {
			o.show = func(sample, head, query int, scores []float32, probabilities bool) {
				if !probabilities {
					copy(shown[((sample*a.heads+head)*o.q.Shape()[1]+query)*len(scores):], scores)
				}
			}
			count, err := checkedCount([]int{o.q.Shape()[0], a.heads, o.q.Shape()[1], o.keys()})
			if err != nil {
				return nil, err
			}
			shown = make([]float32, count)
		}
		y, key, value, h, err := a.run(c, o)
		if err != nil || shown == nil {
			return []*tensor.Tensor{y, key, value}, err
		}
		scores, err := ofReals(y.DType(), []int{h.batch, h.queryHeads, h.queries, h.keys}, shown)
		return []*tensor.Tensor{y, key, value, scores}, err
	}, nil
}

// keys counts the keys, past ones included.
func (o *paddedOperands) keys() int {
	switch {
	case o.headsFirst:
		return o.k.Shape()[2]
	case o.pastKey != nil && o.pastKey.Rank() == 4:
		return o.k.Shape()[1] + o.pastKey.Shape()[2]
	}
	return o.k.Shape()[1]
}

// unpack brings the forms that operands may have to one: query, key and value
// (batch, positions, heads·size); all in one (batch, positions, heads, 3, size);
// a query, and key and value in one (batch, positions, heads, 2, size); a query,
// and keys and values of another attention (batch, heads, positions, size).
func (a paddedAttention) unpack(query, key, value *tensor.Tensor) (paddedOperands, error) {
	o := paddedOperands{q: query, k: key, v: value}
	switch {
	case key == nil && value == nil:
		parts, err := a.takeApart("query", query, 3)
		if err != nil {
			return o, err
		}
		o.q, o.k, o.v = parts[0], parts[1], parts[2]
		return o, nil
	case value == nil:
		parts, err := a.takeApart("key", key, 2)
		if err != nil {
			return o, err
		}
		o.k, o.v = parts[0], parts[1]
	case key == nil:
		return o, fmt.Errorf("a value without a key")
	}
	if err := checkRank("query", o.q, 3); err != nil {
		return o, err
	}
	o.headsFirst = o.k.Rank() == 4
	rank := 3
	if o.headsFirst {
		rank = 4
	}
	if err := checkRank("key", o.k, rank); err != nil {
		return o, err
	}
	return o, checkRank("value", o.v, rank)
}

// takeApart divides (batch, positions, heads, count, size) into so many operands
// (batch, positions, heads·size).
func (a paddedAttention) takeApart(name string, t *tensor.Tensor, count int) ([]*tensor.Tensor, error) {
	if err := checkRank(name, t, 5); err != nil {
		return nil, err
	}
	shape := t.Shape()
	if shape[2] != a.heads || shape[3] != count {
		return nil, fmt.Errorf("%s of shape %v: want (batch, positions, %d, %d, size)", name, shape, a.heads, count)
	}
	parts := make([]*tensor.Tensor, count)
	for i := range parts {
		side := t.WithShape([]int{shape[0], shape[1], shape[2], count * shape[4]})
		parts[i] = columns(side, i*shape[4], shape[4]).WithShape([]int{shape[0], shape[1], shape[2] * shape[4]})
	}
	return parts, nil
}

// addBias adds the bias of query, key and value, which lie side by side. Keys
// and values of another attention have theirs already.
func (o *paddedOperands) addBias(c *Call, bias *tensor.Tensor) error {
	parts := []**tensor.Tensor{&o.q, &o.k, &o.v}
	if o.headsFirst {
		parts = parts[:1]
	}
	at := 0
	for _, part := range parts {
		width := (*part).Shape()[2]
		if bias.Rank() != 1 || at+width > bias.Len() {
			return fmt.Errorf("shape %v for query %v, key %v and value %v", bias.Shape(), o.q.Shape(), o.k.Shape(), o.v.Shape())
		}
		numbers, err := floatsIn(*part)
		if err != nil {
			return err
		}
		own := columns(bias, at, width)
		if *part, err = numbers.fold(c, "Add", []*tensor.Tensor{*part, own}); err != nil {
			return err
		}
		at += width
	}
	return nil
}
