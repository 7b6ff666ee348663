package rewrite

import (
	"errors"
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// A local function may take its weight from the caller. The caller then passes
// a dequantized weight instead, and the function stays as it is, so that other
// callers may go on passing others.

// argument is a weight that a call passes to a function.
type argument struct {
	operand int
	layer   *linear
}

// matchCall plans the weights among a call's arguments.
func (q *quantizer) matchCall(at At) (*Match, *Skip) {
	var arguments []argument
	var reasons []string
	for i, name := range at.Node.Inputs {
		if name == "" {
			continue
		}
		c := at.Scope.Constant(name)
		if c == nil || len(c.Dims) == 0 {
			continue
		}
		layer, used, reason := q.parameter(at, i, c)
		if !used {
			continue // not a weight: nothing to say
		}
		if reason == "" {
			reason = q.refuses(at, c)
		}
		if reason == "" && q.recipe.Activations == W8A16 {
			reason = "a function computes with it in the type that its caller passes; w8a32 can store it as int8"
		}
		if selected := q.selects(at, layer); selected != "" {
			reason = selected
		}
		if reason != "" {
			reasons = append(reasons, fmt.Sprintf("weight %q, passed to function %s: %s", c.Root, at.Node.OpType, reason))
			continue
		}
		arguments = append(arguments, argument{operand: i, layer: layer})
	}
	var skip *Skip
	if len(reasons) > 0 {
		joined := reasons[0]
		for _, reason := range reasons[1:] {
			joined += "; " + reason
		}
		skip = &Skip{Reason: joined}
	}
	if len(arguments) == 0 {
		return nil, skip
	}
	return q.callMatch(at, arguments), skip
}

// callMatch is the match of a call whose arguments are quantized.
func (q *quantizer) callMatch(at At, arguments []argument) *Match {
	match := &Match{}
	weights := make([]*weight, len(arguments))
	forms := make([]form, len(arguments))
	for i, a := range arguments {
		forms[i] = q.form(at.Scope, a.layer.weight.Type, false)
		weights[i] = q.weight(a.layer, forms[i])
		match.Sites = append(match.Sites, weights[i].site(forms[i]))
	}
	match.Prepare = prepareAll(weights)
	match.Build = func(b *Builder) error {
		node := at.Node.Clone()
		var refused []int
		for i, a := range arguments {
			err := weights[i].ready(q.recipe)
			var skip *Skip
			if errors.As(err, &skip) && len(arguments) > 1 {
				b.Refuse(fmt.Sprintf("weight %q: %s", weights[i].name, skip.Reason))
				refused = append(refused, i)
				continue
			}
			if err != nil {
				return err
			}
			f := q.actual(b.Scope, weights[i], forms[i])
			if node.Inputs[a.operand], err = weights[i].dequantized(b, f); err != nil {
				return err
			}
			weights[i].finish(b, i, f)
		}
		if len(refused) == len(arguments) {
			return &Skip{Reason: "none of its weights can be quantized"}
		}
		b.Add(node)
		for _, i := range slices.Backward(refused) {
			b.Sites = slices.Delete(b.Sites, i, i+1)
		}
		return nil
	}
	return match
}

// parameter looks at how a function uses an argument. used says that it is the
// weight of a linear layer somewhere; the layer is returned if all uses read
// the weight with output channels along one and the same axis.
func (q *quantizer) parameter(at At, operand int, c *onnx.Constant) (layer *linear, used bool, reason string) {
	function := at.Index.Function(at.Node)
	if operand >= len(function.Inputs) {
		return nil, false, ""
	}
	if q.functions == nil {
		q.functions = map[*onnx.Function]*onnx.Scope{}
		for _, scope := range at.Index.Scopes() {
			if scope.Function != nil && scope.Parent == nil {
				q.functions[scope.Function] = scope
			}
		}
	}
	body := q.functions[function]
	if body == nil {
		return nil, false, ""
	}
	formal := function.Inputs[operand]
	for _, use := range body.Users(formal) {
		node := use.Node
		isLinear := (node.Domain == "" || node.Domain == "ai.onnx") && slices.Contains(q.recipe.Ops, node.OpType) && use.Input < 2
		if !isLinear {
			reason = "the function also reads it in " + opName(node)
			continue
		}
		read, why := geometry(node, use.Input, c)
		if read != nil {
			read.storedAsPassed()
		}
		switch {
		case why != "":
			reason = why
		case layer != nil && layer.axis != read.axis:
			reason = "the function reads it with output channels along different axes"
		}
		used = true
		if layer == nil {
			layer = read
		}
	}
	return layer, used, reason
}
