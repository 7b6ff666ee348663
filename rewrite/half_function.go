package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// A local function has no types of its own: its calls decide. One body serves
// them all, so what is converted in it has to be float32 in every call; where
// calls differ, what depends on the difference stays as it is. A function takes
// and gives what it did, with casts inside, and callers need not know.

// functionScopes finds the scopes of a model's local functions.
func functionScopes(index *onnx.Index) map[*onnx.Function]*onnx.Scope {
	scopes := map[*onnx.Function]*onnx.Scope{}
	for _, scope := range index.Scopes() {
		if scope.Function != nil && scope.Parent == nil {
			scopes[scope.Function] = scope
		}
	}
	return scopes
}

// call infers a function's body with the types that all calls seen so far agree
// on, and gives the types of its outputs. An input that calls disagree on, or
// that one leaves out, is unknown from then on, so a body is inferred once more
// for each of its inputs at most.
func (t *types) call(index *onnx.Index, scope *onnx.Scope, node *onnx.Node, function *onnx.Function) []onnx.DType {
	body := t.functions[function]
	if body == nil {
		return nil
	}
	agreed, seen := t.signatures[body]
	changed := !seen
	if !seen {
		agreed = make([]onnx.DType, len(function.Inputs))
	}
	for i := range agreed {
		passed := t.typeOf(scope, node.Input(i))
		switch {
		case !seen:
			agreed[i] = passed
		case agreed[i] != passed && agreed[i] != onnx.Undefined:
			agreed[i], changed = onnx.Undefined, true
		}
	}
	if changed {
		t.signatures[body] = agreed
		t.scope(index, body, agreed)
	}
	outputs := make([]onnx.DType, len(function.Outputs))
	for i, name := range function.Outputs {
		outputs[i] = t.typeOf(body, name)
	}
	return outputs
}

// calledFunctions converts the functions that are called, callers first, so that
// what may lie beyond 16 bit's range is known of their arguments.
func (h *halver) calledFunctions() (map[*onnx.Function]*onnx.Function, error) {
	converted := map[*onnx.Function]*onnx.Function{}
	order := h.callees(h.index.Main(), map[*onnx.Scope]bool{}, nil)
	slices.Reverse(order)
	for _, scope := range order {
		before := h.converted
		f, err := h.function(scope)
		if err != nil {
			return nil, err
		}
		if h.converted > before {
			converted[scope.Function] = f
		}
	}
	return converted, nil
}

// callees appends the functions that a scope calls, each behind what it calls itself.
func (h *halver) callees(scope *onnx.Scope, seen map[*onnx.Scope]bool, order []*onnx.Scope) []*onnx.Scope {
	for _, node := range scope.Nodes() {
		body := h.types.functions[h.index.Function(node)]
		if body == nil || seen[body] {
			continue
		}
		seen[body] = true
		order = append(h.callees(body, seen, order), body)
	}
	for _, inner := range scope.Bodies() {
		order = h.callees(inner, seen, order)
	}
	return order
}

// function converts one function's body. It has no initializers, so constants
// of 16 bit stand in nodes.
func (h *halver) function(scope *onnx.Scope) (*onnx.Function, error) {
	s := h.open(scope)
	for _, name := range scope.Function.Outputs {
		s.outputs[name] = true
	}
	for _, node := range scope.Nodes() {
		if err := h.node(scope, s, node); err != nil {
			return nil, err
		}
	}
	f := scope.Function.Clone()
	f.Nodes = nil
	for _, t := range s.constants {
		f.Nodes = append(f.Nodes, constantNode(t))
	}
	f.Nodes = append(f.Nodes, s.nodes...)
	f.ValueInfo = h.valueInfo(scope, s, f.ValueInfo)
	return withoutUnread(f), nil
}

// withoutUnread drops a function's constants, and what turns them, that nothing
// reads any more.
func withoutUnread(f *onnx.Function) *onnx.Function {
	for {
		read := map[string]bool{}
		for _, name := range f.Outputs {
			read[name] = true
		}
		for _, node := range f.Nodes {
			eachRead(node, func(name string) { read[name] = true })
		}
		s := sweeper{read: read}
		f.Nodes = s.graph(&onnx.Graph{Nodes: f.Nodes}).Nodes
		if !s.dropped {
			return f
		}
	}
}

// wildCall marks the inputs of a called function that may lie beyond 16 bit's
// range, and says whether its results may by what it computes itself.
func (h *halver) wildCall(scope *onnx.Scope, node *onnx.Node) bool {
	function := h.index.Function(node)
	body := h.types.functions[function]
	if body == nil {
		return false
	}
	for i, name := range node.Inputs {
		if name == "" || i >= len(function.Inputs) {
			continue
		}
		c := scope.Constant(name)
		if h.wild[value{scope.Lookup(name), name}] || c != nil && c.Type == onnx.Float && h.unfit(c, name).large {
			h.wild[value{body, function.Inputs[i]}] = true
		}
	}
	grows, known := h.grows[body]
	if !known {
		grows = h.growing(body, map[*onnx.Scope]bool{})
		h.grows[body] = grows
	}
	return grows
}

// growing says whether a function, or one that it calls, has an operator whose
// results leave the range of 16 bit, or a constant that does.
func (h *halver) growing(scope *onnx.Scope, seen map[*onnx.Scope]bool) bool {
	if seen[scope] {
		return false
	}
	seen[scope] = true
	for _, node := range scope.Nodes() {
		if slices.Contains([]string{"Exp", "Pow", "Range"}, node.OpType) {
			return true
		}
		if node.OpType == "Constant" {
			if c := scope.Constant(node.Outputs[0]); c != nil && c.Type == onnx.Float && h.unfit(c, node.Outputs[0]).large {
				return true
			}
		}
		if body := h.types.functions[h.index.Function(node)]; body != nil && h.growing(body, seen) {
			return true
		}
	}
	return slices.ContainsFunc(scope.Bodies(), func(inner *onnx.Scope) bool { return h.growing(inner, seen) })
}
