package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var attentionFamily = []Kernel{
	{Op: "Attention", Since: 23, Build: needs(3, Tensors(buildAttention))},
	{Op: "RotaryEmbedding", Since: 23, Build: needs(3, Single(buildRotaryEmbedding))},
	{Op: "LinearAttention", Since: 27, Build: needs(3, Tensors(buildLinearAttention))},
	{Domain: "ai.onnx.preview", Op: "FlexAttention", Since: 1, Build: needs(3, Single(buildFlexAttention))},
}

// What of the computation an Attention node's fourth output shows.
const (
	showProducts = iota
	showSoftcapped
	showBiased
	showProbabilities
)

// attention is what an Attention node states.
type attention struct {
	causal               bool
	queryHeads, keyHeads int     // of operands of rank 3; 0 where not stated
	scale                float64 // 0: 1/√(head size)
	softcap              float64 // 0: none
	precision            onnx.DType
	left, right          int // how far a query sees; -1: without bound
	show                 int
	wantsShown           bool
	// shortMasks is whether a mask that ends before the keys do hides the rest,
	// as from version 24 on, rather than a last axis of 1 being repeated.
	shortMasks bool
}

func buildAttention(n *Node) (several, error) {
	a := attention{
		causal:     n.Int("is_causal", 0) != 0,
		queryHeads: n.Int("q_num_heads", 0),
		keyHeads:   n.Int("kv_num_heads", 0),
		scale:      float64(n.Float("scale", 0)),
		softcap:    float64(n.Float("softcap", 0)),
		precision:  onnx.DType(n.Int("softmax_precision", 0)),
		left:       n.Int("left_window_size", -1),
		right:      n.Int("right_window_size", -1),
		show:       n.Int("qk_matmul_output_mode", showProducts),
		wantsShown: len(n.Outputs) > 3 && n.Outputs[3] != "",
		shortMasks: n.Opset >= 24,
	}
	switch {
	case a.precision != onnx.Undefined && !a.precision.IsFloat():
		return nil, fmt.Errorf("softmax_precision is %v: want a float type", a.precision)
	case a.left < -1 || a.right < -1:
		return nil, fmt.Errorf("windows of %d to the left and %d to the right: want -1 or more", a.left, a.right)
	case a.show < showProducts || a.show > showProbabilities:
		return nil, fmt.Errorf("qk_matmul_output_mode is %d: want from 0 to 3", a.show)
	}
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		o := attentionOperands{
			q: in[0], k: in[1], v: in[2], mask: operand(in, 3),
			pastKey: operand(in, 4), pastValue: operand(in, 5), lengths: operand(in, 6),
		}
		if o.q.DType() == onnx.Double {
			return runAttention[float64](c, a, o)
		}
		return runAttention[float32](c, a, o)
	}, nil
}

// attentionOperands are an Attention node's inputs; from the mask on they may be nil.
type attentionOperands struct {
	q, k, v            *tensor.Tensor // (batch, heads, positions, size) or (batch, positions, heads·size)
	mask               *tensor.Tensor // broadcasts to (batch, heads, queries, keys)
	pastKey, pastValue *tensor.Tensor // (batch, heads, positions, size)
	lengths            *tensor.Tensor // (batch): how many keys are not padding
}

// attentionPlan is an attention laid over given operands.
type attentionPlan struct {
	attention
	attentionHeads
	dtype   onnx.DType
	packed  bool // whether operands have rank 3
	past    int
	lengths []int // nil: all keys count
}

// sizes checks an operand against what the plan has so far and gives its
// heads, positions and size.
func (p *attentionPlan) sizes(name string, t *tensor.Tensor, count int) (heads, positions, size int, err error) {
	s := t.Shape()
	switch {
	case s[0] != p.batch:
		err = fmt.Errorf("%s %v: the batch is %d", name, s, p.batch)
	case !p.packed:
		return s[1], s[2], s[3], nil
	case count < 1 || s[2]%count != 0:
		err = fmt.Errorf("%s %v of rank 3 does not divide into %d heads", name, s, count)
	default:
		return count, s[1], s[2] / count, nil
	}
	return 0, 0, 0, err
}

