package ops

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/convolution"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// convSource says where the elements under a window lie, so that what a tap
// reads for the outputs of a line is contiguous whatever the strides: either in
// the input's channels as they are, or in planes, which are copies of channels
// with their padding.
type convSource struct {
	// direct says that the input's channels are the planes.
	direct bool
	// size is how many elements a plane has.
	size int
	// taps is where each tap reads for the first output of the first line.
	taps []int
	// lines is how much farther the outputs of each line read; each has width.
	lines []int
	width int
	// step is how far the outputs of a line read apart, 1 but for a direct source.
	step int
	// padding is what fills planes where there is no input.
	padding float32

	blocks []planeBlock
}

// planeBlock is a part of a plane that is copied from the input: rows of n
// elements, which lie step apart in the input.
type planeBlock struct {
	to, toStride, from, fromStride int
	rows, n, step                  int
}

// planeRow is a line of a plane, and where the line of the input that it is made
// of begins: negative if there is none, because it is padding.
type planeRow struct{ to, from int }

// planeRun is a part of an axis of a plane: every stride-th place of the padded
// input, as many as the taps that share these places read. Places lo to hi-1 of
// the run lie in the input, from start on.
type planeRun struct{ at, length, lo, hi, start, stride int }

// largestPlane bounds a plane by what it is made of. Only padding and dilations
// that are far larger than the input make planes beyond it.
func largestPlane(w *slidingWindow) int {
	return 16*(tensor.Count(w.input)+tensor.Count(w.output)+tensor.Count(w.kernel)) + 1<<16
}

// newConvSource plans the source of a window, in which outputs may read so far
// apart as widest says; nil if its planes would be too large.
func newConvSource(w *slidingWindow, widest int) *convSource {
	rank := len(w.input)
	s := &convSource{direct: w.strides[rank-1] <= widest, width: w.output[rank-1], step: 1}
	for axis := range rank {
		reach := max(0, w.output[axis]-1)*w.strides[axis] + w.extent(axis)
		s.direct = s.direct && w.before[axis] == 0 && reach <= w.input[axis]
	}
	shape, axes := slices.Clone(w.input), make([]planeAxis, rank)
	for axis := range rank {
		if s.direct {
			axes[axis] = wholeAxis(w, axis)
		} else {
			axes[axis] = dividedAxis(w, axis)
			shape[axis] = axes[axis].length
		}
	}
	size, err := tensor.CheckedCount(shape)
	if err != nil || size > largestPlane(w) {
		return nil
	}
	s.size = size
	s.taps, s.lines = []int{0}, []int{0}
	step := 1
	strides := rowMajor(shape).strides
	for axis, a := range axes {
		taps := make([]int, len(a.taps))
		for t, at := range a.taps {
			taps[t] = at * strides[axis]
		}
		s.taps = combined(s.taps, taps)
		if axis < rank-1 {
			if s.direct {
				step = w.strides[axis]
			}
			lines := make([]int, w.output[axis])
			for o := range lines {
				lines[o] = o * step * strides[axis]
			}
			s.lines = combined(s.lines, lines)
		}
	}
	if s.direct {
		if s.step = w.strides[rank-1]; s.step == 1 {
			s.join()
		}
		return s
	}
	s.addBlocks(planeRows(axes[:rank-1], w.input, shape), axes[rank-1].runs)
	return s
}

// addBlocks finds the blocks of a plane: as many rows at once as lie at equal
// distances.
func (s *convSource) addBlocks(rows []planeRow, runs []planeRun) {
	rows = slices.DeleteFunc(rows, func(r planeRow) bool { return r.from < 0 })
	for first := 0; first < len(rows); {
		last := first + 1
		var to, from int
		if last < len(rows) {
			to, from = rows[last].to-rows[first].to, rows[last].from-rows[first].from
		}
		for from >= 0 && last < len(rows) && rows[last].to-rows[last-1].to == to && rows[last].from-rows[last-1].from == from {
			last++
		}
		for _, run := range runs {
			if run.lo < run.hi {
				s.blocks = append(s.blocks, planeBlock{
					to: rows[first].to + run.at + run.lo, toStride: to, from: rows[first].from + run.start, fromStride: from,
					rows: last - first, n: run.hi - run.lo, step: run.stride,
				})
			}
		}
		first = last
	}
}

