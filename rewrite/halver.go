package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// halver makes a whole graph compute in 16 bit, node by node: a node that is
// safe there reads and gives 16 bit, the others float32, and casts stand where
// the two meet, one for each value and scope. The model's own inputs and
// outputs keep their types.
type halver struct {
	index  *onnx.Index
	names  *nameSet
	types  *types
	narrow onnx.DType
	opset  int64 // the model's, which functions need not share
	// initializers says that constants may be added as such: in old models they
	// would have to be inputs too, so there they are cast as the model runs.
	initializers bool
	order        []*onnx.Scope  // those that run: the main graph, called functions, bodies in them
	wild         map[value]bool // values that may lie beyond 16 bit's range
	fits         map[any]misfit // by a constant, or the tensor that it is as it is
	reasons      map[*onnx.Node]string
	calls        map[*onnx.Scope][]At // of functions
	borders      map[*onnx.Scope]*border
	scopes       map[*onnx.Scope]*halfScope
	skips        []Skip
	// converted counts the nodes that compute in 16 bit now and did not before.
	converted int
}

// halfScope is what is known of one scope's values in the new graph.
type halfScope struct {
	nodes     []*onnx.Node
	constants []*onnx.Tensor
	// half gives the name that holds a float32 value of the original in 16 bit,
	// wide the one that holds it in float32. One of them may be missing until
	// someone asks for it.
	half, wide map[string]string
	// stored gives the constants of 16 bit that stand for whole tensors.
	stored map[*onnx.Tensor]string
	// same gives the names of 16-bit values that another value replaces.
	same    map[string]string
	outputs map[string]bool
}

// narrowGraph is the pass. It returns why nodes kept float32.
func narrowGraph(m *onnx.Model, narrow onnx.DType) (*onnx.Model, []Skip, error) {
	index, err := onnx.NewIndex(m)
	if err != nil {
		return nil, nil, err
	}
	h := newHalver(m, index, narrow)
	main, err := h.graph(index.Main(), nil)
	if err != nil {
		return nil, nil, err
	}
	functions, err := h.calledFunctions()
	if err != nil {
		return nil, nil, err
	}
	if h.converted == 0 {
		return m, h.skips, nil
	}
	result := m.Clone()
	result.Graph = main
	for i, f := range result.Functions {
		if converted := functions[f]; converted != nil {
			result.Functions[i] = converted
		}
	}
	return dropUnread(result), h.skips, nil
}

// newHalver finds out what is to be in 16 bit.
func newHalver(m *onnx.Model, index *onnx.Index, narrow onnx.DType) *halver {
	h := &halver{
		index: index, names: newNameSet(index), types: inferTypes(index), narrow: narrow, opset: m.Opset(""),
		initializers: m.IRVersion > initializersAreInputs,
		wild:         map[value]bool{}, fits: map[any]misfit{}, reasons: map[*onnx.Node]string{}, scopes: map[*onnx.Scope]*halfScope{},
	}
	for _, scope := range index.Scopes() {
		if h.types.of[scope] != nil {
			h.order = append(h.order, scope)
		}
	}
	h.spreadAll()
	h.decideBorders()
	return h
}

// graph converts one scope. narrow says which of its outputs are to be in 16 bit;
// nil: none.
func (h *halver) graph(scope *onnx.Scope, narrow []bool) (*onnx.Graph, error) {
	s := h.open(scope)
	for i, v := range scope.Graph.Outputs {
		s.outputs[v.Name] = s.outputs[v.Name] || narrow == nil || !narrow[i]
	}
	for _, node := range scope.Nodes() {
		if err := h.node(scope, s, node); err != nil {
			return nil, err
		}
	}
	g := scope.Graph.Clone()
	g.Outputs = slices.Clone(g.Outputs)
	for i := range narrow {
		if narrow[i] {
			if err := h.putOutHalf(scope, s, g, i); err != nil {
				return nil, err
			}
		}
	}
	g.Nodes = s.nodes
	g.Initializers = append(g.Initializers, s.constants...)
	g.ValueInfo = h.valueInfo(scope, s, g.ValueInfo)
	return g, nil
}

