package runtime

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// maxInlined is how many nodes inlining may make: functions that call functions
// can ask for more nodes than there is memory in a file of a few hundred bytes.
const maxInlined = 1 << 18

// separator stands between the parts of a name inside a function.
const separator = "::"

// inlined is a model without calls: the nodes of local functions stand where
// the calls stood.
type inlined struct {
	model *onnx.Model
	index *onnx.Index
	// origin holds the function that a node came out of, whose opset imports
	// are in force for it; none for the model's own nodes.
	origin map[*onnx.Node]*onnx.Function
}

// opset is the version of its domain's operator set that is in force for a node.
func (p *inlined) opset(n *onnx.Node) int64 {
	if f := p.origin[n]; f != nil {
		if v := f.Opset(n.Domain); v > 0 {
			return v
		}
	}
	// A model that imports nothing is from the first days of the format.
	return max(1, p.model.Opset(n.Domain))
}

// inline replaces every call of a local function by the function's nodes. The
// names inside a function become unique by a prefix made of the call's first
// output, which a rewriter keeps: a model and its rewritten form give the same
// names to what is the same in both.
func inline(m *onnx.Model) (*inlined, error) {
	index, err := onnx.NewIndex(m)
	if err != nil {
		return nil, err
	}
	if len(m.Functions) == 0 {
		return &inlined{model: m, index: index}, nil
	}
	il := &inliner{index: index, names: map[string]bool{}, origin: map[*onnx.Node]*onnx.Function{}}
	for _, s := range index.Scopes() {
		if root := rootOf(s); root.Function != nil {
			continue
		}
		collectNames(s, il.names)
	}
	if il.count(m.Graph.Nodes, map[*onnx.Function]int{}) > maxInlined {
		return nil, errTooManyInlined
	}
	graph, err := il.graph(m.Graph, &naming{})
	if err != nil {
		return nil, err
	}
	flat := m.Clone()
	flat.Graph, flat.Functions = graph, nil
	if index, err = onnx.NewIndex(flat); err != nil {
		return nil, err
	}
	return &inlined{model: flat, index: index, origin: il.origin}, nil
}

func rootOf(s *onnx.Scope) *onnx.Scope {
	for s.Parent != nil {
		s = s.Parent
	}
	return s
}

// collectNames adds the names that a graph defines and that have a separator.
func collectNames(s *onnx.Scope, names map[string]bool) {
	add := func(name string) {
		if strings.Contains(name, separator) {
			names[name] = true
		}
	}
	for _, v := range s.Graph.Inputs {
		add(v.Name)
	}
	for _, t := range s.Graph.Initializers {
		add(t.Name)
	}
	for _, n := range s.Nodes() {
		for _, name := range n.Outputs {
			add(name)
		}
	}
}

var errTooManyInlined = fmt.Errorf("runtime: the model's functions inline to more than %d nodes", maxInlined)

// count is how many nodes a list inlines to, or some number beyond maxInlined.
// Each function is counted once; one that calls itself is refused where it is
// called.
func (il *inliner) count(list []*onnx.Node, known map[*onnx.Function]int) int {
	total := 0
	for _, n := range list {
		total++
		for _, body := range n.Bodies() {
			total += il.count(body.Nodes, known)
		}
		if f := il.index.Function(n); f != nil {
			inside, counted := known[f]
			if !counted {
				known[f] = 0
				inside = il.count(f.Nodes, known)
				known[f] = inside
			}
			total += inside
		}
		if total > maxInlined {
			return total
		}
	}
	return total
}

// inliner holds what one inlining shares.
type inliner struct {
	index  *onnx.Index
	names  map[string]bool // what the model's own graphs define that could be taken for a name inside a function
	origin map[*onnx.Node]*onnx.Function
	calls  []*onnx.Function // under way, outermost first
	made   int
}

// naming says how names, attribute references and opsets read where nodes are
// put: as they are in the model's own graphs, bound to the call in a function.
type naming struct {
	function *onnx.Function // nil in the model's own graphs
	bound    map[string]string
	prefix   string
	attrs    map[string]*onnx.Attr // of the call, and defaults
}

func (c *naming) rename(name string) string {
	if c.function == nil || name == "" {
		return name
	}
	if bound, ok := c.bound[name]; ok {
		return bound
	}
	return c.prefix + name
}

func (c *naming) renameAll(names []string) []string {
	if c.function == nil {
		return names
	}
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = c.rename(name)
	}
	return list
}

// graph inlines the calls in a graph; one without any is returned as it is.
func (il *inliner) graph(g *onnx.Graph, c *naming) (*onnx.Graph, error) {
	nodes, changed, err := il.nodes(g.Nodes, c)
	if err != nil {
		return nil, err
	}
	if !changed && c.function == nil {
		return g, nil
	}
	flat := g.Clone()
	flat.Nodes = nodes
	if c.function == nil {
		return flat, nil
	}
	for i, v := range g.Inputs {
		flat.Inputs[i] = renameValue(v, c)
	}
	for i, v := range g.Outputs {
		flat.Outputs[i] = renameValue(v, c)
	}
	for i, t := range g.Initializers {
		flat.Initializers[i] = t.Clone()
		flat.Initializers[i].Name = c.rename(t.Name)
	}
	for i, t := range g.SparseInitializers {
		if t.Values != nil {
			flat.SparseInitializers[i] = t.Clone()
			flat.SparseInitializers[i].Values = t.Values.Clone()
			flat.SparseInitializers[i].Values.Name = c.rename(t.Values.Name)
		}
	}
	flat.ValueInfo = nil
	return flat, nil
}

