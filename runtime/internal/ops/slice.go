package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var sliceFamily = []Kernel{
	{Op: "Slice", Since: 1, Build: needs(1, Single(buildSlice))},
	{Op: "Slice", Since: 10, Build: needs(3, Single(buildSlice))},
}

// sliceBounds are the lists that Slice takes as attributes before opset 10 and
// as operands since: one number of each for each sliced axis.
type sliceBounds struct{ starts, ends, axes, steps []int }

func buildSlice(n *Node) (single, error) {
	if n.Opset < 10 {
		if !n.Has("starts") || !n.Has("ends") {
			return nil, fmt.Errorf("attribute starts or ends is missing")
		}
		bounds := sliceBounds{starts: n.Ints("starts"), ends: n.Ints("ends"), axes: n.Ints("axes")}
		return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
			return bounds.of(c, in[0])
		}, nil
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		var bounds sliceBounds
		for i, list := range []*[]int{&bounds.starts, &bounds.ends, &bounds.axes, &bounds.steps} {
			numbers, err := optionalIntegers(in, i+1)
			if err != nil {
				return nil, fmt.Errorf("operand %d: %w", i+1, err)
			}
			*list = numbers
		}
		return bounds.of(c, in[0])
	}, nil
}

// of takes the slice of t. Bounds that count from the end are resolved, then
// brought into the axis; a negative step runs backwards.
func (b sliceBounds) of(c *Call, t *tensor.Tensor) (*tensor.Tensor, error) {
	rank, count := t.Rank(), len(b.starts)
	if b.axes == nil && count <= rank {
		for axis := range count {
			b.axes = append(b.axes, axis)
		}
	}
	if b.steps == nil {
		for range count {
			b.steps = append(b.steps, 1)
		}
	}
	if len(b.ends) != count || len(b.axes) != count || len(b.steps) != count {
		return nil, fmt.Errorf("starts %v, ends %v, axes %v and steps %v must have one number for each sliced axis of an operand of shape %v",
			b.starts, b.ends, b.axes, b.steps, t.Shape())
	}
	if _, err := markAxes(b.axes, rank); err != nil {
		return nil, err
	}
	from := rowMajor(t.Shape())
	shape := slices.Clone(t.Shape())
	for i, axis := range b.axes {
		if axis < 0 {
			axis += rank
		}
		size, step := t.Shape()[axis], b.steps[i]
		if step == 0 {
			return nil, fmt.Errorf("the step along axis %d is 0", axis)
		}
		start, count := sliceRange(b.starts[i], b.ends[i], step, size)
		shape[axis] = count
		from.offset += start * from.strides[axis]
		if count > 1 { // else a huge step could overflow the stride
			from.strides[axis] *= step
		}
	}
	return pick(c, t, from, shape), nil
}

// sliceRange resolves the bounds of one axis: the first index and how many there are.
func sliceRange(start, end, step, size int) (first, count int) {
	if step > 0 {
		start, end = clampedIndex(start, size), clampedIndex(end, size)
		if end <= start {
			return 0, 0
		}
		return start, (end-start-1)/step + 1
	}
	if start < 0 {
		start += size
	}
	if end < 0 {
		end += size
	}
	start, end = min(max(start, 0), size-1), min(max(end, -1), size-1)
	if start <= end {
		return 0, 0
	}
	// The distance is at most size, so a longer step reaches no further than size.
	return start, (start-end-1)/-max(step, -size) + 1
}
