package ops

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// drawnWindow is a random window: its attributes, and the shapes that it needs.
type drawnWindow struct {
	attrs                             []*onnx.Attr
	input, kernel                     []int
	strides, dilations, before, after []int
}

func drawWindow(random *rand.Rand, rank int) drawnWindow {
	var d drawnWindow
	for range rank {
		kernel, dilation := 1+random.IntN(3), 1+random.IntN(2)
		before, after := random.IntN(3), random.IntN(3)
		extent := (kernel-1)*dilation + 1
		d.kernel = append(d.kernel, kernel)
		d.dilations = append(d.dilations, dilation)
		d.strides = append(d.strides, 1+random.IntN(3))
		d.before, d.after = append(d.before, before), append(d.after, after)
		d.input = append(d.input, max(1, extent-before-after)+random.IntN(6))
	}
	d.attrs = []*onnx.Attr{
		onnx.IntsAttr("strides", toInt64(d.strides)),
		onnx.IntsAttr("dilations", toInt64(d.dilations)),
		onnx.IntsAttr("pads", append(toInt64(d.before), toInt64(d.after)...)),
		onnx.IntsAttr("kernel_shape", toInt64(d.kernel)),
	}
	return d
}

func (d drawnWindow) output() []int {
	var output []int
	for i, size := range d.input {
		output = append(output, (size+d.before[i]+d.after[i]-(d.kernel[i]-1)*d.dilations[i]-1)/d.strides[i]+1)
	}
	return output
}

// under visits the taps of the window of one output: the tap, and the position
// of the input that it meets, or -1 in padding.
func (d drawnWindow) under(output []int, visit func(tap, at int)) {
	place := make([]int, len(d.kernel))
	for tap := range tensor.Count(d.kernel) {
		unravel(tap, d.kernel, place)
		at := 0
		for axis := range place {
			i := output[axis]*d.strides[axis] - d.before[axis] + place[axis]*d.dilations[axis]
			if i < 0 || i >= d.input[axis] {
				at = -1
				break
			}
			at = at*d.input[axis] + i
		}
		visit(tap, at)
	}
}

func TestConvIsItsDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 150 {
		d := drawWindow(random, 1+random.IntN(3))
		group := []int{1, 2, 4}[random.IntN(3)]
		channels, maps := group*(1+random.IntN(2)), group*(1+random.IntN(5))
		x := noise(random, append([]int{2, channels}, d.input...)...)
		w := noise(random, append([]int{maps, channels / group}, d.kernel...)...)
		b := noise(random, maps)
		output := d.output()
		want := convolveNaively(t, d, group, x, w, b)
		name := fmt.Sprint(d.input, d.kernel, d.strides, d.dilations, d.before, d.after, group, channels, maps)
		t.Run(name, func(t *testing.T) {
			got := compute(t, "Conv", 22, 1, append(d.attrs, onnx.IntAttr("group", int64(group))), x, w, b)[0]
			wantClose(t, got, append([]int{2, maps}, output...), want, 1e-5)
			double := compute(t, "Conv", 22, 1, append(d.attrs, onnx.IntAttr("group", int64(group))),
				as(t, x, onnx.Double), as(t, w, onnx.Double), as(t, b, onnx.Double))[0]
			wantClose(t, double, append([]int{2, maps}, output...), want, 1e-14)
		})
	}
}

// Long lines are cut into patches, and so are many short ones.
func TestConvOfManyOutputs(t *testing.T) {
	random := rand.New(rand.NewPCG(16, 16))
	for _, test := range []struct{ input, kernel []int }{{[]int{700}, []int{5}}, {[]int{90, 4}, []int{3, 2}}, {[]int{40, 41}, []int{1, 1}}} {
		d := drawnWindow{input: test.input, kernel: test.kernel}
		for range test.input {
			d.strides, d.dilations, d.before, d.after = append(d.strides, 1), append(d.dilations, 1), append(d.before, 0), append(d.after, 0)
		}
		x := noise(random, append([]int{2, 6}, test.input...)...)
		w := noise(random, append([]int{5, 6}, test.kernel...)...)
		b := noise(random, 5)
		got := compute(t, "Conv", 11, 1, nil, x, w, b)[0]
		wantClose(t, got, append([]int{2, 5}, d.output()...), convolveNaively(t, d, 1, x, w, b), 1e-5)
	}
}

