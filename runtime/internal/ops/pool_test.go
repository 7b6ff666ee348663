package ops

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestPoolsAreTheirDefinitions(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	for range 150 {
		d := drawWindow(random, 1+random.IntN(3))
		for i := range d.kernel { // every window needs an element of the input
			d.before[i], d.after[i] = 0, 0
			d.input[i] = (d.kernel[i]-1)*d.dilations[i] + 1 + random.IntN(5)
		}
		if random.IntN(2) == 0 && d.kernel[0] > 1 {
			d.before[0], d.after[0] = d.dilations[0], 1
		}
		d.attrs[2] = onnx.IntsAttr("pads", append(toInt64(d.before), toInt64(d.after)...))
		x := noise(random, append([]int{2, 3}, d.input...)...)
		xs, each, output := floats(t, x), tensor.Count(d.input), d.output()
		place := make([]int, len(output))
		var most, average, padded, norm, where []float64
		for channel := range 6 {
			for o := range tensor.Count(output) {
				unravel(o, output, place)
				best, at, sum, cubes, inside := math.Inf(-1), -1, 0.0, 0.0, 0
				d.under(place, func(_, i int) {
					if i < 0 {
						return
					}
					v := xs[channel*each+i]
					if v > best {
						best, at = v, channel*each+i
					}
					sum += v
					cubes += math.Abs(v * v * v)
					inside++
				})
				most, where = append(most, best), append(where, float64(at))
				average, padded = append(average, sum/float64(inside)), append(padded, sum/float64(tensor.Count(d.kernel)))
				norm = append(norm, math.Cbrt(cubes))
			}
		}
		shape := append([]int{2, 3}, output...)
		maximum := compute(t, "MaxPool", 12, 2, d.attrs, x)
		wantClose(t, maximum[0], shape, most, 0)
		wantClose(t, maximum[1], shape, where, 0)
		wantClose(t, compute(t, "AveragePool", 19, 1, d.attrs, x)[0], shape, average, 1e-6)
		wantClose(t, compute(t, "AveragePool", 19, 1, append(d.attrs, onnx.IntAttr("count_include_pad", 1)), x)[0], shape, padded, 1e-6)
		wantClose(t, compute(t, "LpPool", 18, 1, append(d.attrs, onnx.IntAttr("p", 3)), x)[0], shape, norm, 1e-6)
	}
}

