package ops

import (
	"math/rand/v2"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestDepthAndSpace(t *testing.T) {
	block, other := onnx.IntAttr("blocksize", 2), text("mode", "CRD")
	deep := counting(1, 8, 1, 1) // two channels of 2·2
	runNodeTests(t, []nodeTest{
		{op: "DepthToSpace", opset: 1, attrs: []*onnx.Attr{block}, in: values(deep), want: values(shaped[float32]([]int{1, 2, 2, 2}, 0, 2, 4, 6, 1, 3, 5, 7))},
		{op: "DepthToSpace", opset: 11, name: "CRD", attrs: []*onnx.Attr{block, other}, in: values(deep), want: values(shaped[float32]([]int{1, 2, 2, 2}, 0, 1, 2, 3, 4, 5, 6, 7))},
		{op: "SpaceToDepth", opset: 1, name: "text", attrs: []*onnx.Attr{block}, in: values(shaped([]int{1, 1, 2, 2}, "a", "b", "c", "d")), want: values(shaped([]int{1, 4, 1, 1}, "a", "b", "c", "d"))},
		{op: "DepthToSpace", opset: 13, name: "uneven", attrs: []*onnx.Attr{block}, in: values(counting(1, 6, 1, 1)), err: "blocks of 2·2"},
		{op: "SpaceToDepth", opset: 13, name: "uneven", attrs: []*onnx.Attr{block}, in: values(counting(1, 6, 1, 2)), err: "blocks of 2·2"},
		{op: "SpaceToDepth", opset: 13, name: "no block", in: values(deep), err: "blocksize"},
		{op: "SpaceToDepth", opset: 28, name: "mode", attrs: []*onnx.Attr{block, text("mode", "RCD")}, in: values(deep), err: "DCR or CRD"},
	})
	x := noise(rand.New(rand.NewPCG(13, 13)), 2, 3, 4, 6)
	for _, attrs := range [][]*onnx.Attr{{block}, {block, other}} {
		wantSame(t, compute(t, "DepthToSpace", 28, 1, attrs, compute(t, "SpaceToDepth", 28, 1, attrs, x)[0])[0], x, 0)
	}
}

func TestCenterCropPad(t *testing.T) {
	five := list[int32](1, 2, 3, 4, 5)
	to := func(name string, want ...int32) nodeTest {
		return nodeTest{op: "CenterCropPad", opset: 18, name: name, in: values(five, list(int64(len(want)))), want: values(list(want...))}
	}
	runNodeTests(t, []nodeTest{
		to("the same", 1, 2, 3, 4, 5),
		to("cut on both sides", 2, 3, 4),
		to("cut more at the end", 2, 3),
		to("filled on both sides", 0, 1, 2, 3, 4, 5, 0),
		to("filled more at the end", 0, 1, 2, 3, 4, 5, 0, 0),
		to("to nothing"),
		{op: "CenterCropPad", opset: 18, name: "axes", attrs: []*onnx.Attr{onnx.IntsAttr("axes", []int64{-1})}, in: values(shaped([]int{2, 1}, "a", "b"), list[int32](3)),
			want: values(shaped([]int{2, 3}, "", "a", "", "", "b", ""))},
		{op: "CenterCropPad", opset: 18, name: "axis", attrs: []*onnx.Attr{onnx.IntsAttr("axes", []int64{1})}, in: values(five, list[int32](3)), err: "axis 1"},
		{op: "CenterCropPad", opset: 18, name: "sizes", in: values(five, list[int32](3, 3)), err: "size for each"},
		{op: "CenterCropPad", opset: 18, name: "negative", in: values(five, list[int64](-3)), err: "negative"},
		{op: "CenterCropPad", opset: 18, name: "too large", in: values(five, list[int64](1<<40)), err: "too large"},
	})
}

// Folding what was unrolled adds every element up as often as a window met it.
func TestCol2ImUndoesUnrolling(t *testing.T) {
	random := rand.New(rand.NewPCG(14, 14))
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
		x := noise(random, append([]int{2}, d.input...)...)
		taps, outputs := tensor.Count(d.kernel), tensor.Count(w.output)
		columns, ones := make([]float32, 2*taps*outputs), make([]float32, 2*taps*outputs)
		data, _ := tensor.Data[float32](x)
		unroll(r, data, 2, patch{lines: len(r.lines), width: w.output[len(w.output)-1]}, 0, columns)
		fillWith(ones, 1)
		fold := func(columns []float32) []float64 {
			in := values(shaped([]int{1, 2 * taps, outputs}, columns...), list(toInt64(d.input)...), list(toInt64(d.kernel)...))
			return floats(t, compute(t, "Col2Im", 18, 1, d.attrs[:3], in...)[0])
		}
		met := fold(ones)
		for i, sum := range fold(columns) {
			if diff := sum - met[i]*float64(data[i]); diff > 1e-5 || diff < -1e-5 {
				t.Fatalf("element %d is met by %v windows and adds up to %v, not %v times that", i, met[i], sum, data[i])
			}
		}
	}
	image, block := list[int64](3), list[int64](2)
	runNodeTests(t, []nodeTest{
		{op: "Col2Im", opset: 18, name: "integers", in: values(shaped[int8]([]int{1, 2, 2}, 1, 2, 3, 4), image, block), want: values(shaped[int8]([]int{1, 1, 3}, 1, 5, 4))},
		{op: "Col2Im", opset: 18, name: "complex", in: values(shaped([]int{1, 2, 2}, 1i, 2, 3i, 4), image, block), want: values(shaped([]int{1, 1, 3}, 1i, 2+3i, 4))},
		{op: "Col2Im", opset: 18, name: "blocks", in: values(counting(1, 2, 3), image, block), err: "2 blocks"},
		{op: "Col2Im", opset: 18, name: "text", in: values(shaped([]int{1, 2, 2}, "a", "b", "c", "d"), image, block), err: "string"},
		{op: "Col2Im", opset: 18, name: "rank", in: values(counting(2, 2), image, block), err: "rank 3"},
	})
}