func convolveNaively(t *testing.T, d drawnWindow, group int, x, w, b *tensor.Tensor) []float64 {
	xs, ws, bs := floats(t, x), floats(t, w), floats(t, b)
	each, taps, output := tensor.Count(d.input), tensor.Count(d.kernel), d.output()
	depth, maps := w.Shape()[1], w.Shape()[0]
	place := make([]int, len(output))
	var y []float64
	for sample := range x.Shape()[0] {
		for m := range maps {
			first := sample*x.Shape()[1] + m/(maps/group)*depth
			for o := range tensor.Count(output) {
				unravel(o, output, place)
				sum := bs[m]
				d.under(place, func(tap, at int) {
					for channel := range depth {
						if at >= 0 {
							sum += xs[(first+channel)*each+at] * ws[(m*depth+channel)*taps+tap]
						}
					}
				})
				y = append(y, sum)
			}
		}
	}
	return y
}

// A transposed convolution is the adjoint of the convolution with the same
// weight and window: ⟨conv(x), y⟩ = ⟨x, convTranspose(y)⟩.
func TestConvTransposeIsTheAdjoint(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	for range 150 {
		d := drawWindow(random, 1+random.IntN(3))
		group := []int{1, 2, 4}[random.IntN(3)]
		channels, maps := group*(1+random.IntN(2)), group*(1+random.IntN(3))
		x := noise(random, append([]int{2, channels}, d.input...)...)
		w := noise(random, append([]int{maps, channels / group}, d.kernel...)...)
		y := noise(random, append([]int{2, maps}, d.output()...)...)
		attrs := append(d.attrs, onnx.IntAttr("group", int64(group)))
		var extra []int64
		for i, o := range d.output() {
			reached := d.strides[i]*(o-1) + (d.kernel[i]-1)*d.dilations[i] + 1 - d.before[i] - d.after[i]
			extra = append(extra, int64(d.input[i]-reached))
		}
		there := compute(t, "Conv", 22, 1, attrs, x, w)[0]
		back := compute(t, "ConvTranspose", 22, 1, append(attrs, onnx.IntsAttr("output_padding", extra)), y, w)[0]
		a, b := dot(floats(t, there), floats(t, y)), dot(floats(t, x), floats(t, back))
		if d := a - b; d > 1e-4 || d < -1e-4 {
			t.Fatalf("%v and %v, group %d: %v on one side and %v on the other", x.Shape(), w.Shape(), group, a, b)
		}
	}
}

func TestConvTransposeShapes(t *testing.T) {
	ints := func(name string, v ...int64) *onnx.Attr { return onnx.IntsAttr(name, v) }
	x, w := shaped[float32]([]int{1, 1, 2}, 1, 2), shaped[float32]([]int{1, 1, 3}, 1, 10, 100)
	of := func(name string, attrs []*onnx.Attr, want ...float32) nodeTest {
		return nodeTest{op: "ConvTranspose", opset: 11, name: name, attrs: attrs, in: values(x, w), want: values(shaped([]int{1, 1, len(want)}, want...))}
	}
	runNodeTests(t, []nodeTest{
		of("defaults", nil, 1, 12, 120, 200),
		of("strides", []*onnx.Attr{ints("strides", 2)}, 1, 10, 102, 20, 200),
		of("pads", []*onnx.Attr{ints("pads", 1, 2)}, 12),
		of("output padding", []*onnx.Attr{ints("strides", 2), ints("output_padding", 1)}, 1, 10, 102, 20, 200, 0),
		of("same upper", []*onnx.Attr{ints("strides", 2), onnx.StringAttr("auto_pad", "SAME_UPPER")}, 1, 10, 102, 20),
		of("same lower", []*onnx.Attr{ints("strides", 2), onnx.StringAttr("auto_pad", "SAME_LOWER")}, 10, 102, 20, 200),
		of("output shape", []*onnx.Attr{ints("output_shape", 3)}, 12, 120, 200),
		of("output shape, upper", []*onnx.Attr{ints("output_shape", 3), onnx.StringAttr("auto_pad", "SAME_UPPER")}, 1, 12, 120),
		of("output shape with batch and channels", []*onnx.Attr{ints("output_shape", 1, 1, 2)}, 12, 120),
		of("more than is reached", []*onnx.Attr{ints("output_shape", 6)}, 1, 12, 120, 200, 0, 0),
		{op: "ConvTranspose", opset: 11, name: "bias", in: values(x, w, list[float32](5)), want: values(shaped[float32]([]int{1, 1, 4}, 6, 17, 125, 205))},
		{op: "ConvTranspose", opset: 11, name: "channels", in: values(counting(1, 2, 2), w), err: "does not fit"},
		{op: "ConvTranspose", opset: 11, name: "kernel", attrs: []*onnx.Attr{ints("kernel_shape", 2)}, in: values(x, w), err: "kernel_shape"},
		{op: "ConvTranspose", opset: 11, name: "too much padding", attrs: []*onnx.Attr{ints("pads", 3, 3)}, in: values(x, w), err: "out of range"},
	})
}

