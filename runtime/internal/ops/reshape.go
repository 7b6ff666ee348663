package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// reshapeFamily holds the operators that give the same elements another shape,
// or tell the shape itself. None of them copies an element.
var reshapeFamily = []Kernel{
	{Op: "Reshape", Since: 1, Build: needs(1, Single(buildReshapeByAttribute))},
	{Op: "Reshape", Since: 5, Build: needs(2, Single(buildReshape))},
	{Op: "Flatten", Since: 1, Build: needs(1, Single(buildFlatten))},
	{Op: "Squeeze", Since: 1, Build: needs(1, Single(buildSqueeze))},
	{Op: "Unsqueeze", Since: 1, Build: needs(1, Single(buildUnsqueeze))},
	{Op: "Shape", Since: 1, Build: needs(1, Single(buildShape))},
	{Op: "Size", Since: 1, Build: needs(1, Single(buildSize))},
}

func buildReshapeByAttribute(n *Node) (single, error) {
	shape := n.Ints("shape")
	if shape == nil {
		return nil, fmt.Errorf("attribute shape is missing")
	}
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return reshape(in[0], shape, false)
	}, nil
}

func buildReshape(n *Node) (single, error) {
	allowZero := n.Int("allowzero", 0) != 0
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		shape, err := integers(in[1])
		if err != nil {
			return nil, fmt.Errorf("shape: %w", err)
		}
		return reshape(in[0], shape, allowZero)
	}, nil
}

// reshape views t under a shape in which one -1 stands for what is left and,
// unless allowZero, a 0 for the dimension that t has there.
func reshape(t *tensor.Tensor, wanted []int, allowZero bool) (*tensor.Tensor, error) {
	shape := slices.Clone(wanted)
	inferred, known := -1, 1
	for axis, size := range shape {
		switch {
		case size == -1 && inferred >= 0:
			return nil, fmt.Errorf("shape %v has more than one -1", wanted)
		case size == -1:
			inferred = axis
			continue
		case size < -1:
			return nil, fmt.Errorf("shape %v has a negative dimension", wanted)
		case size == 0 && !allowZero:
			if axis >= t.Rank() {
				return nil, fmt.Errorf("shape %v copies dimension %d, which an operand of shape %v does not have", wanted, axis, t.Shape())
			}
			shape[axis] = t.Shape()[axis]
		}
		if known > 0 && shape[axis] > math.MaxInt/known {
			return nil, fmt.Errorf("shape %v is too large", wanted)
		}
		known *= shape[axis]
	}
	if inferred >= 0 {
		if known == 0 || t.Len()%known != 0 {
			return nil, fmt.Errorf("no dimension in place of -1 gives an operand of shape %v the shape %v", t.Shape(), wanted)
		}
		shape[inferred] = t.Len() / known
		known = t.Len()
	}
	if known != t.Len() {
		return nil, fmt.Errorf("an operand of shape %v has %d elements, the shape %v wants %d", t.Shape(), t.Len(), wanted, known)
	}
	return t.WithShape(shape), nil
}

func buildFlatten(n *Node) (single, error) {
	first := n.Int("axis", 1)
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		shape := in[0].Shape()
		axis, err := resolveAxis(first, len(shape)+1)
		if first < 0 {
			axis, err = resolveAxis(first, len(shape))
		}
		if err != nil {
			return nil, err
		}
		return in[0].WithShape([]int{tensor.Count(shape[:axis]), tensor.Count(shape[axis:])}), nil
	}, nil
}

// axesOf gives the axes that Squeeze and Unsqueeze name: in the attribute before
// opset 13, in the second operand since; nil where there are none.
func axesOf(n *Node) func(in []*tensor.Tensor) ([]int, error) {
	if n.Opset < 13 {
		axes := n.Ints("axes")
		return func([]*tensor.Tensor) ([]int, error) { return axes, nil }
	}
	return func(in []*tensor.Tensor) ([]int, error) {
		axes, err := optionalIntegers(in, 1)
		if err != nil {
			return nil, fmt.Errorf("axes: %w", err)
		}
		return axes, nil
	}
}

func buildSqueeze(n *Node) (single, error) {
	axesIn := axesOf(n)
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		axes, err := axesIn(in)
		if err != nil {
			return nil, err
		}
		shape := in[0].Shape()
		drop, err := markAxes(axes, len(shape))
		if err != nil {
			return nil, err
		}
		squeezed := make([]int, 0, len(shape))
		for axis, size := range shape {
			switch {
			case axes == nil && size == 1:
			case drop[axis] && size != 1:
				return nil, fmt.Errorf("axis %d of an operand of shape %v cannot be squeezed: its size is not 1", axis, shape)
			case !drop[axis]:
				squeezed = append(squeezed, size)
			}
		}
		return in[0].WithShape(squeezed), nil
	}, nil
}

func buildUnsqueeze(n *Node) (single, error) {
	axesIn := axesOf(n)
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		axes, err := axesIn(in)
		if err != nil {
			return nil, err
		}
		if axes == nil {
			return nil, fmt.Errorf("axes are missing")
		}
		rest := in[0].Shape()
		insert, err := markAxes(axes, len(rest)+len(axes))
		if err != nil {
			return nil, err
		}
		shape := make([]int, len(insert))
		for axis := range shape {
			if insert[axis] {
				shape[axis] = 1
				continue
			}
			shape[axis], rest = rest[0], rest[1:]
		}
		return in[0].WithShape(shape), nil
	}, nil
}

func buildShape(n *Node) (single, error) {
	from, to := n.Int("start", 0), n.Int("end", math.MaxInt)
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		shape := in[0].Shape()
		first, last := clampedIndex(from, len(shape)), clampedIndex(to, len(shape))
		return intsTensor(shape[first:max(first, last)]), nil
	}, nil
}

// clampedIndex is an index that counts from the end where it is negative, brought into 0 … size.
func clampedIndex(i, size int) int {
	if i < 0 {
		i += size
	}
	return min(max(i, 0), size)
}

func buildSize(*Node) (single, error) {
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return tensor.Scalar(int64(in[0].Len())), nil
	}, nil
}
