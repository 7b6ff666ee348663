package onnx

import "slices"

// The clones below are shallow: lists are copied, what they hold is shared. A
// clone may be changed freely; what it shares is cloned before it is changed.

// Clone returns a copy of the model to edit. It reads from the same file as the
// original, which stays open until one of them is closed.
func (m *Model) Clone() *Model {
	c := *m
	c.Opsets = slices.Clone(m.Opsets)
	c.Functions = slices.Clone(m.Functions)
	c.Metadata = slices.Clone(m.Metadata)
	c.message = m.derived()
	return &c
}

// Clone returns a copy of the graph to edit.
func (g *Graph) Clone() *Graph {
	c := *g
	c.Nodes = slices.Clone(g.Nodes)
	c.Initializers = slices.Clone(g.Initializers)
	c.SparseInitializers = slices.Clone(g.SparseInitializers)
	c.Inputs = slices.Clone(g.Inputs)
	c.Outputs = slices.Clone(g.Outputs)
	c.ValueInfo = slices.Clone(g.ValueInfo)
	c.Quantization = slices.Clone(g.Quantization)
	c.Metadata = slices.Clone(g.Metadata)
	c.message = g.derived()
	return &c
}

// Clone returns a copy of the annotation to edit.
func (q *QuantizationAnnotation) Clone() *QuantizationAnnotation {
	c := *q
	c.Parameters = slices.Clone(q.Parameters)
	c.message = q.derived()
	return &c
}

// Clone returns a copy of the function to edit.
func (f *Function) Clone() *Function {
	c := *f
	c.Inputs = slices.Clone(f.Inputs)
	c.Outputs = slices.Clone(f.Outputs)
	c.Attributes = slices.Clone(f.Attributes)
	c.AttributeDefaults = slices.Clone(f.AttributeDefaults)
	c.Nodes = slices.Clone(f.Nodes)
	c.Opsets = slices.Clone(f.Opsets)
	c.ValueInfo = slices.Clone(f.ValueInfo)
	c.Metadata = slices.Clone(f.Metadata)
	c.message = f.derived()
	return &c
}

// Clone returns a copy of the node to edit.
func (n *Node) Clone() *Node {
	c := *n
	c.Inputs = slices.Clone(n.Inputs)
	c.Outputs = slices.Clone(n.Outputs)
	c.Attrs = slices.Clone(n.Attrs)
	c.Metadata = slices.Clone(n.Metadata)
	c.message = n.derived()
	return &c
}

// Clone returns a copy of the attribute to edit.
func (a *Attr) Clone() *Attr {
	c := *a
	c.Floats = slices.Clone(a.Floats)
	c.Ints = slices.Clone(a.Ints)
	c.Strings = slices.Clone(a.Strings)
	c.Tensors = slices.Clone(a.Tensors)
	c.Graphs = slices.Clone(a.Graphs)
	c.SparseTensors = slices.Clone(a.SparseTensors)
	c.TypeProtos = slices.Clone(a.TypeProtos)
	c.message = a.derived()
	return &c
}

// Clone returns a copy of the value to edit.
func (v *Value) Clone() *Value {
	c := *v
	c.Metadata = slices.Clone(v.Metadata)
	c.message = v.derived()
	return &c
}

// Clone returns a copy of the type to edit.
func (t *Type) Clone() *Type {
	c := *t
	c.Shape = slices.Clone(t.Shape)
	c.message = t.derived()
	return &c
}

// Clone returns a copy of the tensor to edit; its payload is shared.
func (t *Tensor) Clone() *Tensor {
	c := *t
	c.Dims = slices.Clone(t.Dims)
	c.Strings = slices.Clone(t.Strings)
	c.Metadata = slices.Clone(t.Metadata)
	c.message = t.derived()
	return &c
}

// Clone returns a copy of the sparse tensor to edit.
func (s *SparseTensor) Clone() *SparseTensor {
	c := *s
	c.Dims = slices.Clone(s.Dims)
	c.message = s.derived()
	return &c
}
