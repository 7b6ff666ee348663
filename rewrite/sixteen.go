package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// bias is the Add that follows a MatMul, with its constant.
type bias struct {
	node     *onnx.Node
	constant *onnx.Constant
}

// biasOf finds the Add of a bias that is the only reader of a MatMul's result.
func biasOf(scope *onnx.Scope, l *linear) *bias {
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
	return &bias{node: add, constant: c}
}

// sixteenBit is a value in 16 bit that stands for a float value of the original.
type sixteenBit struct {
	name string
	kind onnx.DType
}

// matchSixteenBit plans a layer that computes in 16 bit, with casts around it.
func (q *quantizer) matchSixteenBit(at At, l *linear) *Match {
	narrow := q.recipe.SixteenBit
	native := l.weight.Type == narrow
	f := q.form(at.Scope, narrow, !native)
	w := q.weight(l, f)
	match := &Match{Sites: []Site{w.site(f)}, Prepare: w.prepare}
	var added *bias
	if !native {
		added = biasOf(at.Scope, l) // in a model of the same type the Add is as it should be
	}
	if added != nil {
		match.Replaces = []*onnx.Node{l.node, added.node}
	}
	match.Build = func(b *Builder) error {
		if err := w.ready(q.recipe); err != nil {
			return err
		}
		f := q.actual(b.Scope, w, f)
		dequantized, err := w.dequantized(b, f)
		if err != nil {
			return err
		}
		node := l.replacement(dequantized)
		node.Inputs[1-l.operand] = narrowed(b, l.activation(), l.weight.Type, narrow)
		if node.OpType == "Gemm" && node.Input(2) != "" {
			if node.Inputs[2], err = narrowedOperand(b, node.Inputs[2], l.weight.Type, narrow); err != nil {
				return err
			}
		}
		output := l.node.Outputs[0]
		result := output
		if added != nil {
			result = added.node.Outputs[0]
		}
		if native {
			b.Add(node)
			w.finish(b, 0, f)
			return nil
		}
		product := b.Name(output + "_" + narrow.String())
		node.Outputs = []string{product}
		b.Add(node)
		if added != nil {
			constant, err := narrowedOperand(b, added.node.Inputs[slices.Index(added.node.Inputs, output)^1], l.weight.Type, narrow)
			if err != nil {
				return err
			}
			sum := added.node.Clone()
			sum.Inputs = []string{product, constant}
			product = b.Name(result + "_" + narrow.String())
			sum.Outputs = []string{product}
			b.Add(sum)
		}
		b.Define(result, "Cast", []string{product}, onnx.IntAttr("to", int64(l.weight.Type)))
		b.Remember(b.Scope, sixteenBit{result, narrow}, product)
		w.finish(b, 0, f)
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
