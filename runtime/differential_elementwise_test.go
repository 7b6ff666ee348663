package runtime

import (
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// elementwiseDrawers draw what works on each element, with broadcasting.
var elementwiseDrawers = []drawer{
	{"Abs", 9, drawUnary(moves, onnx.Float, onnx.Double, onnx.Int8, onnx.Int32, onnx.Int64)},
	{"Neg", 9, drawUnary(moves, onnx.Float, onnx.Double, onnx.Float16, onnx.Int8, onnx.Int32, onnx.Int64)},
	{"Relu", 9, drawUnary(moves, onnx.Float, onnx.Double, onnx.Float16)},
	{"Sigmoid", 9, drawUnary(computes, onnx.Float, onnx.Double, onnx.Float16)},
	{"Tanh", 9, drawUnary(computes, onnx.Float, onnx.Double, onnx.Float16)},
	{"Erf", 9, drawUnary(computes, onnx.Float)},
	{"Softplus", 9, drawUnary(computes, onnx.Float)},
	{"Softsign", 9, drawUnary(computes, onnx.Float)},
	{"Sin", 9, drawUnary(computes, onnx.Float, onnx.Double)},
	{"Cos", 9, drawUnary(computes, onnx.Float)},
	{"Atan", 9, drawUnary(computes, onnx.Float)},
	{"Asinh", 9, drawUnary(computes, onnx.Float)},
	{"Mish", 18, drawUnary(computes, onnx.Float)},
	{"HardSwish", 14, drawUnary(computes, onnx.Float)},
	{"Exp", 9, drawWithin(-20, 8, onnx.Float, onnx.Double)},
	{"Sinh", 9, drawWithin(-8, 8, onnx.Float)},
	{"Cosh", 9, drawWithin(-8, 8, onnx.Float)},
	{"Log", 9, drawWithin(0.1, 1e6, onnx.Float, onnx.Double)},
	{"Sqrt", 9, drawWithin(0.05, 1e6, onnx.Float, onnx.Double)},
	{"Reciprocal", 9, drawWithin(0.2, 1e6, onnx.Float, onnx.Double)},
	{"Floor", 9, drawJump(onnx.Float)},
	{"Ceil", 9, drawJump(onnx.Float)},
	{"Round", 11, drawJump(onnx.Float, onnx.Double)},
	{"Sign", 9, drawJump(onnx.Float, onnx.Double, onnx.Int32, onnx.Int64, onnx.Uint8)},
	{"IsNaN", 9, drawJump(onnx.Float)},
	{"Not", 9, drawJump(onnx.Bool)},
	{"BitwiseNot", 18, drawJump(onnx.Int32, onnx.Uint8)},
	{"LeakyRelu", 9, drawShaped(computes, "alpha")},
	{"Elu", 9, drawShaped(computes, "alpha")},
	{"Selu", 9, drawShaped(computes, "alpha", "gamma")},
	{"Celu", 12, drawShaped(computes, "alpha")},
	{"HardSigmoid", 9, drawShaped(computes, "alpha", "beta")},
	{"Gelu", 20, func(g *graphMaker, op string) {
		attrs := []*onnx.Attr{g.maybe(onnx.StringAttr("approximate", choose(g, "none", "tanh")))}
		g.node(op, computes, 1, attrs, g.pickOf(onnx.Float))
	}},
	{"ThresholdedRelu", 10, func(g *graphMaker, op string) {
		g.node(op, moves, 1, []*onnx.Attr{g.maybe(onnx.FloatAttr("alpha", 0.5))}, g.pickExact(onnx.Float))
	}},
	{"Add", 9, drawBinary(computes, onnx.Float, onnx.Float, onnx.Double, onnx.Float16, onnx.Int32, onnx.Int64)},
	{"Sub", 9, drawBinary(computes, onnx.Float, onnx.Float, onnx.Double, onnx.Int32, onnx.Int64)},
	{"Mul", 9, drawBinary(computes, onnx.Float, onnx.Float, onnx.Double, onnx.Float16, onnx.Int32, onnx.Int64)},
	{"Div", 9, drawDivision(computes, onnx.Float, onnx.Double, onnx.Int32, onnx.Int64)},
	{"Mod", 10, func(g *graphMaker, op string) {
		t := choose(g, onnx.Int8, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Float)
		attrs := []*onnx.Attr{}
		if t == onnx.Float || g.coin() {
			attrs = append(attrs, onnx.IntAttr("fmod", 1))
		}
		a := g.pickExact(t)
		g.node(op, moves, 1, attrs, a, g.divisor(t, a.shape()))
	}},
	{"Pow", 9, func(g *graphMaker, op string) {
		base := g.pickWithin(onnx.Float, 0.1, 10)
		exponent := g.pick(func(o operand) bool { return o.exact && o.scale <= 3 && o.dtype() == onnx.Float && g.fits(o, base) },
			func() *tensor.Tensor { return g.random(onnx.Float, g.broadcastable(base.shape())) })
		g.node(op, computes, 1, nil, base, exponent)
	}},
	{"PRelu", 9, func(g *graphMaker, op string) {
		x := g.pickOf(onnx.Float)
		g.node(op, computes, 1, nil, x, g.fresh(g.random(onnx.Float, g.narrowed(x.shape()))))
	}},
	{"Max", 12, drawVariadic(moves, onnx.Float, onnx.Double, onnx.Int32, onnx.Int64)},
	{"Min", 12, drawVariadic(moves, onnx.Float, onnx.Double, onnx.Int32, onnx.Int64)},
	{"Sum", 9, drawVariadic(computes, onnx.Float)},
	{"Mean", 9, drawVariadic(computes, onnx.Float)},
	{"Equal", 11, drawComparison(onnx.Float, onnx.Double, onnx.Int32, onnx.Int64, onnx.Bool)},
	{"Less", 9, drawComparison(onnx.Float, onnx.Double, onnx.Int32, onnx.Int64)},
	{"Greater", 9, drawComparison(onnx.Float, onnx.Double, onnx.Int32, onnx.Int64)},
	{"LessOrEqual", 16, drawComparison(onnx.Float, onnx.Double, onnx.Int32, onnx.Int64)},
	{"GreaterOrEqual", 16, drawComparison(onnx.Float, onnx.Double, onnx.Int32, onnx.Int64)},
	{"And", 9, drawComparison(onnx.Bool)},
	{"Or", 9, drawComparison(onnx.Bool)},
	{"Xor", 9, drawComparison(onnx.Bool)},
	{"BitwiseAnd", 18, drawComparison(onnx.Int32, onnx.Uint8)},
	{"BitwiseXor", 18, drawComparison(onnx.Int32, onnx.Uint8)},
	{"BitShift", 11, func(g *graphMaker, op string) {
		t := choose(g, onnx.Uint8, onnx.Uint32, onnx.Uint64)
		a := g.pickExact(t)
		g.node(op, moves, 1, []*onnx.Attr{onnx.StringAttr("direction", choose(g, "LEFT", "RIGHT"))}, a,
			g.fresh(g.randomWithin(t, g.broadcastable(a.shape()), 0, 5)))
	}},
	{"Where", 9, func(g *graphMaker, op string) {
		condition := g.pickExact(onnx.Bool)
		t := choose(g, onnx.Float, onnx.Int32, onnx.Int64, onnx.Uint8)
		a := g.pickFitting(t, condition, false)
		b := g.fresh(g.random(t, g.narrowed(condition.shape())))
		g.node(op, moves, 1, nil, condition, a, b)
	}},
	{"Clip", 9, drawClip},
	{"Cast", 9, drawCast},
}

func drawUnary(e effect, types ...onnx.DType) func(g *graphMaker, op string) {
	return func(g *graphMaker, op string) { g.node(op, e, 1, nil, g.pickOf(types...)) }
}

// drawWithin draws what is smooth only, or only defined, on part of the numbers.
func drawWithin(low, high float64, types ...onnx.DType) func(g *graphMaker, op string) {
	return func(g *graphMaker, op string) {
		g.node(op, computes, 1, nil, g.pickWithin(choose(g, types...), low, high))
	}
}

func drawJump(types ...onnx.DType) func(g *graphMaker, op string) {
	return func(g *graphMaker, op string) { g.node(op, moves, 1, nil, g.pickExact(types...)) }
}

// drawShaped draws curves with parameters, some of which are left at their defaults.
func drawShaped(e effect, parameters ...string) func(g *graphMaker, op string) {
	return func(g *graphMaker, op string) {
		var attrs []*onnx.Attr
		for _, name := range parameters {
			attrs = append(attrs, g.maybe(onnx.FloatAttr(name, 0.1+float32(g.IntN(15))/10)))
		}
		g.node(op, e, 1, attrs, g.pickOf(onnx.Float))
	}
}

func drawBinary(e effect, types ...onnx.DType) func(g *graphMaker, op string) {
	return func(g *graphMaker, op string) {
		a := g.pickOf(choose(g, types...))
		b := g.pickFitting(a.dtype(), a, false)
		if g.coin() {
			a, b = b, a
		}
		g.node(op, e, 1, nil, a, b)
	}
}

func drawDivision(e effect, types ...onnx.DType) func(g *graphMaker, op string) {
	return func(g *graphMaker, op string) {
		a := g.pickOf(choose(g, types...))
		g.node(op, e, 1, nil, a, g.divisor(a.dtype(), a.shape()))
	}
}

// divisor is a new operand without zeros, and with negative numbers where there are any.
func (g *graphMaker) divisor(t onnx.DType, shape []int) operand {
	v := g.randomWithin(t, g.broadcastable(shape), 1, 5)
	list := numbers(v)
	for i := range list {
		if t != onnx.Uint8 && g.coin() {
			list[i] = -list[i]
		}
	}
	return g.fresh(made(t, v.Shape(), list))
}

func drawVariadic(e effect, types ...onnx.DType) func(g *graphMaker, op string) {
	return func(g *graphMaker, op string) {
		operands := []operand{g.pickOf(choose(g, types...))}
		for range g.IntN(3) {
			operands = append(operands, g.fresh(g.random(operands[0].dtype(), g.narrowed(operands[0].shape()))))
		}
		g.node(op, e, 1, nil, operands...)
	}
}

func drawComparison(types ...onnx.DType) func(g *graphMaker, op string) {
	return func(g *graphMaker, op string) {
		a := g.pickExact(choose(g, types...))
		g.node(op, moves, 1, nil, a, g.pickFitting(a.dtype(), a, true))
	}
}

func drawClip(g *graphMaker, op string) {
	low, high := -float32(g.IntN(3)), float32(1+g.IntN(3))
	if g.opset < 11 {
		attrs := []*onnx.Attr{g.maybe(onnx.FloatAttr("min", low)), g.maybe(onnx.FloatAttr("max", high))}
		g.node(op, moves, 1, attrs, g.pickOf(onnx.Float))
		return
	}
	t := onnx.Float
	if g.opset >= 12 {
		t = choose(g, onnx.Float, onnx.Double, onnx.Int8, onnx.Int64)
	}
	bound := func(v float32) operand {
		if g.IntN(4) == 0 {
			return operand{}
		}
		return g.fresh(made(t, []int{}, []float64{float64(v)}))
	}
	g.node(op, moves, 1, nil, g.pickOf(t), bound(low), bound(high))
}

func drawCast(g *graphMaker, op string) {
	numbers := []onnx.DType{onnx.Float, onnx.Double, onnx.Float16, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64, onnx.Bool}
	to := choose(g, numbers...)
	from := choose(g, numbers...)
	x := g.pickOf(from)
	if !to.IsFloat() {
		x = g.pickExact(from)
		// A float beyond a whole number's type has no defined value in it.
		if low := smallest(x.value); from.IsFloat() && (low < 0 && unsigned(to) || x.scale > 100) {
			x = g.pickWithin(from, 0, 100)
			if !x.exact {
				x = g.fresh(g.randomWithin(from, g.shape(), 0, 100))
			}
		}
	}
	g.node(op, moves, 1, []*onnx.Attr{onnx.IntAttr("to", int64(to))}, x)
}

func unsigned(t onnx.DType) bool {
	return t == onnx.Uint8 || t == onnx.Uint16 || t == onnx.Uint32 || t == onnx.Uint64
}

// maybe leaves an attribute out as often as not: then its default holds.
func (g *graphMaker) maybe(a *onnx.Attr) *onnx.Attr {
	if g.coin() {
		return nil
	}
	return a
}

// pickOf gives a value of one of the types.
func (g *graphMaker) pickOf(types ...onnx.DType) operand {
	t := choose(g, types...)
	return g.pick(func(o operand) bool { return o.dtype() == t }, func() *tensor.Tensor { return g.random(t, g.shape()) })
}

// pickExact is pickOf for operators that jump.
func (g *graphMaker) pickExact(types ...onnx.DType) operand {
	t := choose(g, types...)
	return g.pick(func(o operand) bool { return o.exact && o.dtype() == t }, func() *tensor.Tensor { return g.random(t, g.shape()) })
}

// pickWithin gives a value whose numbers all lie in a range.
func (g *graphMaker) pickWithin(t onnx.DType, low, high float64) operand {
	return g.pick(func(o operand) bool { return o.dtype() == t && smallest(o.value) >= low && o.scale <= high },
		func() *tensor.Tensor { return g.randomWithin(t, g.shape(), max(low, -4), min(high, 4)) })
}

// pickRank gives a value with so many axes, none of them empty.
func (g *graphMaker) pickRank(t onnx.DType, low, high int) operand {
	return g.pick(func(o operand) bool {
		return o.dtype() == t && o.rank() >= low && o.rank() <= high && o.value.Len() > 0
	},
		func() *tensor.Tensor { return g.random(t, g.shapeOf(low+g.IntN(high-low+1))) })
}

// pickFitting gives a value that broadcasts with another.
func (g *graphMaker) pickFitting(t onnx.DType, other operand, exact bool) operand {
	return g.pick(func(o operand) bool { return o.dtype() == t && (o.exact || !exact) && g.fits(o, other) },
		func() *tensor.Tensor { return g.random(t, g.broadcastable(other.shape())) })
}

// fits says whether two shapes broadcast.
func (g *graphMaker) fits(a, b operand) bool {
	for i := 1; i <= min(a.rank(), b.rank()); i++ {
		x, y := a.shape()[a.rank()-i], b.shape()[b.rank()-i]
		if x != y && x != 1 && y != 1 {
			return false
		}
	}
	return true
}

// shape draws up to four axes, seldom an empty one.
func (g *graphMaker) shape() []int {
	shape := g.shapeOf(g.IntN(5))
	if len(shape) > 0 && g.IntN(40) == 0 {
		shape[g.IntN(len(shape))] = 0
	}
	return shape
}

func (g *graphMaker) shapeOf(rank int) []int {
	shape := make([]int, rank)
	for i := range shape {
		shape[i] = choose(g, 1, 2, 3, 4, 5, 7)
	}
	return shape
}

// narrowed draws a shape that broadcasts to another one.
func (g *graphMaker) narrowed(shape []int) []int {
	out := append([]int{}, shape[g.IntN(len(shape)+1):]...)
	for i := range out {
		if g.IntN(3) == 0 {
			out[i] = 1
		}
	}
	return out
}

// broadcastable draws a shape that broadcasts with another one, either way.
func (g *graphMaker) broadcastable(shape []int) []int {
	out := g.narrowed(shape)
	if len(out) == len(shape) && len(shape) < 4 && g.IntN(4) == 0 {
		out = append([]int{1 + g.IntN(3)}, out...)
	}
	for i := range out {
		if at := len(shape) - len(out) + i; at >= 0 && shape[at] == 1 && g.IntN(4) == 0 {
			out[i] = 1 + g.IntN(4)
		}
	}
	return out
}

// random draws numbers that suit a type: for floats eighths, among which there
// are ties, or any.
func (g *graphMaker) random(t onnx.DType, shape []int) *tensor.Tensor {
	if unsigned(t) || t == onnx.Bool {
		return g.randomWithin(t, shape, 0, 9)
	}
	return g.randomWithin(t, shape, -4, 4)
}

func (g *graphMaker) randomWithin(t onnx.DType, shape []int, low, high float64) *tensor.Tensor {
	list := make([]float64, tensor.Count(shape))
	coarse := g.coin()
	for i := range list {
		v := low + (high-low)*g.Float64()
		switch {
		case t == onnx.Bool:
			v = float64(g.IntN(2))
		case !t.IsFloat():
			v = math.Round(v)
		case coarse:
			v = math.Ceil(v*8) / 8
		}
		list[i] = v
	}
	return made(t, shape, list)
}

// made stores numbers as a type.
func made(t onnx.DType, shape []int, list []float64) *tensor.Tensor {
	v, err := tensor.FromFloat64s(t, shape, list)
	if err != nil {
		panic(err) // only types that hold numbers are drawn
	}
	return v
}
