package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// spreadAll marks all values that may lie beyond 16 bit's range. Functions learn
// it of their inputs from their calls, and calls of their outputs from the
// functions, so scopes are gone through until nothing new is found, back and
// forth, as either way lies with the order.
func (h *halver) spreadAll() {
	if h.narrow == onnx.BFloat16 { // which has float32's range
		return
	}
	order := slices.Clone(h.order)
	for before := -1; before < len(h.wild); slices.Reverse(order) {
		before = len(h.wild)
		for _, scope := range order {
			for _, node := range scope.Nodes() {
				h.spread(scope, node)
			}
		}
	}
}

// spread marks a node's results as possibly beyond 16 bit's range if something
// that it reads is, or something in its bodies.
func (h *halver) spread(scope *onnx.Scope, node *onnx.Node) {
	if body := h.callee(node); body != nil {
		h.spreadCall(scope, node, body)
		return
	}
	if slices.Contains(bounding, node.OpType) {
		return
	}
	wild := node.OpType == "Range" || node.OpType == "Exp" || node.OpType == "Pow"
	for _, name := range node.Inputs {
		if name == "" {
			continue
		}
		if from := h.types.typeOf(scope, name); from != onnx.Float {
			// Wide integers made floats may be as large as they like.
			wild = wild || node.OpType == "Cast" && from.Bits() > 8 && from != h.narrow
			continue
		}
		wild = wild || h.isWild(scope, name)
	}
	for _, g := range node.Bodies() {
		inner := h.index.Scope(g)
		if inner == nil {
			continue
		}
		for _, v := range g.Inputs {
			if wild {
				h.wild[value{inner, v.Name}] = true
			}
		}
	}
	for _, g := range node.Bodies() {
		if inner := h.index.Scope(g); inner != nil {
			wild = wild || slices.ContainsFunc(g.Outputs, func(v *onnx.Value) bool { return h.isWild(inner, v.Name) })
		}
	}
	for _, name := range node.Outputs {
		if wild && name != "" {
			h.wild[value{scope, name}] = true
		}
	}
}

// spreadCall passes on what may lie beyond 16 bit's range, into a function and
// out of it.
func (h *halver) spreadCall(scope *onnx.Scope, node *onnx.Node, body *onnx.Scope) {
	for i, name := range node.Inputs {
		if name != "" && i < len(body.Function.Inputs) && h.isWild(scope, name) {
			h.wild[value{body, body.Function.Inputs[i]}] = true
		}
	}
	for i, name := range node.Outputs {
		if name != "" && i < len(body.Function.Outputs) && h.isWild(body, body.Function.Outputs[i]) {
			h.wild[value{scope, name}] = true
		}
	}
}

// isWild says whether a float32 value may lie beyond 16 bit's range.
func (h *halver) isWild(scope *onnx.Scope, name string) bool {
	if h.types.typeOf(scope, name) != onnx.Float {
		return false
	}
	if h.wild[value{scope.Lookup(name), name}] {
		return true
	}
	c := scope.Constant(name)
	return c != nil && h.unfit(c, name).large
}
