package rewrite

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// opsetInteger is the first with DynamicQuantizeLinear; MatMulInteger and
// ConvInteger are older by one.
const opsetInteger = 11

// integerForm says whether a layer has a form that multiplies integers: why not
// is in words.
func integerForm(at At, operands []*operand) string {
	node, o := at.Node, operands[0]
	opset := at.Scope.Opset("")
	switch {
	case opset < opsetInteger:
		return fmt.Sprintf("integer arithmetic needs opset %d, and this is %d", opsetInteger, opset)
	case o.weight.Type != onnx.Float:
		return fmt.Sprintf("activations of type %v cannot be quantized as they run", o.weight.Type)
	case node.OpType == "MatMul" && (o.input != 1 || len(o.dims) < 2):
		return "the weight is on the left, or a vector"
	case node.OpType == "Gemm" && o.input != 1:
		return "the weight is on the left"
	case node.OpType == "Conv" && node.Input(2) != "" && biasConstant(at.Scope, node.Input(2)) == nil:
		return "its bias is computed"
	case node.OpType != "MatMul" && node.OpType != "Gemm" && node.OpType != "Conv":
		return node.OpType + " has no form in integers"
	}
	return ""
}

// biasConstant is a bias that is known, and may not be replaced by a caller.
func biasConstant(scope *onnx.Scope, name string) *onnx.Constant {
	if c := scope.Constant(name); c != nil && !c.Overridable {
		return c
	}
	return nil
}

// dynamic is the name of an activation that is quantized as the model runs.
type dynamic struct{ name, part string }

// matchInteger plans a layer that multiplies 8-bit activations, quantized as
// the model runs, by int8 weights:
//
//	x ─▶ DynamicQuantizeLinear ─▶ MatMulInteger ─▶ Cast ─▶ Mul by both scales ─▶ Add
func (q *quantizer) matchInteger(at At, o *operand) *Match {
	planned := form{scale: onnx.Float, result: onnx.Float, batched: q.batched(o)}
	w := q.weightOf(at.Scope, o, planned, false)
	describe := "DynamicQuantizeLinear+MatMulInteger"
	if at.Node.OpType == "Conv" {
		describe = "DynamicQuantizeLinear+ConvInteger"
	}
	site := w.site(planned)
	site.Form = describe
	match := &Match{Sites: []Site{site}, intents: []intent{{integerKind, w, planned, o.input}}, Prepare: w.prepare, joined: true}
	match.Build = func(b *Builder) error {
		q.twins.Do(q.unify)
		if err := w.ready(q.recipe); err != nil {
			return err
		}
		quantized, err := w.integers(b, planned)
		if err != nil {
			return err
		}
		zero, err := w.constant(b, planned, "integer zero", func() *onnx.Tensor {
			// One zero for the whole weight: zero points for each channel fail in
			// runtimes, though the operator's definition allows them. And one for
			// each weight: a runtime that turns int8 weights into uint8 changes
			// their zeros with them, and fails on one that was changed before.
			return onnx.Int8Tensor(w.name+"_zero_point", nil, []int8{0})
		})
		if err != nil {
			return err
		}
		l := integerLayer{b: b, node: at.Node, w: w, quantized: quantized, zero: zero}
		if at.Node.OpType == "Conv" {
			err = l.conv()
		} else {
			err = l.product()
		}
		w.finish(b, 0, planned)
		b.Sites[0].Form = describe
		return err
	}
	return match
}

// integers is the name of the int8 weight.
func (w *weight) integers(b *Builder, f form) (string, error) {
	t := w.twin
	if t == nil {
		return w.constant(b, f, "quantized", w.quantizedTensor)
	}
	name, err := t.weight.constant(b, f, "quantized", t.weight.quantizedTensor)
	if err != nil || !t.transposed {
		return name, err
	}
	type key struct{ w *weight }
	return b.Shared(b.Scope, key{w}, func() (string, error) {
		return b.Op(name+"_transposed", "Transpose", []string{name}, onnx.IntsAttr("perm", []int64{1, 0})), nil
	})
}

// integerLayer builds one layer.
type integerLayer struct {
	b         *Builder
	node      *onnx.Node
	w         *weight
	quantized string
	zero      string
}