// open begins a scope of the new model.
func (h *halver) open(scope *onnx.Scope) *halfScope {
	s := &halfScope{half: map[string]string{}, wide: map[string]string{}, same: map[string]string{}, stored: map[*onnx.Tensor]string{}, outputs: map[string]bool{}}
	h.scopes[scope] = s
	return s
}

// node converts one node.
func (h *halver) node(scope *onnx.Scope, s *halfScope, node *onnx.Node) error {
	if h.constant(scope, node) {
		s.nodes = append(s.nodes, node)
		return nil
	}
	if node.OpType == "Cast" && node.Output(0) != "" && h.cast(scope, s, node) {
		return nil
	}
	takes, gives := h.sides(scope, node)
	clone := node.Clone()
	for i, name := range node.Inputs {
		clone.Inputs[i] = h.renamed(scope, name)
		if name == "" || h.types.typeOf(scope, name) != onnx.Float {
			continue
		}
		var err error
		if takes(i) || node.OpType == "Shape" && h.isHalf(scope, s, name) {
			clone.Inputs[i], err = h.inHalf(scope, s, name)
		} else {
			clone.Inputs[i], err = h.inWide(scope, s, name)
		}
		if err != nil {
			return err
		}
	}
	for i, a := range node.Attrs {
		if a.G == nil {
			continue
		}
		body, err := h.body(node, a.G, gives)
		if err != nil {
			return err
		}
		clone.Attrs[i] = a.Clone()
		clone.Attrs[i].G = body
	}
	var casts []*onnx.Node
	for i, name := range node.Outputs {
		switch {
		case name == "":
		case !gives(i) || h.types.typeOf(scope, name) != onnx.Float:
			s.wide[name] = name
		case s.outputs[name]:
			clone.Name = nodeName(node) // one without a name is known by its output
			clone.Outputs[i] = h.names.fresh(name + "_" + h.narrow.String())
			s.half[name], s.wide[name] = clone.Outputs[i], name
			casts = append(casts, castNode(h.names, clone.Outputs[i], name, onnx.Float))
		default:
			s.half[name] = name
		}
	}
	s.nodes = append(append(s.nodes, clone), casts...)
	return nil
}

// sides says which float32 inputs a node is to read in 16 bit and which outputs
// it gives so: of a call its function's border decides, of a node with bodies
// what these compute, of others it is all or none. Why something stays float32 is
// noted.
func (h *halver) sides(scope *onnx.Scope, node *onnx.Node) (takes, gives func(i int) bool) {
	floats, reason := h.floats(scope, node), ""
	if floats {
		if reason = h.keeps(scope, node); reason != "" {
			h.skips = append(h.skips, Skip{nodeName(node), opName(node), "computes in float32: " + reason})
		}
	}
	if body := h.callee(node); body != nil {
		b := h.borders[body]
		if b.narrow() {
			h.converted++
		}
		return b.takes, b.gives
	}
	if len(node.Bodies()) > 0 {
		gives := make([]bool, len(node.Outputs))
		for i, name := range node.Outputs {
			gives[i] = name != "" && h.types.typeOf(scope, name) == onnx.Float && h.bodyKeeps(scope, node, i) == ""
		}
		return func(int) bool { return false }, func(i int) bool { return gives[i] }
	}
	converted := floats && reason == ""
	if converted {
		h.converted++
	}
	all := func(int) bool { return converted }
	return all, all
}

// constant says whether a node makes a constant, turns or reshapes one, or
// computes one, as a weight's dequantization does. It stays as it is: readers in
// 16 bit have a copy that is stored so, or a cast, and the others lose nothing.
// A weight that is dequantized in 16 bit and cast is at hand before its Cast.
func (h *halver) constant(scope *onnx.Scope, node *onnx.Node) bool {
	if len(node.Outputs) != 1 {
		return false
	}
	if scope.Constant(node.Outputs[0]) != nil {
		return true
	}
	widened := node.OpType == "Cast" && h.types.typeOf(scope, node.Input(0)) == h.narrow
	return !widened && len(node.Inputs) > 0 && fixed(scope, node.Outputs[0], 8)
}

// floats says whether a node reads or gives float32 values.
func (h *halver) floats(scope *onnx.Scope, node *onnx.Node) bool {
	is := func(name string) bool { return name != "" && h.types.typeOf(scope, name) == onnx.Float }
	return slices.ContainsFunc(node.Outputs, is) && slices.ContainsFunc(node.Inputs, is)
}

