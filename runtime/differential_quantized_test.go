package runtime

import (
	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// quantizedDrawers draw the operators that this project's rewrites rest on.
var quantizedDrawers = []drawer{
	{"QuantizeLinear", 10, func(g *graphMaker, op string) {
		x := g.pickExact(onnx.Float)
		scale, zeroPoint, attrs := g.parameters(x.shape(), choose(g, onnx.Int8, onnx.Uint8))
		g.node(op, moves, 1, attrs, x, scale, zeroPoint)
	}},
	{"DequantizeLinear", 10, func(g *graphMaker, op string) {
		x := g.pickExact(onnx.Int8, onnx.Uint8)
		scale, zeroPoint, attrs := g.parameters(x.shape(), x.dtype())
		operands := []operand{x, scale, zeroPoint}
		if g.IntN(3) == 0 {
			operands = operands[:2]
		}
		g.node(op, moves, 1, attrs, operands...)
	}},
	{"DynamicQuantizeLinear", 11, func(g *graphMaker, op string) {
		x := g.fresh(g.randomWithin(onnx.Float, g.shapeOf(1+g.IntN(3)), -1-3*g.Float64(), 1+3*g.Float64()))
		g.node(op, moves, 3, nil, x)
	}},
	{"MatMulInteger", 10, func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, onnx.Int8, onnx.Uint8), 2, 3)
		weight := g.fresh(g.random(choose(g, onnx.Int8, onnx.Uint8), []int{x.shape()[x.rank()-1], 1 + g.IntN(6)}))
		operands := []operand{x, weight}
		if g.coin() {
			operands = append(operands, g.fresh(g.randomWithin(x.dtype(), []int{}, 0, 5)), g.fresh(g.randomWithin(weight.dtype(), []int{}, 0, 5)))
		}
		g.node(op, moves, 1, nil, operands...)
	}},
	{"ConvInteger", 10, func(g *graphMaker, op string) {
		w := g.window(2)
		x := g.fresh(g.random(onnx.Uint8, append([]int{1, 2}, w.spatial...)))
		weight := g.fresh(g.random(onnx.Uint8, append([]int{3, 2}, w.kernel...)))
		g.node(op, moves, 1, w.attrs(g), x, weight, g.fresh(g.randomWithin(onnx.Uint8, []int{}, 0, 5)))
	}},
	{"QLinearMatMul", 10, func(g *graphMaker, op string) {
		t := choose(g, onnx.Int8, onnx.Uint8)
		x := g.fresh(g.random(t, g.shapeOf(2)))
		weight := g.fresh(g.random(t, []int{x.shape()[1], 1 + g.IntN(6)}))
		// Powers of two: the product's scale is exact and no tie is in doubt.
		scale := func(v float32) operand { return g.constant(tensor.Scalar(v)) }
		zero := func() operand { return g.constant(g.randomWithin(t, []int{}, 0, 5)) }
		g.node(op, moves, 1, nil, x, scale(0.5), zero(), weight, scale(0.25), zero(), scale(0.5), zero())
	}},
	{"MatMulNBits", 9, func(g *graphMaker, op string) {
		const block = 16
		inner, columns := block*(1+g.IntN(3))-g.IntN(5), 1+g.IntN(6)
		blocks := (inner + block - 1) / block
		x := g.fresh(g.random(onnx.Float, []int{1 + g.IntN(3), inner}))
		weight := g.constant(g.randomWithin(onnx.Uint8, []int{columns, blocks, block / 2}, 0, 255))
		operands := []operand{x, weight, g.constant(g.randomWithin(onnx.Float, []int{columns * blocks}, 0.1, 1))}
		if g.coin() {
			operands = append(operands, g.constant(g.randomWithin(onnx.Uint8, []int{columns * ((blocks + 1) / 2)}, 0, 255)))
		}
		attrs := []*onnx.Attr{onnx.IntAttr("K", int64(inner)), onnx.IntAttr("N", int64(columns)), onnx.IntAttr("bits", 4), onnx.IntAttr("block_size", block)}
		g.nodeOf("com.microsoft", op, computes, 1, attrs, operands...)
	}},
}

// parameters draws a scale and a zero point for a tensor, or one for each index of an axis.
func (g *graphMaker) parameters(shape []int, t onnx.DType) (scale, zeroPoint operand, attrs []*onnx.Attr) {
	along := []int{}
	if len(shape) > 0 && g.opset >= 13 && g.coin() {
		axis := g.IntN(len(shape))
		along = []int{shape[axis]}
		attrs = append(attrs, onnx.IntAttr("axis", int64(g.signed(axis, len(shape)))))
	}
	scale = g.constant(g.randomWithin(onnx.Float, along, 0.02, 0.5))
	return scale, g.constant(g.randomWithin(t, along, 0, 9)), attrs
}
