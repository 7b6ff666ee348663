package ops

import (
	"slices"
	"sync/atomic"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/convolution"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// LaneChain computes convolutions and maximum pools, each of the one before, of
// many small images. Maps that are narrower than a vector waste most of what
// brings their elements together; so 16 images at a time are laid out with the
// same element of all of them side by side, (channel, place, image), and stay so,
// in the second-level cache, from the first stage to the last. An element is summed
// in the order that ConstantConv has. Other inputs go through the stages one by one.
type LaneChain struct {
	Stages  []LaneStage
	planned atomic.Pointer[lanePlan] // of the last run
}

// LaneStage is a convolution or a pool.
type LaneStage struct {
	Conv *ConstantConv // of float, with a constant bias; nil: it is the pool
	Pool *LanePool
	// Alone is the stage as it runs by itself.
	Alone Run
}

// LanePool is a MaxPool without indices.
type LanePool struct{ window windowAttributes }

// NewLanePool reads a MaxPool node; nil if it is none that a LaneChain takes.
func NewLanePool(n *Node) *LanePool {
	window, err := readWindowAttributes(n)
	if err != nil || window.kernel == nil || len(n.Outputs) != 1 {
		return nil
	}
	return &LanePool{window}
}

// InLanes says whether a LaneChain takes a convolution.
func (f *ConstantConv) InLanes() bool { return f.weights != nil && f.group == 1 }

const (
	// lanes is how many images are beside each other.
	lanes = 16
	// laneElements is about how many elements the images of a stage may have
	// together.
	laneElements = 1 << 17
)

// lanePlan is a chain laid over an input of one shape.
type lanePlan struct {
	input, output []int
	stages        []laneWork
	fits          bool // else the stages run one by one
	room, scratch int  // elements of the largest stage, and of the largest block of weights
	cost          int  // multiplications of 16 images
}

// laneWork is a stage of it.
type laneWork struct {
	channels, inputs int // elements of a channel
	maps, outputs    int
	conv             *laneConv // or:
	pool             *convSource
	offsets          []int // of what the taps of the pool read
}

// Run computes the last stage of x.
func (l *LaneChain) Run(c *Call, x *tensor.Tensor) (tensor.Value, error) {
	p := l.planned.Load()
	if p == nil || !slices.Equal(p.input, x.Shape()) {
		p = l.plan(x.Shape())
		l.planned.Store(p)
	}
	data, ok := x.Any().([]float32)
	if !ok || !p.fits {
		return l.oneByOne(c, x)
	}
	batch, last := p.input[0], &p.stages[len(p.stages)-1]
	image, result := len(data)/batch, last.maps*last.outputs
	y := buffer[float32](c, batch*result)
	err := c.parallel((batch+lanes-1)/lanes, worthTile/max(1, p.cost), func(from, to int) {
		room := [2][]float32{buffer[float32](c, p.room), buffer[float32](c, p.room)}
		scratch := buffer[float32](c, p.scratch)
		for group := from; group < to; group++ {
			var rows [lanes][]float32
			for i := range rows { // the last image takes the place of those that there are not
				rows[i] = data[min(group*lanes+i, batch-1)*image:][:image]
			}
			intoLanes(room[0], &rows)
			for i := range p.stages {
				p.stages[i].run(room[(i+1)%2], room[i%2], scratch)
			}
			outOfLanes(y[group*lanes*result:min(batch, (group+1)*lanes)*result], room[len(p.stages)%2], result)
		}
	})
	if err != nil {
		return nil, err
	}
	return tensor.New(p.output, y), nil
}

// oneByOne runs the stages as steps of their own would: what one has used is free
// for the next.
func (l *LaneChain) oneByOne(c *Call, x tensor.Value) (tensor.Value, error) {
	var held *Block
	for i, s := range l.Stages {
		taken := c.Memory.Begin()
		results, err := s.Alone(c, []tensor.Value{x, nil})
		if err != nil {
			return nil, err
		}
		x = results[0]
		before := held
		if i+1 < len(l.Stages) { // the last one's is for the step to hold
			held = c.Memory.Hold(x)
			c.Memory.End(taken)
		}
		c.Memory.Release(before)
	}
	return x, nil
}

// plan lays the stages over a shape. What is wrong with it, the stages say that
// run one by one.
func (l *LaneChain) plan(input []int) *lanePlan {
	p := &lanePlan{input: slices.Clone(input)}
	if len(input) < 3 || input[0] < lanes || tensor.Count(input) == 0 {
		return p
	}
	shape, narrow := input, false
	for _, s := range l.Stages {
		w, window := s.lay(shape)
		if w == nil {
			return p
		}
		shape = slices.Concat([]int{input[0], w.maps}, window.output)
		p.room = max(p.room, lanes*max(w.channels*w.inputs, w.maps*w.outputs)+convolution.Columns)
		if w.conv != nil {
			narrow = narrow || window.output[len(window.output)-1] < lanes
			p.scratch = max(p.scratch, w.conv.weights.scratch())
			p.cost += lanes * w.maps * w.outputs * w.channels * tensor.Count(window.kernel)
		}
		p.stages = append(p.stages, *w)
	}
	p.output = shape
	p.fits = narrow && p.room <= laneElements
	return p
}

// lay plans a stage; nil if it cannot be done in lanes.
func (s *LaneStage) lay(input []int) (*laneWork, *slidingWindow) {
	w := &laneWork{channels: input[1], inputs: tensor.Count(input[2:])}
	if s.Conv != nil {
		p, err := s.Conv.planShapes(input, s.Conv.Shape)
		if err != nil || p.outputs == 0 || lanes*max(p.maps*p.outputs, p.channels*p.inputs) > laneElements || len(p.input) > lanesRank {
			return nil, nil
		}
		if w.maps, w.outputs, w.conv = p.maps, p.outputs, newLaneConv(s.Conv, p); w.conv == nil {
			return nil, nil
		}
		return w, p.slidingWindow
	}
	window, err := s.Pool.window.slide(input[2:], s.Pool.window.kernel)
	if err != nil {
		return nil, nil
	}
	w.maps, w.outputs = w.channels, tensor.Count(window.output)
	w.pool = newConvSource(window, maxWindowExtent)
	if w.pool == nil || !w.pool.direct || w.outputs == 0 {
		return nil, nil
	}
	for _, at := range w.pool.taps {
		w.offsets = append(w.offsets, lanes*at)
	}
	return w, window
}

// run computes a stage of 16 images.
func (w *laneWork) run(out, in, scratch []float32) {
	if w.conv != nil {
		w.conv.run(out, in, w.outputs, w.maps, scratch)
		return
	}
	// All channels of a place at once.
	s := w.pool
	for line, at := range s.lines {
		for column := range s.width {
			convolution.Largest(out[lanes*(line*s.width+column):], lanes*w.outputs, in[lanes*(at+column*s.step):], lanes*w.inputs, w.channels, lanes, w.offsets, 1)
		}
	}
}

// intoLanes lays images side by side.
func intoLanes(to []float32, images *[lanes][]float32) {
	interleave(to, lanes, (*[8][]float32)(images[:8]))
	interleave(to[8:], lanes, (*[8][]float32)(images[8:]))
}

// outOfLanes writes images of n elements after each other, as many as to has room
// for.
func outOfLanes(to, from []float32, n int) {
	images := len(to) / n
	i := 0
	for ; i+8 <= images; i += 8 { // which are read where they lie together
		image := func(j int) []float32 { return to[(i+j)*n:][:n] }
		a, b, c, d, e, f, g, h := image(0), image(1), image(2), image(3), image(4), image(5), image(6), image(7)
		for k := range n {
			line := from[k*lanes+i:][:8]
			a[k], b[k], c[k], d[k] = line[0], line[1], line[2], line[3]
			e[k], f[k], g[k], h[k] = line[4], line[5], line[6], line[7]
		}
	}
	for ; i < images; i++ {
		image := to[i*n:][:n]
		for k := range image {
			image[k] = from[k*lanes+i]
		}
	}
}
