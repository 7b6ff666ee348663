package onnx

import "slices"

// step is what one node of a chain does to a constant's elements. Reshape,
// Squeeze, Unsqueeze and Identity do nothing to them.
type step struct {
	permutation []int   // of the axes, for a Transpose
	dims        []int64 // before it
	cast        bool    // for a Cast: from one type to another
	from, to    DType
}

// maxRank bounds the shapes that are worked with, and that Check lets pass; no
// operator comes near it.
const maxRank = 64

// follow makes the link that a node adds to a chain, nil if it is not sure what
// the node gives. Operand is the node's second input, nil if it has none.
func follow(before *link, n *Node, operand *link, opset int64) *link {
	if opset < 1 || len(before.dims) > maxRank {
		return nil
	}
	for _, a := range n.Attrs {
		if a.RefName != "" {
			return nil
		}
	}
	l := &link{before: before, length: before.length + 1, node: n, dtype: before.dtype, dims: before.dims, root: before.root}
	ok := true
	switch n.OpType {
	case "Identity":
	case "Transpose":
		l.step, l.dims, ok = transposeStep(before.dims, n.Attr("perm"))
	case "Cast":
		l.step, l.dtype, ok = castStep(before.dtype, n.Attr("to"))
	case "Reshape":
		l.dims, ok = reshapedDims(before.dims, n, operand, opset)
	case "Squeeze", "Unsqueeze":
		l.dims, ok = squeezedDims(before.dims, n, operand, opset)
	}
	if !ok {
		return nil
	}
	return l
}

func transposeStep(dims []int64, perm *Attr) (*step, []int64, bool) {
	permutation := make([]int, len(dims))
	for i := range permutation {
		permutation[i] = len(dims) - 1 - i
	}
	if perm != nil {
		if len(perm.Ints) != len(dims) {
			return nil, nil, false
		}
		used := make([]bool, len(dims))
		for i, axis := range perm.Ints {
			if axis < 0 || axis >= int64(len(dims)) || used[axis] {
				return nil, nil, false
			}
			used[axis], permutation[i] = true, int(axis)
		}
	}
	after := make([]int64, len(dims))
	for i, axis := range permutation {
		after[i] = dims[axis]
	}
	if movesNothing(permutation, dims) {
		return nil, after, true
	}
	return &step{permutation: permutation, dims: dims}, after, true
}

// movesNothing reports whether a permutation keeps the axes that are longer
// than 1 in their order, so that all elements stay where they are.
func movesNothing(permutation []int, dims []int64) bool {
	last := -1
	for _, axis := range permutation {
		if dims[axis] == 1 {
			continue
		}
		if axis < last {
			return false
		}
		last = axis
	}
	return true
}

func castStep(from DType, to *Attr) (*step, DType, bool) {
	// Before opset 6 the type is a string; such a model is older than any that matters.
	if to == nil || to.Type != AttrInt {
		return nil, 0, false
	}
	target := DType(to.I)
	if int64(target) != to.I || !castable(from) || !castable(target) {
		return nil, 0, false
	}
	if from == target {
		return nil, target, true
	}
	return &step{cast: true, from: from, to: target}, target, true
}

func reshapedDims(dims []int64, n *Node, operand *link, opset int64) ([]int64, bool) {
	var shape []int64
	if opset < 5 {
		a := n.Attr("shape")
		if a == nil {
			return nil, false
		}
		shape = a.Ints
	} else {
		var ok bool
		if shape, ok = operand.smallInts(); !ok {
			return nil, false
		}
	}
	if len(shape) > maxRank {
		return nil, false
	}
	allowZero := false
	if a := n.Attr("allowzero"); a != nil && opset >= 14 {
		allowZero = a.I != 0
	}
	return reshape(dims, shape, allowZero)
}

// reshape resolves the 0 and -1 of a Reshape's shape: a 0 stands for the same
// dimension of the input unless zeros are allowed, a -1 for what is left.
func reshape(dims, shape []int64, allowZero bool) ([]int64, bool) {
	total, err := product(dims)
	if err != nil {
		return nil, false
	}
	after, infer := slices.Clone(shape), -1
	for i, d := range shape {
		switch {
		case d == 0 && !allowZero:
			if i >= len(dims) {
				return nil, false
			}
			after[i] = dims[i]
		case d == -1:
			if infer >= 0 {
				return nil, false
			}
			infer, after[i] = i, 1
		case d < -1:
			return nil, false
		}
	}
	rest, err := product(after)
	if err != nil {
		return nil, false
	}
	if infer >= 0 {
		if rest == 0 || total%rest != 0 {
			return nil, false
		}
		after[infer] = total / rest
		return after, true
	}
	return after, rest == total
}

func squeezedDims(dims []int64, n *Node, operand *link, opset int64) ([]int64, bool) {
	var axes []int64
	given := false
	if opset < 13 {
		if a := n.Attr("axes"); a != nil {
			axes, given = a.Ints, true
		}
	} else if operand != nil {
		if axes, given = operand.smallInts(); !given {
			return nil, false
		}
	}
	if n.OpType == "Squeeze" {
		return squeeze(dims, axes, given)
	}
	if !given {
		return nil, false
	}
	return unsqueeze(dims, axes)
}

// squeeze drops the axes given, all of length 1, or every axis of length 1.
func squeeze(dims, axes []int64, given bool) ([]int64, bool) {
	drop, ok := axisSet(axes, len(dims))
	if !ok {
		return nil, false
	}
	after := []int64{}
	for i, d := range dims {
		switch {
		case drop[i] && d != 1:
			return nil, false
		case drop[i] || !given && d == 1:
		default:
			after = append(after, d)
		}
	}
	return after, true
}

// unsqueeze puts axes of length 1 in, at their places in the result.
func unsqueeze(dims, axes []int64) ([]int64, bool) {
	rank := len(dims) + len(axes)
	if rank > maxRank {
		return nil, false
	}
	fresh, ok := axisSet(axes, rank)
	if !ok {
		return nil, false
	}
	after := make([]int64, rank)
	for i := range after {
		if fresh[i] {
			after[i] = 1
		} else {
			after[i], dims = dims[0], dims[1:]
		}
	}
	return after, true
}

// axisSet marks the axes of a list, of which negative ones count from the end;
// one that is out of range or there twice makes no sense.
func axisSet(axes []int64, rank int) ([]bool, bool) {
	set := make([]bool, rank)
	for _, axis := range axes {
		if axis < 0 {
			axis += int64(rank)
		}
		if axis < 0 || axis >= int64(rank) || set[axis] {
			return nil, false
		}
		set[axis] = true
	}
	return set, true
}

// smallInts reads a constant that is a shape or a list of axes: a vector (or,
// where an exporter was careless, a scalar) of a few int64.
func (l *link) smallInts() ([]int64, bool) {
	if l == nil || l.dtype != Int64 || len(l.dims) > 1 {
		return nil, false
	}
	if n, err := product(l.dims); err != nil || n > maxRank {
		return nil, false
	}
	c := l.constant()
	if c.Overridable {
		return nil, false
	}
	v, err := c.Tensor("").Int64s()
	return v, err == nil
}
