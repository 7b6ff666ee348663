package ops

import "fmt"

// broadcastShapes is the shape that operands of the given shapes are expanded
// to: aligned at their last axes, with missing axes of size 1, every axis has
// the one size other than 1 that any operand has there. (Multidirectional
// broadcasting, as NumPy does it.)
func broadcastShapes(shapes ...[]int) ([]int, error) {
	rank := 0
	for _, shape := range shapes {
		rank = max(rank, len(shape))
	}
	result := make([]int, rank)
	for axis := range result {
		result[axis] = 1
	}
	for _, shape := range shapes {
		first := rank - len(shape)
		for i, size := range shape {
			switch {
			case size == 1 || size == result[first+i]:
			case result[first+i] == 1:
				result[first+i] = size
			default:
				return nil, fmt.Errorf("shapes %v cannot be broadcast to one: axis %d has sizes %d and %d", shapes, first+i, result[first+i], size)
			}
		}
	}
	if _, err := checkedCount(result); err != nil {
		return nil, err
	}
	return result, nil
}

// broadcastStrides says how far apart neighbours along each axis of shape lie in
// a dense operand of shape own, which broadcasts to it: 0 along axes that repeat.
func broadcastStrides(own, shape []int) []int {
	strides := make([]int, len(shape))
	first := len(shape) - len(own)
	step := 1
	for axis := len(own) - 1; axis >= 0; axis-- {
		if own[axis] != 1 {
			strides[first+axis] = step
		}
		step *= own[axis]
	}
	return strides
}

// expanded reads a dense operand as if it had been expanded to a shape, a block
// of elements at a time: so a loop over blocks needs only contiguous slices,
// whatever is broadcast to what.
type expanded[T any] struct {
	data []T
	axes []expandedAxis // outermost first; none if data is as long as the result
}

// expandedAxis is an axis of the result: its size, and the operand's stride
// along it, which is 0 where the operand repeats.
type expandedAxis struct{ size, stride int }

// expandOperand prepares data of shape own to be read as if it had shape, to
// which it must broadcast.
func expandOperand[T any](data []T, own, shape []int) *expanded[T] {
	strides := broadcastStrides(own, shape)
	var axes []expandedAxis
	repeats := false
	for i, size := range shape {
		if size == 1 {
			continue
		}
		axis := expandedAxis{size, strides[i]}
		repeats = repeats || axis.stride == 0
		if n := len(axes); n > 0 && axes[n-1].stride == axis.stride*size {
			axes[n-1] = expandedAxis{axes[n-1].size * size, axis.stride}
			continue
		}
		axes = append(axes, axis)
	}
	if !repeats {
		axes = nil
	}
	return &expanded[T]{data, axes}
}

// block gives elements lo to hi of the expanded operand: a part of its data
// where they lie there as they are, else buffer, which must be long enough.
func (e *expanded[T]) block(lo, hi int, buffer []T) []T {
	if e.axes == nil {
		return e.data[lo:hi]
	}
	if lo == hi { // as it is where an axis has size 0
		return nil
	}
	buffer = buffer[:hi-lo]
	last := len(e.axes) - 1
	// An array and not a slice, so that the common ranks need no allocation.
	var few [8]int
	index := few[:]
	if last >= len(few) {
		index = make([]int, last+1)
	}
	offset, rest := 0, lo
	for i := last; i >= 0; i-- {
		axis := e.axes[i]
		index[i] = rest % axis.size
		rest /= axis.size
		offset += index[i] * axis.stride
	}
	inner := e.axes[last]
	for at := 0; at < len(buffer); {
		run := buffer[at:min(len(buffer), at+inner.size-index[last])]
		if inner.stride == 0 {
			fillWith(run, e.data[offset])
		} else {
			copy(run, e.data[offset:])
		}
		at += len(run)
		offset -= index[last] * inner.stride
		index[last] = 0
		for i := last - 1; i >= 0; i-- {
			axis := e.axes[i]
			index[i]++
			offset += axis.stride
			if index[i] < axis.size {
				break
			}
			offset -= axis.size * axis.stride
			index[i] = 0
		}
	}
	return buffer
}
