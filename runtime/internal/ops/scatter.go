package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// scatterFamily holds the operators that write elements or slices by number
// into a copy of their first operand.
var scatterFamily = []Kernel{
	{Op: "Scatter", Since: 9, Build: needs(3, Single(buildScatterElements))},
	{Op: "ScatterElements", Since: 11, Build: needs(3, Single(buildScatterElements))},
	{Op: "ScatterND", Since: 11, Build: needs(3, Single(buildScatterND))},
	{Op: "TensorScatter", Since: 24, Build: needs(2, Single(buildTensorScatter))},
}

func buildScatterElements(n *Node) (single, error) {
	axis, reduction := n.Int("axis", 0), n.Text("reduction", "none")
	if err := checkReduction(n, reduction); err != nil {
		return nil, err
	}
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if !slices.Equal(in[1].Shape(), in[2].Shape()) {
			return nil, fmt.Errorf("indices of shape %v and updates of shape %v must have one shape", in[1].Shape(), in[2].Shape())
		}
		offsets, err := elementOffsets(in[0].Shape(), axis, in[1])
		if err != nil {
			return nil, err
		}
		return scatter(in[0], offsets, 1, in[2], reduction)
	}, nil
}

func buildScatterND(n *Node) (single, error) {
	reduction := n.Text("reduction", "none")
	if err := checkReduction(n, reduction); err != nil {
		return nil, err
	}
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		blocks, tail, err := tupleBlocks(in[0].Shape(), 0, in[1])
		if err != nil {
			return nil, err
		}
		want := slices.Concat(in[1].Shape()[:in[1].Rank()-1], tail)
		if !slices.Equal(in[2].Shape(), want) {
			return nil, fmt.Errorf("updates of shape %v: data of shape %v and indices of shape %v want %v", in[2].Shape(), in[0].Shape(), in[1].Shape(), want)
		}
		return scatter(in[0], blocks, tensor.Count(tail), in[2], reduction)
	}, nil
}

// scatter writes block i of updates to block index[i] of a copy of t, or
// combines them by the named reduction.
func scatter(t *tensor.Tensor, index []int, size int, updates *tensor.Tensor, reduction string) (*tensor.Tensor, error) {
	if t.DType() != updates.DType() {
		return nil, fmt.Errorf("updates of type %v cannot go into data of type %v", updates.DType(), t.DType())
	}
	if reduction != "none" {
		n, err := numbersIn(t)
		if err != nil {
			return nil, fmt.Errorf("reduction %q: %w", reduction, err)
		}
		return n.scatter(t, index, size, updates, reduction)
	}
	data := elementsIn(t)
	result := data.like(t.Len())
	move(result, rowMajor(t.Shape()), data, rowMajor(t.Shape()), t.Shape())
	result.put(index, size, elementsIn(updates))
	return result.tensor(t.Shape()), nil
}

func buildTensorScatter(n *Node) (single, error) {
	axis, mode := n.Int("axis", -2), n.Text("mode", "linear")
	if mode != "linear" && mode != "circular" {
		return nil, fmt.Errorf("mode %q: want linear or circular", mode)
	}
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		cache, update := in[0], in[1]
		axis, err := resolveAxis(axis, cache.Rank())
		if err != nil {
			return nil, err
		}
		shape := slices.Clone(cache.Shape())
		if axis == 0 || update.Rank() != len(shape) || update.Shape()[axis] > shape[axis] {
			return nil, fmt.Errorf("update of shape %v does not fit a cache of shape %v along axis %d", update.Shape(), shape, axis)
		}
		capacity, steps := shape[axis], update.Shape()[axis]
		if shape[axis] = steps; !slices.Equal(shape, update.Shape()) {
			return nil, fmt.Errorf("update of shape %v differs from the cache's %v not only along axis %d", update.Shape(), cache.Shape(), axis)
		}
		starts, err := optionalIntegers(in, 2)
		if err != nil {
			return nil, fmt.Errorf("write_indices: %w", err)
		}
		if starts == nil {
			starts = make([]int, shape[0])
		}
		if len(starts) != shape[0] {
			return nil, fmt.Errorf("%d write_indices for a batch of %d", len(starts), shape[0])
		}
		index, err := cacheBlocks(starts, tensor.Count(shape[1:axis]), steps, capacity, mode == "circular")
		if err != nil {
			return nil, err
		}
		return scatter(cache, index, tensor.Count(shape[axis+1:]), update, "none")
	}, nil
}

// cacheBlocks numbers the blocks of a cache that an update goes to: for each
// sample its write index counts on from there, in every head, for each step.
func cacheBlocks(starts []int, heads, steps, capacity int, circular bool) ([]int, error) {
	if _, err := checkedCount([]int{len(starts), heads, steps}); err != nil {
		return nil, err
	}
	blocks := make([]int, 0, len(starts)*heads*steps)
	for sample, start := range starts {
		if start < 0 || !circular && start > capacity-steps {
			return nil, fmt.Errorf("write_indices[%d] is %d: %d steps from there do not fit a cache of %d", sample, start, steps, capacity)
		}
		for head := range heads {
			for step := range steps {
				position := start + step
				if circular {
					position = (start%capacity + step) % capacity
				}
				blocks = append(blocks, (sample*heads+head)*capacity+position)
			}
		}
	}
	return blocks, nil
}
