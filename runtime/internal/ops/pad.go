package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var padFamily = []Kernel{
	{Op: "Pad", Since: 1, Build: needs(1, Single(buildPadByAttributes))},
	{Op: "Pad", Since: 11, Build: needs(2, Single(buildPad))},
}

// padSource maps the index of an element of a padded axis, counted from the
// first element of the axis itself, to the index of the element that it
// repeats. The size of the axis is at least 1.
type padSource func(i, size int) int

// readPadMode gives the mode's source; nil for padding with a constant.
func readPadMode(n *Node) (padSource, error) {
	mode := n.Text("mode", "constant")
	switch {
	case mode == "constant":
		return nil, nil
	case mode == "edge":
		return func(i, size int) int { return min(max(i, 0), size-1) }, nil
	case mode == "reflect":
		return reflectIndex, nil
	case mode == "wrap" && n.Opset >= 19:
		return wrapIndex, nil
	}
	return nil, fmt.Errorf("mode %q is none of opset %d", mode, n.Opset)
}

func wrapIndex(i, size int) int { return (i%size + size) % size }

// reflectIndex mirrors an axis on its first and last element, again and again.
func reflectIndex(i, size int) int {
	period := max(1, 2*size-2)
	i = wrapIndex(i, period)
	return min(i, period-i)
}

func buildPadByAttributes(n *Node) (single, error) {
	source, err := readPadMode(n)
	if err != nil {
		return nil, err
	}
	pads := n.Ints("pads")
	if n.Opset < 2 {
		pads = n.Ints("paddings")
	}
	value := n.Float("value", 0)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		fill, err := ofReals(in[0].DType(), []int{1}, []float32{value})
		if err != nil {
			return nil, err
		}
		return pad(c, in[0], pads, source, fill)
	}, nil
}

func buildPad(n *Node) (single, error) {
	source, err := readPadMode(n)
	if err != nil {
		return nil, err
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		pads, err := integers(in[1])
		if err != nil {
			return nil, fmt.Errorf("pads: %w", err)
		}
		var value *tensor.Tensor
		if len(in) > 2 && in[2] != nil {
			if value = in[2]; value.Len() != 1 || value.DType() != in[0].DType() {
				return nil, fmt.Errorf("constant_value of type %v and shape %v: want one number of the data's type %v", value.DType(), value.Shape(), in[0].DType())
			}
		}
		axes, err := optionalIntegers(in, 3)
		if err != nil {
			return nil, fmt.Errorf("axes: %w", err)
		}
		if axes != nil {
			if pads, err = padsOfAxes(pads, axes, in[0].Rank()); err != nil {
				return nil, err
			}
		}
		return pad(c, in[0], pads, source, value)
	}, nil
}

// padsOfAxes spreads the pads of some axes over all.
func padsOfAxes(pads, axes []int, rank int) ([]int, error) {
	if len(pads) != 2*len(axes) {
		return nil, fmt.Errorf("pads %v must have a beginning and an end for each of the axes %v", pads, axes)
	}
	if _, err := markAxes(axes, rank); err != nil {
		return nil, err
	}
	all := make([]int, 2*rank)
	for i, axis := range axes {
		if axis < 0 {
			axis += rank
		}
		all[axis], all[rank+axis] = pads[i], pads[len(axes)+i]
	}
	return all, nil
}

// pad adds elements at the beginnings and ends of t's axes, or takes them away
// where a pad is negative. What is added is value, zero where that is nil, or
// the element that source maps to.
func pad(c *Call, t *tensor.Tensor, pads []int, source padSource, value *tensor.Tensor) (*tensor.Tensor, error) {
	rank := t.Rank()
	if len(pads) != 2*rank {
		return nil, fmt.Errorf("pads %v must have a beginning and an end for each axis of data of shape %v", pads, t.Shape())
	}
	from := rowMajor(t.Shape())
	kept := slices.Clone(t.Shape())  // what of t stays
	shape := slices.Clone(t.Shape()) // of the result
	begin := make([]int, rank)       // where kept begins in it
	for axis, size := range t.Shape() {
		before, after := pads[axis], pads[rank+axis]
		if max(before, after) > tensor.MaxElements || min(before, after) < -size || -(min(before, 0)+min(after, 0)) > size {
			return nil, fmt.Errorf("pads %v do not fit data of shape %v", pads, t.Shape())
		}
		kept[axis] += min(before, 0) + min(after, 0)
		from.offset -= min(before, 0) * from.strides[axis]
		begin[axis] = max(before, 0)
		shape[axis] += before + after
		if source != nil && shape[axis] > kept[axis] && kept[axis] == 0 {
			return nil, fmt.Errorf("axis %d of data of shape %v has nothing left to repeat with pads %v", axis, t.Shape(), pads)
		}
	}
	count, err := checkedCount(shape)
	if err == nil {
		err = c.fits(count, bytesEach(t))
	}
	if err != nil {
		return nil, err
	}
	data := elementsIn(t)
	result := data.like(count)
	to := rowMajor(shape)
	if source == nil && value != nil {
		result.fill(elementsIn(value))
	}
	move(result, to.at(begin), data, from, kept)
	if source != nil {
		repeat(result, to, begin, kept, shape, source)
	}
	return result.tensor(shape), nil
}

// repeat fills the padding of a result in which only the box kept, at begin, is
// set: axis after axis, so that each copies slices that are complete along the
// axes before it.
func repeat(result elements, dense layout, begin, kept, shape []int, source padSource) {
	box := slices.Clone(kept)
	corner := slices.Clone(begin)
	for axis := range shape {
		box[axis] = 1
		base := dense.at(corner)
		for i := -begin[axis]; i < shape[axis]-begin[axis]; i++ {
			if i >= 0 && i < kept[axis] {
				continue
			}
			to, from := base, base
			to.offset += i * dense.strides[axis]
			from.offset += source(i, kept[axis]) * dense.strides[axis]
			move(result, to, result, from, box)
		}
		box[axis], corner[axis] = shape[axis], 0
	}
}