// activation quantizes the layer's activation, once for all layers of the scope
// that read it.
func (l *integerLayer) activation(name string) (quantized, scale, zero string) {
	b := l.b
	if quantized, ok := b.Recall(b.Scope, dynamic{name, "quantized"}); ok {
		scale, _ = b.Recall(b.Scope, dynamic{name, "scale"})
		zero, _ = b.Recall(b.Scope, dynamic{name, "zero point"})
		return quantized, scale, zero
	}
	quantized, scale, zero = b.Name(name+"_quantized"), b.Name(name+"_scale"), b.Name(name+"_zero_point")
	b.Add(&onnx.Node{
		Name: b.Name(name + "_DynamicQuantizeLinear"), OpType: "DynamicQuantizeLinear",
		Inputs: []string{name}, Outputs: []string{quantized, scale, zero},
	})
	b.Remember(b.Scope, dynamic{name, "quantized"}, quantized)
	b.Remember(b.Scope, dynamic{name, "scale"}, scale)
	b.Remember(b.Scope, dynamic{name, "zero point"}, zero)
	return quantized, scale, zero
}

// scaled multiplies an integer sum by the scales of activation and weight; the
// result is named output, or fresh if something is still to be added.
func (l *integerLayer) scaled(sum, activationScale, weightScale, output string, last bool) string {
	b := l.b
	floats := b.Op(sum+"_float", "Cast", []string{sum}, onnx.IntAttr("to", int64(onnx.Float)))
	scale := b.Op(output+"_scale", "Mul", []string{activationScale, weightScale})
	if last {
		b.Define(output, "Mul", []string{floats, scale})
		return output
	}
	return b.Op(output+"_product", "Mul", []string{floats, scale})
}

// product builds MatMul and Gemm.
func (l *integerLayer) product() error {
	b, node := l.b, l.node
	x, output := node.Inputs[0], node.Outputs[0]
	alpha, beta := float32(1), float32(1)
	if node.OpType == "Gemm" {
		if a := node.Attr("alpha"); a != nil {
			alpha = a.F
		}
		if a := node.Attr("beta"); a != nil {
			beta = a.F
		}
		if a := node.Attr("transA"); a != nil && a.I != 0 {
			x = b.Op(x+"_transposed", "Transpose", []string{x}, onnx.IntsAttr("perm", []int64{1, 0}))
		}
	}
	quantized, scale, zero := l.activation(x)
	sum := b.Op(output+"_sum", "MatMulInteger", []string{quantized, l.quantized, zero, l.zero})
	weightScale := l.weightScale(alpha, l.w.scaleDims(false))
	added := node.OpType == "Gemm" && node.Input(2) != "" && beta != 0
	product := l.scaled(sum, scale, weightScale, output, !added)
	if !added {
		return nil
	}
	c := node.Inputs[2]
	if beta != 1 {
		factor := b.Constant(onnx.FloatTensor(output+"_beta", nil, []float32{beta}))
		c = b.Op(c+"_scaled", "Mul", []string{c, factor})
	}
	b.Define(output, "Add", []string{product, c})
	return nil
}

// weightScale stores the weight's scales times a factor.
func (l *integerLayer) weightScale(factor float32, dims []int64) string {
	if factor == 1 {
		name, _ := l.w.constant(l.b, form{scale: onnx.Float}, fmt.Sprint("integer scale", dims), func() *onnx.Tensor {
			return l.w.scaleTensorOf(l.w.name+"_scale", onnx.Float, dims, 1)
		})
		return name
	}
	return l.b.ConstantIn(l.w.home, l.w.scaleTensorOf(l.w.name+"_scale_alpha", onnx.Float, dims, factor))
}

// conv builds Conv.
func (l *integerLayer) conv() error {
	b, node := l.b, l.node
	output := node.Outputs[0]
	quantized, scale, zero := l.activation(node.Inputs[0])
	conv := node.Clone()
	conv.OpType = "ConvInteger"
	conv.Inputs = []string{quantized, l.quantized, zero, l.zero}
	conv.Outputs = []string{b.Name(output + "_sum")}
	b.Add(conv)
	// Scales and bias lie along the result's second axis.
	spatial := make([]int64, len(l.w.dims)-2)
	for i := range spatial {
		spatial[i] = 1
	}
	dims := l.w.scaleDims(false)
	if len(dims) > 0 {
		dims = append(dims, spatial...)
	}
	bias := node.Input(2)
	product := l.scaled(conv.Outputs[0], scale, l.weightScale(1, dims), output, bias == "")
	if bias == "" {
		return nil
	}
	c := biasConstant(b.Scope, bias)
	values, err := c.Tensor(bias).Float32s()
	if err != nil {
		return fmt.Errorf("bias %q: %w", bias, err)
	}
	shaped := b.Constant(onnx.FloatTensor(bias+"_channels", append([]int64{int64(len(values))}, spatial...), values))
	b.Define(output, "Add", []string{product, shaped})
	return nil
}
