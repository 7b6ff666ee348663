package rewrite

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// What an If gives is in 16 bit if all its branches have it so, and so is what a
// Loop or Scan collects from its turns. What these carry from turn to turn is
// float32, as the state of a recurrent layer is.

// carries is how many values a Loop or Scan carries from turn to turn, which are
// its first outputs.
func carries(node *onnx.Node) int {
	switch node.OpType {
	case "Loop":
		return max(0, len(node.Inputs)-2)
	case "Scan":
		if a := node.Attr("num_scan_inputs"); a != nil {
			return max(0, len(node.Inputs)-int(a.I))
		}
	}
	return 0
}

// outputOfBody is which of a body's outputs becomes a node's.
func outputOfBody(node *onnx.Node, output int) int {
	if node.OpType == "Loop" {
		return output + 1 // the first says whether to go on
	}
	return output
}

// bodyKeeps says why a float32 output of a node with bodies stays so, or nothing.
func (h *halver) bodyKeeps(scope *onnx.Scope, node *onnx.Node, output int) string {
	switch {
	case node.Domain != "" && node.Domain != "ai.onnx", node.OpType != "If" && node.OpType != "Loop" && node.OpType != "Scan":
		return "its bodies take and give float32"
	case output < carries(node):
		return "what it carries from turn to turn would gather errors in 16 bit"
	}
	if reason := otherOpset(scope, h.opset); reason != "" {
		return reason
	}
	computed := false
	for _, g := range node.Bodies() {
		body, i := h.index.Scope(g), outputOfBody(node, output)
		if body == nil || i >= len(g.Outputs) {
			return "its bodies do not give what it does"
		}
		name := g.Outputs[i].Name
		c := body.Constant(name)
		switch {
		case c != nil:
			if reason := h.unfit(c, name).reason; reason != "" {
				return reason
			}
		case h.held(body, name):
			computed = true
		default:
			return fmt.Sprintf("a body gives %q in float32", name)
		}
	}
	if !computed {
		return "its bodies compute nothing in 16 bit"
	}
	return ""
}

// bodiesKeep is why something that a node with bodies gives stays float32, or
// nothing.
func (h *halver) bodiesKeep(scope *onnx.Scope, node *onnx.Node) string {
	for i, name := range node.Outputs {
		if name == "" || h.types.typeOf(scope, name) != onnx.Float {
			continue
		}
		if reason := h.bodyKeeps(scope, node, i); reason != "" {
			return reason
		}
	}
	return ""
}

// body converts a body of a node. gives says which outputs of the node are to be
// in 16 bit.
func (h *halver) body(node *onnx.Node, g *onnx.Graph, gives func(i int) bool) (*onnx.Graph, error) {
	scope := h.index.Scope(g)
	narrow := make([]bool, len(g.Outputs))
	for i := range node.Outputs {
		if at := outputOfBody(node, i); at < len(narrow) {
			narrow[at] = gives(i) && h.types.typeOf(scope, g.Outputs[at].Name) == onnx.Float
		}
	}
	return h.graph(scope, narrow)
}

// putOutHalf has a graph give its i-th output in 16 bit, under the name of what
// holds it so, unless that stands for another output too or is none of the graph's
// own results.
func (h *halver) putOutHalf(scope *onnx.Scope, s *halfScope, g *onnx.Graph, i int) error {
	v := g.Outputs[i].Clone()
	half, err := h.inHalf(scope, s, v.Name)
	if err != nil {
		return err
	}
	computed := slices.ContainsFunc(s.nodes, func(n *onnx.Node) bool { return slices.Contains(n.Outputs, half) })
	taken := slices.ContainsFunc(g.Outputs, func(other *onnx.Value) bool { return other.Name == half && other != g.Outputs[i] })
	if !computed || taken {
		node := &onnx.Node{OpType: "Identity", Inputs: []string{half}, Outputs: []string{h.names.fresh(v.Name + "_" + h.narrow.String())}}
		node.Name = h.names.fresh(node.Outputs[0] + "_Identity")
		s.nodes = append(s.nodes, node)
		half = node.Outputs[0]
	}
	v.Name = half
	if v.Type != nil && v.Type.Kind == onnx.TensorKind {
		v.Type = v.Type.Clone()
		v.Type.DType = h.narrow
	}
	g.Outputs[i] = v
	return nil
}
