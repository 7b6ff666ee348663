package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// gatherFamily holds the operators that pick elements or slices by number.
var gatherFamily = []Kernel{
	{Op: "Gather", Since: 1, Build: needs(2, Single(buildGather))},
	{Op: "GatherElements", Since: 11, Build: needs(2, Single(buildGatherElements))},
	{Op: "GatherND", Since: 11, Build: needs(2, Single(buildGatherND))},
	{Op: "Compress", Since: 9, Build: needs(2, Single(buildCompress))},
	{Op: "ReverseSequence", Since: 10, Build: needs(2, Single(buildReverseSequence))},
}

func buildGather(n *Node) (single, error) {
	axis := n.Int("axis", 0)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		indices, err := integers(in[1])
		if err != nil {
			return nil, fmt.Errorf("indices: %w", err)
		}
		axis, err := resolveAxis(axis, in[0].Rank())
		if err != nil {
			return nil, err
		}
		if err := resolveIndices(indices, in[0].Shape()[axis]); err != nil {
			return nil, fmt.Errorf("indices along axis %d: %w", axis, err)
		}
		return gather(c, in[0], axis, indices, in[1].Shape())
	}, nil
}

// gather takes the slices of t at the indices along an axis; the indices'
// shape stands in the result in the place of that axis.
func gather(c *Call, t *tensor.Tensor, axis int, indices, indexShape []int) (*tensor.Tensor, error) {
	before, size, after := t.Shape()[:axis], t.Shape()[axis], t.Shape()[axis+1:]
	shape := slices.Concat(before, indexShape, after)
	if _, err := checkedCount(shape); err != nil {
		return nil, err
	}
	taken := elementsIn(t).take(c, tensor.Count(before), size, indices, tensor.Count(after))
	return taken.tensor(shape), nil
}

func buildGatherElements(n *Node) (single, error) {
	axis := n.Int("axis", 0)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		offsets, err := elementOffsets(in[0].Shape(), axis, in[1])
		if err != nil {
			return nil, err
		}
		return elementsIn(in[0]).take(c, 1, in[0].Len(), offsets, 1).tensor(in[1].Shape()), nil
	}, nil
}

// elementOffsets finds, for each element of indices, the element of a tensor of
// the given shape that lies at the same coordinate, but at the index along axis.
func elementOffsets(shape []int, axis int, indices *tensor.Tensor) ([]int, error) {
	offsets, err := integers(indices)
	if err != nil {
		return nil, fmt.Errorf("indices: %w", err)
	}
	axis, err = resolveAxis(axis, len(shape))
	if err != nil {
		return nil, err
	}
	box := indices.Shape()
	if len(box) != len(shape) {
		return nil, fmt.Errorf("indices of shape %v must have the rank of data of shape %v", box, shape)
	}
	for i, size := range box {
		if i != axis && size > shape[i] {
			return nil, fmt.Errorf("indices of shape %v reach beyond axis %d of data of shape %v", box, i, shape)
		}
	}
	if err := resolveIndices(offsets, shape[axis]); err != nil {
		return nil, fmt.Errorf("indices along axis %d: %w", axis, err)
	}
	if len(offsets) == 0 {
		return offsets, nil
	}
	strides := rowMajor(shape).strides
	along := strides[axis]
	strides[axis] = 0
	next := 0
	eachOffset(box, strides, 0, func(offset int) {
		offsets[next] = offset + offsets[next]*along
		next++
	})
	return offsets, nil
}

// eachOffset visits the elements of a box in row-major order.
func eachOffset(shape, strides []int, offset int, visit func(offset int)) {
	if len(shape) == 0 {
		visit(offset)
		return
	}
	for range shape[0] {
		eachOffset(shape[1:], strides[1:], offset, visit)
		offset += strides[0]
	}
}

func buildGatherND(n *Node) (single, error) {
	batchDims := n.Int("batch_dims", 0)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		blocks, tail, err := tupleBlocks(in[0].Shape(), batchDims, in[1])
		if err != nil {
			return nil, err
		}
		shape := slices.Concat(in[1].Shape()[:in[1].Rank()-1], tail)
		if _, err := checkedCount(shape); err != nil {
			return nil, err
		}
		size := tensor.Count(tail)
		return elementsIn(in[0]).take(c, 1, in[0].Len()/max(size, 1), blocks, size).tensor(shape), nil
	}, nil
}

