package ops

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// The identity's grid, sampled in any mode, gives the image back.
func TestIdentityGrid(t *testing.T) {
	random := rand.New(rand.NewPCG(12, 12))
	for _, test := range []struct {
		image []int
		theta *tensor.Tensor
	}{
		{[]int{2, 3, 4, 5}, shaped[float32]([]int{2, 2, 3}, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0)},
		{[]int{1, 2, 3, 4, 5}, shaped[float32]([]int{1, 3, 4}, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)},
	} {
		x := noise(random, test.image...)
		for corners := range int64(2) {
			align := onnx.IntAttr("align_corners", corners)
			grid := compute(t, "AffineGrid", 20, 1, []*onnx.Attr{align}, test.theta, list(toInt64(test.image)...))[0]
			for _, mode := range []string{"nearest", "linear", "cubic"} {
				for _, padding := range []string{"zeros", "border", "reflection"} {
					got := compute(t, "GridSample", 20, 1, []*onnx.Attr{align, text("mode", mode), text("padding_mode", padding)}, x, grid)[0]
					wantSame(t, got, x, 1e-5)
				}
			}
		}
	}
}

func TestAffineGridTransforms(t *testing.T) {
	theta := shaped([]int{1, 2, 3}, 0, 2, 0.5, -1, 0, 0.25) // x' = 2y + 0.5, y' = -x + 0.25
	got := compute(t, "AffineGrid", 20, 1, nil, theta, list[int64](1, 1, 1, 2))[0]
	wantClose(t, got, []int{1, 1, 2, 2}, []float64{0.5, 0.75, 0.5, -0.25}, 1e-15)
	runNodeTests(t, []nodeTest{
		{op: "AffineGrid", opset: 20, name: "rank", in: values(theta, list[int64](1, 1, 1)), err: "r being 2 or 3"},
		{op: "AffineGrid", opset: 20, name: "batch", in: values(theta, list[int64](2, 1, 1, 2)), err: "theta"},
	})
}

func TestGridSampleBeyondTheBorder(t *testing.T) {
	x := shaped[float32]([]int{1, 1, 1, 4}, 1, 2, 3, 4)
	// With corners aligned, elements stand at -1, -1/3, 1/3, 1; a step is 2/3.
	at := func(positions ...float32) *tensor.Tensor {
		var grid []float32
		for _, p := range positions {
			grid = append(grid, p*2/3-1, 0)
		}
		return shaped([]int{1, 1, len(positions), 2}, grid...)
	}
	sample := func(mode, padding string, want []float64, positions ...float32) {
		t.Helper()
		got := compute(t, "GridSample", 16, 1, []*onnx.Attr{text("mode", mode), text("padding_mode", padding), onnx.IntAttr("align_corners", 1)}, x, at(positions...))[0]
		wantClose(t, got, []int{1, 1, 1, len(want)}, want, 1e-6)
	}
	sample("bilinear", "zeros", []float64{0, 0.5, 1, 2.5, 2, 0}, -2, -0.5, 0, 1.5, 3.5, 5)
	sample("bilinear", "border", []float64{1, 1, 4, 4}, -2, -0.5, 3.5, 50)
	sample("bilinear", "reflection", []float64{3, 1.5, 3.5, 1, 2}, -2, -0.5, 3.5, 6, 7)
	// A quarter in front of the border: 1 but for the share of the second element.
	second := resampleMode{cubic: -0.75}.cubicKernel(1.25)
	sample("bicubic", "border", []float64{1, 1 + second, 1}, -2, -0.25, 0)
	sample("nearest", "zeros", []float64{0, 1, 3, 0}, -0.75, -0.25, 2.25, 3.75)
	sample("nearest", "reflection", []float64{2, 3}, -1, 4)

	nan := float32(math.NaN())
	attrs := []*onnx.Attr{text("mode", "nearest")}
	runNodeTests(t, []nodeTest{
		{op: "GridSample", opset: 20, name: "text", attrs: attrs, in: values(shaped([]int{1, 1, 2}, "a", "b"), shaped[float32]([]int{1, 3, 1}, 0.5, -0.5, 9)),
			want: values(shaped([]int{1, 1, 3}, "b", "a", ""))},
		{op: "GridSample", opset: 20, name: "not a number", attrs: attrs, in: values(counting(1, 1, 2), shaped([]int{1, 1, 1}, nan)), want: values(counting(1, 1, 1))},
		{op: "GridSample", opset: 20, name: "integers are cut off", in: values(shaped[int32]([]int{1, 1, 2}, 0, -3), shaped[float32]([]int{1, 1, 1}, 0)), want: values(shaped[int32]([]int{1, 1, 1}, -1))},
		{op: "GridSample", opset: 20, name: "mode", attrs: []*onnx.Attr{text("mode", "sinc")}, in: values(x, at(0)), err: "sinc"},
		{op: "GridSample", opset: 20, name: "padding", attrs: []*onnx.Attr{text("padding_mode", "wrap")}, in: values(x, at(0)), err: "wrap"},
		{op: "GridSample", opset: 20, name: "axes", in: values(x, counting(1, 1, 1, 3)), err: "grid"},
		{op: "GridSample", opset: 20, name: "of nothing", in: values(counting(1, 1, 0, 4), at(0)), err: "no elements"},
	})
}
