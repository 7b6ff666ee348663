package ops

import (
	"fmt"
	"math"
)

// windowAttributes are what Conv, ConvTranspose and the pools say about the
// window that slides over the spatial axes. A nil list is the operator's default.
type windowAttributes struct {
	autoPad                    string
	kernel, strides, dilations []int
	pads                       []int // all beginnings, then all ends
	ceil                       bool
}

func readWindowAttributes(n *Node) (windowAttributes, error) {
	a := windowAttributes{
		autoPad:   n.Text("auto_pad", "NOTSET"),
		kernel:    n.Ints("kernel_shape"),
		strides:   n.Ints("strides"),
		dilations: n.Ints("dilations"),
		pads:      n.Ints("pads"),
		ceil:      n.Int("ceil_mode", 0) != 0,
	}
	switch a.autoPad {
	case "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER":
	case "":
		a.autoPad = "NOTSET"
	default:
		return a, fmt.Errorf("auto_pad is %q: want NOTSET, VALID, SAME_UPPER or SAME_LOWER", a.autoPad)
	}
	return a, nil
}

const (
	// maxWindowExtent bounds every number of a window, so that sums and products
	// of two of them cannot overflow.
	maxWindowExtent = math.MaxInt32
	// maxKernel bounds the taps along one axis, for each of which a table has an entry.
	maxKernel = 1 << 22
)

// axes checks the lists against the number of spatial axes and fills defaults in.
func (a windowAttributes) axes(rank int, kernel []int) (*slidingWindow, error) {
	w := &slidingWindow{
		kernel:    kernel,
		strides:   orAll(a.strides, rank, 1),
		dilations: orAll(a.dilations, rank, 1),
	}
	if len(kernel) != rank || len(w.strides) != rank || len(w.dilations) != rank {
		return nil, fmt.Errorf("kernel %v, strides %v and dilations %v must each have one number for each of the %d spatial axes",
			kernel, w.strides, w.dilations, rank)
	}
	pads := orAll(a.pads, 2*rank, 0)
	if a.autoPad != "NOTSET" {
		pads = make([]int, 2*rank)
	}
	if len(pads) != 2*rank {
		return nil, fmt.Errorf("pads %v must have a beginning and an end for each of the %d spatial axes", pads, rank)
	}
	w.before, w.after = pads[:rank:rank], pads[rank:]
	for i := range rank {
		if kernel[i] < 1 || kernel[i] > maxKernel {
			return nil, fmt.Errorf("kernel %v must be between 1 and %d along each axis", kernel, maxKernel)
		}
		if min(w.strides[i], w.dilations[i]) < 1 || max(w.strides[i], w.dilations[i]) > maxWindowExtent {
			return nil, fmt.Errorf("strides %v and dilations %v must be between 1 and %d", w.strides, w.dilations, maxWindowExtent)
		}
		for _, pad := range []int{w.before[i], w.after[i]} {
			if pad < -maxWindowExtent || pad > maxWindowExtent {
				return nil, fmt.Errorf("pads %v are out of range", pads)
			}
		}
		if w.extent(i) > maxWindowExtent {
			return nil, fmt.Errorf("kernel %v with dilations %v is wider than %d", kernel, w.dilations, maxWindowExtent)
		}
	}
	return w, nil
}

// slide lays the window over an input of the given spatial shape. The output is
// floor or ceil((input + pads - extent) / stride) + 1 along each axis; with
// ceil a last window that would start behind the input and its leading padding
// is dropped. SAME pads to an output of ceil(input / stride), where that needs
// padding at all.
func (a windowAttributes) slide(input, kernel []int) (*slidingWindow, error) {
	w, err := a.axes(len(input), kernel)
	if err != nil {
		return nil, err
	}
	w.input = input
	w.output = make([]int, len(input))
	for i, size := range input {
		if size > maxWindowExtent {
			return nil, fmt.Errorf("spatial axis %d of size %d is out of range", i, size)
		}
		if a.autoPad == "SAME_UPPER" || a.autoPad == "SAME_LOWER" {
			w.output[i] = (size + w.strides[i] - 1) / w.strides[i]
			w.before[i], w.after[i] = splitPadding(max(0, (w.output[i]-1)*w.strides[i]+w.extent(i)-size), a.autoPad == "SAME_LOWER")
			continue
		}
		free := size + w.before[i] + w.after[i] - w.extent(i)
		if free < 0 {
			return nil, fmt.Errorf("a window %d wide (kernel %v, dilations %v) does not fit into spatial axis %d: size %d, padding %d and %d",
				w.extent(i), kernel, w.dilations, i, size, w.before[i], w.after[i])
		}
		w.output[i] = free/w.strides[i] + 1
		if a.ceil {
			w.output[i] = (free+w.strides[i]-1)/w.strides[i] + 1
			if (w.output[i]-1)*w.strides[i] >= size+w.before[i] {
				w.output[i]--
			}
		}
	}
	return w, nil
}

// splitPadding divides padding over the two sides of an axis; the odd element
// goes to the end, or to the beginning for SAME_LOWER.
func splitPadding(total int, lower bool) (before, after int) {
	before = total / 2
	if lower {
		before = total - total/2
	}
	return before, total - before
}

