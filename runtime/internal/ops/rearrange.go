package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var rearrangeFamily = []Kernel{
	{Op: "DepthToSpace", Since: 1, Build: needs(1, Single(buildDepthToSpace))},
	{Op: "SpaceToDepth", Since: 1, Build: needs(1, Single(buildSpaceToDepth))},
	{Op: "CenterCropPad", Since: 18, Build: needs(2, Single(buildCenterCropPad))},
	{Op: "Col2Im", Since: 18, Build: needs(3, Single(buildCol2Im))},
}

// blockOrder reads what DepthToSpace and SpaceToDepth state: the size of a
// block, and whether the channel is the outermost of what lies in depth (mode
// CRD) or the innermost (mode DCR).
func blockOrder(n *Node) (block int, channelFirst bool, err error) {
	block = n.Int("blocksize", 0)
	if block < 1 || block > maxWindowExtent {
		return 0, false, fmt.Errorf("blocksize is %d: want from 1 to %d", block, maxWindowExtent)
	}
	switch mode := n.Text("mode", "DCR"); mode {
	case "DCR":
	case "CRD":
		channelFirst = true
	default:
		return 0, false, fmt.Errorf("mode is %q: want DCR or CRD", mode)
	}
	return block, channelFirst, nil
}

func buildDepthToSpace(n *Node) (single, error) {
	block, channelFirst, err := blockOrder(n)
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		s := in[0].Shape()
		if len(s) != 4 || s[1]%(block*block) != 0 {
			return nil, fmt.Errorf("input %v must be (batch, channels, height, width) with channels in blocks of %d·%d", s, block, block)
		}
		channels := s[1] / (block * block)
		split, order := []int{s[0], block, block, channels, s[2], s[3]}, []int{0, 3, 4, 1, 5, 2}
		if channelFirst {
			split, order = []int{s[0], channels, block, block, s[2], s[3]}, []int{0, 1, 4, 2, 5, 3}
		}
		return rearrange(in[0], split, order, []int{s[0], channels, s[2] * block, s[3] * block})
	}, err
}

func buildSpaceToDepth(n *Node) (single, error) {
	block, channelFirst, err := blockOrder(n)
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		s := in[0].Shape()
		if len(s) != 4 || s[2]%block != 0 || s[3]%block != 0 {
			return nil, fmt.Errorf("input %v must be (batch, channels, height, width) in blocks of %d·%d", s, block, block)
		}
		height, width := s[2]/block, s[3]/block
		order := []int{0, 3, 5, 1, 2, 4}
		if channelFirst {
			order = []int{0, 1, 3, 5, 2, 4}
		}
		return rearrange(in[0], []int{s[0], s[1], height, block, width, block}, order, []int{s[0], s[1] * block * block, height, width})
	}, err
}

// rearrange splits t's axes, puts them into an order and joins them again.
func rearrange(t *tensor.Tensor, split, order, joined []int) (*tensor.Tensor, error) {
	moved, err := transpose(nil, t.WithShape(split), order)
	if err != nil {
		return nil, err
	}
	return moved.WithShape(joined), nil
}

func buildCenterCropPad(n *Node) (single, error) {
	axes := n.Ints("axes")
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		wanted, err := integers(in[1])
		if err != nil {
			return nil, fmt.Errorf("shape: %w", err)
		}
		return centerCropPad(in[0], axes, wanted)
	}, nil
}

// centerCropPad cuts or fills up with zeros each of the axes (all, for nil) to
// the wanted size, the same at both ends; an odd element is cut or added at the end.
func centerCropPad(t *tensor.Tensor, axes, wanted []int) (*tensor.Tensor, error) {
	own := t.Shape()
	if axes == nil {
		axes = make([]int, len(own))
		for i := range axes {
			axes[i] = i
		}
	}
	if len(wanted) != len(axes) {
		return nil, fmt.Errorf("shape %v must have a size for each of the axes %v", wanted, axes)
	}
	shape, kept := slices.Clone(own), slices.Clone(own)
	from, to := make([]int, len(own)), make([]int, len(own))
	for i, axis := range axes {
		axis, err := resolveAxis(axis, len(own))
		if err != nil {
			return nil, err
		}
		size := wanted[i]
		shape[axis], kept[axis] = size, min(size, own[axis])
		from[axis], to[axis] = max(0, own[axis]-size)/2, max(0, size-own[axis])/2
	}
	count, err := checkedCount(shape)
	if err != nil {
		return nil, err
	}
	source := elementsIn(t)
	result := source.like(count)
	move(result, rowMajor(shape).at(to), source, rowMajor(own).at(from), kept)
	return result.tensor(shape), nil
}

func buildCol2Im(n *Node) (single, error) {
	a, err := readWindowAttributes(n)
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		image, err := integers(in[1])
		if err != nil {
			return nil, fmt.Errorf("image_shape: %w", err)
		}
		block, err := integers(in[2])
		if err != nil {
			return nil, fmt.Errorf("block_shape: %w", err)
		}
		return a.columnsToImage(in[0], image, block)
	}, err
}

// columnsToImage adds up columns (N, C·block, blocks) where their blocks lie in
// images (N, C, D1, ..., Dn).
func (a windowAttributes) columnsToImage(x *tensor.Tensor, image, block []int) (*tensor.Tensor, error) {
	s := x.Shape()
	if _, err := checkedCount(image); err != nil {
		return nil, fmt.Errorf("image_shape: %w", err)
	}
	if len(image) == 0 || len(s) != 3 {
		return nil, fmt.Errorf("input %v and image_shape %v: want rank 3 and at least one axis", s, image)
	}
	w, err := a.slide(image, block)
	if err != nil {
		return nil, err
	}
	taps, err := checkedCount(block)
	if err != nil {
		return nil, err
	}
	if s[1]%taps != 0 || s[2] != tensor.Count(w.output) {
		return nil, fmt.Errorf("input %v does not hold %d blocks of %v", s, tensor.Count(w.output), block)
	}
	shape := append([]int{s[0], s[1] / taps}, image...)
	if _, err := checkedCount(shape); err != nil {
		return nil, err
	}
	r, err := w.rows()
	if err != nil {
		return nil, err
	}
	switch data := x.Any().(type) {
	case []float32:
		return foldImages(r, data, shape), nil
	case []float64:
		return foldImages(r, data, shape), nil
	case []int8:
		return foldImages(r, data, shape), nil
	case []int16:
		return foldImages(r, data, shape), nil
	case []int32:
		return foldImages(r, data, shape), nil
	case []int64:
		return foldImages(r, data, shape), nil
	case []uint8:
		return foldImages(r, data, shape), nil
	case []uint16:
		return foldImages(r, data, shape), nil
	case []uint32:
		return foldImages(r, data, shape), nil
	case []uint64:
		return foldImages(r, data, shape), nil
	case []complex64:
		return foldImages(r, data, shape), nil
	case []complex128:
		return foldImages(r, data, shape), nil
	}
	data, err := reals[float32](x)
	if err != nil {
		return nil, err
	}
	y, _ := tensor.Data[float32](foldImages(r, data, shape))
	return ofReals(x.DType(), shape, y)
}

func foldImages[T summand](r *windowRows, columns []T, shape []int) *tensor.Tensor {
	images := make([]T, tensor.Count(shape))
	each, one := tensor.Count(r.input), tensor.Count(r.output)*tensor.Count(r.kernel)
	for i := range len(images) / max(each, 1) {
		fold(r, images[i*each:][:each], columns[i*one:][:one])
	}
	return tensor.New(shape, images)
}
