package ops

// patch is a part of a map of an output: some whole lines along the last axis,
// or a piece of one line.
type patch struct{ line, lines, column, width int }

func (p patch) size() int { return p.lines * p.width }

// patches cuts a map of the output into parts of about the given size.
func (r *windowRows) patches(size int) []patch {
	width := r.output[len(r.output)-1]
	var all []patch
	if size < width {
		pieces := (width + size - 1) / size
		for line := range r.lines {
			for piece := range pieces {
				from := piece * width / pieces
				all = append(all, patch{line, 1, from, (piece+1)*width/pieces - from})
			}
		}
		return all
	}
	lines := size / width
	for line := 0; line < len(r.lines); line += lines {
		all = append(all, patch{line, min(lines, len(r.lines)-line), 0, width})
	}
	return all
}

// unroll lays the input elements under a window out as a matrix: one row for
// each tap of each channel (channel outermost, then taps in row-major order of
// the kernel), one column for each output of the patch. Where a tap meets
// padding, the element is fill. input holds the channels one after another;
// columns must have channels · taps · patch size elements.
func unroll[T any](r *windowRows, input []T, channels int, p patch, fill T, columns []T) {
	last := len(r.input) - 1
	size, stride := r.input[last], r.strides[last]
	outer, plane := 1, 1
	for axis, kernel := range r.kernel {
		if axis < last {
			outer *= kernel
		}
		plane *= r.input[axis]
	}
	fillWith(columns, fill)
	row := p.size()
	for channel := range channels {
		for line := range p.lines {
			for _, tap := range r.lines[p.line+line] {
				source := input[channel*plane+tap.offset:][:size]
				first := (channel*outer+tap.tap)*len(r.inner)*row + line*p.width
				for t, cover := range r.inner {
					from, to := max(cover.from, p.column), min(cover.to, p.column+p.width)
					if from >= to {
						continue
					}
					target := columns[first+t*row+from-p.column:][:to-from]
					at := cover.start + (from-cover.from)*stride
					if stride == 1 {
						copy(target, source[at:])
						continue
					}
					for i := range target {
						target[i] = source[at]
						at += stride
					}
				}
			}
		}
	}
}
