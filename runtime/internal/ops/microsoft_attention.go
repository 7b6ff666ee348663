package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var microsoftAttentionFamily = []Kernel{
	{Domain: microsoft, Op: "Attention", Since: 1, Build: needs(2, Tensors(buildMicrosoftAttention))},
	{Domain: microsoft, Op: "MultiHeadAttention", Since: 1, Build: needs(1, Tensors(buildMultiHeadAttention))},
	{Domain: microsoft, Op: "GroupQueryAttention", Since: 1, Build: Tensors(buildGroupQueryAttention)},
	{Domain: microsoft, Op: "RotaryEmbedding", Since: 1, Build: needs(4, Single(buildMicrosoftRotary))},
}

// paddedAttention is what Attention and MultiHeadAttention nodes state.
type paddedAttention struct {
	heads          int
	unidirectional bool
	scale          float32 // 0: 1/√(head size)
	filter         float32 // what padding's scores get added
}

func readPaddedAttention(n *Node) (paddedAttention, error) {
	a := paddedAttention{
		heads:          n.Int("num_heads", 0),
		unidirectional: n.Int("unidirectional", 0) != 0,
		scale:          n.Float("scale", 0),
		filter:         n.Float("mask_filter_value", -10000),
	}
	if a.heads < 1 {
		return a, fmt.Errorf("num_heads is %d: want a positive number", a.heads)
	}
	return a, nil
}

// paddedOperands are an attention's operands on their way: q, k and v (batch,
// positions, heads·size), and what may be nil.
type paddedOperands struct {
	q, k, v            *tensor.Tensor
	pastKey, pastValue *tensor.Tensor // (batch, heads, positions, size)
	mask, bias         *tensor.Tensor
	// headsFirst says that k and v are (batch, heads, positions, size) already.
	headsFirst bool
	// show, if not nil, is given to the attention.
	show func(sample, head, query int, scores []float32, probabilities bool)
}

// run gives y and the present keys and values (batch, heads, keys, size).
func (a paddedAttention) run(c *Call, o paddedOperands) (y, key, value *tensor.Tensor, h attentionHeads, err error) {
	h = attentionHeads{batch: o.q.Shape()[0], queries: o.q.Shape()[1], queryHeads: a.heads, keyHeads: a.heads}
	h.size = o.q.Shape()[2] / a.heads
	key, value = o.k, o.v
	if !o.headsFirst {
		h.valueSize = o.v.Shape()[2] / a.heads
		if o.k.Shape()[2] != h.size*a.heads || o.v.Shape()[2] != h.valueSize*a.heads || o.q.Shape()[2] != h.size*a.heads {
			return nil, nil, nil, h, fmt.Errorf("query %v, key %v and value %v do not divide into %d heads", o.q.Shape(), o.k.Shape(), o.v.Shape(), a.heads)
		}
		if key, err = keyState(o.pastKey, o.k, a.heads, h.size); err != nil {
			return nil, nil, nil, h, fmt.Errorf("key: %w", err)
		}
		if value, err = keyState(o.pastValue, o.v, a.heads, h.valueSize); err != nil {
			return nil, nil, nil, h, fmt.Errorf("value: %w", err)
		}
	}
	h.keys, h.valueSize = key.Shape()[2], value.Shape()[3]
	if !slices.Equal(key.Shape(), []int{h.batch, a.heads, h.keys, h.size}) || !slices.Equal(value.Shape(), []int{h.batch, a.heads, h.keys, h.valueSize}) {
		return nil, nil, nil, h, fmt.Errorf("query %v, key %v and value %v do not fit together, past included", o.q.Shape(), key.Shape(), value.Shape())
	}
	past := 0
	if o.pastKey != nil {
		past = o.pastKey.Shape()[2]
	}
	s := scoredAttention{attentionHeads: h, scale: a.scale, show: o.show, visible: func(_, query int) (int, int) {
		if a.unidirectional {
			return 0, past + query + 1
		}
		return 0, h.keys
	}}
	if o.mask != nil {
		if s.mask, err = newKeyMask(o.mask, h.batch, h.queries, h.keys, a.filter); err != nil {
			return nil, nil, nil, h, err
		}
	}
	if o.bias != nil {
		if s.bias, err = newScoreBias(o.bias, h, h.keys); err != nil {
			return nil, nil, nil, h, err
		}
	}
	in, err := allReals[float32](o.q, key, value)
	if err != nil {
		return nil, nil, nil, h, err
	}
	sums, err := s.run(c, in[0], in[1], in[2])
	if err != nil {
		return nil, nil, nil, h, err
	}
	y, err = ofReals(o.q.DType(), []int{h.batch, h.queries, a.heads * h.valueSize}, sums)
	return y, key, value, h, err
}

