package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// bias is the Add that follows a MatMul, with its constant.
type bias struct {
	node    *onnx.Node
	operand string
}

// biasOf finds the Add of a bias that is the only reader of a MatMul's result.
func biasOf(scope *onnx.Scope, l *operand) *bias {
	output := l.node.Outputs[0]
	users := scope.Users(output)
	if l.node.OpType != "MatMul" || len(users) != 1 || users[0].Scope != scope || scope.IsOutput(output) {
		return nil
	}
	add := users[0].Node
	if add.OpType != "Add" || add.Domain != "" && add.Domain != "ai.onnx" || len(add.Inputs) != 2 || len(add.Outputs) != 1 {
		return nil
	}
	c := scope.Constant(add.Inputs[1-users[0].Input])
	if c == nil || c.Type != l.weight.Type || c.Overridable {
		return nil
	}
	// A vector or one number. Anything wider is not a bias but a table, such as
	// positions, whose sum with the layer's result keeps its own type.
	for i, d := range c.Dims {
		if i < len(c.Dims)-1 && d != 1 {
			return nil
		}
	}
	return &bias{node: add, operand: add.Inputs[1-users[0].Input]}
}

// sixteenBit is a value in 16 bit that stands for a float value of the original.
type sixteenBit struct {
	name string
	kind onnx.DType
}

// matchSixteenBit plans a layer that computes in 16 bit, with casts around it.
func (q *quantizer) matchSixteenBit(at At, operands []*operand) *Match {
	narrow, original := q.recipe.SixteenBit, operands[0].weight.Type
	if original == narrow {
		return q.matchWide(at, operands, q.ownForm) // a model of the recipe's own type stays as it is
	}
	var weights []*weight
	match := &Match{Prepare: prepareAll(&weights), joined: true}
	forms := make([]form, len(operands))
	for i, o := range operands {
		forms[i] = q.form(at.Scope, o, narrow, true)
		weights = append(weights, q.weightOf(at.Scope, o, forms[i], false))
		match.Sites = append(match.Sites, weights[i].site(forms[i]))
		match.intents = append(match.intents, intent{forms[i].kind(), weights[i], forms[i], o.input})
	}
	added := biasOf(at.Scope, operands[0])
	if added != nil {
		match.Replaces = []*onnx.Node{at.Node, added.node}
	}
	match.Build = func(b *Builder) error {
		q.twins.Do(q.unify)
		node := at.Node.Clone()
		for i, w := range weights {
			if err := w.ready(q.recipe); err != nil {
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
		for i, name := range at.Node.Inputs {
			if name == "" || slices.ContainsFunc(operands, func(o *operand) bool { return o.input == i }) {
				continue
			}
			var err error
			if node.Inputs[i], err = narrowedOperand(b, name, original, narrow); err != nil {
				return err
			}
		}
		output := at.Node.Outputs[0]
		result, product := output, b.Name(output+"_"+narrow.String())
		node.Outputs = []string{product}
		b.Add(node)
		if added != nil {
			result = added.node.Outputs[0]
			constant, err := narrowedOperand(b, added.operand, original, narrow)
			if err != nil {
				return err
			}
			sum := added.node.Clone()
			sum.Inputs = []string{product, constant}
			product = b.Name(result + "_" + narrow.String())
			sum.Outputs = []string{product}
			b.Add(sum)
		}
		b.Define(result, "Cast", []string{product}, onnx.IntAttr("to", int64(original)))
		b.Remember(b.Scope, sixteenBit{result, narrow}, product)
		return nil
	}
	return match
}

// narrowed is a value in 16 bit: what a rewritten layer before it computed, so
// that no pair of casts stands between neighbours, or a Cast that all readers
// in the scope share.
func narrowed(b *Builder, name string, from, to onnx.DType) string {
	if from == to {
		return name
	}
	if defining := b.Scope.Lookup(name); defining != nil {
		if narrow, ok := b.Recall(defining, sixteenBit{name, to}); ok {
			return narrow
		}
	}
	if narrow, ok := b.Recall(b.Scope, sixteenBit{name, to}); ok {
		return narrow
	}
	narrow := b.Op(name+"_"+to.String(), "Cast", []string{name}, onnx.IntAttr("to", int64(to)))
	b.Remember(b.Scope, sixteenBit{name, to}, narrow)
	return narrow
}

// narrowedOperand is narrowed for an operand that may be a constant, which is
// then stored in 16 bit. One that 16 bit cannot hold is a reason to leave the
// layer alone.
func narrowedOperand(b *Builder, name string, from, to onnx.DType) (string, error) {
	c := b.Scope.Constant(name)
	if from == to || c == nil || c.Overridable {
		return narrowed(b, name, from, to), nil
	}
	home := c.Scope
	return b.Shared(home, sixteenBit{c.Root + "\x00" + name, to}, func() (string, error) {
		t, err := roundedTo(c.Tensor(name), to)
		if err != nil {
			return "", err
		}
		t.Name = name + "_" + to.String()
		return b.ConstantIn(home, t), nil
	})
}
