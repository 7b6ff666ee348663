package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// scoredAttention is what ONNX Runtime's attention operators have in common,
// laid over given shapes. All is computed in float32.
type scoredAttention struct {
	attentionHeads
	scale, softcap float32 // 0: 1/√(head size); none
	// visible is the range of keys that a query sees.
	visible func(sample, query int) (from, to int)
	mask    *keyMask   // nil: none
	bias    *scoreBias // nil: none
	// sinks has, for each query head, a score that takes its share of the
	// softmax and gives nothing; nil: none.
	sinks []float32
	// show, if not nil, sees the scores of a query before they become
	// probabilities and after.
	show func(sample, head, query int, scores []float32, probabilities bool)
}

// run gives y (batch, queries, query heads·value size) of q (batch, queries,
// query heads·size), k (batch, key heads, keys, size) and v (batch, key heads,
// keys, value size).
func (a *scoredAttention) run(c *Call, q, k, v []float32) ([]float32, error) {
	count, err := checkedCount([]int{a.batch, a.queries, a.queryHeads, a.valueSize})
	if err != nil {
		return nil, err
	}
	if a.scale == 0 {
		a.scale = float32(1 / math.Sqrt(float64(a.size)))
	}
	y := make([]float32, count)
	query := positionsFirst(scaledCopy(q, float64(a.scale), onnx.Float), a.queryHeads, a.queries, a.size)
	key := headsFirst(k, a.keyHeads, a.keys, a.size)
	value := headsFirst(v, a.keyHeads, a.keys, a.valueSize)
	return y, attend(c, a.attentionHeads, query, key, value, positionsFirst(y, a.queryHeads, a.queries, a.valueSize), a.weigh)
}

// weigh turns a query's scores into probabilities in place.
func (a *scoredAttention) weigh(sample, head, query int, scores []float32) {
	softcapRow(scores, float64(a.softcap), onnx.Float)
	if a.mask != nil {
		a.mask.add(sample, query, scores)
	}
	if a.bias != nil {
		a.bias.add(sample, head, query, scores)
	}
	from, to := a.visible(sample, query)
	from, to = min(from, len(scores)), max(0, min(to, len(scores)))
	fillWith(scores[:from], -math.MaxFloat32)
	fillWith(scores[to:], -math.MaxFloat32)
	if a.show != nil {
		a.show(sample, head, query, scores, false)
	}
	// What cannot be seen is left out, so that a query that sees nothing but
	// its sink attends to nothing.
	clear(scores[:from])
	clear(scores[to:])
	if a.sinks == nil {
		attentionSoftmax(scores[min(from, to):to], onnx.Float)
	} else {
		softmaxWithSink(scores[min(from, to):to], a.sinks[head])
	}
	if a.show != nil {
		a.show(sample, head, query, scores, true)
	}
}

// softmaxWithSink is the softmax of scores and one more, of which only those
// of the scores are kept.
func softmaxWithSink(scores []float32, sink float32) {
	most := sink
	for _, v := range scores {
		most = max(most, v)
	}
	sum := math.Exp(float64(sink - most))
	for i, v := range scores {
		e := math.Exp(float64(v - most))
		sum += e
		scores[i] = float32(e)
	}
	for i := range scores {
		scores[i] = float32(float64(scores[i]) / sum)
	}
}

// keyMask adds a large negative number to the scores of keys that are padding.
type keyMask struct {
	filter      float32
	first, last []int // of each sample: the keys that are none; or
	allowed     []int // (batch, 1 or queries, keys): zero where not to be seen
	queries     int   // rows of a sample in allowed
}

// newKeyMask reads a mask in any of its forms: the number of keys of each
// sample (batch), ends and then beginnings (2·batch), or what is to be seen,
// (batch, keys) or (batch, queries, keys).
func newKeyMask(t *tensor.Tensor, batch, queries, keys int, filter float32) (*keyMask, error) {
	values, err := integers(t)
	if err != nil {
		return nil, fmt.Errorf("mask: %w", err)
	}
	m := &keyMask{filter: filter}
	switch shape := t.Shape(); {
	case slices.Equal(shape, []int{batch}):
		m.last = values
		m.first = make([]int, batch)
	case slices.Equal(shape, []int{2 * batch}):
		m.last, m.first = values[:batch], values[batch:]
	case slices.Equal(shape, []int{batch, keys}):
		m.allowed, m.queries = values, 1
	case slices.Equal(shape, []int{batch, queries, keys}):
		m.allowed, m.queries = values, queries
	default:
		return nil, fmt.Errorf("mask of shape %v: want (batch), (2·batch), (batch, keys) or (batch, queries, keys) with batch %d, %d queries and %d keys",
			shape, batch, queries, keys)
	}
	return m, nil
}

