package runtime

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// matrixLayout says where in a weight's elements the weight of product k of
// channel n lies: at b·batch + k·product + n·channel.
type matrixLayout struct {
	batches, k, n           int
	batch, product, channel int
}

// layoutOf is the layout of a MatMul's, Gemm's or Conv's operand that is the
// weight. The channels are the columns of the right operand, the rows of the
// left one, and a Conv's maps.
func layoutOf(n *onnx.Node, operand int, shape []int) (matrixLayout, error) {
	rank := len(shape)
	switch {
	case n.OpType == "Conv" && rank > 2:
		taps := tensor.Count(shape[1:])
		return matrixLayout{batches: 1, k: taps, n: shape[0], product: 1, channel: taps}, nil
	case rank == 1:
		return matrixLayout{batches: 1, k: shape[0], n: 1, product: 1}, nil
	case rank == 0:
		return matrixLayout{}, fmt.Errorf("a weight of rank 0")
	}
	rows, columns := shape[rank-2], shape[rank-1]
	l := matrixLayout{batches: tensor.Count(shape[:rank-2]), k: rows, n: columns, batch: rows * columns, product: columns, channel: 1}
	turned := operand == 0
	if a := n.Attr([2]string{"transA", "transB"}[operand]); n.OpType == "Gemm" && a != nil && a.I != 0 {
		turned = !turned
	}
	if turned {
		l.k, l.n, l.product, l.channel = l.n, l.k, l.channel, l.product
	}
	return l, nil
}

func (l matrixLayout) at(b, k, n int) int { return b*l.batch + k*l.product + n*l.channel }

// weightSteps are how far apart the values are that each element of a
// quantized weight can take: what its scale says.
type weightSteps struct {
	batches, k, n int
	// step has the step of element (b, k, n) at b·k·n; where byChannel is set it
	// is the same for all k and step has batches·n.
	step      []float64
	byChannel bool

	scales     int     // how many scales are stored
	rounding   float64 // unit roundoff of the type that they are stored in
	levels     float64 // the largest quantized value, or with zero points the number of steps
	asymmetric bool
	block      int // the length of blocks along k that share a scale, where that is said; else 0
}

func (s *weightSteps) at(b, k, n int) float64 {
	if s.byChannel {
		return s.step[b*s.n+n]
	}
	return s.step[(b*s.k+k)*s.n+n]
}

// readSteps finds a weight's steps by computing the weight with every quantized
// value put to 1 and every zero point to 0: whatever form it is stored in, what
// comes out is its scale at each element. A weight that is not stored in
// integers has steps of 0.
func readSteps(from *inlined, c *cone, threads int) (*weightSteps, error) {
	if c.core.OpType == "MatMulNBits" {
		return readBlocks(c)
	}
	name := c.core.Inputs[c.weight]
	w := &weightWalk{from: from, part: &onnx.Graph{Name: name, Outputs: []*onnx.Value{{Name: name}}}, seen: map[definition]bool{}}
	w.visit(c.scope, name)
	values, err := w.evaluate(threads)
	if err != nil {
		return nil, err
	}
	t, ok := values[name].(*tensor.Tensor)
	if !ok {
		return nil, fmt.Errorf("weight %q is no tensor", name)
	}
	l, err := layoutOf(c.core, c.weight, t.Shape())
	if err != nil {
		return nil, err
	}
	s := &weightSteps{batches: l.batches, k: l.k, n: l.n, byChannel: true, step: make([]float64, l.batches*l.n)}
	if w.quantized == nil {
		return s, nil
	}
	s.scales, s.rounding, s.levels, s.asymmetric, s.block = w.scales, w.rounding, w.levels, w.asymmetric, w.block
	if list, ok := tensor.Data[float32](t); ok {
		fillSteps(s, l, list)
		return s, nil
	}
	list, err := t.Float64s()
	if err != nil {
		return nil, err
	}
	fillSteps(s, l, list)
	return s, nil
}

