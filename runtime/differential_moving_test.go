package runtime

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var movable = []onnx.DType{onnx.Float, onnx.Float, onnx.Double, onnx.Float16, onnx.Int32, onnx.Int64, onnx.Int8, onnx.Uint8, onnx.Bool}

// movingDrawers draw what gives elements another place or shape.
var movingDrawers = []drawer{
	{"Identity", 9, drawUnary(moves, movable...)},
	{"Transpose", 9, func(g *graphMaker, op string) {
		x := g.pickOf(movable...)
		g.node(op, moves, 1, []*onnx.Attr{g.maybe(onnx.IntsAttr("perm", wide(g.Perm(x.rank()))))}, x)
	}},
	{"Reshape", 9, drawReshape},
	{"Flatten", 9, func(g *graphMaker, op string) {
		x := g.pickRank(onnx.Float, 1, 4)
		low := 0
		if g.opset >= 11 {
			low = -x.rank()
		}
		g.node(op, moves, 1, []*onnx.Attr{g.maybe(onnx.IntAttr("axis", int64(low+g.IntN(x.rank()-low+1))))}, x)
	}},
	{"Squeeze", 9, func(g *graphMaker, op string) {
		x := g.pick(func(o operand) bool { return slices.Contains(o.shape(), 1) }, func() *tensor.Tensor {
			return g.random(choose(g, movable...), append([]int{1}, g.shapeOf(g.IntN(3))...))
		})
		axes := []int{}
		for axis, d := range x.shape() {
			if d == 1 {
				axes = append(axes, g.signed(axis, x.rank()))
			}
		}
		g.withAxes(op, 13, moves, axes[:1+g.IntN(len(axes))], nil, x)
	}},
	{"Unsqueeze", 9, func(g *graphMaker, op string) {
		x := g.pickOf(movable...)
		axes := g.Perm(x.rank() + 2)[:1+g.IntN(2)]
		if len(axes) == 1 && axes[0] > x.rank() {
			axes[0] = x.rank()
		}
		slices.Sort(axes)
		g.withAxes(op, 13, moves, axes, nil, x)
	}},
	{"Expand", 9, func(g *graphMaker, op string) {
		x := g.pickOf(onnx.Float, onnx.Int32, onnx.Int64, onnx.Bool)
		g.node(op, moves, 1, nil, x, g.ints(g.broadcastable(x.shape())...))
	}},
	{"Tile", 9, func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, onnx.Float, onnx.Int32, onnx.Int64, onnx.Uint8), 1, 4)
		repeats := make([]int, x.rank())
		for i := range repeats {
			repeats[i] = choose(g, 1, 1, 2, 3)
		}
		g.node(op, moves, 1, nil, x, g.ints(repeats...))
	}},
	{"Concat", 9, func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, movable...), 1, 4)
		axis := g.IntN(x.rank())
		operands := []operand{x}
		for range g.IntN(3) {
			shape := slices.Clone(x.shape())
			shape[axis] = g.IntN(4)
			operands = append(operands, g.fresh(g.random(x.dtype(), shape)))
		}
		if g.opset >= 11 {
			axis = g.signed(axis, x.rank())
		}
		g.node(op, moves, 1, []*onnx.Attr{onnx.IntAttr("axis", int64(axis))}, operands...)
	}},
	{"Split", 9, drawSplit},
	{"Slice", 10, drawSlice},
	{"Pad", 11, drawPad},
	{"DepthToSpace", 11, func(g *graphMaker, op string) {
		block := 1 + g.IntN(3)
		x := g.fresh(g.random(onnx.Float, []int{1 + g.IntN(2), block * block * (1 + g.IntN(3)), 1 + g.IntN(3), 1 + g.IntN(3)}))
		g.node(op, moves, 1, []*onnx.Attr{onnx.IntAttr("blocksize", int64(block)), g.maybe(onnx.StringAttr("mode", choose(g, "DCR", "CRD")))}, x)
	}},
	{"SpaceToDepth", 9, func(g *graphMaker, op string) {
		block := 1 + g.IntN(3)
		x := g.fresh(g.random(onnx.Float, []int{1 + g.IntN(2), 1 + g.IntN(3), block * (1 + g.IntN(3)), block * (1 + g.IntN(2))}))
		g.node(op, moves, 1, []*onnx.Attr{onnx.IntAttr("blocksize", int64(block))}, x)
	}},
	{"Trilu", 14, func(g *graphMaker, op string) {
		operands := []operand{g.pickRank(choose(g, onnx.Float, onnx.Int64), 2, 4)}
		if g.coin() {
			operands = append(operands, g.constant(tensor.Scalar(int64(g.IntN(7)-3))))
		}
		g.node(op, moves, 1, []*onnx.Attr{g.maybe(onnx.IntAttr("upper", int64(g.IntN(2))))}, operands...)
	}},
	{"ReverseSequence", 10, func(g *graphMaker, op string) {
		x := g.pickRank(onnx.Float, 2, 4)
		batch := g.IntN(2)
		length := x.shape()[1-batch]
		lengths := made(onnx.Int64, []int{x.shape()[batch]}, listOf(x.shape()[batch], func() float64 { return float64(1 + g.IntN(length)) }))
		g.node(op, moves, 1, []*onnx.Attr{onnx.IntAttr("batch_axis", int64(batch)), onnx.IntAttr("time_axis", int64(1-batch))}, x, g.fresh(lengths))
	}},
	{"Shape", 9, func(g *graphMaker, op string) {
		x := g.pickOf(movable...)
		var attrs []*onnx.Attr
		if g.opset >= 15 {
			attrs = append(attrs, g.maybe(onnx.IntAttr("start", int64(g.IntN(7)-3))), g.maybe(onnx.IntAttr("end", int64(g.IntN(7)-3))))
		}
		g.node(op, moves, 1, attrs, x)
	}},
	{"Size", 9, drawUnary(moves, movable...)},
	{"ConstantOfShape", 9, func(g *graphMaker, op string) {
		value := g.random(choose(g, onnx.Float, onnx.Int64, onnx.Int32, onnx.Bool), []int{1})
		stored, err := tensor.ToONNX("", value)
		if err != nil {
			panic(err) // all types that are drawn can be stored
		}
		g.node(op, moves, 1, []*onnx.Attr{g.maybe(onnx.TensorAttr("value", stored))}, g.ints(g.shape()...))
	}},
	{"Range", 11, func(g *graphMaker, op string) {
		t := choose(g, onnx.Int32, onnx.Int64)
		end := func(low, high float64) operand { return g.constant(g.randomWithin(t, []int{}, low, high)) }
		step := 1 + g.IntN(3)
		if g.coin() {
			step = -step
		}
		g.node(op, moves, 1, nil, end(-5, 5), end(-9, 9), g.constant(made(t, []int{}, []float64{float64(step)})))
	}},
}

