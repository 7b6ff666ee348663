package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// A local function has no types of its own: its calls decide. One body serves
// them all, so what is converted in it has to be float32 in every call; where
// calls differ, what depends on the difference stays as it is. What it takes and
// gives in 16 bit is decided over all its calls: see border.

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

// calledFunctions converts the functions that are called, callers first.
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
		if h.converted > before || h.borders[scope].narrow() {
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
	b := h.borders[scope]
	for i, name := range scope.Function.Inputs {
		if b.takes(i) {
			s.half[name] = name
		}
	}
	for i, name := range scope.Function.Outputs {
		s.outputs[name] = !b.gives(i)
	}
	for _, node := range scope.Nodes() {
		if err := h.node(scope, s, node); err != nil {
			return nil, err
		}
	}
	for i, name := range scope.Function.Outputs {
		if half := s.half[name]; b.gives(i) && half != name { // it was a Cast's, which is left out
			s.nodes = append(s.nodes, &onnx.Node{Name: h.names.fresh(name + "_Identity"), OpType: "Identity", Inputs: []string{half}, Outputs: []string{name}})
			s.half[name] = name
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