func TestPoolEdges(t *testing.T) {
	kernel := func(n ...int64) *onnx.Attr { return onnx.IntsAttr("kernel_shape", n) }
	strides, pads := onnx.IntsAttr("strides", []int64{2}), onnx.IntsAttr("pads", []int64{1, 1})
	ceil, include := onnx.IntAttr("ceil_mode", 1), onnx.IntAttr("count_include_pad", 1)
	four := shaped[float32]([]int{1, 1, 4}, 2, 4, 6, 8)
	square := shaped[int8]([]int{1, 1, 2, 3}, -5, 9, 9, 1, 2, 3)
	runNodeTests(t, []nodeTest{
		// The last window hangs over by one: that element counts for nothing.
		{op: "AveragePool", opset: 19, name: "ceil", attrs: []*onnx.Attr{kernel(3), strides, pads, ceil, include}, in: values(four),
			want: values(shaped[float32]([]int{1, 1, 3}, 2, 6, 4))},
		{op: "AveragePool", opset: 19, name: "ceil without padding", attrs: []*onnx.Attr{kernel(3), strides, pads, ceil}, in: values(four),
			want: values(shaped[float32]([]int{1, 1, 3}, 3, 6, 8))},
		{op: "AveragePool", opset: 19, name: "no kernel", in: values(four), err: "kernel_shape"},
		{op: "AveragePool", opset: 19, name: "rank", attrs: []*onnx.Attr{kernel()}, in: values(counting(2, 2)), err: "rank 3"},
		{op: "MaxPool", opset: 12, name: "row major", attrs: []*onnx.Attr{kernel(2, 2)}, in: values(square),
			want: values(shaped[int8]([]int{1, 1, 1, 2}, 9, 9), shaped[int64]([]int{1, 1, 1, 2}, 1, 1))},
		{op: "MaxPool", opset: 12, name: "column major", attrs: []*onnx.Attr{kernel(2, 2), onnx.IntAttr("storage_order", 1)}, in: values(square),
			want: values(shaped[int8]([]int{1, 1, 1, 2}, 9, 9), shaped[int64]([]int{1, 1, 1, 2}, 2, 2))},
		{op: "MaxPool", opset: 12, name: "bytes", attrs: []*onnx.Attr{kernel(1, 3)}, in: values(shaped[uint8]([]int{1, 1, 1, 3}, 7, 200, 3)), want: values(shaped[uint8]([]int{1, 1, 1, 1}, 200))},
		{op: "LpPool", opset: 1, name: "an order of 1.0", attrs: []*onnx.Attr{kernel(2), onnx.FloatAttr("p", 1)}, in: values(shaped[float32]([]int{1, 1, 2}, -3, 4)), want: values(shaped[float32]([]int{1, 1, 1}, 7))},
		{op: "LpPool", opset: 18, name: "no order", attrs: []*onnx.Attr{kernel(2), onnx.IntAttr("p", 0)}, in: values(four), err: "positive"},
		{op: "GlobalAveragePool", opset: 1, in: values(counting(1, 2, 2, 2)), want: values(shaped[float32]([]int{1, 2, 1, 1}, 1.5, 5.5))},
		{op: "GlobalMaxPool", opset: 1, in: values(counting(1, 2, 3)), want: values(shaped[float32]([]int{1, 2, 1}, 2, 5))},
		{op: "GlobalMaxPool", opset: 1, name: "of nothing", in: values(counting(1, 2, 0)), err: "no elements"},
		{op: "GlobalLpPool", opset: 2, in: values(shaped[float64]([]int{1, 1, 2}, 3, -4)), want: values(shaped[float64]([]int{1, 1, 1}, 5))},
		{op: "GlobalAveragePool", opset: 1, name: "rank", in: values(counting(2)), err: "rank 2"},
	})
}

// Unpooling puts the maxima back where they came from.
func TestMaxUnpool(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	x := noise(random, 2, 3, 6, 8)
	attrs := []*onnx.Attr{onnx.IntsAttr("kernel_shape", []int64{2, 2}), onnx.IntsAttr("strides", []int64{2, 2})}
	pooled := compute(t, "MaxPool", 12, 2, attrs, x)
	back := compute(t, "MaxUnpool", 11, 1, attrs, pooled[0], pooled[1])[0]
	xs := floats(t, x)
	kept := 0
	for i, v := range floats(t, back) {
		if v != 0 {
			kept++
			if v != xs[i] {
				t.Fatalf("element %d is %v, and was %v", i, v, xs[i])
			}
		}
	}
	if kept != pooled[0].Len() {
		t.Errorf("%d elements came back, want %d", kept, pooled[0].Len())
	}
	kernel := []*onnx.Attr{onnx.IntsAttr("kernel_shape", []int64{2})}
	one, at := shaped[float32]([]int{1, 1, 1}, 5), shaped[int64]([]int{1, 1, 1}, 1)
	runNodeTests(t, []nodeTest{
		{op: "MaxUnpool", opset: 11, name: "into more", attrs: kernel, in: values(one, at, list[int64](1, 1, 4)), want: values(shaped[float32]([]int{1, 1, 4}, 0, 5, 0, 0))},
		{op: "MaxUnpool", opset: 11, name: "outside", attrs: kernel, in: values(one, shaped[int64]([]int{1, 1, 1}, 2)), err: "outside"},
		{op: "MaxUnpool", opset: 11, name: "no kernel", in: values(one, at), err: "kernel_shape"},
	})
}
