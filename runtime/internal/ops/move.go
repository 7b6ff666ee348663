package ops

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// layout says where in a slice the elements of a box lie: element (i, j, ...)
// at offset + i·strides[0] + j·strides[1] + .... A stride of 0 repeats, a
// negative one runs backwards.
type layout struct {
	offset  int
	strides []int
}

// rowMajor is the layout of a dense tensor.
func rowMajor(shape []int) layout {
	strides := make([]int, len(shape))
	step := 1
	for axis := len(shape) - 1; axis >= 0; axis-- {
		strides[axis] = step
		step *= shape[axis]
	}
	return layout{strides: strides}
}

// isDense says whether a box of this shape lies as a dense tensor does.
func (l layout) isDense(shape []int) bool {
	step := 1
	for axis, size := range slices.Backward(shape) {
		if size != 1 && l.strides[axis] != step {
			return false
		}
		step *= size
	}
	return true
}

// at is the same layout, of a box that begins at the given coordinate.
func (l layout) at(coordinate []int) layout {
	for axis, i := range coordinate {
		l.offset += i * l.strides[axis]
	}
	return l
}

// move copies a box of the given shape from one layout to another. Boxes that
// lie in one slice must not overlap. The order of copying is move's own: the
// box is brought to as few axes as can be, and the innermost two are those that
// are nearest to contiguous in the destination and in the source.
func move(to elements, toLayout layout, from elements, fromLayout layout, shape []int) {
	axes := mergeAxes(shape, toLayout.strides, fromLayout.strides)
	if axes == nil {
		return
	}
	slices.SortStableFunc(axes, func(a, b moveAxis) int { return magnitude(b.to) - magnitude(a.to) })
	inner := len(axes) - 1
	across := 0
	for axis := range inner {
		if magnitude(axes[axis].from) <= magnitude(axes[across].from) {
			across = axis
		}
	}
	p := plane{
		rows: 1, columns: axes[inner].size,
		to: toLayout.offset, from: fromLayout.offset,
		toStep: axes[inner].to, fromStep: axes[inner].from,
	}
	outer := axes[:inner]
	if inner > 0 {
		row := axes[across]
		p.rows, p.toRow, p.fromRow = row.size, row.to, row.from
		outer = slices.Delete(outer, across, across+1)
	}
	eachPlane(outer, p, func(p plane) { to.copyPlane(p, from) })
}

// moveAxis is an axis of a box that is copied: its size and its strides.
type moveAxis struct{ size, to, from int }

// mergeAxes drops axes of size 1 and merges neighbours that are one run of
// elements on both sides. It gives at least one axis, or nil for an empty box.
func mergeAxes(shape, to, from []int) []moveAxis {
	merged := make([]moveAxis, 0, len(shape)+1)
	for i, size := range shape {
		if size == 0 {
			return nil
		}
		if size == 1 {
			continue
		}
		axis := moveAxis{size, to[i], from[i]}
		if n := len(merged); n > 0 {
			last := &merged[n-1]
			if last.to == axis.to*size && last.from == axis.from*size {
				*last = moveAxis{last.size * size, axis.to, axis.from}
				continue
			}
		}
		merged = append(merged, axis)
	}
	if len(merged) == 0 {
		merged = append(merged, moveAxis{1, 1, 1})
	}
	return merged
}

// eachPlane visits the planes of a box, which differ in where they start.
func eachPlane(outer []moveAxis, p plane, visit func(plane)) {
	if len(outer) == 0 {
		visit(p)
		return
	}
	for range outer[0].size {
		eachPlane(outer[1:], p, visit)
		p.to += outer[0].to
		p.from += outer[0].from
	}
}

func magnitude(stride int) int { return max(stride, -stride) }

// worthMoving is from how many elements on a box is moved by several threads.
const worthMoving = 1 << 17

// moveTogether is move by all of the call's workers, each a part of the first axis
// that has one.
func moveTogether(c *Call, to elements, toLayout layout, from elements, fromLayout layout, shape []int) {
	axis := slices.IndexFunc(shape, func(size int) bool { return size > 1 })
	if c == nil || axis < 0 || c.Workers.Threads() == 1 || tensor.Count(shape) < worthMoving {
		move(to, toLayout, from, fromLayout, shape)
		return
	}
	n := shape[axis]
	pieces := min(n, piecesPerThread*c.Workers.Threads())
	c.Workers.Each(pieces, func(piece int) {
		first, next := n*piece/pieces, n*(piece+1)/pieces
		part, target, source := slices.Clone(shape), toLayout, fromLayout
		part[axis] = next - first
		target.offset += first * target.strides[axis]
		source.offset += first * source.strides[axis]
		move(to, target, from, source, part)
	})
}

// ownShare is which part of a tensor's elements one that shares them has at
// least: fewer are copied, as they would keep the memory of all of them.
const ownShare = 4

// pick makes a dense tensor of a box of t's elements. If they lie there side by
// side, and are not few of t's, it shares them.
func pick(c *Call, t *tensor.Tensor, from layout, shape []int) *tensor.Tensor {
	source := elementsIn(t)
	count := tensor.Count(shape)
	if count > 0 && count >= t.Len()/ownShare && from.isDense(shape) {
		return source.part(from.offset, count).tensor(shape)
	}
	result := source.room(c, count)
	moveTogether(c, result, rowMajor(shape), source, from, shape)
	return result.tensor(shape)
}
