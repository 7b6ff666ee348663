package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// microsoftNormFamily holds normalizations of rows that are sums. The
// simplified ones subtract no mean. SimplifiedLayerNormalization stands in the
// default domain, though ONNX does not know it.
var microsoftNormFamily = []Kernel{
	{Op: "SimplifiedLayerNormalization", Since: 1, Build: needs(2, Tensors(buildSimplifiedLayerNormalization))},
	{Domain: microsoft, Op: "SimplifiedLayerNormalization", Since: 1, Build: needs(2, Tensors(buildSimplifiedLayerNormalization))},
	{Domain: microsoft, Op: "SkipLayerNormalization", Since: 1, Build: needs(3, Tensors(buildSkipLayerNormalization))},
	{Domain: microsoft, Op: "SkipSimplifiedLayerNormalization", Since: 1, Build: needs(3, Tensors(buildSkipSimplifiedLayerNormalization))},
	{Domain: microsoft, Op: "EmbedLayerNormalization", Since: 1, Build: Tensors(buildEmbedLayerNormalization)},
}

func buildSimplifiedLayerNormalization(n *Node) (several, error) {
	l, err := readLayerNormalization(n, false)
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		y, _, inverse, err := l.run(c, in[0], in[1], nil)
		return []*tensor.Tensor{y, inverse}, err
	}, err
}

// addedRows is the normalization of the rows of a sum, with the default that
// these operators have for epsilon.
func addedRows(n *Node, centered bool) layerNormalization {
	return layerNormalization{axis: -1, epsilon: n.Float("epsilon", 1e-12), centered: centered, stash: onnx.Float}
}

func buildSkipLayerNormalization(n *Node) (several, error) {
	l := addedRows(n, true)
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		return l.runSum(c, in[2], operand(in, 3), in[0], in[1], operand(in, 4))
	}, nil
}

func buildSkipSimplifiedLayerNormalization(n *Node) (several, error) {
	l := addedRows(n, false)
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		return l.runSum(c, in[2], nil, in[0], in[1], operand(in, 3))
	}, nil
}

// runSum normalizes the sum of x and all other terms, which may be nil and
// broadcast to x. The outputs are y, the mean and inverse deviation of each row,
// and the sum. The sum is rounded to a 16-bit type before it is normalized.
func (l layerNormalization) runSum(c *Call, scale, bias, x *tensor.Tensor, terms ...*tensor.Tensor) ([]*tensor.Tensor, error) {
	sum := x
	for _, t := range terms {
		if t == nil {
			continue
		}
		numbers, err := floatsIn(sum)
		if err != nil {
			return nil, err
		}
		added, err := numbers.fold(c, "Add", []*tensor.Tensor{sum, t})
		if err != nil {
			return nil, err
		}
		if added.Len() != sum.Len() {
			return nil, fmt.Errorf("operands of shape %v and %v: the second must broadcast to the first", x.Shape(), t.Shape())
		}
		sum = added.WithShape(x.Shape())
	}
	y, center, inverse, err := l.run(c, sum, scale, bias)
	return []*tensor.Tensor{y, center, inverse, sum}, err
}

// buildEmbedLayerNormalization builds the sum of a word's, a position's and a
// segment's embedding, normalized. The other outputs are how many ones each row
// of the mask has, and the sum.
func buildEmbedLayerNormalization(n *Node) (several, error) {
	l := addedRows(n, true)
	for _, i := range []int{0, 2, 3, 5, 6} {
		if n.Input(i) == "" {
			return nil, fmt.Errorf("operand %d is missing", i)
		}
	}
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		ids, segments, words, positions, ofSegments := in[0], in[1], in[2], in[3], in[4]
		if ids.Rank() != 2 {
			return nil, fmt.Errorf("input ids of shape %v: want (batch, positions)", ids.Shape())
		}
		batch, length := ids.Shape()[0], ids.Shape()[1]
		at := operand(in, 8)
		if at == nil {
			counted := make([]int32, length)
			for i := range counted {
				counted[i] = int32(i)
			}
			at = tensor.New([]int{1, length}, counted)
		}
		x, err := gatherRows(words, ids)
		if err != nil {
			return nil, fmt.Errorf("words: %w", err)
		}
		position, err := gatherRows(positions, at)
		if err != nil {
			return nil, fmt.Errorf("positions: %w", err)
		}
		terms := []*tensor.Tensor{position}
		if segments != nil && ofSegments != nil {
			segment, err := gatherRows(ofSegments, segments)
			if err != nil {
				return nil, fmt.Errorf("segments: %w", err)
			}
			terms = append(terms, segment)
		}
		out, err := l.runSum(c, in[5], in[6], x, terms...)
		if err != nil {
			return nil, err
		}
		counts := make([]int32, batch)
		if mask := operand(in, 7); mask != nil {
			ones, err := integers(mask)
			if err != nil {
				return nil, fmt.Errorf("mask: %w", err)
			}
			if len(ones) != batch*length {
				return nil, fmt.Errorf("mask of shape %v: want that of the ids, %v", mask.Shape(), ids.Shape())
			}
			for i, v := range ones {
				if v == 1 {
					counts[i/length]++
				}
			}
		}
		return []*tensor.Tensor{out[0], tensor.New([]int{batch}, counts), out[3]}, nil
	}, nil
}

// gatherRows looks rows of a matrix up: the result has the shape of ids, and
// the rows' length as its last axis.
func gatherRows(table, ids *tensor.Tensor) (*tensor.Tensor, error) {
	if table.Rank() != 2 {
		return nil, fmt.Errorf("table of shape %v: want a matrix", table.Shape())
	}
	rows, err := integers(ids)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row < 0 || row >= table.Shape()[0] {
			return nil, fmt.Errorf("index %d is out of range: the table has %d rows", row, table.Shape()[0])
		}
	}
	width := table.Shape()[1]
	shape := append(append([]int{}, ids.Shape()...), width)
	if _, err := checkedCount(shape); err != nil {
		return nil, err
	}
	return elementsIn(table).take(nil, 1, table.Shape()[0], rows, width).tensor(shape), nil
}
