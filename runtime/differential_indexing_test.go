package runtime

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// reductionDrawers draw what takes axes together.
var reductionDrawers = []drawer{
	{"ReduceSum", 9, drawReduction(13, computes, onnx.Float, onnx.Double, onnx.Int32, onnx.Int64)},
	{"ReduceMean", 9, drawReduction(18, computes, onnx.Float, onnx.Double)},
	{"ReduceMax", 9, drawReduction(18, moves, onnx.Float, onnx.Int32, onnx.Int64)},
	{"ReduceMin", 9, drawReduction(18, moves, onnx.Float, onnx.Int32, onnx.Int64)},
	{"ReduceProd", 9, drawReduction(18, computes, onnx.Float)},
	{"ReduceL1", 9, drawReduction(18, computes, onnx.Float)},
	{"ReduceL2", 9, drawReduction(18, computes, onnx.Float)},
	{"ReduceSumSquare", 9, drawReduction(18, computes, onnx.Float, onnx.Int32)},
	{"ReduceLogSumExp", 9, drawReduction(18, computes, onnx.Float)},
	{"ArgMax", 9, drawArg},
	{"ArgMin", 9, drawArg},
	{"CumSum", 11, func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, onnx.Float, onnx.Double, onnx.Int32, onnx.Int64), 1, 4)
		attrs := []*onnx.Attr{g.maybe(onnx.IntAttr("exclusive", 1)), g.maybe(onnx.IntAttr("reverse", 1))}
		g.node(op, computes, 1, attrs, x, g.constant(tensor.Scalar(int64(g.signed(g.IntN(x.rank()), x.rank())))))
	}},
	{"TopK", 11, func(g *graphMaker, op string) {
		t := choose(g, onnx.Float, onnx.Int64, onnx.Int32)
		x := g.pick(func(o operand) bool { return o.exact && o.dtype() == t && o.rank() > 0 && o.value.Len() > 0 },
			func() *tensor.Tensor { return g.random(t, g.shapeOf(1+g.IntN(3))) })
		axis := g.IntN(x.rank())
		attrs := []*onnx.Attr{onnx.IntAttr("axis", int64(g.signed(axis, x.rank()))), g.maybe(onnx.IntAttr("largest", 0))}
		g.node(op, moves, 2, attrs, x, g.ints(1+g.IntN(x.shape()[axis])))
	}},
	{"Softmax", 9, drawSoftmax},
	{"LogSoftmax", 9, drawSoftmax},
	{"Hardmax", 9, func(g *graphMaker, op string) {
		x := g.fresh(g.random(onnx.Float, g.shapeOf(2+g.IntN(3)))) // before version 13 the default is axis 1
		g.node(op, moves, 1, []*onnx.Attr{g.maybe(onnx.IntAttr("axis", int64(g.IntN(x.rank()))))}, x)
	}},
}

// drawReduction draws a reduction whose axes became an operand at an opset version.
func drawReduction(since int64, e effect, types ...onnx.DType) func(g *graphMaker, op string) {
	return func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, types...), 1, 4)
		if op == "ReduceProd" && x.value.Len() > 60 { // a product of many leaves float32, in one order sooner than in another
			x = g.fresh(g.random(x.dtype(), []int{3, 4, 5}))
		}
		attrs := []*onnx.Attr{g.maybe(onnx.IntAttr("keepdims", int64(g.IntN(2))))}
		if g.IntN(4) == 0 {
			if g.opset >= since {
				attrs = append(attrs, g.maybe(onnx.IntAttr("noop_with_empty_axes", int64(g.IntN(2)))))
			}
			g.node(op, e, 1, attrs, x)
			return
		}
		axes := g.Perm(x.rank())[:1+g.IntN(x.rank())]
		for i, axis := range axes {
			axes[i] = g.signed(axis, x.rank())
		}
		g.withAxes(op, since, e, axes, attrs, x)
	}
}

func drawArg(g *graphMaker, op string) {
	t := choose(g, onnx.Float, onnx.Int32)
	x := g.pick(func(o operand) bool { return o.exact && o.dtype() == t && o.rank() > 0 && o.value.Len() > 0 },
		func() *tensor.Tensor { return g.random(t, g.shapeOf(1+g.IntN(4))) })
	axis := g.IntN(x.rank())
	attrs := []*onnx.Attr{g.maybe(onnx.IntAttr("keepdims", int64(g.IntN(2))))}
	if g.opset >= 12 {
		attrs = append(attrs, g.maybe(onnx.IntAttr("select_last_index", 1)))
	}
	if g.opset >= 11 {
		axis = g.signed(axis, x.rank())
	}
	g.node(op, moves, 1, append(attrs, g.maybe(onnx.IntAttr("axis", int64(axis)))), x)
}

func drawSoftmax(g *graphMaker, op string) {
	x := g.pickRank(choose(g, onnx.Float, onnx.Float, onnx.Double, onnx.Float16), 1, 4)
	axis := g.IntN(x.rank())
	if g.opset >= 11 {
		axis = g.signed(axis, x.rank())
	}
	attrs := []*onnx.Attr{onnx.IntAttr("axis", int64(axis))}
	if x.rank() > 1 { // before version 13 the default is axis 1
		attrs[0] = g.maybe(attrs[0])
	}
	g.node(op, computes, 1, attrs, x)
}

