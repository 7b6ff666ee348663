package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var transposeFamily = []Kernel{
	{Op: "Transpose", Since: 1, Build: needs(1, Single(buildTranspose))},
}

func buildTranspose(n *Node) (single, error) {
	order := n.Ints("perm")
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		order := order
		if order == nil {
			order = make([]int, in[0].Rank())
			for i := range order {
				order[i] = len(order) - 1 - i
			}
		}
		return transpose(c, in[0], order)
	}, nil
}

// transpose makes axis order[i] of t axis i of the result. Where that moves only
// axes of size 1, the result shares t's elements.
func transpose(c *Call, t *tensor.Tensor, order []int) (*tensor.Tensor, error) {
	if err := checkOrder(t, order); err != nil {
		return nil, err
	}
	dense := rowMajor(t.Shape())
	from := layout{strides: make([]int, len(order))}
	shape := make([]int, len(order))
	for i, axis := range order {
		if axis < 0 {
			axis += len(order)
		}
		shape[i], from.strides[i] = t.Shape()[axis], dense.strides[axis]
	}
	return pick(c, t, from, shape), nil
}

// checkOrder says what is wrong with an order of t's axes.
func checkOrder(t *tensor.Tensor, order []int) error {
	if len(order) != t.Rank() {
		return fmt.Errorf("perm %v does not list the %d axes of an operand of shape %v", order, t.Rank(), t.Shape())
	}
	if _, err := markAxes(order, t.Rank()); err != nil {
		return fmt.Errorf("perm: %w", err)
	}
	return nil
}
