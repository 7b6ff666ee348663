package runtime

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// layerDrawers draw the operators of neural networks' layers, on floats.
var layerDrawers = []drawer{
	{"MatMul", 9, func(g *graphMaker, op string) {
		x := g.pickRank(choose(g, onnx.Float, onnx.Float, onnx.Double, onnx.Float16), 1, 4)
		g.node(op, computes, 1, nil, x, g.fresh(g.random(x.dtype(), g.factor(x.shape()))))
	}},
	{"Gemm", 9, drawGemm},
	{"Einsum", 12, func(g *graphMaker, op string) {
		a, b := g.shapeOf(2), g.shapeOf(1)
		equation := choose(g, "ij,jk->ik", "ij,jk", "ij,jk->ki", "ij,jk->", "ij,jk->ijk", "...j,jk->...k")
		g.node(op, computes, 1, []*onnx.Attr{onnx.StringAttr("equation", equation)},
			g.fresh(g.random(onnx.Float, a)), g.fresh(g.random(onnx.Float, []int{a[1], b[0]})))
	}},
	{"Conv", 9, func(g *graphMaker, op string) {
		w := g.window(1 + g.IntN(3))
		groups, outputs := 1+g.IntN(2), 1+g.IntN(4)
		channels := 1 + g.IntN(3)
		x := g.fresh(g.random(onnx.Float, append([]int{1 + g.IntN(2), groups * channels}, w.spatial...)))
		operands := []operand{x, g.fresh(g.random(onnx.Float, append([]int{groups * outputs, channels}, w.kernel...)))}
		if g.coin() {
			operands = append(operands, g.fresh(g.random(onnx.Float, []int{groups * outputs})))
		}
		attrs := append(w.attrs(g), onnx.IntAttr("group", int64(groups)), g.maybe(onnx.IntsAttr("kernel_shape", wide(w.kernel))))
		g.node(op, computes, 1, attrs, operands...)
	}},
	{"ConvTranspose", 11, func(g *graphMaker, op string) {
		w := g.window(1 + g.IntN(2))
		groups, outputs, channels := 1+g.IntN(2), 1+g.IntN(3), 1+g.IntN(3)
		x := g.fresh(g.random(onnx.Float, append([]int{1 + g.IntN(2), groups * channels}, w.spatial...)))
		weight := g.fresh(g.random(onnx.Float, append([]int{groups * channels, outputs}, w.kernel...)))
		var padding []int
		for _, stride := range w.strides {
			padding = append(padding, g.IntN(stride))
		}
		attrs := []*onnx.Attr{
			onnx.IntAttr("group", int64(groups)), onnx.IntsAttr("strides", wide(w.strides)), onnx.IntsAttr("dilations", wide(w.dilations)),
			onnx.IntsAttr("pads", wide(w.smallPads(g))), g.maybe(onnx.IntsAttr("output_padding", wide(padding))),
		}
		g.node(op, computes, 1, attrs, x, weight)
	}},
	{"MaxPool", 10, func(g *graphMaker, op string) {
		w := g.window(1 + g.IntN(3))
		x := g.fresh(g.random(onnx.Float, append([]int{1 + g.IntN(2), 1 + g.IntN(3)}, w.spatial...)))
		attrs := append(w.attrs(g), onnx.IntsAttr("kernel_shape", wide(w.kernel)), g.maybe(onnx.IntAttr("ceil_mode", 1)))
		g.node(op, moves, 1, attrs, x)
	}},
	{"AveragePool", 10, func(g *graphMaker, op string) {
		w := g.window(1 + g.IntN(3))
		if g.opset < 19 {
			w.undilate()
		}
		x := g.fresh(g.random(onnx.Float, append([]int{1 + g.IntN(2), 1 + g.IntN(3)}, w.spatial...)))
		attrs := append(w.attrs(g), onnx.IntsAttr("kernel_shape", wide(w.kernel)),
			g.maybe(onnx.IntAttr("ceil_mode", 1)), g.maybe(onnx.IntAttr("count_include_pad", 1)))
		if g.opset < 19 {
			attrs = slices.DeleteFunc(attrs, func(a *onnx.Attr) bool { return a != nil && a.Name == "dilations" })
		}
		g.node(op, computes, 1, attrs, x)
	}},
	{"LpPool", 11, func(g *graphMaker, op string) {
		w := g.window(1 + g.IntN(3))
		w.undilate()
		x := g.fresh(g.random(onnx.Float, append([]int{1 + g.IntN(2), 1 + g.IntN(3)}, w.spatial...)))
		attrs := slices.DeleteFunc(w.attrs(g), func(a *onnx.Attr) bool { return a.Name == "dilations" })
		g.node(op, computes, 1, append(attrs, onnx.IntsAttr("kernel_shape", wide(w.kernel)), g.maybe(onnx.IntAttr("p", 1))), x)
	}},
	{"GlobalAveragePool", 9, drawImage(computes)},
	{"GlobalMaxPool", 9, drawImage(moves)},
	{"BatchNormalization", 9, func(g *graphMaker, op string) {
		x := g.pickRank(onnx.Float, 2, 4)
		vector := func(low float64) operand { return g.fresh(g.randomWithin(onnx.Float, x.shape()[1:2], low, 3)) }
		g.node(op, computes, 1, []*onnx.Attr{g.maybe(onnx.FloatAttr("epsilon", 1e-3))}, x, vector(-3), vector(-3), vector(-3), vector(0.2))
	}},
	{"InstanceNormalization", 9, func(g *graphMaker, op string) {
		x := g.fresh(g.random(onnx.Float, append([]int{1 + g.IntN(2), 1 + g.IntN(3)}, 2+g.IntN(3), 1+g.IntN(4))))
		vector := func() operand { return g.fresh(g.random(onnx.Float, x.shape()[1:2])) }
		g.node(op, computes, 1, []*onnx.Attr{onnx.FloatAttr("epsilon", 0.1)}, x, vector(), vector())
	}},
	{"LayerNormalization", 17, func(g *graphMaker, op string) {
		x := g.pickRank(onnx.Float, 1, 4)
		axis := g.IntN(x.rank())
		operands := []operand{x, g.fresh(g.random(onnx.Float, x.shape()[axis:]))}
		if g.coin() {
			operands = append(operands, g.fresh(g.random(onnx.Float, x.shape()[axis:])))
		}
		g.node(op, computes, 1, []*onnx.Attr{onnx.IntAttr("axis", int64(g.signed(axis, x.rank()))), onnx.FloatAttr("epsilon", 0.1)}, operands...)
	}},
	{"GroupNormalization", 21, func(g *graphMaker, op string) {
		groups := 1 + g.IntN(3)
		x := g.fresh(g.random(onnx.Float, []int{1 + g.IntN(2), groups * (1 + g.IntN(2)), 1 + g.IntN(3), 2}))
		vector := func() operand { return g.fresh(g.random(onnx.Float, x.shape()[1:2])) }
		g.node(op, computes, 1, []*onnx.Attr{onnx.IntAttr("num_groups", int64(groups)), onnx.FloatAttr("epsilon", 0.1)}, x, vector(), vector())
	}},
	{"RMSNormalization", 23, func(g *graphMaker, op string) {
		x := g.pickRank(onnx.Float, 1, 4)
		axis := g.IntN(x.rank())
		g.node(op, computes, 1, []*onnx.Attr{onnx.IntAttr("axis", int64(g.signed(axis, x.rank()))), onnx.FloatAttr("epsilon", 0.1)},
			x, g.fresh(g.random(onnx.Float, x.shape()[axis:])))
	}},
	{"LRN", 9, func(g *graphMaker, op string) {
		x := g.pickRank(onnx.Float, 4, 4)
		g.node(op, computes, 1, []*onnx.Attr{onnx.IntAttr("size", int64(choose(g, 1, 3, 5))), g.maybe(onnx.FloatAttr("alpha", 0.1)), g.maybe(onnx.FloatAttr("bias", 2))}, x)
	}},
	{"LpNormalization", 9, func(g *graphMaker, op string) {
		x := g.pickWithin(onnx.Float, 0.1, 10)
		if x.rank() == 0 || x.value.Len() == 0 {
			x = g.fresh(g.randomWithin(onnx.Float, g.shapeOf(1+g.IntN(3)), 0.1, 5))
		}
		g.node(op, computes, 1, []*onnx.Attr{g.maybe(onnx.IntAttr("p", 1)), onnx.IntAttr("axis", int64(g.signed(g.IntN(x.rank()), x.rank())))}, x)
	}},
	{"Resize", 11, drawResize},
}

