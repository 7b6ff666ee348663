package rewrite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// matchWide plans a node that goes on computing in its own type, with weights
// that are dequantized to that type, in the form that formOf chooses. The node
// may be the call of a function.
func (q *quantizer) matchWide(at At, operands []*operand, formOf func(*onnx.Scope, *operand) form) *Match {
	var weights []*weight
	match := &Match{Prepare: prepareAll(&weights), joined: true}
	forms := make([]form, len(operands))
	for i, o := range operands {
		forms[i] = formOf(at.Scope, o)
		weights = append(weights, q.weightOf(at.Scope, o, forms[i], false))
		match.Sites = append(match.Sites, weights[i].site(forms[i]))
		match.intents = append(match.intents, intent{forms[i].kind(), weights[i], forms[i], o.input})
	}
	match.Build = func(b *Builder) error {
		q.twins.Do(q.unify)
		node := at.Node.Clone()
		var refused []int
		for i, w := range weights {
			err := w.ready(q.recipe)
			var skip *Skip
			if errors.As(err, &skip) && len(weights) > 1 {
				b.Refuse(skip.Reason)
				refused = append(refused, i)
				continue
			}
			if err != nil {
				return err
			}
			f := q.actual(b.Scope, w, forms[i])
			dequantized, err := w.dequantized(b, f)
			if err != nil {
				return err
			}
			operands[i].read(node, dequantized)
			w.finish(b, i, f)
		}
		if len(refused) == len(weights) {
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

// ownForm is the form of a weight whose layer keeps its type.
func (q *quantizer) ownForm(scope *onnx.Scope, o *operand) form {
	return q.form(scope, o, o.weight.Type, false)
}

// prepareAll reads weights for their scales.
func prepareAll(weights *[]*weight) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, w := range *weights {
			if err := w.prepare(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// matchLookup plans a table of which a node picks rows or elements: it picks
// int8 ones, and the scales that belong to them, and multiplies what it picked.
func (q *quantizer) matchLookup(at At, o *operand) *Match {
	planned := q.form(at.Scope, o, o.weight.Type, false)
	planned.linear = false
	w := q.weightOf(at.Scope, o, planned, true)
	return &Match{
		Sites:   []Site{w.site(planned)},
		intents: []intent{{lookupKind, w, planned, o.input}},
		Prepare: w.prepare, joined: true,
		Build: func(b *Builder) error {
			q.twins.Do(q.unify)
			if err := w.ready(q.recipe); err != nil {
				return err
			}
			f := q.actual(b.Scope, w, planned)
			f.linear = false
			quantized, err := w.constant(b, f, "quantized", w.quantizedTensor)
			if err != nil {
				return err
			}
			pick := func(hint, table string) string {
				node := at.Node.Clone()
				node.Name = b.Name(nodeName(at.Node) + hint)
				node.Inputs[o.input] = table
				node.Outputs = []string{b.Name(at.Node.Outputs[0] + hint)}
				b.Add(node)
				return node.Outputs[0]
			}
			scale, err := w.constant(b, f, w.partInRank("broadcast scale"), func() *onnx.Tensor { return w.inRank(w.scaleTensor(f.scale, true)) })
			if err != nil {
				return err
			}
			picked := pick("_quantized", quantized)
			floats := b.Op(picked+"_cast", "Cast", []string{picked}, onnx.IntAttr("to", int64(f.scale)))
			if w.scheme.Asymmetric {
				zero, err := w.constant(b, f, w.partInRank("zero"), func() *onnx.Tensor { return w.inRank(w.zeroTensor(f.scale)) })
				if err != nil {
					return err
				}
				if w.perChannel() {
					zero = pick("_zero", zero)
				}
				floats = b.Op(picked+"_shifted", "Sub", []string{floats, zero})
			}
			if w.perChannel() {
				scale = pick("_scale", scale)
			}
			output := at.Node.Outputs[0]
			if f.scale == f.result {
				b.Define(output, "Mul", []string{floats, scale})
			} else {
				product := b.Op(output+"_wide", "Mul", []string{floats, scale})
				b.Define(output, "Cast", []string{product}, onnx.IntAttr("to", int64(f.result)))
			}
			w.finish(b, 0, f)
			b.Sites[0].Form = fmt.Sprintf("%s of int8 and of scales, Cast+Mul %v", at.Node.OpType, f.result)
			return nil
		},
	}
}