func renameValue(v *onnx.Value, c *naming) *onnx.Value {
	renamed := v.Clone()
	renamed.Name = c.rename(v.Name)
	return renamed
}

// nodes inlines the calls in a list of nodes, and says whether it differs.
func (il *inliner) nodes(list []*onnx.Node, c *naming) (flat []*onnx.Node, changed bool, err error) {
	flat = make([]*onnx.Node, 0, len(list))
	for _, original := range list {
		n, err := il.node(original, c)
		if err != nil {
			return nil, false, err
		}
		changed = changed || n != original
		f := il.index.Function(n)
		if f == nil {
			flat = append(flat, n)
			continue
		}
		called, err := il.call(n, f)
		if err != nil {
			return nil, false, err
		}
		flat, changed = append(flat, called...), true
	}
	return flat, changed, nil
}

// node is a node with its names and attribute references bound and the calls
// in its bodies inlined.
func (il *inliner) node(n *onnx.Node, c *naming) (*onnx.Node, error) {
	if il.made++; il.made > maxInlined {
		return nil, errTooManyInlined
	}
	flat := n
	if c.function != nil {
		flat = n.Clone()
		flat.Inputs, flat.Outputs = c.renameAll(n.Inputs), c.renameAll(n.Outputs)
		flat.Attrs = flat.Attrs[:0]
		if n.Name != "" {
			flat.Name = c.prefix + n.Name
		}
		il.origin[flat] = c.function
	}
	for i, a := range n.Attrs {
		bound, err := il.attr(a, c)
		if err != nil {
			return nil, err
		}
		switch {
		case c.function != nil:
			if bound != nil {
				flat.Attrs = append(flat.Attrs, bound)
			}
		case bound != a:
			if flat == n {
				flat = n.Clone()
			}
			flat.Attrs[i] = bound
		}
	}
	return flat, nil
}

// attr is an attribute with its reference bound (nil where neither the call nor
// a default gives it) and the calls in its graphs inlined.
func (il *inliner) attr(a *onnx.Attr, c *naming) (*onnx.Attr, error) {
	if a.RefName != "" && c.function != nil {
		given := c.attrs[a.RefName]
		if given == nil {
			return nil, nil
		}
		bound := given.Clone()
		bound.Name = a.Name
		return bound, nil
	}
	if a.G == nil && len(a.Graphs) == 0 {
		return a, nil
	}
	flat := a
	if a.G != nil {
		g, err := il.graph(a.G, c)
		if err != nil {
			return nil, err
		}
		if g != a.G {
			flat = a.Clone()
			flat.G = g
		}
	}
	for i, body := range a.Graphs {
		g, err := il.graph(body, c)
		if err != nil {
			return nil, err
		}
		if g != body {
			if flat == a {
				flat = a.Clone()
			}
			flat.Graphs[i] = g
		}
	}
	return flat, nil
}

// call gives the nodes of a function for one call of it.
func (il *inliner) call(n *onnx.Node, f *onnx.Function) ([]*onnx.Node, error) {
	if slices.Contains(il.calls, f) {
		return nil, fmt.Errorf("runtime: function %s.%s calls itself, which ONNX does not allow", f.Domain, f.Name)
	}
	if len(n.Inputs) > len(f.Inputs) || len(n.Outputs) > len(f.Outputs) {
		return nil, fmt.Errorf("runtime: node %s: the call has %d inputs and %d outputs, function %s.%s has %d and %d",
			nodeLabel(n), len(n.Inputs), len(n.Outputs), f.Domain, f.Name, len(f.Inputs), len(f.Outputs))
	}
	il.calls = append(il.calls, f)
	defer func() { il.calls = il.calls[:len(il.calls)-1] }()

	c := &naming{function: f, bound: map[string]string{}, prefix: il.prefix(n, f), attrs: map[string]*onnx.Attr{}}
	for _, a := range f.AttributeDefaults {
		c.attrs[a.Name] = a
	}
	for _, a := range n.Attrs {
		c.attrs[a.Name] = a
	}
	for i, name := range f.Inputs {
		c.bound[name] = n.Input(i)
	}
	var passed []*onnx.Node // outputs that are inputs, or put out twice
	for i, name := range f.Outputs {
		if i >= len(n.Outputs) || n.Outputs[i] == "" {
			continue
		}
		if _, taken := c.bound[name]; !taken {
			c.bound[name] = n.Outputs[i]
			continue
		}
		identity := &onnx.Node{OpType: "Identity", Inputs: []string{c.bound[name]}, Outputs: []string{n.Outputs[i]}}
		passed = append(passed, identity)
	}
	flat, _, err := il.nodes(f.Nodes, c)
	if err != nil {
		return nil, fmt.Errorf("in function %s.%s: %w", f.Domain, f.Name, err)
	}
	return append(flat, passed...), nil
}

// prefix is what a call's inner names begin with: none of the model's own names does.
func (il *inliner) prefix(n *onnx.Node, f *onnx.Function) string {
	first := n.Name
	for _, name := range n.Outputs {
		if name != "" {
			first = name
			break
		}
	}
	for prefix := first + separator; ; prefix += ":" {
		free := true
		if len(il.names) == 0 {
			return prefix
		}
		for _, inner := range f.Nodes {
			for _, name := range inner.Outputs {
				free = free && !il.names[prefix+name]
			}
		}
		if free {
			return prefix
		}
	}
}
