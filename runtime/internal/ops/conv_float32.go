package ops

import "github.com/onnx-tinyq/onnx-tinyq/runtime/internal/convolution"

// convWork is a convolution in float32, ready to run on inputs of one shape.
type convWork struct {
	*convPlan
	source  *convSource
	weights *ConvWeights
	filters []float32 // instead of weights, if it slides: (maps, taps)
	bias    []float32 // (maps); nil: none
	end     *ConvEnd  // nil: none
}

// mostSliding is up to how many maps a channel is slid over for each map anew:
// more are worth the panels of a product.
const mostSliding = 4

// slides says whether the taps slide over the channels, instead of products.
func (p *convPlan) slides() bool { return p.channels == 1 && p.maps < mostSliding && p.taps > 0 }

const (
	// worthSliding and worthTile are about how many multiplications take as long
	// as it takes to hand work to another thread and back.
	worthSliding = 1 << 17
	worthTile    = 1 << 19
	// panelElements is about how many elements the panels of a task have: few
	// enough for them to stay in the second-level cache while all maps use them.
	panelElements = 1 << 16
	// planeElements is about how many elements planes have at a time.
	planeElements = 1 << 20
)

// run gives y (batch, maps, outputs) of x (batch, channels, inputs).
func (w *convWork) run(c *Call, x []float32) ([]float32, error) {
	y := buffer[float32](c, w.batch*w.groups*w.maps*w.outputs)
	if len(y) == 0 {
		return y, nil
	}
	if w.filters != nil {
		return y, w.slide(c, y, x)
	}
	if w.source.direct {
		return y, w.multiply(c, y, x, w.inputs, 0, w.batch)
	}
	each := w.groups * w.channels
	images := max(1, min(w.batch, planeElements/max(1, each*w.source.size)))
	planes := buffer[float32](c, images*each*w.source.size)
	for first := 0; first < w.batch; first += images {
		last := min(w.batch, first+images)
		err := c.parallel((last-first)*each, worthSliding/max(1, w.source.size), func(from, to int) {
			for i := from; i < to; i++ {
				w.source.fill(planes[i*w.source.size:][:w.source.size], x[(first*each+i)*w.inputs:][:w.inputs])
			}
		})
		if err == nil {
			err = w.multiply(c, y, planes, w.source.size, first, last)
		}
		if err != nil {
			return nil, err
		}
	}
	return y, nil
}

// slide takes each map by itself: its one channel is made a plane, which stays
// in the first-level cache.
func (w *convWork) slide(c *Call, y, x []float32) error {
	s := w.source
	maps := w.groups * w.maps
	return c.parallel(w.batch*maps, worthSliding/max(1, w.outputs*w.taps), func(from, to int) {
		var scratch []float32
		if !s.direct {
			scratch = buffer[float32](c, s.size)
		}
		filled := -1
		for i := from; i < to; i++ {
			m, channel := i%maps, i/w.maps
			plane := scratch
			if s.direct {
				plane = x[channel*w.inputs:][:w.inputs]
			} else if channel != filled {
				s.fill(plane, x[channel*w.inputs:][:w.inputs])
				filled = channel
			}
			bias := float32(0)
			if w.bias != nil {
				bias = w.bias[m]
			}
			out := y[i*w.outputs:][:w.outputs]
			s.slide(out, plane, w.filters[m*w.taps:][:w.taps], bias)
			w.end.finish(out, 0, m, 1, w.outputs)
		}
	})
}

// slide computes one map of one channel.
func (s *convSource) slide(out, plane, filter []float32, bias float32) {
	s.stretches(func(first, rows, stride int) {
		convolution.Taps(out[first*s.width:], s.width, plane[s.lines[first]:], stride, rows, s.width, filter, s.taps, bias)
	})
}

// multiply computes the images from first to last-1, whose channels lie in
// planes, by products.
func (w *convWork) multiply(c *Call, y, planes []float32, plane, first, last int) error {
	depth := w.channels * w.taps
	offsets := make([]int, 0, depth)
	for channel := range w.channels {
		for _, at := range w.source.taps {
			offsets = append(offsets, channel*plane+at)
		}
	}
	columns := (last - first) * w.outputs
	width := panelWidth(w.outputs)
	panels := (columns + width - 1) / width
	threads := c.Workers.Threads()
	// A task is some panels by some blocks of maps. What it needs is to fit the
	// cache, and there are to be some tasks for each thread.
	together := max(1, min(panels, panelElements/max(1, depth*convolution.Columns)))
	parts := 1
	if threads > 1 {
		together = max(1, min(together, panels*w.groups/(tasksPerThread*threads)))
		if tasks := (panels + together - 1) / together * w.groups; tasks < tasksPerThread*threads {
			parts = min(w.weights.blocks(), (tasksPerThread*threads+tasks-1)/tasks)
		}
	}
	stretches := (panels + together - 1) / together
	cost := max(1, depth*w.maps*min(columns, together*width)/parts)
	return c.parallel(w.groups*stretches*parts, worthTile/cost, func(from, to int) {
		t := convTask{convWork: w, y: y, planes: planes, plane: plane, first: first, columns: columns, width: width, offsets: offsets}
		t.panels = buffer[float32](c, together*depth*convolution.Columns)
		t.floats = buffer[float32](c, w.weights.scratch())
		for i := from; i < to; i++ {
			stretch, part := i/parts%stretches, i%parts
			if i == from || part == 0 {
				t.gather(i/parts/stretches, stretch*together, min(panels, (stretch+1)*together))
			}
			blocks := w.weights.blocks()
			for block := part * blocks / parts; block < (part+1)*blocks/parts; block++ {
				t.multiply(block)
			}
		}
	})
}