func (a attention) plan(o attentionOperands) (*attentionPlan, error) {
	rank := o.q.Rank()
	if rank < 3 || rank > 4 || o.k.Rank() != rank || o.v.Rank() != rank {
		return nil, fmt.Errorf("query %v, key %v and value %v must have one rank, 3 or 4", o.q.Shape(), o.k.Shape(), o.v.Shape())
	}
	p := &attentionPlan{attention: a, dtype: o.q.DType(), packed: rank == 3}
	p.batch = o.q.Shape()[0]
	var err error
	if p.attentionHeads.queryHeads, p.queries, p.size, err = p.sizes("query", o.q, a.queryHeads); err != nil {
		return nil, err
	}
	var keySize, valueHeads, values int
	if p.attentionHeads.keyHeads, p.keys, keySize, err = p.sizes("key", o.k, a.keyHeads); err != nil {
		return nil, err
	}
	if valueHeads, values, p.valueSize, err = p.sizes("value", o.v, a.keyHeads); err != nil {
		return nil, err
	}
	h := p.attentionHeads
	if keySize != h.size || valueHeads != h.keyHeads || values != h.keys || h.keyHeads < 1 || h.queryHeads%h.keyHeads != 0 {
		return nil, fmt.Errorf("query %v, key %v and value %v do not fit together", o.q.Shape(), o.k.Shape(), o.v.Shape())
	}
	if (o.pastKey == nil) != (o.pastValue == nil) {
		return nil, fmt.Errorf("past key and past value must be given together")
	}
	if o.pastKey != nil {
		if o.lengths != nil {
			return nil, fmt.Errorf("key lengths do not go with a past")
		}
		ks, vs := o.pastKey.Shape(), o.pastValue.Shape()
		if len(ks) != 4 || !slices.Equal(ks, []int{h.batch, h.keyHeads, ks[2], h.size}) || !slices.Equal(vs, []int{h.batch, h.keyHeads, ks[2], h.valueSize}) {
			return nil, fmt.Errorf("past key %v and past value %v do not fit key %v and value %v", ks, vs, o.k.Shape(), o.v.Shape())
		}
		p.past = ks[2]
		p.keys += p.past
	}
	if o.lengths != nil {
		if p.lengths, err = integers(o.lengths); err == nil && len(p.lengths) != h.batch {
			err = fmt.Errorf("%d key lengths: the batch is %d", len(p.lengths), h.batch)
		}
	}
	for _, shape := range [][]int{{h.batch, h.queryHeads, max(h.queries, 1)}, {attentionRows, p.keys}} {
		if _, err := checkedCount(shape); err != nil {
			return nil, err
		}
	}
	if p.scale == 0 {
		p.scale = 1 / math.Sqrt(float64(p.size))
	}
	if p.precision == onnx.Undefined {
		p.precision = p.dtype
	}
	return p, err
}

// offset is the position, among the keys, of a sample's first query.
func (p *attentionPlan) offset(sample int) int {
	if p.lengths != nil {
		return p.lengths[sample] - p.queries
	}
	return p.past
}

// visible is the range of keys that the causal order, the window and the
// padding let a query see.
func (p *attentionPlan) visible(sample, query int) (from, to int) {
	position := p.offset(sample) + query
	to = p.keys
	if p.lengths != nil {
		to = min(to, p.lengths[sample])
	}
	if p.causal {
		to = min(to, position+1)
	}
	if p.right >= 0 {
		to = min(to, position+1+p.right)
	}
	if p.left >= 0 {
		from = max(0, position-p.left)
	}
	to = max(to, 0)
	return min(from, to), to
}

