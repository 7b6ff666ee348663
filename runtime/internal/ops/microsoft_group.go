package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// groupAttention is what a GroupQueryAttention node states: a causal attention
// in which a group of query heads shares a key head, with a state of the keys
// that may be longer than what it holds.
type groupAttention struct {
	queryHeads, keyHeads int
	scale, softcap       float32
	window               int // how many keys a query sees; -1: all
	causal               bool
	rotates, interleaved bool
	smooth               bool // a softmax with a score of 0 more
	show                 int  // of the scores: 0 nothing, 1 before the softmax, 2 after it
}

func buildGroupQueryAttention(n *Node) (several, error) {
	g := groupAttention{
		queryHeads: n.Int("num_heads", 0), keyHeads: n.Int("kv_num_heads", 0),
		scale: n.Float("scale", 0), softcap: n.Float("softcap", 0),
		window: n.Int("local_window_size", -1), causal: n.Int("causal", 1) != 0,
		rotates: n.Int("do_rotary", 0) != 0, interleaved: n.Int("rotary_interleaved", 0) != 0,
		smooth: n.Int("smooth_softmax", -1) == 1, show: n.Int("qk_output", 0),
	}
	if g.queryHeads < 1 || g.keyHeads < 1 || g.queryHeads%g.keyHeads != 0 {
		return nil, fmt.Errorf("num_heads is %d and kv_num_heads %d: want positive numbers, the first a multiple of the second", g.queryHeads, g.keyHeads)
	}
	if n.Int("sliding_window_cache", 0) != 0 {
		return nil, fmt.Errorf("sliding_window_cache is %d: a state that forgets cannot be run", n.Int("sliding_window_cache", 0))
	}
	for i, name := range []string{"k_scale", "v_scale", "q_norm_weight", "k_norm_weight"} {
		if n.Input(12+i) != "" {
			return nil, fmt.Errorf("operand %d, %s, cannot be run", 12+i, name)
		}
	}
	for _, i := range []int{0, 5, 6} {
		if n.Input(i) == "" {
			return nil, fmt.Errorf("operand %d is missing", i)
		}
	}
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) { return g.run(c, in) }, nil
}

// groupPlan is a groupAttention laid over given operands.
type groupPlan struct {
	groupAttention
	attentionHeads
	q, k, v *tensor.Tensor // (batch, positions, heads·size)
	totals  []int          // keys of each sample after this run
	fresh   []int          // of those, how many are new
	total   int            // what the node says is the most
}

func (g groupAttention) plan(in []*tensor.Tensor) (*groupPlan, error) {
	p := &groupPlan{groupAttention: g, q: in[0], k: operand(in, 1), v: operand(in, 2)}
	if err := checkRank("query", p.q, 3); err != nil {
		return nil, err
	}
	if (p.k == nil) != (p.v == nil) {
		return nil, fmt.Errorf("key and value must be given together, or packed with the query")
	}
	h := attentionHeads{batch: p.q.Shape()[0], queries: p.q.Shape()[1], queryHeads: g.queryHeads, keyHeads: g.keyHeads}
	all := g.queryHeads
	if p.k == nil {
		all += 2 * g.keyHeads
	}
	h.size = p.q.Shape()[2] / all
	h.valueSize = h.size
	if h.size*all != p.q.Shape()[2] {
		return nil, fmt.Errorf("query of shape %v does not divide into %d heads", p.q.Shape(), all)
	}
	if p.k == nil {
		packed := p.q
		p.q = columns(packed, 0, g.queryHeads*h.size)
		p.k = columns(packed, g.queryHeads*h.size, g.keyHeads*h.size)
		p.v = columns(packed, (g.queryHeads+g.keyHeads)*h.size, g.keyHeads*h.size)
	}
	want := []int{h.batch, h.queries, h.keyHeads * h.size}
	if !slices.Equal(p.k.Shape(), want) || !slices.Equal(p.v.Shape(), want) {
		return nil, fmt.Errorf("query %v, key %v and value %v: want %v for key and value", p.q.Shape(), p.k.Shape(), p.v.Shape(), want)
	}
	p.attentionHeads = h
	return p, p.lengths(in[5], in[6], operand(in, 16))
}

