package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// census counts what is in a model: its graph, the bodies in it, and its local
// functions.
type census struct {
	operators map[string]int
	weights   []storedTensor
	external  int64 // bytes of tensors outside the model's file
}

// storedTensor is a tensor that the file holds: an initializer, or the value of
// a Constant node, under the name of the node's output.
type storedTensor struct {
	name   string
	tensor *onnx.Tensor
	bytes  int64
}

func newCensus(m *onnx.Model) (*census, error) {
	index, err := onnx.NewIndex(m)
	if err != nil {
		return nil, err
	}
	c := &census{operators: map[string]int{}}
	for _, scope := range index.Scopes() {
		if scope.Graph != nil {
			for _, t := range scope.Graph.Initializers {
				c.add(t.Name, t)
			}
			for _, sparse := range scope.Graph.SparseInitializers {
				for _, t := range []*onnx.Tensor{sparse.Values, sparse.Indices} {
					if t != nil {
						c.add(t.Name, t)
					}
				}
			}
		}
		for _, node := range scope.Nodes() {
			c.operators[operator(node)]++
			for _, attr := range node.Attrs {
				if attr.T != nil && len(node.Outputs) > 0 {
					c.add(node.Outputs[0], attr.T)
				}
			}
		}
	}
	slices.SortStableFunc(c.weights, func(a, b storedTensor) int { return cmp.Compare(b.bytes, a.bytes) })
	return c, nil
}

func (c *census) add(name string, t *onnx.Tensor) {
	stored := storedTensor{name: name, tensor: t}
	if t.Type == onnx.String {
		for _, s := range t.Strings {
			stored.bytes += int64(len(s))
		}
	} else if size, err := t.ByteLen(); err == nil { // a tensor that claims an impossible size holds nothing
		stored.bytes = size
	}
	if t.External != nil {
		c.external += stored.bytes
	}
	c.weights = append(c.weights, stored)
}

// operator is a node's operator with its domain, unless that is the default one.
func operator(n *onnx.Node) string {
	if n.Domain == "" || n.Domain == "ai.onnx" {
		return n.OpType
	}
	return n.Domain + "." + n.OpType
}

// bytesOf is what a model takes on the disk, external data included.
func bytesOf(path string, m *onnx.Model) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	c, err := newCensus(m)
	if err != nil {
		return 0, err
	}
	return info.Size() + c.external, nil
}

// sizeOnDisk is bytesOf for a model that is not open.
func sizeOnDisk(path string) (int64, error) {
	m, err := onnx.Open(path)
	if err != nil {
		return 0, fmt.Errorf("reading back what was written: %w", err)
	}
	defer m.Close()
	return bytesOf(path, m)
}

// typeText is a type in words, like float[n,3,?,?] or seq(int64[]).
func typeText(t *onnx.Type) string {
	if t == nil {
		return "unknown"
	}
	switch t.Kind {
	case onnx.TensorKind:
		return t.DType.String() + shapeText(t)
	case onnx.SparseTensorKind:
		return "sparse(" + t.DType.String() + shapeText(t) + ")"
	case onnx.SequenceKind:
		return "seq(" + typeText(t.Elem) + ")"
	case onnx.OptionalKind:
		return "optional(" + typeText(t.Elem) + ")"
	case onnx.MapKind:
		return "map(" + t.DType.String() + "," + typeText(t.Elem) + ")"
	case onnx.OpaqueKind:
		return "opaque"
	}
	return "unknown"
}

func shapeText(t *onnx.Type) string {
	if !t.HasShape {
		return "[…]" // of any rank
	}
	return "[" + strings.Join(dimTexts(t), ",") + "]"
}

// dimTexts are a type's dimensions: a number, a name, or ? where nothing is known.
func dimTexts(t *onnx.Type) []string {
	texts := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		switch {
		case d.Known:
			texts[i] = fmt.Sprint(d.Size)
		case d.Param != "":
			texts[i] = d.Param
		default:
			texts[i] = "?"
		}
	}
	return texts
}
