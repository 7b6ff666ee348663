package runtime

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// cone is the part of the rewritten graph that computes one layer's result from
// values that the original has too.
type cone struct {
	nodes   []*onnx.Node // in an order in which they can run
	stored  []*onnx.Tensor
	inputs  []coneInput
	output  string
	core    *onnx.Node  // the product
	scope   *onnx.Scope // of the core
	weight  int         // the core's operand that is constant
	dtype   onnx.DType  // that the core computes in
	narrow  onnx.DType  // a 16-bit type other than that which its constants go through; Undefined: none
	bounded bool        // it has a proven bound
}

// coneInput is a value that a cone is fed with.
type coneInput struct {
	name   string     // in the rewritten graph
	source string     // in the original
	as     onnx.DType // what the original's value is rounded to; Undefined: as it is
}

// coneFinder compares the graphs of two models.
type coneFinder struct {
	original, rewritten             *inlined
	constantsBefore, constantsAfter *constants
	// known says what name the rewritten graph has for a value of the original
	// that it holds in 16 bit alone, where a rewritten layer reads the result of
	// another: what Cast would have made of it.
	known map[definition]definition
}

func newConeFinder(original, rewritten *inlined) *coneFinder {
	return &coneFinder{
		original: original, rewritten: rewritten,
		constantsBefore: newConstants(original), constantsAfter: newConstants(rewritten),
		known: map[definition]definition{},
	}
}

// counterpart is the scope of the rewritten model that stands where one of the
// original does, nil if there is none.
func (f *coneFinder) counterpart(s *onnx.Scope) *onnx.Scope {
	if s.Parent == nil {
		return f.rewritten.index.Main()
	}
	parent := f.counterpart(s.Parent)
	if parent == nil {
		return nil
	}
	for _, name := range s.Owner.Outputs {
		if name == "" {
			continue
		}
		owner := parent.Producer(name)
		if owner == nil || owner.OpType != s.Owner.OpType {
			return nil
		}
		for _, a := range s.Owner.Attrs {
			if a.G != s.Graph {
				continue
			}
			if b := owner.Attr(a.Name); b != nil && b.G != nil {
				return f.rewritten.index.Scope(b.G)
			}
		}
		return nil
	}
	return nil
}

// site makes a site of a layer that the rewritten graph computes differently;
// nil if it computes it as the original does, or knows nothing of its result.
func (f *coneFinder) site(l layer, counterpart *onnx.Scope) *site {
	result, ok := f.find(l.scope, counterpart, l.node.Outputs[0])
	if !ok {
		if l.linear {
			l.add = biasAdd(l.scope, l.node)
		}
		if l.add == nil {
			return nil
		}
		if result, ok = f.find(l.scope, counterpart, l.add.Outputs[0]); !ok {
			return nil
		}
	} else if f.unchanged(&l, result) {
		return nil
	}
	s := &site{layer: l}
	w := &coneWalk{
		finder: f, layer: &l, cone: &cone{output: result.name, bounded: true},
		seen: map[definition]bool{}, placed: map[*onnx.Node]bool{}, asked: map[string]bool{},
	}
	if err := w.visit(result.scope, result.name, false, ""); err != nil {
		s.note = err.Error()
		return s
	}
	w.finish()
	s.cone = w.cone
	s.note = w.note
	return s
}

// find is where the rewritten graph computes a value of the original.
func (f *coneFinder) find(scope, counterpart *onnx.Scope, name string) (definition, bool) {
	if counterpart.Lookup(name) == counterpart && counterpart.Producer(name) != nil {
		return definition{counterpart, name}, true
	}
	d, ok := f.known[definition{scope, name}]
	return d, ok
}

// unchanged says whether the rewritten graph computes a layer as the original does.
func (f *coneFinder) unchanged(l *layer, result definition) bool {
	m := result.scope.Producer(result.name)
	if m == nil || !sameOperator(l.node, m) || len(m.Outputs) == 0 || m.Outputs[0] != l.node.Outputs[0] {
		return false
	}
	for i, name := range l.node.Inputs {
		if f.constantsBefore.is(l.scope, name) {
			if !f.constantsAfter.is(result.scope, m.Inputs[i]) || !sameConstant(l.scope, name, result.scope, m.Inputs[i]) {
				return false
			}
		} else if m.Inputs[i] != name {
			return false
		}
	}
	return true
}