// tupleBlocks finds the slices of a tensor of the given shape that the tuples
// along the last axis of indices name, the first batchDims axes being common to
// both: the number of each slice, and the slices' shape.
func tupleBlocks(shape []int, batchDims int, indices *tensor.Tensor) (blocks, tail []int, err error) {
	numbers, err := integers(indices)
	if err != nil {
		return nil, nil, fmt.Errorf("indices: %w", err)
	}
	last := indices.Rank() - 1
	if last < 0 || batchDims < 0 || batchDims > min(last, len(shape)) || !slices.Equal(indices.Shape()[:batchDims], shape[:batchDims]) {
		return nil, nil, fmt.Errorf("data of shape %v and indices of shape %v do not have %d batch axes in common", shape, indices.Shape(), batchDims)
	}
	length := indices.Shape()[last]
	if length > len(shape)-batchDims {
		return nil, nil, fmt.Errorf("indices of shape %v hold tuples longer than the rank of data of shape %v", indices.Shape(), shape)
	}
	axes, tail := shape[batchDims:batchDims+length], shape[batchDims+length:]
	count, err := checkedCount(indices.Shape()[:last])
	if err != nil {
		return nil, nil, err
	}
	blocks = make([]int, count)
	perBatch := tensor.Count(indices.Shape()[batchDims:last])
	for i := range blocks {
		block := 0
		if perBatch > 0 {
			block = i / perBatch
		}
		for axis, size := range axes {
			index := numbers[i*length+axis]
			if index < -size || index >= size {
				return nil, nil, fmt.Errorf("index %d is out of range: axis %d of data of shape %v has size %d", index, batchDims+axis, shape, size)
			}
			if index < 0 {
				index += size
			}
			block = block*size + index
		}
		blocks[i] = block
	}
	return blocks, tail, nil
}

func buildCompress(n *Node) (single, error) {
	flat, axis := !n.Has("axis"), n.Int("axis", 0)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		data := in[0]
		if flat {
			data = data.WithShape([]int{data.Len()})
		}
		axis, err := resolveAxis(axis, data.Rank())
		if err != nil {
			return nil, err
		}
		condition, ok := tensor.Data[bool](in[1])
		if !ok || in[1].Rank() != 1 {
			return nil, fmt.Errorf("condition of type %v and shape %v: want a list of bool", in[1].DType(), in[1].Shape())
		}
		var indices []int
		for i, selected := range condition {
			if selected {
				indices = append(indices, i)
			}
		}
		if err := resolveIndices(indices, data.Shape()[axis]); err != nil {
			return nil, fmt.Errorf("condition: %w", err)
		}
		return gather(c, data, axis, indices, []int{len(indices)})
	}, nil
}

func buildReverseSequence(n *Node) (single, error) {
	batchAxis, timeAxis := n.Int("batch_axis", 1), n.Int("time_axis", 0)
	if batchAxis+timeAxis != 1 || batchAxis*timeAxis != 0 {
		return nil, fmt.Errorf("batch_axis %d and time_axis %d: want 0 and 1 or 1 and 0", batchAxis, timeAxis)
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		shape := in[0].Shape()
		lengths, err := integers(in[1])
		if err != nil {
			return nil, fmt.Errorf("sequence_lens: %w", err)
		}
		if len(shape) < 2 || len(lengths) != shape[batchAxis] {
			return nil, fmt.Errorf("%d sequence_lens do not fit axis %d of an input of shape %v", len(lengths), batchAxis, shape)
		}
		count, err := checkedCount(shape[:2])
		if err != nil {
			return nil, err
		}
		steps := shape[timeAxis]
		strides := rowMajor(shape[:2]).strides
		blocks := make([]int, count)
		for batch, length := range lengths {
			if length < 0 || length > steps {
				return nil, fmt.Errorf("sequence_lens[%d] is %d: want 0 to %d", batch, length, steps)
			}
			for step := range steps {
				from := step
				if step < length {
					from = length - 1 - step
				}
				blocks[batch*strides[batchAxis]+step*strides[timeAxis]] = batch*strides[batchAxis] + from*strides[timeAxis]
			}
		}
		return elementsIn(in[0]).take(c, 1, len(blocks), blocks, tensor.Count(shape[2:])).tensor(shape), nil
	}, nil
}
