package rewrite

import (
	"context"
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// weight is a constant on its way to int8. All sites that read the same
// constant in the same way share one.
type weight struct {
	name   string
	home   *onnx.Scope  // where its constants are stored
	source *onnx.Tensor // where its floats are read
	flip   bool         // the source is stored transposed
	dims   []int64      // as stored in int8
	axis   int          // of dims, along which scales lie; -1: one scale
	before int64        // bytes as floats
	dtype  onnx.DType
	read   []int64 // dims as the node reads it
	scale  onnx.DType
	lookup bool // some node picks its rows
	block  int  // the length of blocks along the other axis of a matrix; 0: none
	// batched says that each matrix of a batch has scales of its own.
	batched bool
	scheme  quantops.Scheme
	twin    *twin

	quantizer *quantizer
	measuring
}

// weightKey tells weights apart.
type weightKey struct {
	scope   *onnx.Scope
	name    string // of the source, or of the value where it is computed
	flip    bool
	axis    int
	dtype   onnx.DType
	scale   onnx.DType
	source  *onnx.Tensor
	block   int
	batched bool
}

// weightOf finds or makes the weight that an operand reads in a scope.
func (q *quantizer) weightOf(scope *onnx.Scope, l *operand, f form, lookup bool) *weight {
	c := l.weight
	// A body that dequantizes a weight holds it itself: a runtime has failed to
	// load models whose DequantizeLinear reads constants from around its body.
	home := c.Scope
	if f.linear && scope.Graph != nil {
		home = scope
	}
	axis := l.axis
	if q.recipe.Granularity == PerTensor && f.block == 0 {
		axis = -1
	}
	source, flip, direct := stored(c, l.transpose)
	key := weightKey{scope: home, name: c.Root, flip: flip, axis: axis, dtype: c.Type, scale: f.scale, source: c.Source, block: f.block, batched: f.batched}
	if !direct {
		// The steps between source and value differ from value to value.
		key.name = valueName(l)
	}
	if w := q.weights[key]; w != nil {
		w.lookup = w.lookup || lookup
		return w
	}
	w := &weight{
		name: c.Root, home: home, source: source, flip: flip,
		dims: l.dims, axis: axis, before: weightBytes(c), dtype: c.Type, read: c.Dims, scale: f.scale, lookup: lookup,
		block: f.block, batched: f.batched, scheme: quantops.Scheme{Asymmetric: q.recipe.Asymmetric}, quantizer: q,
	}
	q.weights[key] = w
	q.ordered = append(q.ordered, w)
	return w
}

// valueName is the name under which an operand reads its weight.
func valueName(l *operand) string {
	if len(l.weight.Path) > 0 {
		return l.weight.Path[len(l.weight.Path)-1].Outputs[0]
	}
	return l.weight.Root
}

// stored finds the tensor to read a constant's elements from with as little as
// possible between: a weight behind a Transpose is read where it lies, and
// transposed (or not, if twice) on the way. Behind anything else the constant's
// own computed form is read, and direct is false.
func stored(c *onnx.Constant, transpose bool) (source *onnx.Tensor, flip, direct bool) {
	flip = transpose
	for _, node := range c.Path {
		switch node.OpType {
		case "Identity":
		case "Constant":
			if node.Attr("sparse_value") != nil {
				return c.Tensor(c.Root), transpose, false
			}
		case "Transpose":
			perm := node.Attr("perm")
			if len(c.Dims) != 2 || len(c.Source.Dims) != 2 {
				return c.Tensor(c.Root), transpose, false
			}
			if perm == nil || slices.Equal(perm.Ints, []int64{1, 0}) {
				flip = !flip
			}
		default:
			return c.Tensor(c.Root), transpose, false
		}
	}
	if c.Source.Data == nil || c.Source.Type != c.Type {
		return c.Tensor(c.Root), transpose, false
	}
	return c.Source, flip, true
}

// site is the weight's line of the report.
func (w *weight) site(f form) Site {
	return Site{
		Weight:      w.name,
		Dims:        w.read,
		DType:       w.dtype,
		Axis:        w.axis,
		Form:        f.String(),
		BytesBefore: w.before,
		BytesAfter:  w.after(f),
		weight:      w,
	}
}

// after is what the weight takes as int8, with scales and zero points.
func (w *weight) after(f form) int64 {
	elements, scales := int64(1), int64(1)
	for _, d := range w.dims {
		elements *= d
	}
	for _, d := range w.scaleDims(false) {
		scales *= d
	}
	size := elements + scales*int64(f.scale.Bits())/8
	switch {
	case f.linear:
		size += scales // zero points
	case w.scheme.Asymmetric:
		size += scales * int64(f.scale.Bits()) / 8
	}
	return size
}

// finish completes a site's line once the form is final.
func (w *weight) finish(b *Builder, i int, f form) {
	site := &b.Sites[i]
	site.Form, site.BytesAfter = f.String(), w.after(f)
	if w.twin != nil {
		site.BytesAfter = 0
		site.Note = "shares the int8 table of " + w.twin.weight.name
	}
	if w.late() {
		b.late = append(b.late, lateNote{i, w})
	} else {
		site.noteSubstituted(w.finding())
	}
}

// noteSubstituted says how many channels have no scale of their own.
func (s *Site) noteSubstituted(found *finding) {
	if found.substituted == 0 {
		return
	}
	if s.Note != "" {
		s.Note += "; "
	}
	s.Note += fmt.Sprintf("%d channels of zeros, or too small to scale, became zeros", found.substituted)
}

// lateNote is a site whose weight is measured after the site is built.
type lateNote struct {
	site   int
	weight *weight
}

// prepare reads the weight for its scales, unless that is left for later. What
// it finds is kept, so a weight with several sites is read once; whether a
// failure is a reason or an error is for ready to say, in the order of the graph.
func (w *weight) prepare(context.Context) error {
	if !w.late() {
		w.help()
	}
	return nil
}

// floatTypes are the types that weights and scales may have.
var floatTypes = map[onnx.DType]quantops.FloatType{
	onnx.Float:    quantops.Float32Type,
	onnx.Double:   quantops.Float64Type,
	onnx.Float16:  quantops.Float16Type,
	onnx.BFloat16: quantops.BFloat16Type,
}

// viewed are the weight's elements as they are stored, seen as a batch of
// matrices with scales along their rows or columns.
func (w *weight) viewed() (*quantops.Weights, error) {
	data, err := w.source.Data.Bytes()
	if err != nil {
		return nil, fmt.Errorf("weight %q: %w", w.name, err)
	}
	size, err := w.source.ByteLen()
	if err != nil || size != int64(len(data)) {
		return nil, fmt.Errorf("weight %q: %d bytes are stored, its type and dims ask for %d", w.name, len(data), size)
	}
	dims := make([]int, len(w.source.Dims))
	for i, d := range w.source.Dims {
		dims[i] = int(d)
	}
	count := func(dims []int) int {
		n := 1
		for _, d := range dims {
			n *= d
		}
		return n
	}
	view := &quantops.Weights{Type: floatTypes[w.source.Type], Data: data, Batch: 1, Rows: 1, Flip: w.flip, Block: w.block}
	last := len(dims) - 1
	switch {
	case w.batched && w.axis == last: // one tall matrix, in blocks of the batch's matrices
		view.Rows, view.Columns, view.Axis, view.Block = count(dims[:last]), dims[last], quantops.AlongColumns, dims[last-1]
	case w.batched:
		view.Rows, view.Columns, view.Axis = count(dims[:last]), dims[last], quantops.AlongRows
	case w.flip: // the axis counts dims as stored in int8, where the last two have changed places
		view.Batch, view.Rows, view.Columns = count(dims[:last-1]), dims[last-1], dims[last]
		switch w.axis {
		case last:
			view.Axis = quantops.AlongRows
		case last - 1:
			view.Axis = quantops.AlongColumns
		}
	case w.axis < 0:
		view.Columns = count(dims)
	case w.axis == last:
		view.Rows, view.Columns, view.Axis = count(dims[:last]), dims[last], quantops.AlongColumns
	default:
		view.Batch, view.Rows, view.Columns, view.Axis = count(dims[:w.axis]), dims[w.axis], count(dims[w.axis+1:]), quantops.AlongRows
	}
	return view, nil
}

// ready says whether the weight can be quantized as planned: its error is a
// *Skip where the layer is to be left alone.
func (w *weight) ready(recipe Recipe) error {
	if w.late() {
		return nil
	}
	found := w.finding()
	switch err := found.err; {
	case isNonfinite(err) && recipe.SkipNonfinite:
		return &Skip{Reason: fmt.Sprintf("in its weight %q, %v", w.name, err)}
	case err != nil:
		return w.explained(err)
	case found.overflow > 0:
		return &Skip{Reason: fmt.Sprintf("its weight %q has values that float16 cannot hold, or could not once quantized: the largest is 65504", w.name)}
	}
	return nil
}

// actual is the planned form, with float32 scales if 16 bit cannot hold them or
// the weight shares a table that has such.
func (q *quantizer) actual(scope *onnx.Scope, w *weight, planned form) form {
	if w.twin != nil {
		w = w.twin.weight
	}
	if floatTypes[planned.scale] != w.scaleType() {
		return q.wide(scope, planned)
	}
	return planned
}

// summed is the axis along which a matrix's products are summed: of the last two
// the one that has no scales, or blocks of them.
func (w *weight) summed() int { return 2*len(w.dims) - 3 - w.axis }

// perChannel says whether the weight has a scale for each channel.
func (w *weight) perChannel() bool { return w.axis >= 0 }

// quantizedTensor is the int8 weight: a promise that is kept when it is written.
func (w *weight) quantizedTensor() *onnx.Tensor {
	p := promise{w}
	w.awaits(p.Len())
	return onnx.NewTensor(w.name+"_quantized", onnx.Int8, w.dims, p)
}