// lengths reads how many keys each sample has: less one, after this run.
func (p *groupPlan) lengths(lessOne, total, fresh *tensor.Tensor) error {
	var err error
	if p.total, err = wholeNumber(total); err != nil {
		return fmt.Errorf("total sequence length: %w", err)
	}
	if p.totals, err = wholeNumbers(lessOne); err != nil {
		return fmt.Errorf("key lengths: %w", err)
	}
	if fresh != nil {
		if p.fresh, err = wholeNumbers(fresh); err != nil {
			return fmt.Errorf("query lengths: %w", err)
		}
	}
	if len(p.totals) != p.batch || fresh != nil && len(p.fresh) != p.batch {
		return fmt.Errorf("key lengths of shape %v: want one for each of %d samples", lessOne.Shape(), p.batch)
	}
	for i := range p.totals {
		p.totals[i]++
		if fresh == nil {
			p.fresh = append(p.fresh, min(p.queries, p.totals[i]))
		}
		if p.totals[i] < 1 || p.totals[i] > p.total || p.fresh[i] < 0 || p.fresh[i] > min(p.queries, p.totals[i]) {
			return fmt.Errorf("sample %d has %d keys, %d of them new: want at most %d and %d", i, p.totals[i], p.fresh[i], p.total, p.queries)
		}
	}
	return nil
}

func (g groupAttention) run(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	p, err := g.plan(in)
	if err != nil {
		return nil, err
	}
	if g.rotates {
		if err := p.rotate(c, operand(in, 7), operand(in, 8), operand(in, 9)); err != nil {
			return nil, fmt.Errorf("rotation: %w", err)
		}
	}
	var states [2]*tensor.Tensor
	for i, now := range []*tensor.Tensor{p.k, p.v} {
		if states[i], err = p.state(operand(in, 3+i), now); err != nil {
			return nil, err
		}
	}
	p.keys = states[0].Shape()[2]
	if states[1].Shape()[2] != p.keys {
		return nil, fmt.Errorf("keys are %v and values %v, past included: want one shape", states[0].Shape(), states[1].Shape())
	}
	s := scoredAttention{attentionHeads: p.attentionHeads, scale: g.scale, softcap: g.softcap, visible: p.visible}
	if bias := operand(in, 10); bias != nil {
		if s.bias, err = newScoreBias(bias, p.attentionHeads, p.total); err != nil {
			return nil, err
		}
	}
	if s.sinks, err = reals[float32](operand(in, 11)); err != nil {
		return nil, err
	}
	if s.sinks == nil && g.smooth {
		s.sinks = make([]float32, g.queryHeads)
	}
	if s.sinks != nil && len(s.sinks) != g.queryHeads {
		return nil, fmt.Errorf("%d head sinks: want one for each of %d heads", len(s.sinks), g.queryHeads)
	}
	values, err := allReals[float32](p.q, states[0], states[1])
	if err != nil {
		return nil, err
	}
	shownShape := []int{p.batch, p.queryHeads(), p.queries, p.total}
	var shown []float32
	if g.show != 0 {
		count, err := checkedCount(shownShape)
		if err != nil {
			return nil, err
		}
		shown = make([]float32, count)
		s.show = func(sample, head, query int, scores []float32, probabilities bool) {
			if probabilities == (g.show == 2) {
				row := shown[((sample*p.queryHeads()+head)*p.queries+query)*p.total:][:p.total]
				from, to := p.visible(sample, query)
				copy(row[from:to], scores[from:to])
			}
		}
	}
	sums, err := s.run(c, values[0], values[1], values[2])
	if err != nil {
		return nil, err
	}
	y, err := ofReals(p.q.DType(), p.q.Shape(), sums)
	if err != nil || shown == nil {
		return []*tensor.Tensor{y, states[0], states[1]}, err
	}
	scores, err := ofReals(p.q.DType(), shownShape, shown)
	return []*tensor.Tensor{y, states[0], states[1], scores}, err
}

