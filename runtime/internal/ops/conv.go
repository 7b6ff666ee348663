package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var convFamily = []Kernel{
	{Op: "Conv", Since: 1, Build: needs(2, Single(buildConv))},
	{Op: "ConvTranspose", Since: 1, Build: needs(2, Single(buildConvTranspose))},
	{Op: "DeformConv", Since: 19, Build: needs(3, Single(buildDeformConv))},
	{Op: "CausalConvWithState", Since: 27, Build: needs(2, Tensors(buildCausalConv))},
}

func buildConv(n *Node) (single, error) {
	v, err := readConvolution(n)
	if err != nil {
		return nil, err
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return v.run(c, in[0], in[1], operand(in, 2))
	}, nil
}

// convolver is what a Conv node states; Conv's fused and quantized kin share it.
type convolver struct {
	window windowAttributes
	group  int
}

func readConvolution(n *Node) (convolver, error) {
	window, err := readWindowAttributes(n)
	v := convolver{window: window, group: n.Int("group", 1)}
	if err == nil && v.group < 1 {
		err = fmt.Errorf("group is %d: want at least 1", v.group)
	}
	return v, err
}

// run convolves x (N, C, D1, ..., Dn) with w (M, C/group, K1, ..., Kn) and adds
// b (M), which may be nil: the result is (N, M, ...), of x's type. Products are
// summed in float32, for double in float64, and rounded once.
func (v convolver) run(c *Call, x, w, b *tensor.Tensor) (*tensor.Tensor, error) {
	p, err := v.plan(x, w, b)
	if err != nil {
		return nil, err
	}
	if x.DType() == onnx.Double {
		return convolveTensors[float64](c, p, x, w, b)
	}
	if s := newConvSource(p.slidingWindow, 1); s != nil {
		return v.runFloat32(c, p, s, x, w, b)
	}
	return convolveTensors[float32](c, p, x, w, b)
}

// runFloat32 is run on the kernels for float32.
func (v convolver) runFloat32(c *Call, p *convPlan, s *convSource, x, w, b *tensor.Tensor) (*tensor.Tensor, error) {
	in, err := allReals[float32](x, w, b)
	if err != nil {
		return nil, err
	}
	work := convWork{convPlan: p, source: s, bias: in[2]}
	if p.slides() {
		work.filters = in[1]
	} else {
		work.weights = PackConvWeights(in[1], p.groups, p.maps, p.channels*p.taps, nil)
	}
	y, err := work.run(c, in[0])
	if err != nil {
		return nil, err
	}
	return ofReals(x.DType(), p.shape(), y)
}

func convolveTensors[T real](c *Call, p *convPlan, x, w, b *tensor.Tensor) (*tensor.Tensor, error) {
	in, err := allReals[T](x, w, b)
	if err != nil {
		return nil, err
	}
	y, err := convolve(c, p, in[0], in[1], in[2])
	if err != nil {
		return nil, err
	}
	return ofReals(x.DType(), p.shape(), y)
}

// convPlan is a convolution laid over given shapes.
type convPlan struct {
	*slidingWindow
	batch, groups  int
	channels, maps int // of one group
	inputs         int // elements of one channel of the input
	outputs        int // elements of one map of the output
	taps           int // of one channel
}

// plan checks the operands' shapes against each other and the attributes.
func (v convolver) plan(x, w, b *tensor.Tensor) (*convPlan, error) {
	p, err := v.planShapes(x.Shape(), w.Shape())
	if err != nil {
		return nil, err
	}
	return p, checkBias(b, w.Shape()[0])
}

// planShapes is plan of an input's and a weight's shapes.
func (v convolver) planShapes(xs, ws []int) (*convPlan, error) {
	if len(xs) < 3 || len(ws) != len(xs) {
		return nil, fmt.Errorf("input %v and weight %v must have one rank, 3 or more", xs, ws)
	}
	if xs[1] != ws[1]*v.group || ws[0]%v.group != 0 {
		return nil, fmt.Errorf("weight %v does not fit input %v in %d groups", ws, xs, v.group)
	}
	if v.window.kernel != nil && !slices.Equal(v.window.kernel, ws[2:]) {
		return nil, fmt.Errorf("kernel_shape %v is not that of the weight %v", v.window.kernel, ws)
	}
	window, err := v.window.slide(xs[2:], ws[2:])
	if err != nil {
		return nil, err
	}
	p := &convPlan{
		batch: xs[0], groups: v.group,
		channels: ws[1], maps: ws[0] / v.group,
		inputs: tensor.Count(xs[2:]), taps: tensor.Count(ws[2:]),
	}
	if _, err := checkedCount(append([]int{xs[0], ws[0]}, window.output...)); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	p.outputs, p.slidingWindow = tensor.Count(window.output), window
	return p, nil
}