// buildMicrosoftAttention builds an attention whose query, key and value are
// projected from one input (batch, positions, inputs), by weights that lie side
// by side.
func buildMicrosoftAttention(n *Node) (several, error) {
	a, err := readPaddedAttention(n)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"do_rotary", "past_present_share_buffer"} {
		if n.Int(name, 0) != 0 {
			return nil, fmt.Errorf("%s is %d: only 0 can be run", name, n.Int(name, 0))
		}
	}
	sizes := n.Ints("qkv_hidden_sizes")
	if sizes != nil && (len(sizes) != 3 || sizes[0] < 1 || sizes[0] != sizes[1] || sizes[2] < 1 || sizes[0]%a.heads != 0 || sizes[2]%a.heads != 0) {
		return nil, fmt.Errorf("qkv_hidden_sizes are %v: want three sizes that divide into %d heads, the first two alike", sizes, a.heads)
	}
	weight := packConstant(n, 1, false)
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		x, w := in[0], in[1]
		if x.Rank() != 3 || w.Rank() != 2 {
			return nil, fmt.Errorf("input %v and weights %v: want rank 3 and 2", x.Shape(), w.Shape())
		}
		batch, positions, width := x.Shape()[0], x.Shape()[1], w.Shape()[1]
		widths := sizes
		if widths == nil {
			widths = []int{width / 3, width / 3, width / 3}
		}
		if widths[0]+widths[1]+widths[2] != width || widths[0]%a.heads != 0 {
			return nil, fmt.Errorf("weights %v do not divide into query, key and value of %d heads", w.Shape(), a.heads)
		}
		rows := x.WithShape([]int{batch * positions, x.Shape()[2]})
		all, err := gemm{alpha: 1, beta: 1, broadcast: true}.run(c, rows, w, operand(in, 2), weight)
		if err != nil {
			return nil, fmt.Errorf("projection: %w", err)
		}
		all = all.WithShape([]int{batch, positions, width})
		o := paddedOperands{mask: operand(in, 3), bias: operand(in, 5)}
		o.q = columns(all, 0, widths[0])
		o.k = columns(all, widths[0], widths[1])
		o.v = columns(all, widths[0]+widths[1], widths[2])
		if past := operand(in, 4); past != nil {
			if o.pastKey, o.pastValue, err = splitState(past); err != nil {
				return nil, err
			}
		}
		y, key, value, _, err := a.run(c, o)
		if err != nil || len(n.Outputs) < 2 || n.Outputs[1] == "" {
			return []*tensor.Tensor{y}, err
		}
		present, err := joinState(key, value)
		return []*tensor.Tensor{y, present}, err
	}, nil
}

// splitState divides (2, batch, heads, positions, size) into keys and values.
func splitState(t *tensor.Tensor) (key, value *tensor.Tensor, err error) {
	shape := t.Shape()
	if len(shape) != 5 || shape[0] != 2 {
		return nil, nil, fmt.Errorf("past of shape %v: want (2, batch, heads, positions, size)", shape)
	}
	half := t.Len() / 2
	take := func(i int) *tensor.Tensor { return elementsIn(t).take(nil, 1, 2, []int{i}, half).tensor(shape[1:]) }
	return take(0), take(1), nil
}

func joinState(key, value *tensor.Tensor) (*tensor.Tensor, error) {
	if !slices.Equal(key.Shape(), value.Shape()) {
		return nil, fmt.Errorf("keys %v and values %v have no place in one state", key.Shape(), value.Shape())
	}
	n := key.Len()
	state := elementsIn(key).like(2 * n)
	state.put([]int{0}, n, elementsIn(key))
	state.put([]int{1}, n, elementsIn(value))
	return state.tensor(append([]int{2}, key.Shape()...)), nil
}
