package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// A local function may take its weight from the caller. The caller then passes
// a dequantized weight instead, and the function stays as it is, so that other
// callers may go on passing others.

// matchCall plans the weights among a call's arguments.
func (q *quantizer) matchCall(at At) (*Match, *Skip) {
	var arguments []*operand
	narrow := map[*operand]bool{} // what the function may compute with in 16 bit
	var reasons []string
	for i, name := range at.Node.Inputs {
		if name == "" {
			continue
		}
		c := at.Scope.Constant(name)
		if c == nil || len(c.Dims) == 0 {
			continue
		}
		passed, op, reason := q.parameter(at, i, c)
		if op == nil {
			continue // not a weight: nothing to say
		}
		if reason == "" {
			reason = q.refuses(at, op, c)
		}
		if reason == "" && q.recipe.Activations == W8A16 && op.narrow && !q.recipe.WholeGraph {
			reason = "a function computes with it in the type that its caller passes; --scope graph or w8a32 can store it as int8"
		}
		if selected := q.selects(at, passed); selected != "" {
			reason = selected
		}
		if reason != "" {
			reasons = append(reasons, fmt.Sprintf("weight %q, passed to function %s: %s", c.Root, at.Node.OpType, reason))
			continue
		}
		arguments = append(arguments, passed)
		narrow[passed] = q.recipe.Activations == W8A16 && op.narrow && c.Type == onnx.Float
	}
	var skip *Skip
	if len(reasons) > 0 {
		skip = &Skip{Reason: strings.Join(reasons, "; ")}
	}
	if len(arguments) == 0 {
		return nil, skip
	}
	return q.matchWide(at, arguments, func(scope *onnx.Scope, o *operand) form {
		if narrow[o] {
			return q.passedForm(scope, o)
		}
		return q.ownForm(scope, o)
	}), skip
}

// passedForm is the form of a weight that a call passes where the whole graph goes
// to 16 bit: dequantized in 16 bit and cast. Whether the function takes 16 bit is
// decided later, over all its calls, and then the Cast goes.
func (q *quantizer) passedForm(scope *onnx.Scope, o *operand) form {
	f := q.form(scope, o, q.recipe.SixteenBit, true)
	f.result = o.weight.Type
	return f
}

// parameter looks at how a function uses an argument. op is the operator whose
// weight it is somewhere, nil if it is none; the operand is returned if all uses
// read the weight with output channels along one and the same axis.
func (q *quantizer) parameter(at At, input int, c *onnx.Constant) (passed *operand, op *operator, reason string) {
	function := at.Index.Function(at.Node)
	if input >= len(function.Inputs) {
		return nil, nil, ""
	}
	if q.functions == nil {
		q.functions = functionScopes(at.Index)
	}
	body := q.functions[function]
	if body == nil {
		return nil, nil, ""
	}
	for _, use := range body.Users(function.Inputs[input]) {
		reader := operatorOf(use.Node)
		if reader == nil || reader.lookup || !slices.Contains(q.recipe.Ops, reader.String()) || !slices.Contains(reader.inputs, use.Input) {
			reason = "the function also reads it in " + opName(use.Node)
			continue
		}
		op = reader
		read, why := operandAt(reader, use.Node, use.Input, c)
		if why != "" {
			reason = why
			continue
		}
		read.storedAsPassed()
		if passed != nil && passed.axis != read.axis {
			reason = "the function reads it with output channels along different axes"
		}
		passed = &operand{node: at.Node, input: input, weight: c, layout: read.layout}
	}
	return passed, op, reason
}