// orAll is the list, or n times the same number where the node does not state it.
func orAll(list []int, n, otherwise int) []int {
	if list != nil {
		return list
	}
	list = make([]int, n)
	for i := range list {
		list[i] = otherwise
	}
	return list
}

// slidingWindow is the geometry of a kernel that slides over the spatial axes
// of one channel: all lists have one number for each such axis. Negative
// padding crops.
type slidingWindow struct {
	input, output              []int
	kernel, strides, dilations []int
	before, after              []int
}

// extent is how many elements of an axis the dilated kernel spans.
func (w *slidingWindow) extent(axis int) int { return (w.kernel[axis]-1)*w.dilations[axis] + 1 }

// tapSpan is where the window of one output coordinate lies on one axis: tap t
// reads the input at start + t·dilation, which is inside it for first <= t < last.
type tapSpan struct{ start, first, last int }

// spans gives the tapSpan of every output coordinate of an axis.
func (w *slidingWindow) spans(axis int) []tapSpan {
	stride, dilation, size := w.strides[axis], w.dilations[axis], w.input[axis]
	spans := make([]tapSpan, w.output[axis])
	for o := range spans {
		s := tapSpan{start: o*stride - w.before[axis]}
		if s.start < 0 {
			s.first = min(w.kernel[axis], (-s.start+dilation-1)/dilation)
		}
		if s.start < size {
			s.last = min(w.kernel[axis], (size-1-s.start)/dilation+1)
		}
		s.last = max(s.last, s.first)
		spans[o] = s
	}
	return spans
}

// rowTap is one line of the input that an output line reads: where it starts
// in its channel, and the kernel's line that meets it.
type rowTap struct{ offset, tap int }

// tapCover is what one tap along the last axis reads: output o of
// from <= o < to reads the input line at start + (o-from)·stride.
type tapCover struct{ from, to, start int }

// windowRows lays a window out by lines along the last axis, so that kernels
// have inner loops over contiguous elements whatever the rank.
type windowRows struct {
	*slidingWindow
	lines [][]rowTap // of each output line, by ascending tap
	inner []tapCover // of each tap along the last axis
	// paddedTaps is, for each output line, how many of the kernel's lines lie
	// within the input and its explicit padding.
	paddedTaps []int
}

// maxLines bounds the lines of an output, for each of which a table has an entry.
const maxLines = 1 << 22

// rows computes the layout, which all batches and channels share.
func (w *slidingWindow) rows() (*windowRows, error) {
	last := len(w.input) - 1
	lines := 1
	for _, size := range w.output[:last] {
		// An empty axis does not excuse the others: each has a table of its own.
		if lines *= max(size, 1); lines > maxLines {
			return nil, fmt.Errorf("an output %v has more than %d lines", w.output, maxLines)
		}
	}
	r := &windowRows{slidingWindow: w, lines: [][]rowTap{{{}}}, paddedTaps: []int{1}, inner: w.covers(last)}
	for axis := range last {
		spans := w.spans(axis)
		lines := make([][]rowTap, 0, len(r.lines)*len(spans))
		padded := make([]int, 0, len(r.lines)*len(spans))
		for i, outer := range r.lines {
			for _, s := range spans {
				taps := make([]rowTap, 0, len(outer)*(s.last-s.first))
				for _, o := range outer {
					for t := s.first; t < s.last; t++ {
						taps = append(taps, rowTap{
							offset: o.offset*w.input[axis] + s.start + t*w.dilations[axis],
							tap:    o.tap*w.kernel[axis] + t,
						})
					}
				}
				lines = append(lines, taps)
				padded = append(padded, r.paddedTaps[i]*w.withPadding(axis, s))
			}
		}
		r.lines, r.paddedTaps = lines, padded
	}
	for _, taps := range r.lines {
		for i := range taps {
			taps[i].offset *= w.input[last]
		}
	}
	return r, nil
}

// withPadding counts the taps of a span that lie within the input and its
// explicit padding, not in what ceil mode lets the last window hang over.
func (w *slidingWindow) withPadding(axis int, s tapSpan) int {
	room := max(0, w.input[axis]+w.after[axis]-s.start)
	return min(w.kernel[axis], (room+w.dilations[axis]-1)/w.dilations[axis])
}

// covers turns the spans of an axis around: for each tap, the outputs it serves.
func (w *slidingWindow) covers(axis int) []tapCover {
	stride, size := w.strides[axis], w.input[axis]
	covers := make([]tapCover, w.kernel[axis])
	for t := range covers {
		at := t*w.dilations[axis] - w.before[axis] // what output 0 reads
		c := tapCover{to: w.output[axis]}
		if at < 0 {
			c.from = (-at + stride - 1) / stride
		}
		if at >= size {
			c.to = 0
		} else {
			c.to = min(c.to, (size-1-at)/stride+1)
		}
		if c.from < c.to {
			c.start = at + c.from*stride
			covers[t] = c
		}
	}
	return covers
}