// listOf is a list of n numbers.
func listOf(n int, next func() float64) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = next()
	}
	return list
}

func wide(list []int) []int64 {
	out := make([]int64, len(list))
	for i, v := range list {
		out[i] = int64(v)
	}
	return out
}

// signed writes an axis from the front or from the back.
func (g *graphMaker) signed(axis, rank int) int {
	if g.coin() {
		return axis
	}
	return axis - rank
}

// withAxes adds a node whose axes were an attribute and became an operand. Old
// versions know no negative ones.
func (g *graphMaker) withAxes(op string, since int64, e effect, axes []int, attrs []*onnx.Attr, x operand) {
	if g.opset >= since {
		g.node(op, e, 1, attrs, x, g.ints(axes...))
		return
	}
	if g.opset < 11 {
		axes = slices.Clone(axes)
		for i, axis := range axes {
			if axis < 0 {
				axes[i] += x.rank()
			}
		}
	}
	g.node(op, e, 1, append(attrs, onnx.IntsAttr("axes", wide(axes))), x)
}

func drawReshape(g *graphMaker, op string) {
	x := g.pick(func(o operand) bool { return o.value.Len() > 0 && slices.Contains(movable, o.dtype()) },
		func() *tensor.Tensor { return g.random(choose(g, movable...), g.shapeOf(g.IntN(5))) })
	left := x.value.Len()
	var shape []int
	for range g.IntN(4) {
		for _, d := range []int{2, 3, 5, 7, 4} {
			if left%d == 0 && g.coin() {
				shape = append(shape, d)
				left /= d
				break
			}
		}
	}
	shape = append(shape, left)
	g.Shuffle(len(shape), func(i, j int) { shape[i], shape[j] = shape[j], shape[i] })
	if at := g.IntN(len(shape)); at < x.rank() && x.shape()[at] == shape[at] {
		shape[at] = 0 // take it over
	} else if g.coin() {
		shape[at] = -1
	}
	g.node(op, moves, 1, nil, x, g.ints(shape...))
}

