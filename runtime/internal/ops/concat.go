package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// concatFamily holds the operators that join tensors along an axis and take
// them apart again.
var concatFamily = []Kernel{
	{Op: "Concat", Since: 1, Build: needs(1, Single(buildConcat))},
	{Op: "Split", Since: 1, Build: needs(1, Tensors(buildSplit))},
	{Op: "SplitToSequence", Since: 11, Build: needs(1, buildSplitToSequence)},
	{Op: "ConcatFromSequence", Since: 11, Build: needs(1, buildConcatFromSequence)},
}

func buildConcat(n *Node) (single, error) {
	// Version 1 had a default, which later versions do without.
	if n.Opset >= 4 && !n.Has("axis") {
		return nil, fmt.Errorf("attribute axis is missing")
	}
	axis := n.Int("axis", 1)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return concat(c, in, axis)
	}, nil
}

// concat joins tensors, of one type and at least one, along an axis.
func concat(c *Call, parts []*tensor.Tensor, axis int) (*tensor.Tensor, error) {
	first := parts[0]
	axis, err := resolveAxis(axis, first.Rank())
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(first.Shape())
	shape[axis] = 0
	for i, part := range parts {
		if part == nil {
			return nil, fmt.Errorf("operand %d is missing", i)
		}
		if part.DType() != first.DType() {
			return nil, fmt.Errorf("operand %d is of type %v, operand 0 of type %v", i, part.DType(), first.DType())
		}
		other := part.Shape()
		if len(other) != len(shape) || !slices.Equal(other[:axis], shape[:axis]) || !slices.Equal(other[axis+1:], shape[axis+1:]) {
			return nil, fmt.Errorf("operand %d has the shape %v, which differs from %v not only along axis %d", i, other, first.Shape(), axis)
		}
		shape[axis] += other[axis]
	}
	if _, err := checkedCount(shape); err != nil {
		return nil, err
	}
	result := elementsIn(first).room(c, tensor.Count(shape))
	to := rowMajor(shape)
	for _, part := range parts {
		moveTogether(c, result, to, elementsIn(part), rowMajor(part.Shape()), part.Shape())
		to.offset += part.Shape()[axis] * to.strides[axis]
	}
	return result.tensor(shape), nil
}

// stack joins tensors of one type and shape along a new axis.
func stack(c *Call, parts []*tensor.Tensor, axis int) (*tensor.Tensor, error) {
	shape := parts[0].Shape()
	axis, err := resolveAxis(axis, len(shape)+1)
	if err != nil {
		return nil, err
	}
	lifted := make([]*tensor.Tensor, len(parts))
	for i, part := range parts {
		if !slices.Equal(part.Shape(), shape) {
			return nil, fmt.Errorf("tensor %d has the shape %v, tensor 0 has %v: a new axis needs equal ones", i, part.Shape(), shape)
		}
		lifted[i] = part.WithShape(slices.Insert(slices.Clone(shape), axis, 1))
	}
	return concat(c, lifted, axis)
}

func buildSplit(n *Node) (several, error) {
	outputs := len(n.Outputs)
	attribute := n.Ints("split")
	parts := outputs
	if n.Opset >= 18 {
		attribute = nil
		parts = n.Int("num_outputs", outputs)
	}
	if parts != outputs {
		return nil, fmt.Errorf("num_outputs is %d, but the node has %d outputs", parts, outputs)
	}
	first := n.Int("axis", 0)
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		axis, err := resolveAxis(first, in[0].Rank())
		if err != nil {
			return nil, err
		}
		size := in[0].Shape()[axis]
		lengths := attribute
		if len(in) > 1 && in[1] != nil {
			if lengths, err = wholeNumbers(in[1]); err != nil {
				return nil, fmt.Errorf("split: %w", err)
			}
		}
		if lengths == nil {
			if lengths, err = equalParts(size, parts, n.Opset < 18); err != nil {
				return nil, err
			}
		}
		if len(lengths) != outputs {
			return nil, fmt.Errorf("split %v does not give the node's %d outputs", lengths, outputs)
		}
		return split(c, in[0], axis, lengths)
	}, nil
}