// coneWalk follows a cone back from its output.
type coneWalk struct {
	finder *coneFinder
	layer  *layer
	cone   *cone
	seen   map[definition]bool
	placed map[*onnx.Node]bool
	asked  map[string]bool // inputs that are read by something that does not convert them
	note   string
}

// place takes a node into the cone, behind those that it reads.
func (w *coneWalk) place(n *onnx.Node) {
	if !w.placed[n] {
		w.placed[n] = true
		w.cone.nodes = append(w.cone.nodes, n)
	}
}

// products are the operators that a linear layer may have become; the value
// says whether the layer then has a proven bound.
var products = map[string]bool{
	"MatMul": true, "Gemm": true, "Conv": true, "MatMulNBits": true, "FusedMatMul": false, "FusedGemm": false, "FusedConv": false,
	"MatMulInteger": false, "ConvInteger": false, "QLinearMatMul": false, "QLinearConv": false,
	"DynamicQuantizeMatMul": false, "MatMulIntegerToFloat": false, "QGemm": false,
}

// converting are the operators that an activation may go through on its way to
// the product; the value says whether the layer then still has a proven bound.
var converting = map[string]bool{
	"Cast": true, "Transpose": true, "Reshape": true, "Identity": true, "Squeeze": true, "Unsqueeze": true, "Flatten": true,
	"DynamicQuantizeLinear": false, "QuantizeLinear": false, "DequantizeLinear": false,
}

// visit follows a name. behind says that the core is between it and the output;
// source is then the value of the original that the name stands for, if it is
// the result of another layer.
func (w *coneWalk) visit(scope *onnx.Scope, name string, behind bool, source string) error {
	home := scope.Lookup(name)
	if home == nil {
		return fmt.Errorf("%q is not defined in the rewritten graph", name)
	}
	d := definition{home, name}
	if w.seen[d] {
		return nil
	}
	w.seen[d] = true
	f, root := w.finder, name == w.cone.output
	if f.constantsAfter.is(home, name) {
		return w.constant(d)
	}
	if !root && w.original(name) {
		w.cone.inputs = append(w.cone.inputs, coneInput{name: name, source: name})
		return nil
	}
	n := home.Producer(name)
	if n == nil {
		return fmt.Errorf("it depends on %q, which the original does not have", name)
	}
	if len(n.Bodies()) > 0 {
		return fmt.Errorf("it depends on the body of node %s", nodeLabel(n))
	}
	bounded, converts := converting[n.OpType]
	if behind && !converts && f.isLayerResult(w.layer.scope, source) {
		w.cone.inputs = append(w.cone.inputs, coneInput{name: name, source: source})
		f.known[definition{w.layer.scope.Lookup(source), source}] = d
		return nil
	}
	if behind && !(converts && bounded) {
		w.unbounded(n)
	}
	if hasBound, is := products[n.OpType]; is && w.cone.core == nil {
		w.setCore(home, n, hasBound)
	}
	for _, i := range w.order(home, n, behind) {
		in := n.Inputs[i]
		if !converts {
			w.asked[in] = true
		}
		past, from := behind, source
		switch {
		case n == w.cone.core:
			past, from = true, w.layer.activation()
			if i == addendOf(n) {
				from = w.layer.addend()
			}
		case w.cone.core != nil && !behind && n.OpType == "Add": // the product is on the other side
			past, from = true, w.layer.addend()
		}
		if err := w.visit(home, in, past, from); err != nil {
			return err
		}
	}
	w.place(n)
	return nil
}

// addendOf is the operand of a product that is added to it.
func addendOf(n *onnx.Node) int {
	if n.OpType == "MatMulNBits" {
		return 5
	}
	return 2
}

// order lists the operands of a node in the order in which they are followed:
// of an Add behind the product, the side of the product comes first. Where both
// sides may be it, it is the one that it is in the original.
func (w *coneWalk) order(scope *onnx.Scope, n *onnx.Node, behind bool) []int {
	var list []int
	for i, in := range n.Inputs {
		if in != "" {
			list = append(list, i)
		}
	}
	if n.OpType != "Add" || behind || len(list) != 2 {
		return list
	}
	known := func(in string) bool { return w.original(in) || w.finder.constantsAfter.is(scope, in) }
	first := 0
	switch {
	case known(n.Inputs[0]):
		first = 1
	case !known(n.Inputs[1]) && w.layer.add != nil && w.layer.add.Inputs[1] == w.layer.node.Outputs[0]:
		first = 1
	}
	return []int{first, 1 - first}
}