// factor is the shape of a right operand for MatMul.
func (g *graphMaker) factor(left []int) []int {
	inner := left[len(left)-1]
	if g.IntN(5) == 0 {
		return []int{inner}
	}
	shape := []int{inner, 1 + g.IntN(6)}
	if len(left) > 2 && g.coin() {
		shape = append(g.narrowed(left[:len(left)-2]), shape...)
	}
	return shape
}

func drawGemm(g *graphMaker, op string) {
	x := g.pickRank(choose(g, onnx.Float, onnx.Float, onnx.Double), 2, 2)
	rows, inner, columns := x.shape()[0], x.shape()[1], 1+g.IntN(6)
	var attrs []*onnx.Attr
	if g.coin() {
		attrs = append(attrs, onnx.IntAttr("transA", 1))
		rows, inner = inner, rows
	}
	right := []int{inner, columns}
	if g.coin() {
		attrs = append(attrs, onnx.IntAttr("transB", 1))
		right = []int{columns, inner}
	}
	operands := []operand{x, g.fresh(g.random(x.dtype(), right))}
	if g.opset < 11 || g.coin() {
		operands = append(operands, g.fresh(g.random(x.dtype(), g.narrowed([]int{rows, columns}))))
	}
	g.node(op, computes, 1, append(attrs, g.maybe(onnx.FloatAttr("alpha", 0.5)), g.maybe(onnx.FloatAttr("beta", -1.5))), operands...)
}