// combined adds every one of some offsets to every one of others.
func combined(outer, inner []int) []int {
	all := make([]int, 0, len(outer)*len(inner))
	for _, o := range outer {
		for _, i := range inner {
			all = append(all, o+i)
		}
	}
	return all
}

// planeAxis is one axis of a plane: its runs, and where each tap reads for
// output 0. Output o reads o places farther, but on a whole axis o·stride.
type planeAxis struct {
	length int
	runs   []planeRun
	taps   []int
}

// wholeAxis is an axis of the input as it is.
func wholeAxis(w *slidingWindow, axis int) planeAxis {
	a := planeAxis{length: w.input[axis], taps: make([]int, w.kernel[axis])}
	for t := range a.taps {
		a.taps[t] = t * w.dilations[axis]
	}
	return a
}

// dividedAxis has a run for each remainder that the taps' places leave when
// they are divided by the stride.
func dividedAxis(w *slidingWindow, axis int) planeAxis {
	stride, dilation, size := w.strides[axis], w.dilations[axis], w.input[axis]
	a := planeAxis{taps: make([]int, w.kernel[axis])}
	runOf := map[int]int{}
	for t := range a.taps {
		remainder := t * dilation % stride
		if _, known := runOf[remainder]; !known {
			runOf[remainder] = len(a.runs)
			a.runs = append(a.runs, planeRun{start: remainder - w.before[axis], stride: stride})
		}
		run := &a.runs[runOf[remainder]]
		run.length = w.output[axis] + t*dilation/stride
	}
	for i := range a.runs {
		r := &a.runs[i]
		r.at = a.length
		a.length += r.length
		first := r.start // the place of the input that the run begins at
		if first < 0 {
			r.lo = min(r.length, (-first+stride-1)/stride)
		}
		if first < size {
			r.hi = min(r.length, (size-1-first)/stride+1)
		}
		r.hi = max(r.hi, r.lo)
		r.start = first + r.lo*stride
	}
	for t := range a.taps {
		a.taps[t] = a.runs[runOf[t*dilation%stride]].at + t*dilation/stride
	}
	return a
}

// planeRows lists the lines of a plane of the given shape.
func planeRows(outer []planeAxis, input, shape []int) []planeRow {
	rows := []planeRow{{}}
	for axis, a := range outer {
		next := make([]planeRow, 0, len(rows)*a.length)
		for _, row := range rows {
			for _, run := range a.runs {
				for i := range run.length {
					from := -1
					if row.from >= 0 && i >= run.lo && i < run.hi {
						from = row.from*input[axis] + run.start + (i-run.lo)*run.stride
					}
					next = append(next, planeRow{to: row.to*shape[axis] + run.at + i, from: from})
				}
			}
		}
		rows = next
	}
	last := len(outer)
	for i := range rows {
		rows[i].to *= shape[last]
		rows[i].from *= input[last]
	}
	return rows
}

// join makes one line of lines that follow each other without a gap.
func (s *convSource) join() {
	for i := range len(s.lines) - 1 {
		if s.lines[i+1] != s.lines[i]+s.width {
			return
		}
	}
	if len(s.lines) > 0 {
		s.width *= len(s.lines)
		s.lines = s.lines[:1]
	}
}

// stretches visits the lines, as many at once as lie at equal distances: those
// along the last two axes.
func (s *convSource) stretches(visit func(first, rows, stride int)) {
	for first := 0; first < len(s.lines); {
		rows, stride := 1, 0
		if first+1 < len(s.lines) {
			stride = s.lines[first+1] - s.lines[first]
		}
		for stride >= 0 && first+rows < len(s.lines) && s.lines[first+rows]-s.lines[first+rows-1] == stride {
			rows++
		}
		visit(first, rows, stride)
		first += rows
	}
}

// oneTap is where the only tap of a copy reads.
var oneTap = []int{0}

// fill makes a plane of a channel of the input.
func (s *convSource) fill(plane, channel []float32) {
	if s.padding == 0 {
		clear(plane)
	} else {
		fillWith(plane, s.padding)
	}
	for _, b := range s.blocks {
		if b.step <= 2 {
			// The greatest of one number is that number.
			convolution.Largest(plane[b.to:], b.toStride, channel[b.from:], b.fromStride, b.rows, b.n, oneTap, b.step)
			continue
		}
		for row := range b.rows {
			to, from := plane[b.to+row*b.toStride:][:b.n], channel[b.from+row*b.fromStride:]
			for i := range to {
				to[i] = from[i*b.step]
			}
		}
	}
}
