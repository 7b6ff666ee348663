package rewrite

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// A function's inputs and outputs are in 16 bit or in float32 for all its calls,
// since one body serves them all. At first all of float32 are taken to be in 16
// bit; those for which there is a reason against it are taken back, which may be
// a reason for others, until none is left.

// border says what of a function is in 16 bit.
type border struct {
	inputs, outputs       []bool
	whyInputs, whyOutputs []string // the reasons of those that stay float32
}

// takes says whether an input is in 16 bit.
func (b *border) takes(i int) bool { return i < len(b.inputs) && b.inputs[i] }

// gives says whether an output is in 16 bit.
func (b *border) gives(i int) bool { return i < len(b.outputs) && b.outputs[i] }

// narrow says whether anything is.
func (b *border) narrow() bool {
	return slices.Contains(b.inputs, true) || slices.Contains(b.outputs, true)
}

// reason is the first of those that keep a part of it in float32, or nothing.
func (b *border) reason() string {
	for _, why := range slices.Concat(b.whyInputs, b.whyOutputs) {
		if why != "" {
			return why
		}
	}
	return ""
}

// callee is the body of the function that a node calls, nil if it calls none.
func (h *halver) callee(node *onnx.Node) *onnx.Scope {
	return h.types.functions[h.index.Function(node)]
}

// decideBorders finds what functions take and give in 16 bit.
func (h *halver) decideBorders() {
	h.calls = map[*onnx.Scope][]At{}
	h.borders = map[*onnx.Scope]*border{}
	for _, scope := range h.order {
		for _, node := range scope.Nodes() {
			if body := h.callee(node); body != nil {
				h.calls[body] = append(h.calls[body], At{h.index, scope, node})
			}
		}
	}
	for body := range h.calls {
		f := body.Function
		b := &border{
			inputs: make([]bool, len(f.Inputs)), whyInputs: make([]string, len(f.Inputs)),
			outputs: make([]bool, len(f.Outputs)), whyOutputs: make([]string, len(f.Outputs)),
		}
		for i, name := range f.Inputs {
			if b.inputs[i] = h.types.typeOf(body, name) == onnx.Float; !b.inputs[i] {
				b.whyInputs[i] = h.differs(body, i)
			}
		}
		for i, name := range f.Outputs {
			b.outputs[i] = h.types.typeOf(body, name) == onnx.Float
		}
		h.borders[body] = b
	}
	order := slices.Clone(h.order)
	for changed := true; changed; slices.Reverse(order) {
		changed = false
		for _, body := range order {
			if b := h.borders[body]; b != nil {
				changed = h.takeBack(b.inputs, b.whyInputs, func(i int) string { return h.inputKeeps(body, i) }) || changed
				changed = h.takeBack(b.outputs, b.whyOutputs, func(i int) string { return h.outputKeeps(body, i) }) || changed
			}
		}
	}
}

func (h *halver) takeBack(narrow []bool, why []string, keeps func(i int) string) (changed bool) {
	for i := range narrow {
		if !narrow[i] {
			continue
		}
		if why[i] = keeps(i); why[i] != "" {
			narrow[i], changed = false, true
		}
	}
	return changed
}

// differs says which calls pass an input in different types, one of them float32.
func (h *halver) differs(body *onnx.Scope, input int) string {
	kinds := map[bool]string{}
	for _, call := range h.calls[body] {
		kind := h.types.typeOf(call.Scope, call.Node.Input(input))
		if isFloat := kind == onnx.Float; kinds[isFloat] == "" {
			words := "as " + kind.String()
			switch {
			case call.Node.Input(input) == "":
				words = "not at all"
			case kind == onnx.Undefined:
				words = "in a type that is not known"
			}
			kinds[isFloat] = fmt.Sprintf("call %q passes it %s", nodeName(call.Node), words)
		}
	}
	if kinds[true] == "" || kinds[false] == "" {
		return ""
	}
	return fmt.Sprintf("%s: %s, and %s", inputOfFunction(body, input), kinds[true], kinds[false])
}

func inputOfFunction(body *onnx.Scope, input int) string {
	return fmt.Sprintf("input %q of function %s stays float32", body.Function.Inputs[input], body.Function.Name)
}