func (w *coneWalk) unbounded(n *onnx.Node) {
	w.cone.bounded = false
	w.note = "no bound is proven for a layer with " + n.OpType
}

func (w *coneWalk) setCore(scope *onnx.Scope, n *onnx.Node, hasBound bool) {
	w.cone.core, w.cone.scope = n, scope
	if !hasBound {
		w.unbounded(n)
		return
	}
	left, right := w.finder.constantsAfter.is(scope, n.Inputs[0]), w.finder.constantsAfter.is(scope, n.Inputs[1])
	if left == right {
		w.unbounded(n)
		return
	}
	if right {
		w.cone.weight = 1
	}
	w.cone.dtype = typeOf(scope, n.Inputs[w.cone.weight])
	if n.OpType == "MatMulNBits" {
		w.cone.dtype = typeOf(scope, n.Input(2)) // that of its scales
	}
}

// constant takes a constant and what it is computed of into the cone.
func (w *coneWalk) constant(d definition) error {
	n := d.scope.Producer(d.name)
	if n == nil {
		t := d.scope.Initializer(d.name)
		if t == nil {
			return fmt.Errorf("constant %q is stored in a form that the judge does not read", d.name)
		}
		w.cone.stored = append(w.cone.stored, t)
		if t.Type != typeOf(w.layer.scope, w.layer.node.Inputs[w.layer.weight]) { // else the original's are stored so too
			w.narrowed(t.Type)
		}
		return nil
	}
	w.narrowed(typeOf(d.scope, d.name))
	for _, in := range n.Inputs {
		if home := d.scope.Lookup(in); in != "" && !w.seen[definition{home, in}] {
			w.seen[definition{home, in}] = true
			if err := w.constant(definition{home, in}); err != nil {
				return err
			}
		}
	}
	w.place(n)
	return nil
}

// narrowed notes a type that constants go through.
func (w *coneWalk) narrowed(t onnx.DType) {
	if c := w.cone; sixteenBit(t) && t != c.dtype && (c.narrow == onnx.Undefined || unitRoundoff(t) > unitRoundoff(c.narrow)) {
		c.narrow = t
	}
}

// original says whether a name is one of the original's, seen from the layer,
// and not constant there.
func (w *coneWalk) original(name string) bool {
	scope := w.layer.scope
	return scope.Lookup(name) != nil && !w.finder.constantsBefore.is(scope, name)
}

// isLayerResult says whether a value of the original is the result of a layer,
// which is then judged itself.
func (f *coneFinder) isLayerResult(scope *onnx.Scope, name string) bool {
	home := scope.Lookup(name)
	if home == nil || home.Producer(name) == nil {
		return false
	}
	n := home.Producer(name)
	if _, ok := f.layerAt(home, n); ok {
		return true
	}
	if n.OpType != "Add" || len(n.Inputs) != 2 {
		return false
	}
	for _, in := range n.Inputs {
		product := home.Producer(in)
		if product == nil || home.Lookup(in) != home {
			continue
		}
		if l, ok := f.layerAt(home, product); ok && l.linear && biasAdd(home, product) == n {
			return true
		}
	}
	return false
}

// finish works out in what type each input is wanted.
func (w *coneWalk) finish() {
	c := w.cone
	if c.core == nil {
		c.bounded = false
		w.note = "no bound is proven for it"
	}
	for i := range c.inputs {
		in := &c.inputs[i]
		if w.asked[in.name] && c.dtype.IsFloat() {
			in.as = c.dtype
		}
	}
}

// model makes a model of the cone alone.
func (c *cone) model(from *inlined) (*inlined, error) {
	g := &onnx.Graph{Name: c.output, Nodes: c.nodes, Initializers: c.stored, Outputs: []*onnx.Value{{Name: c.output}}}
	for _, in := range c.inputs {
		g.Inputs = append(g.Inputs, &onnx.Value{Name: in.name})
	}
	return from.part(g)
}

// part makes a model of some of a model's nodes.
func (p *inlined) part(g *onnx.Graph) (*inlined, error) {
	m := &onnx.Model{IRVersion: 8, Opsets: p.model.Opsets, Graph: g}
	index, err := onnx.NewIndex(m)
	if err != nil {
		return nil, err
	}
	return &inlined{model: m, index: index, origin: p.origin}, nil
}