// equalParts are the lengths of an axis divided into parts, of which the last
// takes what is left; exactly says that nothing may be left over.
func equalParts(size, parts int, exactly bool) ([]int, error) {
	if parts < 1 || exactly && size%parts != 0 {
		return nil, fmt.Errorf("an axis of size %d cannot be split into %d equal parts", size, parts)
	}
	length := (size + parts - 1) / parts
	lengths := make([]int, parts)
	for i := range lengths {
		lengths[i] = min(length, max(0, size-i*length))
	}
	return lengths, nil
}

// split takes t apart along an axis into parts of the given lengths.
func split(c *Call, t *tensor.Tensor, axis int, lengths []int) ([]*tensor.Tensor, error) {
	from := rowMajor(t.Shape())
	parts := make([]*tensor.Tensor, len(lengths))
	left := t.Shape()[axis]
	for i, length := range lengths {
		if length < 0 || length > left {
			return nil, fmt.Errorf("split %v does not fit axis %d of an operand of shape %v", lengths, axis, t.Shape())
		}
		shape := slices.Clone(t.Shape())
		shape[axis] = length
		parts[i] = pick(c, t, from, shape)
		from.offset += length * from.strides[axis]
		left -= length
	}
	if left > 0 {
		return nil, fmt.Errorf("split %v leaves %d of axis %d of an operand of shape %v over", lengths, left, axis, t.Shape())
	}
	return parts, nil
}

func buildSplitToSequence(n *Node) (Run, error) {
	first, keep := n.Int("axis", 0), n.Int("keepdims", 1) != 0
	return func(c *Call, in []tensor.Value) ([]tensor.Value, error) {
		t, err := tensorOperand(in, 0)
		if err != nil {
			return nil, err
		}
		axis, err := resolveAxis(first, t.Rank())
		if err != nil {
			return nil, err
		}
		lengths, err := sequenceLengths(in, t.Shape()[axis])
		if err != nil {
			return nil, fmt.Errorf("split: %w", err)
		}
		parts, err := split(c, t, axis, lengths)
		if err != nil {
			return nil, err
		}
		sequence := &tensor.Sequence{Elem: t.DType(), Values: make([]tensor.Value, len(parts))}
		for i, part := range parts {
			if (len(in) < 2 || in[1] == nil) && !keep {
				part = part.WithShape(slices.Delete(slices.Clone(part.Shape()), axis, axis+1))
			}
			sequence.Values[i] = part
		}
		return []tensor.Value{sequence}, nil
	}, nil
}

// sequenceLengths reads the second operand of SplitToSequence for an axis of
// the given size: a scalar is the length of each part, of which the last may be
// shorter, a list has all lengths, and where there is none each part is one long.
func sequenceLengths(in []tensor.Value, size int) ([]int, error) {
	length := 1
	if len(in) > 1 && in[1] != nil {
		t, err := tensorOperand(in, 1)
		if err != nil {
			return nil, err
		}
		lengths, err := integers(t)
		if err != nil || t.Rank() > 0 {
			return lengths, err
		}
		if length = lengths[0]; length < 1 {
			return nil, fmt.Errorf("length %d of each part: want at least 1", length)
		}
	}
	return equalLengths(size, length), nil
}

func equalLengths(size, length int) []int {
	var lengths []int
	for ; size > 0; size -= length {
		lengths = append(lengths, min(size, length))
	}
	return lengths
}

func buildConcatFromSequence(n *Node) (Run, error) {
	if !n.Has("axis") {
		return nil, fmt.Errorf("attribute axis is missing")
	}
	axis, join := n.Int("axis", 0), concat
	if n.Int("new_axis", 0) != 0 {
		join = stack
	}
	return func(c *Call, in []tensor.Value) ([]tensor.Value, error) {
		sequence, err := sequenceOperand(in, 0)
		if err != nil {
			return nil, err
		}
		if len(sequence.Values) == 0 {
			return nil, fmt.Errorf("an empty sequence has no shape to join along")
		}
		parts := make([]*tensor.Tensor, len(sequence.Values))
		for i := range parts {
			if parts[i], err = tensorOperand(sequence.Values, i); err != nil {
				return nil, err
			}
		}
		t, err := join(c, parts, axis)
		if err != nil {
			return nil, err
		}
		return []tensor.Value{t}, nil
	}, nil
}