func drawSplit(g *graphMaker, op string) {
	x := g.pickRank(choose(g, onnx.Float, onnx.Int32, onnx.Int64, onnx.Uint8), 1, 4)
	axis := g.IntN(x.rank())
	size := x.shape()[axis]
	parts := []int{}
	for left := size; left > 0; {
		part := 1 + g.IntN(left)
		parts = append(parts, part)
		left -= part
	}
	if g.opset >= 11 {
		axis = g.signed(axis, x.rank())
	}
	attrs := []*onnx.Attr{onnx.IntAttr("axis", int64(axis))}
	switch {
	case g.opset < 13:
		g.node(op, moves, len(parts), append(attrs, onnx.IntsAttr("split", wide(parts))), x)
	case g.opset >= 18 && size > 1 && g.coin():
		// Uneven: the last part is the smaller one.
		count := 1 + g.IntN(size)
		chunk := (size + count - 1) / count
		if chunk*(count-1) >= size {
			count = 1
		}
		g.node(op, moves, count, append(attrs, onnx.IntAttr("num_outputs", int64(count))), x)
	default:
		g.node(op, moves, len(parts), attrs, x, g.ints(parts...))
	}
}

func drawSlice(g *graphMaker, op string) {
	x := g.pickRank(choose(g, movable...), 1, 4)
	axes := g.Perm(x.rank())[:1+g.IntN(x.rank())]
	var starts, ends, steps []int
	for i, axis := range axes {
		size := x.shape()[axis]
		starts = append(starts, g.IntN(2*size+4)-size-2)
		step := choose(g, 1, 1, 2, 3, -1, -2)
		steps = append(steps, step)
		// The standard has the largest number stand for the end going forward, and
		// the smallest going back. ONNX Runtime takes the largest for both.
		all := 1<<31 - 1
		if step < 0 {
			all = -1 << 31
		}
		ends = append(ends, choose(g, g.IntN(2*size+4)-size-2, all))
		axes[i] = g.signed(axis, x.rank())
	}
	operands := []operand{x, g.ints(starts...), g.ints(ends...), g.ints(axes...)}
	if g.IntN(3) > 0 {
		operands = append(operands, g.ints(steps...))
	}
	g.node(op, moves, 1, nil, operands...)
}

func drawPad(g *graphMaker, op string) {
	x := g.pickRank(choose(g, onnx.Float, onnx.Double, onnx.Int32, onnx.Int64), 1, 4)
	modes := []string{"constant", "reflect", "edge"}
	if g.opset >= 19 {
		modes = append(modes, "wrap")
	}
	mode := choose(g, modes...)
	axes := make([]int, x.rank())
	for i := range axes {
		axes[i] = i
	}
	some := g.opset >= 18 && g.coin()
	if some {
		axes = g.Perm(x.rank())[:1+g.IntN(x.rank())]
	}
	pads := make([]int, 2*len(axes))
	for i := range pads {
		size := x.shape()[axes[i%len(axes)]]
		switch mode {
		case "constant":
			pads[i] = g.IntN(4) - min(1, (size-1)/2)
		case "edge":
			pads[i] = g.IntN(3)
		default:
			pads[i] = g.IntN(min(3, size))
		}
	}
	operands := []operand{x, g.ints(pads...)}
	if some || mode == "constant" && g.coin() {
		value := operand{}
		if mode == "constant" {
			value = g.fresh(g.random(x.dtype(), []int{}))
		}
		operands = append(operands, value)
	}
	if some {
		operands = append(operands, g.ints(axes...))
	}
	g.node(op, moves, 1, []*onnx.Attr{onnx.StringAttr("mode", mode)}, operands...)
}
