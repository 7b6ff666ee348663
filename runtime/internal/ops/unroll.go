package ops

// unroll lays the input elements under a window out as a matrix: one row for
// each tap of each channel (channel outermost, then taps in row-major order of
// the kernel), one column for each output of the output lines [from, to).
// Where a tap meets padding, the element is fill. input holds the channels one
// after another; columns must have channels · taps · (to-from) · line elements.
func unroll[T any](r *windowRows, input []T, channels, from, to int, fill T, columns []T) {
	last := len(r.input) - 1
	width, size, stride := r.output[last], r.input[last], r.strides[last]
	outer, plane := 1, 1
	for axis, kernel := range r.kernel {
		if axis < last {
			outer *= kernel
		}
		plane *= r.input[axis]
	}
	for i := range columns {
		columns[i] = fill
	}
	row := (to - from) * width
	for channel := range channels {
		for line := from; line < to; line++ {
			for _, tap := range r.lines[line] {
				source := input[channel*plane+tap.offset:][:size]
				first := (channel*outer+tap.tap)*len(r.inner)*row + (line-from)*width
				for t, cover := range r.inner {
					target := columns[first+t*row:][cover.from:cover.to]
					if stride == 1 {
						copy(target, source[cover.start:])
						continue
					}
					at := cover.start
					for i := range target {
						target[i] = source[at]
						at += stride
					}
				}
			}
		}
	}
}