// runAttention gives y, shaped like q, the present key and value (batch, heads,
// keys, size), and if it is wanted what the node shows of its inner results.
// Those are rounded to a 16-bit type wherever the operator's text has one.
func runAttention[T real](c *Call, a attention, o attentionOperands) ([]*tensor.Tensor, error) {
	p, err := a.plan(o)
	if err != nil {
		return nil, err
	}
	presentKey, err := p.present(o.pastKey, o.k, p.size)
	if err != nil {
		return nil, err
	}
	presentValue, err := p.present(o.pastValue, o.v, p.valueSize)
	if err != nil {
		return nil, err
	}
	in, err := allReals[T](o.q, presentKey, presentValue)
	if err != nil {
		return nil, err
	}
	bias, err := newAttentionBias[T](p, o.mask)
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(o.q.Shape())
	shape[len(shape)-1] = p.valueSize
	if p.packed {
		shape[2] *= p.attentionHeads.queryHeads
	}
	count, err := checkedCount(shape)
	if err != nil {
		return nil, err
	}
	shownShape := []int{p.batch, p.attentionHeads.queryHeads, p.queries, p.keys}
	var shown []T
	if p.wantsShown {
		n, err := checkedCount(shownShape)
		if err != nil {
			return nil, err
		}
		shown = make([]T, n)
	}
	root := math.Sqrt(p.scale)
	y := make([]T, count)
	layout := headsFirst[T]
	if p.packed {
		layout = positionsFirst[T]
	}
	query := layout(scaledCopy(in[0], root, p.dtype), p.attentionHeads.queryHeads, p.queries, p.size)
	key := headsFirst(scaledCopy(in[1], root, p.dtype), p.attentionHeads.keyHeads, p.keys, p.size)
	value := headsFirst(in[2], p.attentionHeads.keyHeads, p.keys, p.valueSize)
	result := layout(y, p.attentionHeads.queryHeads, p.queries, p.valueSize)
	err = attend(c, p.attentionHeads, query, key, value, result, func(sample, head, query int, scores []T) {
		show := func(stage int) {
			if stage == p.show && shown != nil {
				copy(shown[((sample*p.attentionHeads.queryHeads+head)*p.queries+query)*p.keys:], scores)
			}
		}
		roundTo(p.dtype, scores)
		show(showProducts)
		softcapRow(scores, p.softcap, p.dtype)
		show(showSoftcapped)
		masked := bias.add(sample, head, query, scores)
		roundTo(p.dtype, scores)
		show(showBiased)
		roundTo(p.precision, scores)
		attentionSoftmax(scores, p.precision)
		if masked {
			// Not left to the softmax: a product may be NaN or +Inf.
			clear(scores)
		}
		roundTo(p.dtype, scores)
		show(showProbabilities)
	})
	if err != nil {
		return nil, err
	}
	result0, err := ofReals(p.dtype, shape, y)
	if err != nil || shown == nil {
		return []*tensor.Tensor{result0, presentKey, presentValue}, err
	}
	result3, err := ofReals(p.dtype, shownShape, shown)
	return []*tensor.Tensor{result0, presentKey, presentValue, result3}, err
}

// present puts an operand behind its past, which may be nil, heads first.
func (p *attentionPlan) present(past, now *tensor.Tensor, size int) (*tensor.Tensor, error) {
	if p.packed {
		split := now.WithShape([]int{p.batch, now.Shape()[1], p.attentionHeads.keyHeads, size})
		var err error
		if now, err = transpose(nil, split, []int{0, 2, 1, 3}); err != nil {
			return nil, err
		}
	}
	if past == nil {
		return now, nil
	}
	if past.DType() != now.DType() {
		return nil, fmt.Errorf("past of type %v: want %v", past.DType(), now.DType())
	}
	shape := []int{p.batch, p.attentionHeads.keyHeads, p.keys, size}
	count, err := checkedCount(shape)
	if err != nil {
		return nil, err
	}
	source := elementsIn(now)
	joined := source.like(count)
	move(joined, rowMajor(shape), elementsIn(past), rowMajor(past.Shape()), past.Shape())
	move(joined, rowMajor(shape).at([]int{0, 0, p.past}), source, rowMajor(now.Shape()), now.Shape())
	return joined.tensor(shape), nil
}

// softcapRow is cap·tanh(scores/cap) in place, each step rounded; no cap is 0.
func softcapRow[T real](scores []T, limit float64, t onnx.DType) {
	if limit <= 0 {
		return
	}
	for i, v := range scores {
		scores[i] = v / T(limit)
	}
	roundTo(t, scores)
	for i, v := range scores {
		scores[i] = T(math.Tanh(float64(v)))
	}
	roundTo(t, scores)
	for i, v := range scores {
		scores[i] = v * T(limit)
	}
	roundTo(t, scores)
}
