package onnx

// tensorRole says where in a model a tensor stands.
type tensorRole int

const (
	initializerRole tensorRole = iota
	attributeRole              // in an attribute, or a part of a sparse tensor
)

// tensorMapper replaces tensors throughout a model.
type tensorMapper struct {
	replace func(t *Tensor, role tensorRole) *Tensor // returns t itself to leave it
	depth   int
}

// mapTensors returns a model in which tensors are replaced, the model itself if
// none is. What does not hold a replaced tensor is shared. Graphs nested too deep
// are left alone: encoding them is an error.
func mapTensors(m *Model, replace func(t *Tensor, role tensorRole) *Tensor) *Model {
	p := &tensorMapper{replace: replace}
	graph := p.graph(m.Graph)
	functions, changedFunctions := mapList(m.Functions, p.function)
	training, changedTraining := mapList(m.training, p.trainingInfo)
	if graph == m.Graph && !changedFunctions && !changedTraining {
		return m
	}
	c := m.Clone()
	c.Graph, c.Functions, c.training = graph, functions, training
	return c
}

// mapList maps a list's elements; the list is copied when the first one changes.
func mapList[T any](list []*T, f func(*T) *T) (out []*T, changed bool) {
	out = list
	for i, v := range list {
		if v == nil {
			continue
		}
		mapped := f(v)
		if mapped == v {
			continue
		}
		if !changed {
			out, changed = append([]*T(nil), list...), true
		}
		out[i] = mapped
	}
	return out, changed
}

func (p *tensorMapper) graph(g *Graph) *Graph {
	if g == nil || p.depth > maxDepth {
		return g
	}
	p.depth++
	defer func() { p.depth-- }()
	initializers, a := mapList(g.Initializers, func(t *Tensor) *Tensor { return p.replace(t, initializerRole) })
	sparse, b := mapList(g.SparseInitializers, p.sparse)
	nodes, c := mapList(g.Nodes, p.node)
	if !a && !b && !c {
		return g
	}
	g = g.Clone()
	g.Initializers, g.SparseInitializers, g.Nodes = initializers, sparse, nodes
	return g
}

func (p *tensorMapper) sparse(s *SparseTensor) *SparseTensor {
	values, indices := s.Values, s.Indices
	if values != nil {
		values = p.replace(values, attributeRole)
	}
	if indices != nil {
		indices = p.replace(indices, attributeRole)
	}
	if values == s.Values && indices == s.Indices {
		return s
	}
	s = s.Clone()
	s.Values, s.Indices = values, indices
	return s
}

func (p *tensorMapper) node(n *Node) *Node {
	attrs, changed := mapList(n.Attrs, p.attr)
	if !changed {
		return n
	}
	n = n.Clone()
	n.Attrs = attrs
	return n
}

func (p *tensorMapper) attr(a *Attr) *Attr {
	c := *a
	if a.T != nil {
		c.T = p.replace(a.T, attributeRole)
	}
	if a.Sparse != nil {
		c.Sparse = p.sparse(a.Sparse)
	}
	c.G = p.graph(a.G)
	changed := c.T != a.T || c.Sparse != a.Sparse || c.G != a.G
	var moved bool
	c.Tensors, moved = mapList(a.Tensors, func(t *Tensor) *Tensor { return p.replace(t, attributeRole) })
	changed = changed || moved
	c.SparseTensors, moved = mapList(a.SparseTensors, p.sparse)
	changed = changed || moved
	c.Graphs, moved = mapList(a.Graphs, p.graph)
	if !changed && !moved {
		return a
	}
	c.message = a.derived()
	return &c
}

func (p *tensorMapper) function(f *Function) *Function {
	defaults, a := mapList(f.AttributeDefaults, p.attr)
	nodes, b := mapList(f.Nodes, p.node)
	if !a && !b {
		return f
	}
	f = f.Clone()
	f.AttributeDefaults, f.Nodes = defaults, nodes
	return f
}

func (p *tensorMapper) trainingInfo(t *trainingInfo) *trainingInfo {
	initialization, algorithm := p.graph(t.initialization), p.graph(t.algorithm)
	if initialization == t.initialization && algorithm == t.algorithm {
		return t
	}
	return &trainingInfo{initialization: initialization, algorithm: algorithm, message: t.derived()}
}