// cast leaves out a Cast between float32 and 16 bit whose result is at hand, and
// says whether it did.
func (h *halver) cast(scope *onnx.Scope, s *halfScope, node *onnx.Node) bool {
	from, to := h.types.typeOf(scope, node.Input(0)), typeAttr(node, "to", onnx.Undefined)
	input, output := node.Input(0), node.Outputs[0]
	switch {
	case from == h.narrow && to == onnx.Float:
		s.half[output] = h.renamed(scope, input)
		if s.outputs[output] {
			s.wide[output] = output
			s.nodes = append(s.nodes, castNode(h.names, s.half[output], output, onnx.Float))
		}
		return true
	case to == onnx.Float && from != onnx.Undefined && from.Bits() <= 8 && !s.outputs[output]:
		// Small integers are exact in 16 bit.
		clone := node.Clone()
		clone.Inputs[0] = h.renamed(scope, input)
		clone.Attrs = slices.Clone(clone.Attrs)
		for i, a := range clone.Attrs {
			if a.Name == "to" {
				clone.Attrs[i] = onnx.IntAttr("to", int64(h.narrow))
			}
		}
		s.nodes = append(s.nodes, clone)
		s.half[output] = output
		return true
	case from == onnx.Float && to == h.narrow && !s.outputs[output]:
		half, err := h.inHalf(scope, s, input)
		if err != nil {
			return false
		}
		s.same[output] = half
		return true
	}
	return false
}

// valueInfo is the list with the types that values have now, without those that
// are no more.
func (h *halver) valueInfo(scope *onnx.Scope, s *halfScope, original []*onnx.Value) []*onnx.Value {
	defined := map[string]bool{}
	for _, node := range s.nodes {
		for _, name := range node.Outputs {
			defined[name] = true
		}
	}
	var list []*onnx.Value
	for _, v := range original {
		if scope.Producer(v.Name) != nil && !defined[v.Name] {
			continue
		}
		if s.half[v.Name] == v.Name && v.Type != nil && v.Type.Kind == onnx.TensorKind {
			v = v.Clone()
			v.Type = v.Type.Clone()
			v.Type.DType = h.narrow
		}
		list = append(list, v)
	}
	return list
}

// dropUnread takes initializers away that nothing reads any more, and the nodes
// that make constants or turn and reshape them; what nobody read in the first
// place is not told apart here.
func dropUnread(m *onnx.Model) *onnx.Model {
	for {
		read := map[string]bool{}
		for _, v := range m.Graph.Outputs {
			read[v.Name] = true
		}
		for _, node := range m.Graph.Nodes {
			eachRead(node, func(name string) { read[name] = true })
		}
		s := sweeper{read: read}
		m.Graph = s.graph(m.Graph)
		if !s.dropped {
			return m
		}
	}
}

// sweeper drops what is not among the names that are read.
type sweeper struct {
	read    map[string]bool
	dropped bool // a node that read something itself
}

func (s *sweeper) graph(g *onnx.Graph) *onnx.Graph {
	g = g.Clone()
	inputs := map[string]bool{}
	for _, v := range g.Inputs {
		inputs[v.Name] = true
	}
	g.Initializers = slices.DeleteFunc(g.Initializers, func(t *onnx.Tensor) bool { return !s.read[t.Name] && !inputs[t.Name] })
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *onnx.Node) bool {
		if !slices.Contains(constantPath, n.OpType) || len(n.Outputs) != 1 || s.read[n.Outputs[0]] {
			return false
		}
		s.dropped = s.dropped || len(n.Inputs) > 0
		return true
	})
	for i, node := range g.Nodes {
		for j, a := range node.Attrs {
			if a.G != nil {
				if node == g.Nodes[i] {
					g.Nodes[i] = node.Clone()
				}
				g.Nodes[i].Attrs[j] = a.Clone()
				g.Nodes[i].Attrs[j].G = s.graph(a.G)
			}
		}
	}
	return g
}

// constantPath lists what may stand between a constant and its reader.
var constantPath = []string{"Constant", "Identity", "Transpose", "Reshape", "Cast", "Squeeze", "Unsqueeze"}
