package ops

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestIntegerProducts(t *testing.T) {
	a, b := shaped[uint8]([]int{2, 2}, 1, 2, 3, 4), shaped[int8]([]int{2, 2}, 1, -1, 2, -2)
	batch := shaped[uint8]([]int{2, 1, 2}, 1, 2, 3, 4)
	one := tensor.Scalar[float32](1)
	runNodeTests(t, []nodeTest{
		{op: "MatMulInteger", opset: 10, in: values(a, b), want: values(shaped[int32]([]int{2, 2}, 5, -5, 11, -11))},
		{op: "MatMulInteger", opset: 10, name: "zero points of rows and columns", in: values(a, b, list[uint8](1, 2), list[int8](1, -1)), want: values(shaped[int32]([]int{2, 2}, 1, -1, 2, -2))},
		{op: "MatMulInteger", opset: 10, name: "a batch on the left", in: values(batch, b, list[uint8](1)), want: values(shaped[int32]([]int{2, 1, 2}, 2, -2, 8, -8))},
		{op: "MatMulInteger", opset: 10, name: "zero points of each matrix", in: values(batch, b, shaped[uint8]([]int{2, 1, 1}, 1, 3)), want: values(shaped[int32]([]int{2, 1, 2}, 2, -2, 2, -2))},
		{op: "MatMulInteger", opset: 10, name: "batches", in: values(batch, shaped[int8]([]int{2, 2, 1}, 1, 2, 3, 4), nil, shaped[int8]([]int{2, 1, 1}, 1, 2)), want: values(shaped[int32]([]int{2, 1, 1}, 2, 11))},
		{op: "MatMulInteger", opset: 10, name: "vectors", in: values(list[int8](1, 2), list[int8](3, -4)), want: values(tensor.Scalar[int32](-5))},
		{op: "MatMulInteger", opset: 10, name: "other shapes", in: values(a, shaped[int8]([]int{1, 2}, 1, 1)), err: "cannot be multiplied"},
		{op: "MatMulInteger", opset: 10, name: "other types", in: values(counting(2, 2), b), err: "want int8 or uint8"},
		{op: "MatMulInteger", opset: 10, name: "a zero point of another type", in: values(a, b, tensor.Scalar[int8](1)), err: "want one type"},
		{op: "MatMulInteger", opset: 10, name: "too many zero points", in: values(a, b, nil, list[int8](1, 2, 3)), err: "zero points of the columns"},

		{op: "QLinearMatMul", opset: 10, name: "rounded before the zero point", in: values(a, one, tensor.Scalar[uint8](0), b, tensor.Scalar[float32](0.5), tensor.Scalar[int8](0), one, tensor.Scalar[uint8](1)),
			want: values(shaped[uint8]([]int{2, 2}, 3, 0, 7, 0))}, // 2.5, -2.5, 5.5, -5.5
		{op: "QLinearMatMul", opset: 10, name: "by row and column", in: values(a, list[float32](1, 2), list[uint8](0, 1), b, list[float32](1, 3), list[int8](0, 0), one, tensor.Scalar[int8](0)),
			want: values(shaped[int8]([]int{2, 2}, 5, -15, 16, -48))},
		{op: "QLinearMatMul", opset: 10, name: "an output by row", in: values(a, one, tensor.Scalar[uint8](0), b, one, tensor.Scalar[int8](0), list[float32](1, 11), list[int8](0, 100)),
			want: values(shaped[int8]([]int{2, 2}, 5, -5, 101, 99))},
		{op: "QLinearMatMul", opset: 10, name: "vectors", in: values(list[int8](1, 2), one, tensor.Scalar[int8](0), list[int8](3, -4), one, tensor.Scalar[int8](0), one, tensor.Scalar[int8](0)), want: values(tensor.Scalar[int8](-5))},
		{op: "QLinearMatMul", opset: 21, name: "float8", in: values(shaped[quantops.Float8E4M3FN]([]int{1, 2}, 0x38, 0x40), one, tensor.Scalar[quantops.Float8E4M3FN](0), shaped[quantops.Float8E4M3FN]([]int{2, 1}, 0x38, 0xc0), one, tensor.Scalar[quantops.Float8E4M3FN](0), one, tensor.Scalar[quantops.Float8E5M2](0)),
			want: values(shaped[quantops.Float8E5M2]([]int{1, 1}, 0xc2))}, // 1·1 − 2·2
		{op: "QLinearMatMul", opset: 10, name: "scales that do not fit", in: values(a, one, tensor.Scalar[uint8](0), b, list[float32](1, 2, 3), tensor.Scalar[int8](0), one, tensor.Scalar[uint8](1)), err: "scale or zero point"},
	})
}