func drawImage(e effect) func(g *graphMaker, op string) {
	return func(g *graphMaker, op string) {
		g.node(op, e, 1, nil, g.fresh(g.random(onnx.Float, g.shapeOf(3+g.IntN(2)))))
	}
}

// window is what convolutions and pools share: a kernel that fits its input.
type window struct{ spatial, kernel, strides, dilations []int }

func (g *graphMaker) window(axes int) *window {
	w := &window{}
	for range axes {
		kernel, dilation := 1+g.IntN(3), choose(g, 1, 1, 2)
		w.kernel = append(w.kernel, kernel)
		w.dilations = append(w.dilations, dilation)
		w.strides = append(w.strides, choose(g, 1, 1, 2, 3))
		w.spatial = append(w.spatial, (kernel-1)*dilation+1+g.IntN(5))
	}
	return w
}

func (w *window) undilate() {
	for i := range w.dilations {
		w.dilations[i] = 1
	}
}

// smallPads are smaller than the kernel, so that no window lies outside.
func (w *window) smallPads(g *graphMaker) []int {
	pads := make([]int, 2*len(w.kernel))
	for i := range pads {
		pads[i] = g.IntN(w.kernel[i%len(w.kernel)])
	}
	return pads
}

// attrs states strides and dilations, and pads in one of the two ways.
func (w *window) attrs(g *graphMaker) []*onnx.Attr {
	attrs := []*onnx.Attr{onnx.IntsAttr("strides", wide(w.strides)), onnx.IntsAttr("dilations", wide(w.dilations))}
	// A stride beyond the kernel would have SAME crop instead of pad, which ONNX
	// Runtime refuses for some pools and does for others; here the pad is then 0.
	plain := true
	for i := range w.kernel {
		plain = plain && w.dilations[i] == 1 && w.strides[i] <= w.kernel[i]
	}
	if plain && g.IntN(4) == 0 {
		return append(attrs, onnx.StringAttr("auto_pad", choose(g, "SAME_UPPER", "SAME_LOWER", "VALID")))
	}
	return append(attrs, onnx.IntsAttr("pads", wide(w.smallPads(g))))
}

func drawResize(g *graphMaker, op string) {
	// Halves of even sizes are whole: where they are not, ONNX Runtime aligns the
	// corners of the rounded size, ONNX's own tests those of the one with a fraction.
	x := g.fresh(g.random(onnx.Float, []int{1, 1 + g.IntN(2), 2 + 2*g.IntN(3), 2 + 2*g.IntN(3)}))
	mode := choose(g, "nearest", "linear", "cubic")
	attrs := []*onnx.Attr{
		onnx.StringAttr("mode", mode),
		onnx.StringAttr("coordinate_transformation_mode", choose(g, "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")),
	}
	if mode == "nearest" {
		attrs = append(attrs, onnx.StringAttr("nearest_mode", choose(g, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil")))
	}
	// Scales by powers of two have exact places, so that nearest has no doubtful ones.
	scales := []float32{1, 1, choose(g, float32(0.5), 1, 2, 4), choose(g, float32(0.5), 1, 2)}
	roi := g.constant(tensor.Make[float32]([]int{0}))
	if g.opset >= 13 {
		roi = operand{}
	}
	if mode == "nearest" && attrs[1].S[1] == 'l' {
		attrs[1] = onnx.StringAttr("coordinate_transformation_mode", "asymmetric")
	}
	g.node(op, computes, 1, attrs, x, roi, g.constant(tensor.New([]int{4}, scales)))
}