// indexingDrawers draw what takes or puts elements by index.
var indexingDrawers = []drawer{
	{"Gather", 9, func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, movable...), 1, 4)
		axis := g.IntN(x.rank())
		indices := g.indices(choose(g, onnx.Int32, onnx.Int64), g.shapeOf(g.IntN(3)), x.shape()[axis])
		if g.opset >= 11 {
			axis = g.signed(axis, x.rank())
		}
		g.node(op, moves, 1, []*onnx.Attr{onnx.IntAttr("axis", int64(axis))}, x, g.fresh(indices))
	}},
	{"GatherElements", 11, func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, onnx.Float, onnx.Int64, onnx.Uint8), 1, 4)
		axis := g.IntN(x.rank())
		indices := g.indices(choose(g, onnx.Int32, onnx.Int64), g.within(x.shape(), axis), x.shape()[axis])
		g.node(op, moves, 1, []*onnx.Attr{onnx.IntAttr("axis", int64(g.signed(axis, x.rank())))}, x, g.fresh(indices))
	}},
	{"ScatterElements", 11, func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, onnx.Float, onnx.Int64), 1, 3)
		axis := g.IntN(x.rank())
		attrs := []*onnx.Attr{onnx.IntAttr("axis", int64(g.signed(axis, x.rank())))}
		// Indices may repeat only where updates are added up: else the order matters.
		shape := g.within(x.shape(), axis)
		e, list := moves, g.distinct(shape, axis, x.shape()[axis])
		if g.opset >= 18 && g.coin() {
			reduction := choose(g, "add", "mul", "max", "min")
			attrs = append(attrs, onnx.StringAttr("reduction", reduction))
			e, list = computes, g.indices(onnx.Int64, shape, x.shape()[axis])
		}
		g.node(op, e, 1, attrs, x, g.fresh(list), g.fresh(g.random(x.dtype(), list.Shape())))
	}},
	{"GatherND", 12, func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, onnx.Float, onnx.Int64), 1, 4)
		indices := g.coordinates(x.shape(), 1+g.IntN(x.rank()), g.shapeOf(1+g.IntN(2)))
		g.node(op, moves, 1, nil, x, g.fresh(indices))
	}},
	{"ScatterND", 11, func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, onnx.Float, onnx.Int64), 1, 3)
		depth := 1 + g.IntN(x.rank())
		e, count, attrs := moves, 1, []*onnx.Attr(nil)
		if g.opset >= 18 && g.coin() {
			e, count, attrs = computes, 1+g.IntN(4), []*onnx.Attr{onnx.StringAttr("reduction", choose(g, "add", "mul", "max", "min"))}
		}
		indices := g.coordinates(x.shape(), depth, []int{count})
		updates := append([]int{count}, x.shape()[depth:]...)
		g.node(op, e, 1, attrs, x, g.fresh(indices), g.fresh(g.random(x.dtype(), updates)))
	}},
	{"OneHot", 11, func(g *graphMaker, op string) {
		depth := 2 + g.IntN(5)
		indices := g.indices(onnx.Int64, g.shapeOf(1+g.IntN(2)), depth)
		axis := g.signed(g.IntN(indices.Rank()+1), indices.Rank()+1)
		g.node(op, moves, 1, []*onnx.Attr{g.maybe(onnx.IntAttr("axis", int64(axis)))},
			g.fresh(indices), g.constant(tensor.Scalar(int64(depth))), g.constant(g.random(onnx.Float, []int{2})))
	}},
	{"NonZero", 9, func(g *graphMaker, op string) {
		t := choose(g, onnx.Float, onnx.Int64, onnx.Bool)
		g.node(op, moves, 1, nil, g.pick(func(o operand) bool { return o.exact && o.dtype() == t && o.rank() > 0 },
			func() *tensor.Tensor { return g.random(t, g.shapeOf(1+g.IntN(3))) }))
	}},
	{"Compress", 9, func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, onnx.Float, onnx.Int64), 1, 4)
		axis := g.IntN(x.rank())
		size, attrs := x.shape()[axis], []*onnx.Attr{onnx.IntAttr("axis", int64(axis))}
		if g.coin() {
			size, attrs = x.value.Len(), nil
		}
		g.node(op, moves, 1, attrs, x, g.fresh(g.random(onnx.Bool, []int{1 + g.IntN(size)})))
	}},
}

// indices draws whole numbers that count along an axis, from either end.
func (g *graphMaker) indices(t onnx.DType, shape []int, size int) *tensor.Tensor {
	return made(t, shape, listOf(tensor.Count(shape), func() float64 { return float64(g.signed(g.IntN(size), size)) }))
}

// within draws a shape that is no larger than another, of any size along one axis.
func (g *graphMaker) within(shape []int, axis int) []int {
	out := slices.Clone(shape)
	for i, d := range shape {
		if g.IntN(3) == 0 {
			out[i] = 1 + g.IntN(d)
		}
	}
	return out
}

// distinct draws indices along an axis that do not repeat on it.
func (g *graphMaker) distinct(shape []int, axis, size int) *tensor.Tensor {
	list := make([]int64, tensor.Count(shape))
	inner := tensor.Count(shape[axis+1:])
	for outer := range tensor.Count(shape[:axis]) {
		for i := range inner {
			for at, index := range g.Perm(size)[:shape[axis]] {
				list[(outer*shape[axis]+at)*inner+i] = int64(index)
			}
		}
	}
	return tensor.New(shape, list)
}

// coordinates draws places along the first axes of a shape.
func (g *graphMaker) coordinates(shape []int, depth int, counts []int) *tensor.Tensor {
	var list []int64
	for range tensor.Count(counts) {
		for _, size := range shape[:depth] {
			list = append(list, int64(g.signed(g.IntN(size), size)))
		}
	}
	return tensor.New(append(slices.Clone(counts), depth), list)
}