func (m *keyMask) add(sample, query int, scores []float32) {
	if m.allowed == nil {
		for key := range scores {
			if key < m.first[sample] || key >= m.last[sample] {
				scores[key] += m.filter
			}
		}
		return
	}
	row := (sample*m.queries + query%m.queries) * len(scores)
	for key, allowed := range m.allowed[row:][:len(scores)] {
		if allowed <= 0 {
			scores[key] += m.filter
		}
	}
}

// scoreBias is added to scores.
type scoreBias struct {
	data    []float32
	strides []int
}

// newScoreBias reads a tensor (batch or 1, heads or 1, queries, keys).
func newScoreBias(t *tensor.Tensor, h attentionHeads, keys int) (*scoreBias, error) {
	data, err := reals[float32](t)
	if err != nil {
		return nil, fmt.Errorf("attention bias: %w", err)
	}
	shape := []int{h.batch, h.queryHeads, h.queries, keys}
	own := t.Shape()
	if len(own) != 4 || own[0] != 1 && own[0] != shape[0] || own[1] != 1 && own[1] != shape[1] || own[2] != shape[2] || own[3] != shape[3] {
		return nil, fmt.Errorf("attention bias of shape %v: want %v, where the first two may be 1", own, shape)
	}
	return &scoreBias{data, broadcastStrides(own, shape)}, nil
}

func (b *scoreBias) add(sample, head, query int, scores []float32) {
	at := sample*b.strides[0] + head*b.strides[1] + query*b.strides[2]
	// An axis of one key has no stride, and needs none.
	n := min(len(scores), len(b.data)-at)
	addScaled(scores[:n], b.data[at:], 1)
}

// columns is columns from…from+width−1 of t, seen as a table along its last axis.
func columns(t *tensor.Tensor, from, width int) *tensor.Tensor {
	shape := slices.Clone(t.Shape())
	all := shape[len(shape)-1]
	shape[len(shape)-1] = width
	return pick(nil, t, layout{from, []int{all, 1}}, []int{tensor.Count(shape[:len(shape)-1]), width}).WithShape(shape)
}

// keyState brings keys (or values) behind their past: past, which may be nil,
// is (batch, heads, positions, size), and so is the result; now is (batch,
// positions, heads·size).
func keyState(past *tensor.Tensor, now *tensor.Tensor, count, size int) (*tensor.Tensor, error) {
	shape := now.Shape()
	split := now.WithShape([]int{shape[0], shape[1], count, size})
	heads, err := transpose(nil, split, []int{0, 2, 1, 3})
	if err != nil || past == nil {
		return heads, err
	}
	own := past.Shape()
	if len(own) != 4 || !slices.Equal(own, []int{shape[0], count, own[2], size}) || past.DType() != now.DType() {
		return nil, fmt.Errorf("past of type %v and shape %v for %d heads of size %d, of type %v and batch %d",
			past.DType(), own, count, size, now.DType(), shape[0])
	}
	joined := []int{shape[0], count, own[2] + shape[1], size}
	n, err := checkedCount(joined)
	if err != nil {
		return nil, err
	}
	state := elementsIn(heads).like(n)
	move(state, rowMajor(joined), elementsIn(past), rowMajor(own), own)
	move(state, rowMajor(joined).at([]int{0, 0, own[2]}), elementsIn(heads), rowMajor(heads.Shape()), heads.Shape())
	return state.tensor(joined), nil
}

// checkRank names the operand in the error.
func checkRank(name string, t *tensor.Tensor, rank int) error {
	if t.Rank() != rank {
		return fmt.Errorf("%s of shape %v: want rank %d", name, t.Shape(), rank)
	}
	return nil
}
