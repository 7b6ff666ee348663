package onnx

import (
	"bytes"
	"os"
	"testing"
)

func encoded(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// deepClone clones every view of a model, so that each is encoded field by field.
func deepClone(m *Model) *Model {
	c := m.Clone()
	c.Graph = deepGraph(m.Graph)
	for i, f := range c.Functions {
		f = f.Clone()
		f.AttributeDefaults = each(f.AttributeDefaults, deepAttr)
		f.Nodes = each(f.Nodes, deepNode)
		f.ValueInfo = each(f.ValueInfo, deepValue)
		c.Functions[i] = f
	}
	return c
}

func each[T any](list []*T, f func(*T) *T) []*T {
	out := make([]*T, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

func deepGraph(g *Graph) *Graph {
	if g == nil {
		return nil
	}
	c := g.Clone()
	c.Nodes = each(c.Nodes, deepNode)
	c.Initializers = each(c.Initializers, (*Tensor).Clone)
	c.SparseInitializers = each(c.SparseInitializers, deepSparse)
	c.Inputs = each(c.Inputs, deepValue)
	c.Outputs = each(c.Outputs, deepValue)
	c.ValueInfo = each(c.ValueInfo, deepValue)
	c.Quantization = each(c.Quantization, (*QuantizationAnnotation).Clone)
	return c
}

func deepNode(n *Node) *Node {
	c := n.Clone()
	c.Attrs = each(c.Attrs, deepAttr)
	return c
}

func deepAttr(a *Attr) *Attr {
	c := a.Clone()
	if c.T != nil {
		c.T = c.T.Clone()
	}
	c.G = deepGraph(c.G)
	c.Sparse = deepSparse(c.Sparse)
	c.TypeProto = deepType(c.TypeProto)
	c.Tensors = each(c.Tensors, (*Tensor).Clone)
	c.Graphs = each(c.Graphs, deepGraph)
	c.SparseTensors = each(c.SparseTensors, deepSparse)
	c.TypeProtos = each(c.TypeProtos, deepType)
	return c
}

func deepSparse(s *SparseTensor) *SparseTensor {
	if s == nil {
		return nil
	}
	c := s.Clone()
	if c.Values != nil {
		c.Values = c.Values.Clone()
	}
	if c.Indices != nil {
		c.Indices = c.Indices.Clone()
	}
	return c
}

func deepValue(v *Value) *Value {
	c := v.Clone()
	c.Type = deepType(c.Type)
	return c
}

func deepType(t *Type) *Type {
	if t == nil {
		return nil
	}
	c := t.Clone()
	c.Elem = deepType(c.Elem)
	return c
}

// roundTrip holds a file's model to the two promises: unchanged it is written as
// it was, and so it is when every view of it has been cloned but not changed.
func roundTrip(t *testing.T, path string) {
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := encoded(t, m); !bytes.Equal(got, want) {
		t.Errorf("%s: unchanged, but not written as it was", path)
	}
	if got := encoded(t, deepClone(m)); !bytes.Equal(got, want) {
		t.Errorf("%s: cloned throughout, but not written as it was: %d bytes became %d", path, len(want), len(got))
	}
}

func TestRoundTripOfSharedCases(t *testing.T) {
	for _, path := range sharedModels(t) {
		roundTrip(t, path)
	}
}

func TestRoundTripOfNodeTests(t *testing.T) {
	for _, path := range nodeTestModels(t) {
		roundTrip(t, path)
	}
}