func (p *groupPlan) queryHeads() int { return p.attentionHeads.queryHeads }

// past is how many keys of a sample are from before this run.
func (p *groupPlan) past(sample int) int { return p.totals[sample] - p.fresh[sample] }

// visible is the range of keys that a query sees.
func (p *groupPlan) visible(sample, query int) (from, to int) {
	to = p.totals[sample]
	if p.causal {
		to = min(to, p.past(sample)+query+1)
	}
	if p.window >= 0 {
		from = max(0, to-p.window)
	}
	return from, to
}

// rotate turns queries and keys by their positions: those given, or else the
// ones that follow the past. Padding, which has none, counts as at the start.
func (p *groupPlan) rotate(c *Call, cos, sin, given *tensor.Tensor) error {
	if cos == nil || sin == nil || cos.Rank() != 2 {
		return fmt.Errorf("do_rotary needs tables of cosines and sines of rank 2")
	}
	positions := make([]int64, p.batch*p.queries)
	for sample := range p.batch {
		for i := range p.fresh[sample] {
			positions[sample*p.queries+i] = int64(p.past(sample) + i)
		}
	}
	ids := tensor.New([]int{p.batch, p.queries}, positions)
	if given != nil {
		ids = given
	}
	r := rotary{rotated: 2 * cos.Shape()[1], interleaved: p.interleaved}
	for _, part := range []struct {
		t     **tensor.Tensor
		heads int
	}{{&p.q, p.queryHeads()}, {&p.k, p.attentionHeads.keyHeads}} {
		r.heads = part.heads
		turned, err := r.run(c, *part.t, cos, sin, ids)
		if err != nil {
			return err
		}
		*part.t = turned
	}
	return nil
}

// state puts new keys (or values) behind the past of each sample: the result is
// (batch, heads, positions, size), as long as the past or as the node says,
// whichever is more; what no sample has yet is zero.
func (p *groupPlan) state(past, now *tensor.Tensor) (*tensor.Tensor, error) {
	heads, size := p.attentionHeads.keyHeads, p.size
	length := p.total
	if past != nil {
		own := past.Shape()
		if len(own) != 4 || !slices.Equal(own, []int{p.batch, heads, own[2], size}) || past.DType() != now.DType() {
			return nil, fmt.Errorf("past of type %v and shape %v for %d heads of size %d, of type %v and batch %d",
				past.DType(), own, heads, size, now.DType(), p.batch)
		}
		length = max(length, own[2])
	}
	shape := []int{p.batch, heads, length, size}
	count, err := checkedCount(shape)
	if err != nil {
		return nil, err
	}
	source := elementsIn(now)
	state := source.like(count)
	for sample := range p.batch {
		before, fresh := p.past(sample), p.fresh[sample]
		switch {
		case before > 0 && (past == nil || past.Shape()[2] < before):
			return nil, fmt.Errorf("sample %d has %d keys from before, the past holds fewer", sample, before)
		case before > 0:
			move(state, rowMajor(shape).at([]int{sample}), elementsIn(past), rowMajor(past.Shape()).at([]int{sample}), []int{1, heads, before, size})
		}
		// now is (batch, positions, heads, size): seen with heads first.
		from := rowMajor([]int{p.batch, p.queries, heads, size}).at([]int{sample})
		from.strides[1], from.strides[2] = from.strides[2], from.strides[1]
		move(state, rowMajor(shape).at([]int{sample, 0, before}), source, from, []int{1, heads, fresh, size})
	}
	return state.tensor(shape), nil
}
