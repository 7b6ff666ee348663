package rewrite

import (
	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// initializersAreInputs is the last IR version in which every initializer of
// the main graph has to be listed among the graph's inputs.
const initializersAreInputs = 3

// model makes the new model of the edit. Scopes without a change keep their
// views, and so their bytes.
func (e *edit) model() *onnx.Model {
	e.orphans.sweep()
	m := e.original.Clone()
	for _, needed := range e.imports {
		if m.Opset(needed.Domain) == 0 {
			m.Opsets = append(m.Opsets, needed)
		}
	}
	changed := map[*onnx.Graph]*onnx.Graph{}
	scopes := e.index.Scopes()
	functions := map[*onnx.Function]*onnx.Function{}
	// Bodies stand after what encloses them, so from the back they come first.
	for i := len(scopes) - 1; i >= 0; i-- {
		scope := scopes[i]
		here := e.scopes[scope]
		nodes, touched := e.nodes(scope, changed)
		if here == nil && !touched {
			continue
		}
		if scope.Function != nil {
			f := scope.Function.Clone()
			f.Nodes = nodes
			f.ValueInfo = withoutValues(f.ValueInfo, here)
			functions[scope.Function] = f
			continue
		}
		g := scope.Graph.Clone()
		g.Nodes = nodes
		if here != nil {
			e.constants(scope, here, g)
		}
		changed[scope.Graph] = g
	}
	if g, ok := changed[m.Graph]; ok {
		m.Graph = g
	}
	for i, f := range m.Functions {
		if edited, ok := functions[f]; ok {
			m.Functions[i] = edited
		}
	}
	return m
}

// nodes is a scope's list of nodes with the replacements in place and with the
// changed bodies in the nodes that own them.
func (e *edit) nodes(scope *onnx.Scope, changed map[*onnx.Graph]*onnx.Graph) (nodes []*onnx.Node, touched bool) {
	here := e.scopes[scope]
	add := func(node *onnx.Node) {
		if here != nil && here.swept[node] {
			return
		}
		edited := withBodies(node, changed)
		touched = touched || edited != node
		nodes = append(nodes, edited)
	}
	if here != nil && scope.Function != nil {
		for _, t := range here.constant {
			nodes = append(nodes, constantNode(t))
		}
	}
	if here != nil && e.bodyConstants(scope) {
		for _, t := range here.constant {
			nodes = append(nodes, constantNode(t))
		}
	}
	for _, node := range scope.Nodes() {
		if here == nil {
			add(node)
			continue
		}
		if !here.removed[node] {
			add(node)
		}
		for _, replacement := range here.after[node] {
			add(replacement)
		}
	}
	return inOrder(nodes), touched
}

// bodyConstants says whether a body has to hold its constants in nodes: before
// IR 4 an initializer has to be an input as well, and a body's inputs are fixed.
func (e *edit) bodyConstants(scope *onnx.Scope) bool {
	return scope.Graph != nil && scope.Owner != nil && e.original.IRVersion <= initializersAreInputs
}

// constants adds the new initializers to a graph, and drops the old ones that
// nothing reads.
func (e *edit) constants(scope *onnx.Scope, here *scopeEdit, g *onnx.Graph) {
	listed := map[string]bool{}
	kept := g.Initializers[:0:0]
	for _, t := range g.Initializers {
		if here.dropped[t.Name] {
			listed[t.Name] = true
			continue
		}
		kept = append(kept, t)
	}
	sparse := g.SparseInitializers[:0:0]
	for _, t := range g.SparseInitializers {
		if t.Values != nil && here.dropped[t.Values.Name] {
			listed[t.Values.Name] = true
			continue
		}
		sparse = append(sparse, t)
	}
	g.SparseInitializers = sparse
	// Only an initializer's entry leaves the inputs: any other input is the
	// caller's, read or not.
	inputs := g.Inputs[:0:0]
	for _, v := range g.Inputs {
		if !listed[v.Name] {
			inputs = append(inputs, v)
		}
	}
	if !e.bodyConstants(scope) {
		kept = append(kept, here.constant...)
		if e.original.IRVersion <= initializersAreInputs {
			for _, t := range here.constant {
				inputs = append(inputs, inputOf(t))
			}
		}
	}
	g.Initializers, g.Inputs = kept, inputs
	g.ValueInfo = withoutValues(g.ValueInfo, here)
	annotations := g.Quantization[:0:0]
	for _, a := range g.Quantization {
		if !here.dropped[a.TensorName] {
			annotations = append(annotations, a)
		}
	}
	g.Quantization = annotations
}

// withoutValues is a list of value_info without the values that are no more.
func withoutValues(list []*onnx.Value, here *scopeEdit) []*onnx.Value {
	if here == nil {
		return list
	}
	kept := list[:0:0]
	for _, v := range list {
		if !here.gone(v.Name) {
			kept = append(kept, v)
		}
	}
	return kept
}

// gone says whether a name of the original is not defined any more.
func (s *scopeEdit) gone(name string) bool { return s.dropped[name] && !s.defined[name] }

// withBodies is a node with its changed bodies; the node itself if none changed.
func withBodies(node *onnx.Node, changed map[*onnx.Graph]*onnx.Graph) *onnx.Node {
	edited := node
	for i, a := range node.Attrs {
		if a.G == nil && len(a.Graphs) == 0 {
			continue
		}
		next := a
		if g, ok := changed[a.G]; ok && a.G != nil {
			next = next.Clone()
			next.G = g
		}
		for j, graph := range a.Graphs {
			if g, ok := changed[graph]; ok {
				if next == a {
					next = next.Clone()
				}
				next.Graphs[j] = g
			}
		}
		if next != a {
			if edited == node {
				edited = node.Clone()
			}
			edited.Attrs[i] = next
		}
	}
	return edited
}

// constantNode holds a tensor where there are no initializers.
func constantNode(t *onnx.Tensor) *onnx.Node {
	return &onnx.Node{
		Name:    t.Name + "_Constant",
		OpType:  "Constant",
		Outputs: []string{t.Name},
		Attrs:   []*onnx.Attr{onnx.TensorAttr("value", t)},
	}
}

// inputOf lists an initializer as an input, as old models do.
func inputOf(t *onnx.Tensor) *onnx.Value {
	shape := make([]onnx.Dim, len(t.Dims))
	for i, d := range t.Dims {
		shape[i] = onnx.Dim{Known: true, Size: d}
	}
	return &onnx.Value{Name: t.Name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: t.Type, HasShape: true, Shape: shape}}
}
