package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// rotary turns pairs of elements of each head by angles that depend on its
// position.
type rotary struct {
	heads       int  // of an input of rank 3
	rotated     int  // elements of a head that are turned; 0: all
	interleaved bool // whether a pair are neighbours, not one of each half
}

func buildRotaryEmbedding(n *Node) (single, error) {
	r := rotary{heads: n.Int("num_heads", 0), rotated: n.Int("rotary_embedding_dim", 0), interleaved: n.Int("interleaved", 0) != 0}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return r.run(c, in[0], in[1], in[2], operand(in, 3))
	}, nil
}

// run turns x (batch, heads, positions, size) or (batch, positions,
// heads·size). cos and sin hold half a head's angles for each of (positions,
// half), chosen by ids (batch, positions), or without ids for each of (batch,
// positions, half). A 16-bit type is rounded after each operation.
func (r rotary) run(c *Call, x, cos, sin, ids *tensor.Tensor) (*tensor.Tensor, error) {
	s := x.Shape()
	var heads, positions, size int
	switch {
	case len(s) == 4:
		heads, positions, size = s[1], s[2], s[3]
	case len(s) == 3 && r.heads > 0 && s[2]%r.heads == 0:
		heads, positions, size = r.heads, s[1], s[2]/r.heads
	default:
		return nil, fmt.Errorf("input %v: want rank 4, or rank 3 that divides into num_heads, %d", s, r.heads)
	}
	rotated := r.rotated
	if rotated == 0 {
		rotated = size
	}
	if rotated < 0 || rotated > size || rotated%2 != 0 {
		return nil, fmt.Errorf("%d of %d elements of a head cannot be turned in pairs", rotated, size)
	}
	if _, err := checkedCount([]int{s[0], heads, max(positions, 1)}); err != nil {
		return nil, err
	}
	rows, err := angleRows(cos, sin, ids, s[0]*positions, rotated/2)
	if err != nil {
		return nil, err
	}
	plan := rotaryPlan{rotary: r, dtype: x.DType(), batch: s[0], heads: heads, positions: positions, size: size, rotated: rotated, rows: rows}
	plan.packed = len(s) == 3
	if x.DType() == onnx.Double {
		return turn[float64](c, plan, x, cos, sin)
	}
	return turn[float32](c, plan, x, cos, sin)
}

// angleRows gives, for each position of each sample, its row in the tables.
func angleRows(cos, sin, ids *tensor.Tensor, count, half int) ([]int, error) {
	shape := cos.Shape()
	rank := 3
	if ids != nil {
		rank = 2
	}
	if len(shape) != rank || shape[rank-1] != half || !slices.Equal(shape, sin.Shape()) {
		return nil, fmt.Errorf("cos %v and sin %v: want one shape of rank %d, the last axis %d", shape, sin.Shape(), rank, half)
	}
	if ids == nil {
		if shape[0]*shape[1] != count {
			return nil, fmt.Errorf("cos %v does not have a row for each of %d positions", shape, count)
		}
		rows := make([]int, count)
		for i := range rows {
			rows[i] = i
		}
		return rows, nil
	}
	rows, err := integers(ids)
	if err != nil {
		return nil, fmt.Errorf("position ids: %w", err)
	}
	if len(rows) != count {
		return nil, fmt.Errorf("position ids %v: want one for each of %d positions", ids.Shape(), count)
	}
	if err := resolveIndices(rows, shape[0]); err != nil {
		return nil, fmt.Errorf("position ids: %w", err)
	}
	return rows, nil
}

// rotaryPlan is a rotary laid over given operands.
type rotaryPlan struct {
	rotary
	dtype                         onnx.DType
	packed                        bool
	batch, heads, positions, size int
	rotated                       int
	rows                          []int // of the tables, for each position of each sample
}

// turnFloats turns the points (a, b) by the angles that cos and sin are of, in
// place; each product is rounded. scratch is twice as long as they are.
func turnFloats(a, b, cos, sin, scratch []float32) {
	ofA, ofB := scratch[:len(a)], scratch[len(a):]
	vector.Mul(ofA, a, sin)
	vector.Mul(ofB, b, sin)
	vector.Mul(a, a, cos)
	vector.Sub(a, a, ofB)
	vector.Mul(b, b, cos)
	vector.Add(b, b, ofA)
}

func turn[T real](c *Call, p rotaryPlan, x, cos, sin *tensor.Tensor) (*tensor.Tensor, error) {
	in, err := allReals[T](x, cos, sin)
	if err != nil {
		return nil, err
	}
	y := buffer[T](c, len(in[0]))
	copy(y, in[0])
	view := headsFirst(y, p.heads, p.positions, p.size)
	if p.packed {
		view = positionsFirst(y, p.heads, p.positions, p.size)
	}
	half := p.rotated / 2
	first, second, step := 0, half, 1
	if p.interleaved {
		second, step = 1, 2
	}
	err = parallel(c, p.batch*p.heads*p.positions, 2*p.rotated, func(from, to int) {
		products := make([]T, 4)
		scratch := make([]float32, 2*half)
		for i := from; i < to; i++ {
			position, head, sample := i%p.positions, i/p.positions%p.heads, i/p.positions/p.heads
			row := view.at(sample, head, position).row(0, p.size)
			table := p.rows[sample*p.positions+position] * half
			if row, ok := any(row).([]float32); ok && !p.interleaved && p.dtype == onnx.Float {
				cos, sin := any(in[1][table:][:half]).([]float32), any(in[2][table:][:half]).([]float32)
				turnFloats(row[:half], row[half:][:half], cos, sin, scratch)
				continue
			}
			for j := range half {
				co, si := in[1][table+j], in[2][table+j]
				a, b := &row[first+j*step], &row[second+j*step]
				products[0], products[1], products[2], products[3] = co**a, si**b, si**a, co**b
				roundTo(p.dtype, products)
				*a, *b = products[0]-products[1], products[2]+products[3]
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return ofReals(p.dtype, x.Shape(), y)
}
