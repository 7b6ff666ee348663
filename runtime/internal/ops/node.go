package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func (n *Node) attr(name string, kind onnx.AttrType) *onnx.Attr {
	for _, a := range n.Attrs {
		if a.Name != name {
			continue
		}
		if n.asked == nil {
			n.asked = map[string]onnx.AttrType{}
		}
		if as, before := n.asked[name]; !before || as != a.Type { // else the operator takes more than one type
			n.asked[name] = kind
		}
		if a.Type == kind {
			return a
		}
	}
	return nil
}

// Mistyped is an error if a Builder has asked for an attribute that the node states
// with a value of another type, or of none: the default would not be what is meant.
func (n *Node) Mistyped() error {
	for _, a := range n.Attrs {
		if kind, asked := n.asked[a.Name]; asked && kind != a.Type {
			return fmt.Errorf("attribute %q is of type %v, and the operator's is of type %v", a.Name, a.Type, kind)
		}
	}
	return nil
}

// later has work done when the node has its place in the graph.
func (n *Node) later(work func()) {
	if n.Later == nil {
		work()
		return
	}
	n.Later(work)
}

// Has says whether the node states the attribute, of whatever type.
func (n *Node) Has(name string) bool {
	for _, a := range n.Attrs {
		if a.Name == name {
			return true
		}
	}
	return false
}

// Int is an integer attribute, or its default where the node does not state it.
func (n *Node) Int(name string, otherwise int) int {
	if a := n.attr(name, onnx.AttrInt); a != nil {
		return int(a.I)
	}
	return otherwise
}

// Float is a float attribute, or its default where the node does not state it.
func (n *Node) Float(name string, otherwise float32) float32 {
	if a := n.attr(name, onnx.AttrFloat); a != nil {
		return a.F
	}
	return otherwise
}

// Text is a string attribute, or its default where the node does not state it.
func (n *Node) Text(name, otherwise string) string {
	if a := n.attr(name, onnx.AttrString); a != nil {
		return string(a.S)
	}
	return otherwise
}

// Ints is an attribute that lists integers; nil where the node does not state it.
func (n *Node) Ints(name string) []int {
	a := n.attr(name, onnx.AttrInts)
	if a == nil {
		return nil
	}
	list := make([]int, len(a.Ints))
	for i, v := range a.Ints {
		list[i] = int(v)
	}
	return list
}

// Floats is an attribute that lists floats; nil where the node does not state it.
func (n *Node) Floats(name string) []float32 {
	if a := n.attr(name, onnx.AttrFloats); a != nil {
		return a.Floats
	}
	return nil
}

// Texts is an attribute that lists strings; nil where the node does not state it.
func (n *Node) Texts(name string) []string {
	a := n.attr(name, onnx.AttrStrings)
	if a == nil {
		return nil
	}
	list := make([]string, len(a.Strings))
	for i, s := range a.Strings {
		list[i] = string(s)
	}
	return list
}

// asTensor is operand i as a tensor: nil if it is absent, an error if it is another kind of value.
func asTensor(i int, v tensor.Value) (*tensor.Tensor, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case *tensor.Tensor:
		return v, nil
	}
	return nil, fmt.Errorf("operand %d is a %T, not a tensor", i, v)
}