// readBlocks reads the steps of a MatMulNBits, whose scales are stored by channel
// and, along k, by block.
func readBlocks(c *cone) (*weightSteps, error) {
	attribute := func(name string, otherwise int64) int {
		if a := c.core.Attr(name); a != nil {
			return int(a.I)
		}
		return int(otherwise)
	}
	s := &weightSteps{batches: 1, k: attribute("K", 0), n: attribute("N", 0), block: attribute("block_size", 0)}
	scales := c.scope.Constant(c.core.Input(2))
	if scales == nil || s.k <= 0 || s.n <= 0 || s.block <= 0 {
		return nil, fmt.Errorf("the scales of %s are not stored in a form that the judge reads", nodeLabel(c.core))
	}
	list, err := scales.Tensor(scales.Root).Float64s()
	if err != nil {
		return nil, err
	}
	blocks := (s.k + s.block - 1) / s.block
	if len(list) != s.n*blocks {
		return nil, fmt.Errorf("%s has %d scales, want %d for each of %d channels", nodeLabel(c.core), len(list), blocks, s.n)
	}
	s.step = make([]float64, s.k*s.n)
	for k := range s.k {
		for n := range s.n {
			s.step[k*s.n+n] = list[n*blocks+k/s.block]
		}
	}
	bits := attribute("bits", 4)
	s.scales, s.rounding, s.levels = len(list), unitRoundoff(scales.Type), math.Exp2(float64(bits-1))-1
	if zeros := c.core.Input(3); zeros != "" {
		s.asymmetric = !centeredBlocks(c.scope.Constant(zeros), bits)
	}
	if s.asymmetric {
		s.levels = 2*s.levels + 1
	}
	return s, nil
}

// centeredBlocks says whether the zero points of a MatMulNBits, packed into
// bytes, are all in the middle of what its bits hold.
func centeredBlocks(c *onnx.Constant, bits int) bool {
	if c == nil || c.Type != onnx.Uint8 {
		return false
	}
	list, err := c.Tensor(c.Root).Int64s()
	middle := int64(128)
	if bits == 4 {
		middle = 0x88
	}
	return err == nil && (bits == 4 || bits == 8) && !slices.ContainsFunc(list, func(v int64) bool { return v != middle })
}

// fillSteps takes the steps over from a weight's elements.
func fillSteps[T float32 | float64](s *weightSteps, l matrixLayout, wide []T) {
	for b := range l.batches {
		steps := s.step[b*l.n:][:l.n]
		for n := 0; n < l.n && l.k > 0; n++ {
			steps[n] = float64(wide[l.at(b, 0, n)])
		}
		if l.product < l.channel {
			for n, step := range steps {
				run := wide[l.at(b, 0, n):][:l.k]
				s.byChannel = s.byChannel && !slices.ContainsFunc(run, func(v T) bool { return float64(v) != step })
			}
			continue
		}
		for k := 0; k < l.k && s.byChannel; k++ {
			at := l.at(b, k, 0)
			for _, step := range steps {
				s.byChannel = s.byChannel && float64(wide[at]) == step
				at += l.channel
			}
		}
	}
	if s.byChannel {
		return
	}
	s.step = make([]float64, l.batches*l.k*l.n)
	for b := range l.batches {
		for k := range l.k {
			for n := range l.n {
				s.step[(b*l.k+k)*l.n+n] = float64(wide[l.at(b, k, n)])
			}
		}
	}
}

// weightWalk cuts out the graph of a weight, with the integers that it begins
// with as inputs.
type weightWalk struct {
	from      *inlined
	part      *onnx.Graph
	seen      map[definition]bool
	integers  []definition // where they are turned into floats
	quantized *definition  // the largest of them: the weight itself

	scales     int
	rounding   float64
	levels     float64
	asymmetric bool
	block      int
}

func (w *weightWalk) visit(scope *onnx.Scope, name string) {
	home := scope.Lookup(name)
	d := definition{home, name}
	if home == nil || w.seen[d] {
		return
	}
	w.seen[d] = true
	n := home.Producer(name)
	if n == nil {
		if t := home.Initializer(name); t != nil {
			w.part.Initializers = append(w.part.Initializers, t)
		}
		return
	}
	operands := n.Inputs
	switch from := typeOf(home, n.Input(0)); {
	case n.OpType == "DequantizeLinear":
		w.integers = append(w.integers, definition{home, n.Inputs[0]})
		if zero := n.Input(2); zero != "" {
			w.asymmetric = w.asymmetric || !centered(home.Constant(zero))
		}
		w.scale(home, n.Input(1))
		if a := n.Attr("block_size"); a != nil {
			w.block = int(a.I)
		}
		n = n.Clone() // no zero point
		n.Inputs = n.Inputs[:2]
		operands = n.Inputs[1:]
	case n.OpType == "Cast" && from.IsFloat():
		n = &onnx.Node{OpType: "Identity", Inputs: n.Inputs, Outputs: n.Outputs} // a step is not rounded
	case n.OpType == "Cast" && from != onnx.Undefined:
		w.integers = append(w.integers, definition{home, n.Inputs[0]})
		operands = nil
	case n.OpType == "Sub" && home.Constant(n.Input(1)) != nil: // its zero points as floats
		w.asymmetric = w.asymmetric || !allZero(home.Constant(n.Inputs[1]))
		n = &onnx.Node{OpType: "Identity", Inputs: n.Inputs[:1], Outputs: n.Outputs}
		operands = n.Inputs
	case n.OpType == "Mul":
		for i, in := range n.Inputs {
			if c := home.Constant(in); c != nil && c.Source.Type.IsFloat() && typeOf(home, n.Inputs[1-i]).IsFloat() {
				w.scale(home, in)
			}
		}
	}
	for _, in := range operands {
		if in != "" {
			w.visit(home, in)
		}
	}
	w.part.Nodes = append(w.part.Nodes, n)
}