// inputKeeps says why a function's input stays float32, or nothing.
func (h *halver) inputKeeps(body *onnx.Scope, input int) string {
	name := body.Function.Inputs[input]
	stays := inputOfFunction(body, input)
	for _, call := range h.calls[body] {
		passed := call.Node.Input(input)
		c := call.Scope.Constant(passed)
		switch {
		case otherOpset(call.Scope, h.opset) != "":
			return fmt.Sprintf("%s: call %q stands where no Cast may: %s", stays, nodeName(call.Node), otherOpset(call.Scope, h.opset))
		case h.isWild(call.Scope, passed):
			return fmt.Sprintf("%s: call %q passes %q, which may hold numbers beyond %g", stays, nodeName(call.Node), passed, largest(h.narrow))
		case c != nil && h.unfit(c, passed).reason != "":
			return fmt.Sprintf("%s at call %q: %s", stays, nodeName(call.Node), h.unfit(c, passed).reason)
		}
	}
	if putOut(body, name) {
		return stays + ": a body puts it out as it is"
	}
	var wide *onnx.Node
	half := false
	for _, use := range body.Users(name) {
		switch {
		case use.Node.OpType == "Shape":
		case h.readsHalf(use):
			half = true
		case wide == nil:
			wide = use.Node
		}
	}
	switch {
	case wide == nil && half:
		return ""
	case wide == nil:
		return stays + ": nothing computes with it"
	}
	read := fmt.Sprintf("%s: %s %q reads it so", stays, opName(wide), nodeName(wide))
	if !half {
		return read
	}
	// What is in 16 bit already loses nothing.
	for _, call := range h.calls[body] {
		if !h.held(call.Scope, call.Node.Input(input)) {
			return fmt.Sprintf("%s, and call %q passes it so", read, nodeName(call.Node))
		}
	}
	return ""
}

// outputKeeps says why a function's output stays float32, or nothing.
func (h *halver) outputKeeps(body *onnx.Scope, output int) string {
	name := body.Function.Outputs[output]
	stays := fmt.Sprintf("output %q of function %s stays float32", name, body.Function.Name)
	for _, call := range h.calls[body] {
		if reason := otherOpset(call.Scope, h.opset); reason != "" {
			return fmt.Sprintf("%s: call %q stands where no Cast may: %s", stays, nodeName(call.Node), reason)
		}
	}
	switch producer := body.Producer(name); {
	case h.held(body, name):
		return ""
	case producer == nil:
		return stays + ": it is an input that does"
	default:
		return fmt.Sprintf("%s: %s %q gives it so", stays, opName(producer), nodeName(producer))
	}
}

// putOut says whether a body inside a scope puts out a name of that scope.
func putOut(scope *onnx.Scope, name string) bool {
	return slices.ContainsFunc(scope.Bodies(), func(inner *onnx.Scope) bool {
		return inner.Lookup(name) != inner && (inner.IsOutput(name) || putOut(inner, name))
	})
}

// readsHalf says whether a node is to read a float32 value in 16 bit. It foresees
// what node does.
func (h *halver) readsHalf(use onnx.Use) bool {
	if body := h.callee(use.Node); body != nil {
		return h.borders[body].takes(use.Input)
	}
	if use.Node.OpType == "Cast" {
		return typeAttr(use.Node, "to", onnx.Undefined) == h.narrow && !use.Scope.IsOutput(use.Node.Output(0))
	}
	return len(use.Node.Bodies()) == 0 && h.floats(use.Scope, use.Node) && h.keeps(use.Scope, use.Node) == ""
}

// held says whether a float32 value is going to be computed in 16 bit, or is
// passed so. It foresees what node does.
func (h *halver) held(scope *onnx.Scope, name string) bool {
	defining, node := scope.Lookup(name), scope.Producer(name)
	switch {
	case defining == nil:
		return false
	case node == nil:
		b := h.borders[defining]
		return b != nil && b.takes(slices.Index(defining.Function.Inputs, name))
	case h.constant(defining, node):
		return false
	case node.OpType == "Cast":
		from, to := h.types.typeOf(defining, node.Input(0)), typeAttr(node, "to", onnx.Undefined)
		small := from != onnx.Undefined && from.Bits() <= 8 && !defining.IsOutput(name)
		return to == onnx.Float && (from == h.narrow || small)
	case h.callee(node) != nil:
		return h.borders[h.callee(node)].gives(slices.Index(node.Outputs, name))
	case len(node.Bodies()) > 0:
		return h.bodyKeeps(defining, node, slices.Index(node.Outputs, name)) == ""
	}
	return h.floats(defining, node) && h.keeps(defining, node) == ""
}
