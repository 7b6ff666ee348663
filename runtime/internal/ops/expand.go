package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// expandFamily holds the operators that repeat elements.
var expandFamily = []Kernel{
	{Op: "Expand", Since: 8, Build: needs(2, Single(buildExpand))},
	{Op: "Tile", Since: 1, Build: needs(3, Single(buildTileAxis))},
	{Op: "Tile", Since: 6, Build: needs(2, Single(buildTile))},
	{Op: "ConstantOfShape", Since: 9, Build: needs(1, Single(buildConstantOfShape))},
}

func buildExpand(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		wanted, err := integers(in[1])
		if err != nil {
			return nil, fmt.Errorf("shape: %w", err)
		}
		return expand(c, in[0], wanted)
	}, nil
}

// expand broadcasts t and the shape against each other and repeats t to fill the result.
func expand(c *Call, t *tensor.Tensor, wanted []int) (*tensor.Tensor, error) {
	shape, err := broadcastShapes(t.Shape(), wanted)
	if err != nil {
		return nil, err
	}
	return pick(c, t, layout{strides: broadcastStrides(t.Shape(), shape)}, shape), nil
}

func buildTileAxis(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		count, err := wholeNumber(in[1])
		if err != nil {
			return nil, fmt.Errorf("tiles: %w", err)
		}
		axis, err := wholeNumber(in[2])
		if err != nil {
			return nil, fmt.Errorf("axis: %w", err)
		}
		if axis, err = resolveAxis(axis, in[0].Rank()); err != nil {
			return nil, err
		}
		repeats := make([]int, in[0].Rank())
		for i := range repeats {
			repeats[i] = 1
		}
		repeats[axis] = count
		return tileTensor(c, in[0], repeats)
	}, nil
}

func buildTile(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		repeats, err := integers(in[1])
		if err != nil {
			return nil, fmt.Errorf("repeats: %w", err)
		}
		return tileTensor(c, in[0], repeats)
	}, nil
}

// tileTensor repeats t along each axis. It copies a box of twice the rank: a
// repetition, which moves nothing in the source, then the axis itself.
func tileTensor(c *Call, t *tensor.Tensor, repeats []int) (*tensor.Tensor, error) {
	if len(repeats) != t.Rank() {
		return nil, fmt.Errorf("repeats %v must have a number for each axis of an operand of shape %v", repeats, t.Shape())
	}
	dense := rowMajor(t.Shape())
	shape := make([]int, t.Rank())
	var box []int
	var from layout
	for axis, size := range t.Shape() {
		if _, err := checkedCount([]int{repeats[axis], size}); err != nil {
			return nil, fmt.Errorf("repeats %v of an operand of shape %v: %w", repeats, t.Shape(), err)
		}
		shape[axis] = repeats[axis] * size
		box = append(box, repeats[axis], size)
		from.strides = append(from.strides, 0, dense.strides[axis])
	}
	if _, err := checkedCount(shape); err != nil {
		return nil, err
	}
	return pick(c, t, from, box).WithShape(shape), nil
}

func buildConstantOfShape(n *Node) (single, error) {
	value := tensor.Scalar(float32(0))
	if a := n.attr("value", onnx.AttrTensor); a != nil {
		stated, err := tensor.FromONNX(a.T)
		if err != nil {
			return nil, fmt.Errorf("attribute value: %w", err)
		}
		if stated.Len() != 1 {
			return nil, fmt.Errorf("attribute value has the shape %v: want one element", stated.Shape())
		}
		value = stated.WithShape([]int{})
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		shape, err := integers(in[0])
		if err != nil {
			return nil, err
		}
		if _, err := checkedCount(shape); err != nil {
			return nil, err
		}
		return expand(c, value, shape)
	}, nil
}