// scale learns how the scales are stored.
func (w *weightWalk) scale(scope *onnx.Scope, name string) {
	c := scope.Constant(name)
	if c == nil {
		return
	}
	count := 1
	for _, d := range c.Dims {
		count *= int(d)
	}
	w.scales, w.rounding = max(w.scales, count), max(w.rounding, unitRoundoff(c.Type))
}

// centered says whether zero points are all in the middle of their type's
// values, as those of a symmetric weight are.
func centered(c *onnx.Constant) bool {
	if c == nil {
		return false
	}
	middle := int64(0)
	switch c.Type {
	case onnx.Uint8, onnx.Uint4, onnx.Uint2, onnx.Uint16:
		middle = 1 << (c.Type.Bits() - 1)
	}
	list, err := c.Tensor(c.Root).Int64s()
	return err == nil && !slices.ContainsFunc(list, func(v int64) bool { return v != middle })
}

// allZero says whether a constant holds nothing but zeros.
func allZero(c *onnx.Constant) bool {
	list, err := c.Tensor(c.Root).Float64s()
	return err == nil && !slices.ContainsFunc(list, func(v float64) bool { return v != 0 })
}

// evaluate computes the weight of ones.
func (w *weightWalk) evaluate(threads int) (map[string]tensor.Value, error) {
	feeds := map[string]tensor.Value{}
	var dims []int64
	for i, d := range w.integers {
		c := d.scope.Constant(d.name)
		if c == nil {
			return nil, fmt.Errorf("the quantized weight %q is not stored in a form that the judge reads", d.name)
		}
		if count(c.Dims) >= count(dims) {
			w.quantized, dims = &w.integers[i], c.Dims
			w.levels = levels(c.Type)
		}
	}
	var err error
	for _, d := range w.integers {
		c := d.scope.Constant(d.name)
		fill := 0.0
		if d == *w.quantized {
			fill = 1
		} else if !centered(c) {
			w.asymmetric = true
		}
		shape := make([]int, len(c.Dims))
		for i, size := range c.Dims {
			shape[i] = int(size)
		}
		if feeds[d.name], err = filled(c.Type, shape, fill); err != nil {
			return nil, err
		}
		w.part.Inputs = append(w.part.Inputs, &onnx.Value{Name: d.name})
	}
	if w.asymmetric {
		w.levels = 2*w.levels + 1
	}
	part, err := w.from.part(w.part)
	if err != nil {
		return nil, err
	}
	session, err := compile(part, Options{Threads: threads}, judged{literal: true})
	if err != nil {
		return nil, err
	}
	return session.Run(context.Background(), feeds)
}

// filled is a tensor of one number.
func filled(t onnx.DType, shape []int, number float64) (*tensor.Tensor, error) {
	if t == onnx.Int8 { // as most are: far less than numbers of 64 bit that are converted
		return tensor.New(shape, slices.Repeat([]int8{int8(number)}, tensor.Count(shape))), nil
	}
	return tensor.FromFloat64s(t, shape, slices.Repeat([]float64{number}, tensor.Count(shape)))
}

func count(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// levels is the largest value of a symmetric quantized weight of a type.
func levels(t onnx.DType) float64 {
	return math.Exp2(float64(t.Bits())-1) - 1
}

// unitRoundoff is the most that rounding to a float type changes a number, as a
// part of it, where it does not underflow.
func unitRoundoff(t onnx.DType) float64 {
	switch t {
	case onnx.Float16:
		return 0x1p-11
	case onnx.BFloat16:
		return 0x1p-8
	case onnx.Double:
		return 0x1p-53
	}
	return 0x1p-24
}