// Patches cover every output once, whatever their size, and unroll to the same.
func TestPatches(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 15))
	for range 60 {
		d := drawWindow(random, 1+random.IntN(3))
		w, err := windowAttributes{autoPad: "NOTSET", strides: d.strides, dilations: d.dilations, pads: append(append([]int{}, d.before...), d.after...)}.slide(d.input, d.kernel)
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.rows()
		if err != nil {
			t.Fatal(err)
		}
		data, _ := tensor.Data[float32](noise(random, append([]int{2}, d.input...)...))
		width, outputs := w.output[len(w.output)-1], tensor.Count(w.output)
		rows := 2 * tensor.Count(d.kernel)
		whole, pieced := make([]float32, rows*outputs), make([]float32, rows*outputs)
		unroll(r, data, 2, patch{lines: len(r.lines), width: width}, 9, whole)
		fillWith(pieced, -9)
		for _, p := range r.patches(1 + random.IntN(outputs)) {
			columns := make([]float32, rows*p.size())
			unroll(r, data, 2, p, 9, columns)
			for row := range rows {
				copy(pieced[row*outputs+p.line*width+p.column:], columns[row*p.size():][:p.size()])
			}
		}
		if !slices.Equal(whole, pieced) {
			t.Fatalf("window %+v: patches give %v, all at once %v", *w, pieced, whole)
		}
	}
}

func TestConvErrors(t *testing.T) {
	group := func(n int64) []*onnx.Attr { return []*onnx.Attr{onnx.IntAttr("group", n)} }
	runNodeTests(t, []nodeTest{
		{op: "Conv", opset: 11, name: "rank", in: values(counting(1, 1), counting(1, 1)), err: "rank"},
		{op: "Conv", opset: 11, name: "channels", in: values(counting(1, 3, 2), counting(1, 2, 1)), err: "does not fit"},
		{op: "Conv", opset: 11, name: "groups", attrs: group(2), in: values(counting(1, 2, 2), counting(3, 1, 1)), err: "2 groups"},
		{op: "Conv", opset: 11, name: "no group", attrs: group(0), in: values(counting(1, 2, 2), counting(3, 1, 1)), err: "at least 1"},
		{op: "Conv", opset: 11, name: "bias", in: values(counting(1, 1, 2), counting(2, 1, 1), counting(3)), err: "bias"},
		{op: "Conv", opset: 11, name: "integers", in: values(shaped[int32]([]int{1, 1, 1}, 1), counting(1, 1, 1)), err: "int32"},
		{op: "Conv", opset: 11, name: "no channels", in: values(counting(1, 0, 2), counting(1, 0, 1), list[float32](3)), want: values(shaped[float32]([]int{1, 1, 2}, 3, 3))},
		{op: "Conv", opset: 11, name: "an empty batch", in: values(counting(0, 1, 2), counting(4, 1, 1)), want: values(counting(0, 4, 2))},
	})
}

// 16-bit operands are widened, and the float32 sum is rounded once.
func TestConvRoundsOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for _, to := range []onnx.DType{onnx.Float16, onnx.BFloat16} {
		x, w, b := as(t, noise(random, 1, 5, 9, 9), to), as(t, noise(random, 4, 5, 3, 3), to), as(t, noise(random, 4), to)
		got := compute(t, "Conv", 22, 1, nil, x, w, b)[0]
		wide := compute(t, "Conv", 22, 1, nil, as(t, x, onnx.Float), as(t, w, onnx.Float), as(t, b, onnx.Float))[0]
		if want := as(t, wide, to); show(got) != show(want) {
			t.Errorf("got %s\nwant %s", show(got), show(want))
		}
	}
}

