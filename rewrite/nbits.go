package rewrite

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// nBitsForm says why a layer has no form as com.microsoft MatMulNBits, if it
// has none.
func nBitsForm(at At, operands []*operand) string {
	o := operands[0]
	switch {
	case at.Node.OpType != "MatMul" && at.Node.OpType != "Gemm":
		return at.Node.OpType + " has no form as MatMulNBits"
	case o.input != 1 || len(o.dims) != 2:
		return "MatMulNBits wants a matrix on the right"
	case o.weight.Type != onnx.Float && o.weight.Type != onnx.Float16:
		return fmt.Sprintf("MatMulNBits does not compute in %v here", o.weight.Type)
	case functionOf(at.Scope) != nil:
		return "a function would have to import com.microsoft"
	}
	return ""
}

// matchNBits plans a layer as MatMulNBits of 8 bit: the weight lies as
// [N][blocks][block], uint8 around 128, with one scale for each block.
func (q *quantizer) matchNBits(at At, o *operand) *Match {
	original, computed := o.weight.Type, o.weight.Type
	if q.recipe.Activations == W8A16 {
		computed = q.recipe.SixteenBit
	}
	// Stored as [N,K], so that each column's blocks follow each other.
	turned := *o
	turned.transpose = !o.transpose
	turned.dims = []int64{o.dims[1], o.dims[0]}
	turned.axis, turned.reduction = 0, 1
	planned := form{scale: computed, result: computed, block: q.recipe.Block}
	w := q.weightOf(at.Scope, &turned, planned, false)
	describe := fmt.Sprintf("MatMulNBits, 8 bit in blocks of %d, %v", q.recipe.Block, computed)
	site := w.site(planned)
	site.Form, site.BytesAfter = describe, w.packedBytes()
	match := &Match{Sites: []Site{site}, intents: []intent{{packedKind, w, planned, o.input}}, Prepare: w.prepare, joined: true}
	match.Build = func(b *Builder) error {
		q.twins.Do(q.unify)
		if err := w.ready(q.recipe); err != nil {
			return err
		}
		if floatTypes[computed] != w.scaleType() {
			return &Skip{Reason: "its scales are too small for " + computed.String()}
		}
		layer := nBitsLayer{b: b, node: at.Node, w: w, level: q.recipe.AccuracyLevel, original: original, computed: computed}
		if err := layer.build(); err != nil {
			return err
		}
		w.finish(b, 0, planned)
		b.Sites[0].Form, b.Sites[0].BytesAfter = describe, w.packedBytes()
		return nil
	}
	return match
}

// nBitsLayer builds one layer.
type nBitsLayer struct {
	b                  *Builder
	node               *onnx.Node
	w                  *weight
	level              int
	original, computed onnx.DType
}

func (l *nBitsLayer) build() error {
	b, node, w := l.b, l.node, l.w
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
	inputs, err := l.weightInputs()
	if err != nil {
		return err
	}
	b.Import(microsoft, 1)
	product := b.Name(output + "_product")
	b.Add(&onnx.Node{
		Name: b.Name(nodeName(node) + "_MatMulNBits"), OpType: "MatMulNBits", Domain: microsoft,
		Inputs:  append([]string{narrowed(b, x, l.original, l.computed)}, inputs...),
		Outputs: []string{product},
		Attrs: []*onnx.Attr{
			onnx.IntAttr("K", w.dims[1]), onnx.IntAttr("N", w.dims[0]), onnx.IntAttr("bits", 8),
			onnx.IntAttr("block_size", int64(w.block)), onnx.IntAttr("accuracy_level", int64(l.level)),
		},
	})
	if alpha != 1 {
		product = b.Op(output+"_alpha", "Mul", []string{product, b.Constant(floatConstant(output+"_alpha_factor", l.computed, nil, []float32{alpha}))})
	}
	if node.OpType == "Gemm" && node.Input(2) != "" && beta != 0 {
		c, err := narrowedOperand(b, node.Inputs[2], l.original, l.computed)
		if err != nil {
			return err
		}
		if beta != 1 {
			c = b.Op(output+"_beta", "Mul", []string{c, b.Constant(floatConstant(output+"_beta_factor", l.computed, nil, []float32{beta}))})
		}
		product = b.Op(output+"_sum", "Add", []string{product, c})
	}
	// The last node takes the name that the graph reads.
	if l.original == l.computed {
		b.rename(product, output)
		return nil
	}
	b.Define(output, "Cast", []string{product}, onnx.IntAttr("to", int64(l.original)))
	b.Remember(b.Scope, sixteenBit{output, l.computed}, product)
	return nil
}

// weightInputs adds the packed weight, its scales and, if it has any, its zero
// points.
func (l *nBitsLayer) weightInputs() ([]string, error) {
	b, w := l.b, l.w
	f := form{scale: l.computed}
	packed, err := w.constant(b, f, "packed", func() *onnx.Tensor {
		p := packedPromise{w}
		w.awaits(w.dims[0] * w.dims[1]) // what fills the blocks up waits for nothing
		return onnx.NewTensor(w.name+"_packed", onnx.Uint8, []int64{w.dims[0], w.blocks(), int64(w.block)}, p)
	})
	if err != nil {
		return nil, err
	}
	count := []int64{w.dims[0] * w.blocks()}
	scales, err := w.constant(b, f, "packed scales", func() *onnx.Tensor {
		return w.ofScales(w.name+"_scales", l.computed, count, scalesPart{of: scaleValues, factor: 1})
	})
	if err != nil || !w.scheme.Asymmetric {
		return []string{packed, scales}, err
	}
	zeros, err := w.constant(b, f, "packed zero points", func() *onnx.Tensor {
		return w.ofScales(w.name+"_zero_points", onnx.Uint8, count, scalesPart{of: zeroPoints, shift: 128})
	})
	return []string{packed, scales, zeros}, err
}

// blocks is the number of a row's blocks.
func (w *weight) blocks() int64 { return (w.dims[1] + int64(w.block) - 1) / int64(w.block) }

// packedBytes is what the packed weight takes, with scales and zero points.
func (w *weight) packedBytes() int64 {
	blocks := w.dims[0] * w.blocks()
	size := blocks*int64(w.block) + blocks*int64(w.scale.Bits())/8
	if w.scheme.Asymmetric {
		size += blocks
	}
	return size
}