func (p *convPlan) shape() []int {
	return append([]int{p.batch, p.groups * p.maps}, p.output...)
}

// checkBias checks an optional bias, one number for each map.
func checkBias(b *tensor.Tensor, maps int) error {
	if b != nil && b.Len() != maps {
		return fmt.Errorf("bias %v must have one number for each of the weight's %d maps", b.Shape(), maps)
	}
	return nil
}

const (
	// unrolledElements is about how many elements unrolled columns may have: few
	// enough to stay in the second-level cache while all maps use them.
	unrolledElements = 1 << 16
	// shortestPatch is the fewest outputs that are worth a patch of their own.
	shortestPatch = 64
)

// convolve gives y (batch, maps, outputs) of x (batch, channels, inputs), w
// (maps, channels/groups, taps) and bias (maps), which may be nil.
func convolve[T number](c *Call, p *convPlan, x, w, bias []T) ([]T, error) {
	y := make([]T, p.batch*p.groups*p.maps*p.outputs)
	if len(y) == 0 {
		return y, nil
	}
	for i, v := range bias {
		for batch := range p.batch {
			fillWith(y[(batch*len(bias)+i)*p.outputs:][:p.outputs], v)
		}
	}
	if p.channels*p.taps == 0 {
		return y, nil
	}
	rows, err := p.rows()
	if err != nil {
		return nil, err
	}
	if p.channels == 1 && p.maps < 4 {
		return y, parallel(c, p.batch*p.groups*p.maps, p.outputs*p.taps, func(from, to int) {
			for i := from; i < to; i++ {
				group, m := i/p.maps%(p.groups), i%(p.groups*p.maps)
				plane := x[(i/(p.maps*p.groups)*p.groups+group)*p.inputs:][:p.inputs]
				convolveChannel(rows, y[i*p.outputs:][:p.outputs], plane, w[m*p.taps:][:p.taps])
			}
		})
	}
	depth := p.channels * p.taps
	patches := rows.patches(p.patchSize(c, depth))
	pointwise := p.pointwise()
	return y, parallel(c, p.batch*p.groups*len(patches), depth*p.maps*patches[0].size(), func(from, to int) {
		var columns []T
		for i := from; i < to; i++ {
			sample, patch := i/len(patches), patches[i%len(patches)] // of batch and group
			first, n := patch.line*p.output[len(p.output)-1]+patch.column, patch.size()
			source := x[sample*p.channels*p.inputs:][:p.channels*p.inputs]
			b := matrix[T]{source[first:], p.inputs}
			if !pointwise {
				if cap(columns) < depth*n {
					columns = make([]T, depth*n)
				}
				b = matrix[T]{columns[:depth*n], n}
				unroll(rows, source, p.channels, patch, 0, b.data)
			}
			a := matrix[T]{w[sample%p.groups*p.maps*depth:], depth}
			out := matrix[T]{y[sample*p.maps*p.outputs+first:], p.outputs}
			addProduct(out, a, b, p.maps, depth, n)
		}
	})
}

// patchSize is how many outputs of a map are computed at once: few enough for
// the unrolled columns to stay in the cache and for every thread to have some,
// but not so few that the inner loops become short.
func (p *convPlan) patchSize(c *Call, depth int) int {
	share := p.batch * p.groups * p.outputs / (4 * c.Workers.Threads())
	return max(shortestPatch, min(unrolledElements/depth, share))
}

// pointwise says whether the columns that unroll would make are the input itself.
func (p *convPlan) pointwise() bool {
	return p.taps == 1 && slices.Equal(p.input, p.output) && slices.Max(p.strides) == 1 &&
		slices.Max(p.before) == 0 && slices.Min(p.before) == 0
}

// convolveChannel adds one channel's share to one map of the output.
func convolveChannel[T number](r *windowRows, y, x, w []T) {
	last := len(r.input) - 1
	width, size, stride, kernel := r.output[last], r.input[last], r.strides[last], r.kernel[last]
	for line, taps := range r.lines {
		out := y[line*width:][:width]
		for _, tap := range taps {
			source := x[tap.offset:][:size]
			for t, cover := range r.inner {
				weight := w[tap.tap*kernel+t]
				target := out[cover.from:cover.to]
				if stride == 1 {
					addScaled(target, source[cover.start:], weight)
					continue
				}
				at := cover.start
				for i := range target {
					target[i] += weight * source[at]
					at += stride
				}
			}
		}
	}
}

func fillWith[T any](s []T, v T) {
	for i := range s {
		s[i] = v
	}
}