func TestDeformConvMovesItsTaps(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	x, w, b := noise(random, 2, 4, 6, 7), noise(random, 6, 2, 3, 2), noise(random, 6)
	attrs := []*onnx.Attr{onnx.IntAttr("group", 2), onnx.IntAttr("offset_group", 2), onnx.IntsAttr("pads", []int64{1, 0, 1, 1})}
	plain := compute(t, "Conv", 22, 1, []*onnx.Attr{attrs[0], attrs[2]}, x, w, b)[0]
	offset := tensor.Make[float32]([]int{2, 2 * 6 * 2, 6, 7})
	still := compute(t, "DeformConv", 22, 1, attrs, x, w, offset, b)[0]
	wantSame(t, still, plain, 1e-5)

	// One row further down: as if the input had been moved up by one.
	data, _ := tensor.Data[float32](offset)
	moved := append([]float32{}, data...)
	for i := range moved {
		if i/(6*7)%2 == 0 { // the first of the two axes
			moved[i] = 1
		}
	}
	up := joined(t, 2, part(x, 2, 1, 6), tensor.Make[float32]([]int{2, 4, 1, 7}))
	// Padding at the top would show the input's first row; it is cut off.
	want := compute(t, "Conv", 22, 1, []*onnx.Attr{attrs[0], attrs[2]}, up, w, b)[0]
	got := compute(t, "DeformConv", 22, 1, attrs, x, w, tensor.New(offset.Shape(), moved), b)[0]
	wantSame(t, part(got, 2, 1, 6), part(want, 2, 1, 6), 1e-5)

	mask := make([]float32, 2*2*6*6*7)
	fillWith(mask, 0.5)
	half := compute(t, "DeformConv", 22, 1, attrs, x, w, offset, nil, tensor.New([]int{2, 12, 6, 7}, mask))[0]
	whole := floats(t, compute(t, "Conv", 22, 1, []*onnx.Attr{attrs[0], attrs[2]}, x, w)[0])
	for i := range whole {
		whole[i] /= 2
	}
	wantClose(t, half, plain.Shape(), whole, 1e-5)
}

// What a causal convolution gives for a sequence does not depend on how it is
// cut, if each part gets the state that the one before it left.
func TestCausalConvCarriesItsState(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	x, w, b, past := noise(random, 2, 3, 9), noise(random, 3, 1, 4), noise(random, 3), noise(random, 2, 3, 3)
	for _, activation := range []string{"none", "silu"} {
		attrs := []*onnx.Attr{onnx.StringAttr("activation", activation)}
		whole := compute(t, "CausalConvWithState", 27, 2, attrs, x, w, b, past)
		state := past
		var parts []*tensor.Tensor
		for _, cut := range [][2]int{{0, 5}, {5, 6}, {6, 6}, {6, 9}} {
			results := compute(t, "CausalConvWithState", 27, 2, attrs, part(x, 2, cut[0], cut[1]), w, b, state)
			parts, state = append(parts, results[0]), results[1]
		}
		wantSame(t, joined(t, 2, parts...), whole[0], 1e-6)
		wantSame(t, state, whole[1], 0)
		wantSame(t, state, part(x, 2, 6, 9), 0)
	}
	runNodeTests(t, []nodeTest{
		{op: "CausalConvWithState", opset: 27, name: "no past", in: values(shaped[float32]([]int{1, 1, 2}, 1, 2), shaped[float32]([]int{1, 1, 3}, 100, 10, 1)),
			want: values(shaped[float32]([]int{1, 1, 2}, 1, 12), shaped[float32]([]int{1, 1, 2}, 1, 2))},
		{op: "CausalConvWithState", opset: 27, name: "weight", in: values(x, counting(3, 2, 4)), err: "kernel"},
		{op: "CausalConvWithState", opset: 27, name: "past", in: values(x, w, b, counting(2, 3, 2)), err: "past state"},
		{op: "CausalConvWithState", opset: 27, name: "activation", attrs: []*onnx.Attr{onnx.StringAttr("activation", "relu")}, in: values(x, w), err: "silu"},
	})
}
