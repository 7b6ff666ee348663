package ops

import (
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// attentionHeads is the size of an attention: every query head of every sample
// attends with its own key and value head, which a group of query heads in a
// row share where there are fewer of those.
type attentionHeads struct {
	batch                int
	queryHeads, keyHeads int
	queries, keys        int // positions
	size, valueSize      int // of one position of one head
}

// heads is a view of one operand: the elements of a position of a head of a
// sample lie together, at batch·sample + head·head + row·position.
type heads[T any] struct {
	data             []T
	batch, head, row int
}

// headsFirst views data laid out (batch, heads, positions, size).
func headsFirst[T any](data []T, count, positions, size int) heads[T] {
	return heads[T]{data, count * positions * size, positions * size, size}
}

// positionsFirst views data laid out (batch, positions, heads, size).
func positionsFirst[T any](data []T, count, positions, size int) heads[T] {
	return heads[T]{data, count * positions * size, size, count * size}
}

// at is one head of one sample, from a position on, as a matrix of positions.
func (h heads[T]) at(sample, head, position int) matrix[T] {
	offset := h.batch*sample + h.head*head + h.row*position
	if offset >= len(h.data) { // an empty head
		return matrix[T]{nil, h.row}
	}
	return matrix[T]{h.data[offset:], h.row}
}

// attentionRows is how many queries of a head are attended to at once, so that
// they share the keys while those are in the cache.
const attentionRows = 16

// attend adds to y, for each query, the values weighted by what weigh makes, in
// place, of the query's dot products with all keys. weigh is called for every
// query once, and for several at once; q and k come scaled.
func attend[T real](c *Call, a attentionHeads, q, k, v, y heads[T], weigh func(sample, head, query int, scores []T)) error {
	blocks := (a.queries + attentionRows - 1) / attentionRows
	cost := min(a.queries, attentionRows) * a.keys * (a.size + a.valueSize)
	return parallel(c, a.batch*a.queryHeads*blocks, cost, func(from, to int) {
		scores := matrix[T]{make([]T, attentionRows*a.keys), a.keys}
		for i := from; i < to; i++ {
			sample, head, first := i/blocks/a.queryHeads, i/blocks%a.queryHeads, i%blocks*attentionRows
			shared := head / (a.queryHeads / a.keyHeads)
			rows := min(attentionRows, a.queries-first)
			clear(scores.data)
			addProductTransposed(scores, q.at(sample, head, first), k.at(sample, shared, 0), rows, a.keys, a.size)
			for row := range rows {
				weigh(sample, head, first+row, scores.row(row, a.keys))
			}
			addProduct(y.at(sample, head, first), scores, v.at(sample, shared, 0), rows, a.keys, a.valueSize)
		}
	})
}

// attentionSoftmax turns scores into probabilities in place, computed and rounded at
// each step as in a type of the given precision. A row of nothing but -Inf,
// which no key may be attended by, becomes zeros.
func attentionSoftmax[T real](scores []T, precision onnx.DType) {
	if len(scores) == 0 || math.IsInf(float64(largestOf(scores)), -1) {
		clear(scores)
		return
	}
	softmaxInSteps(scores, precision)
}

// scaledCopy is data times a factor, rounded to a type.
func scaledCopy[T real](data []T, factor float64, t onnx.DType) []T {
	by := []T{T(factor)}
	roundTo(t, by)
	scaled := make([]T, len(data))
	for i, v := range data {
		scaled[i] = v * by[0]
	}
	roundTo(t, scaled)
	return scaled
}
