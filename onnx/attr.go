package onnx

import (
	"fmt"
	"slices"
)

// FloatAttr makes an attribute that is a float.
func FloatAttr(name string, v float32) *Attr { return &Attr{Name: name, Type: AttrFloat, F: v} }

// IntAttr makes an attribute that is an integer.
func IntAttr(name string, v int64) *Attr { return &Attr{Name: name, Type: AttrInt, I: v} }

// StringAttr makes an attribute that is a string.
func StringAttr(name, v string) *Attr { return &Attr{Name: name, Type: AttrString, S: []byte(v)} }

// TensorAttr makes an attribute that is a tensor.
func TensorAttr(name string, v *Tensor) *Attr { return &Attr{Name: name, Type: AttrTensor, T: v} }

// GraphAttr makes an attribute that is a graph: a body.
func GraphAttr(name string, v *Graph) *Attr { return &Attr{Name: name, Type: AttrGraph, G: v} }

// IntsAttr makes an attribute that is a list of integers; v is copied.
func IntsAttr(name string, v []int64) *Attr {
	return &Attr{Name: name, Type: AttrInts, Ints: slices.Clone(v)}
}

// FloatsAttr makes an attribute that is a list of floats; v is copied.
func FloatsAttr(name string, v []float32) *Attr {
	return &Attr{Name: name, Type: AttrFloats, Floats: slices.Clone(v)}
}

// StringsAttr makes an attribute that is a list of strings; v is copied.
func StringsAttr(name string, v []string) *Attr {
	a := &Attr{Name: name, Type: AttrStrings}
	for _, s := range v {
		a.Strings = append(a.Strings, []byte(s))
	}
	return a
}

// Attr returns the attribute of a name, nil if the node has none.
func (n *Node) Attr(name string) *Attr {
	for _, a := range n.Attrs {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Input returns the name of an operand, "" if it is left out or not there.
func (n *Node) Input(i int) string {
	if i < 0 || i >= len(n.Inputs) {
		return ""
	}
	return n.Inputs[i]
}

// Output returns the name of a result, "" if it is left out or not there.
func (n *Node) Output(i int) string {
	if i < 0 || i >= len(n.Outputs) {
		return ""
	}
	return n.Outputs[i]
}

// Bodies returns the graphs among the node's attributes, in their order.
func (n *Node) Bodies() []*Graph {
	var bodies []*Graph
	for _, a := range n.Attrs {
		if a.G != nil {
			bodies = append(bodies, a.G)
		}
		bodies = append(bodies, a.Graphs...)
	}
	return bodies
}

// Opset returns the version of a domain that the model imports, 0 if it imports
// none. "" and "ai.onnx" are one domain.
func (m *Model) Opset(domain string) int64 { return opset(m.Opsets, domain) }

// Opset returns the version of a domain that the function imports, 0 if it
// imports none. "" and "ai.onnx" are one domain.
func (f *Function) Opset(domain string) int64 { return opset(f.Opsets, domain) }

func opset(imports []OpsetImport, domain string) int64 {
	for _, o := range imports {
		if canonicalDomain(o.Domain) == canonicalDomain(domain) {
			return o.Version
		}
	}
	return 0
}

// canonicalDomain gives the two names of ONNX's own domain as one.
func canonicalDomain(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

var attrTypeNames = [...]string{
	AttrUndefined: "UNDEFINED", AttrFloat: "FLOAT", AttrInt: "INT", AttrString: "STRING", AttrTensor: "TENSOR", AttrGraph: "GRAPH",
	AttrFloats: "FLOATS", AttrInts: "INTS", AttrStrings: "STRINGS", AttrTensors: "TENSORS", AttrGraphs: "GRAPHS",
	AttrSparseTensor: "SPARSE_TENSOR", AttrSparseTensors: "SPARSE_TENSORS", AttrTypeProto: "TYPE_PROTO", AttrTypeProtos: "TYPE_PROTOS",
}

// String is the name of the type in the format.
func (t AttrType) String() string {
	if t < 0 || int(t) >= len(attrTypeNames) {
		return fmt.Sprintf("AttrType(%d)", int32(t))
	}
	return attrTypeNames[t]
}
