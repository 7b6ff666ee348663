package ops

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// fourierByDefinition is y[k] = Σ x[n]·exp(-2πi·kn/N).
func fourierByDefinition(x []complex128) []complex128 {
	y := make([]complex128, len(x))
	for k := range y {
		for n, v := range x {
			y[k] += v * cmplx.Rect(1, -2*math.Pi*float64(k*n%len(x))/float64(len(x)))
		}
	}
	return y
}

func TestFourierIsItsDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 30, 64, 97, 100, 128, 255, 257} {
		x, z := make([]complex128, n), makeComplexes(n)
		for i := range x {
			z.re[i], z.im[i] = random.NormFloat64(), random.NormFloat64()
			x[i] = complex(z.re[i], z.im[i])
		}
		fourier(z, false)
		for k, want := range fourierByDefinition(x) {
			if got := complex(z.re[k], z.im[k]); cmplx.Abs(got-want) > 1e-11 {
				t.Errorf("length %d: y[%d] is %v, want %v", n, k, got, want)
			}
		}
		fourier(z, true)
		for i, want := range x {
			if got := complex(z.re[i], z.im[i]); cmplx.Abs(got-want) > 1e-13 {
				t.Errorf("length %d: there and back, x[%d] is %v, want %v", n, i, got, want)
			}
		}
	}
}

func TestDFT(t *testing.T) {
	one, inverse := onnx.IntAttr("onesided", 1), onnx.IntAttr("inverse", 1)
	signal := shaped([]int{1, 4, 1}, 1.0, 2, 3, 4)
	spectrum := shaped([]int{1, 4, 2}, 10.0, 0, -2, 2, -2, 0, -2, -2)
	half := shaped([]int{1, 3, 2}, 10.0, 0, -2, 2, -2, 0)
	close := func(name string, test nodeTest) {
		t.Run(name, func(t *testing.T) {
			got, err := runNode(t, test)
			if err != nil {
				t.Fatal(err)
			}
			y, want := got[0].(*tensor.Tensor), test.want[0].(*tensor.Tensor)
			near := show(y.WithShape([]int{y.Len()})) != "" && show(tensor.New(y.Shape(), []bool{})) == show(tensor.New(want.Shape(), []bool{}))
			for i, v := range want.Any().([]float64) {
				near = near && math.Abs(y.Any().([]float64)[i]-v) < 1e-12
			}
			if !near {
				t.Errorf("got %s\nwant %s", show(y), show(want))
			}
		})
	}
	close("of a real signal", nodeTest{op: "DFT", opset: 17, in: values(signal), want: values(spectrum)})
	close("one-sided", nodeTest{op: "DFT", opset: 20, attrs: attrs(one), in: values(signal), want: values(half)})
	close("back", nodeTest{op: "DFT", opset: 20, attrs: attrs(inverse), in: values(spectrum), want: values(shaped([]int{1, 4, 2}, 1.0, 0, 2, 0, 3, 0, 4, 0))})
	close("one-sided back", nodeTest{op: "DFT", opset: 20, attrs: attrs(inverse, one), in: values(half), want: values(signal)})
	close("one-sided back to an odd length", nodeTest{op: "DFT", opset: 20, attrs: attrs(inverse, one), in: values(shaped([]int{2, 2}, 3.0, 0, 0, 0), tensor.Scalar(int64(3))), want: values(shaped([]int{3, 1}, 1.0, 1, 1))})
	close("lengthened", nodeTest{op: "DFT", opset: 20, in: values(shaped([]int{2, 1}, 1.0, 1), tensor.Scalar(int64(4))), want: values(shaped([]int{4, 2}, 2.0, 0, 1, -1, 0, 0, 1, 1))})
	close("shortened", nodeTest{op: "DFT", opset: 20, in: values(shaped([]int{3, 1}, 1.0, 3, 9), tensor.Scalar(int64(2))), want: values(shaped([]int{2, 2}, 4.0, 0, -2, 0))})
	close("along the first axis", nodeTest{op: "DFT", opset: 20, in: values(shaped([]int{2, 2, 1}, 1.0, 2, 3, 4), nil, tensor.Scalar(int64(0))), want: values(shaped([]int{2, 2, 2}, 4.0, 0, 6, 0, -2, 0, -2, 0))})
	close("frames", nodeTest{op: "STFT", opset: 17, in: values(signal, tensor.Scalar(int64(1)), list(1.0, 0.5)), want: values(shaped([]int{1, 3, 2, 2}, 2.0, 0, 0, 0, 3.5, 0, 0.5, 0, 5, 0, 1, 0))})
	runNodeTests(t, []nodeTest{
		{name: "along the parts", op: "DFT", opset: 20, in: values(signal, nil, tensor.Scalar(int64(-1))), err: "last axis"},
		{name: "of nothing", op: "DFT", opset: 20, in: values(shaped[float32]([]int{0, 1})), err: "length 0"},
		{name: "too long", op: "DFT", opset: 20, in: values(signal, tensor.Scalar(int64(1<<40))), err: "too large"},
		{name: "an unequal window", op: "STFT", opset: 17, in: values(signal, tensor.Scalar(int64(1)), list(1.0, 0.5), tensor.Scalar(int64(3))), err: "do not fit"},
		{name: "no step", op: "STFT", opset: 17, in: values(signal, tensor.Scalar(int64(0))), err: "do not fit"},
	})
}