// TestIntegerConvolutions compares with sums by the definition, in which
// padding has the input's zero point.
func TestIntegerConvolutions(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		d := drawWindow(random, 1+random.IntN(2))
		group := 1 + random.IntN(2)
		channels, maps := 1+random.IntN(2), group*(1+random.IntN(3))
		x := randomTensor[uint8](random, append([]int{2, group * channels}, d.input...)...)
		w := randomTensor[int8](random, append([]int{maps, channels}, d.kernel...)...)
		xZero, wZero := randomTensor[uint8](random), randomTensor[int8](random, maps)
		bias := tensor.Make[int32]([]int{maps})
		less := func(values, zeros *tensor.Tensor) *tensor.Tensor {
			numbers, err := lessZeros(values, zeros)
			if err != nil {
				t.Fatal(err)
			}
			floats := make([]float32, len(numbers))
			for i, v := range numbers {
				floats[i] = float32(v)
			}
			return tensor.New(values.Shape(), floats)
		}
		want := convolveNaively(t, d, group, less(x, xZero), less(w, wZero), tensor.Make[float32]([]int{maps}))
		list := append(d.attrs, onnx.IntAttr("group", int64(group)))
		got := compute(t, "ConvInteger", 10, 1, list, x, w, xZero, wZero)[0]
		sums, _ := tensor.Data[int32](got)
		if len(sums) != len(want) {
			t.Fatalf("%d sums, want %d", len(sums), len(want))
		}
		for i, v := range want {
			if float64(sums[i]) != v {
				t.Fatalf("%+v: sum %d is %d, want %v", d, i, sums[i], v)
			}
		}

		scales := make([]float32, maps)
		for i := range scales {
			scales[i] = random.Float32() / 100
		}
		y := compute(t, "QLinearConv", 10, 1, list, x, tensor.Scalar[float32](0.5), xZero, w, tensor.New([]int{maps}, scales), wZero,
			tensor.Scalar[float32](3), tensor.Scalar[int8](-3), bias)[0]
		quantized, _ := tensor.Data[int8](y)
		outputs := len(want) / (2 * maps)
		for i, v := range want {
			q := math.RoundToEven(float64(float32(v)*(0.5*scales[i/outputs%maps]/3))) - 3
			if float64(quantized[i]) != max(-128, min(127, q)) {
				t.Fatalf("%+v: element %d is %d, want %v", d, i, quantized[i], q)
			}
		}
	}
	runNodeTests(t, []nodeTest{
		{op: "ConvInteger", opset: 10, name: "floats", in: values(counting(1, 1, 2), counting(1, 1, 1)), err: "want int8 or uint8"},
		{op: "ConvInteger", opset: 10, name: "two zero points", in: values(shaped[uint8]([]int{1, 1, 2}, 1, 2), shaped[uint8]([]int{1, 1, 1}, 1), list[uint8](1, 2)), err: "want one"},
		{op: "ConvInteger", opset: 10, name: "zero points that do not fit", in: values(shaped[uint8]([]int{1, 1, 2}, 1, 2), shaped[uint8]([]int{1, 1, 1}, 1), nil, list[uint8](1, 2)), err: "want shape [1]"},
	})
}

func randomTensor[T int8 | uint8](random *rand.Rand, shape ...int) *tensor.Tensor {
	data := make([]T, tensor.Count(shape))
	for i := range data {
		data[i] = T(random.Uint32())
	}
	return tensor.New(append([]int{}, shape...), data)
}