// panelWidth is how many columns of a panel are used, for images of so many
// outputs: as many as there are, or less if panels end with the images then.
func panelWidth(outputs int) int {
	for _, width := range []int{48, 32} {
		if outputs%width == 0 {
			return width
		}
	}
	return convolution.Columns
}

// tasksPerThread is how many tasks there are to be for each thread, if there is
// enough to do: a thread that is held up does not hold up the rest for long.
const tasksPerThread = 4

// convTask is one thread's part of convWork.multiply.
type convTask struct {
	*convWork
	y, planes      []float32
	plane, first   int // elements of a plane, first image
	columns        int // outputs of one map in all images
	width          int // of a panel
	offsets        []int
	panels, floats []float32

	group, from, to int // the panels at hand
	staged          [convolution.Rows * convolution.Columns]float32
}

// gather makes the panels from to to-1 of a group's columns.
func (t *convTask) gather(group, from, to int) {
	t.group, t.from, t.to = group, from, to
	for panel := from; panel < to; panel++ {
		dst := t.panels[(panel-from)*len(t.offsets)*convolution.Columns:]
		begin, end := panel*t.width, min(t.columns, (panel+1)*t.width)
		for column := begin; column < end; {
			column += t.gatherSome(dst[column-begin:], column, end)
		}
	}
}

// gatherSome fills columns of a panel from one on, which lie in one image and in
// a line of it or in several short ones, and says how many.
func (t *convTask) gatherSome(panel []float32, column, end int) int {
	s := t.source
	image, output := column/t.outputs, column%t.outputs
	line, at := output/s.width, output%s.width
	base := (image*t.groups+t.group)*t.channels*t.plane + s.lines[line]
	n := min(end-column, s.width-at)
	if s.width >= convolution.PatternColumns || n == min(end-column, t.outputs-output) {
		convolution.Gather(panel, t.planes[base+at:], t.offsets, n)
		return n
	}
	most := min(convolution.PatternColumns, end-column, t.outputs-output)
	first := s.lines[line] + at
	var pattern [convolution.PatternColumns]int32
	span := 0
	for n = 0; n < most; n++ {
		line, at := (output+n)/s.width, (output+n)%s.width
		distance := s.lines[line] + at - first
		if distance < 0 || distance >= convolution.PatternSpan {
			break
		}
		pattern[n], span = int32(distance), distance+1
	}
	convolution.GatherPattern(panel, t.planes[base+at:], t.offsets, &pattern, span, n)
	return n
}

// multiply computes a block of maps for the panels at hand.
func (t *convTask) multiply(block int) {
	first := t.group*t.maps + block*convRows
	rows := min(convRows, t.maps-block*convRows)
	var bias [convRows]float32
	if t.bias != nil {
		copy(bias[:], t.bias[first:first+rows])
	}
	weights := t.weights.block(t.group, block, t.floats)
	depth := len(t.offsets)
	for panel := t.from; panel < t.to; panel++ {
		b := t.panels[(panel-t.from)*depth*convolution.Columns:]
		column := panel * t.width
		n := min(t.width, t.columns-column)
		image, output := t.first+column/t.outputs, column%t.outputs
		if output+n <= t.outputs {
			dst := t.y[(image*t.groups*t.maps+first)*t.outputs+output:]
			convolution.Multiply(dst, t.outputs, weights, b, depth, &bias, rows, n)
			t.end.finish(dst, t.outputs, first, rows, n)
			continue
		}
		// The panel has outputs of several images.
		convolution.Multiply(t.staged[:], convolution.Columns, weights, b, depth, &bias, rows, n)
		t.end.finish(t.staged[:], convolution.Columns, first, rows, n)
		for done := 0; done < n; {
			piece := min(n-done, t.outputs-output)
			for row := range rows {
				copy(t.y[(image*t.groups*t.maps+first+row)*t.outputs+output:][:piece], t.staged[row*convolution.Columns+done:])
			}
			done += piece
			image, output = image+1, 0
		}
	}
}
