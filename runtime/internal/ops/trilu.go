package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var triluFamily = []Kernel{
	{Op: "Trilu", Since: 14, Build: needs(1, Single(buildTrilu))},
}

func buildTrilu(n *Node) (single, error) {
	upper := n.Int("upper", 1) != 0
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		diagonal := 0
		if k := operand(in, 1); k != nil {
			var err error
			if diagonal, err = wholeNumber(k); err != nil {
				return nil, fmt.Errorf("k: %w", err)
			}
		}
		return trilu(in[0], upper, diagonal)
	}, nil
}

// trilu keeps the part of each matrix (the last two axes) on and above a
// diagonal, or on and below it; the rest becomes zero. Diagonal k runs through
// the elements (i, i+k).
func trilu(t *tensor.Tensor, upper bool, diagonal int) (*tensor.Tensor, error) {
	rank := t.Rank()
	if rank < 2 {
		return nil, fmt.Errorf("input of shape %v: want matrices", t.Shape())
	}
	rows, columns := t.Shape()[rank-2], t.Shape()[rank-1]
	diagonal = min(max(diagonal, -rows), columns) // beyond which nothing changes
	source := elementsIn(t)
	result := source.like(t.Len())
	for at := 0; at < t.Len(); at += columns {
		row := at / columns % rows
		first, end := min(max(row+diagonal, 0), columns), columns
		if !upper {
			first, end = 0, min(max(row+diagonal+1, 0), columns)
		}
		result.copyPlane(plane{rows: 1, columns: end - first, to: at + first, from: at + first, toStep: 1, fromStep: 1}, source)
	}
	return result.tensor(t.Shape()), nil
}
