package ops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// standardized gives each run of width elements mean 0 and variance 1.
func standardized(data []float64, width int, epsilon float64) []float64 {
	result := make([]float64, 0, len(data))
	for row := range slices.Chunk(data, width) {
		center, spread := 0.0, 0.0
		for _, v := range row {
			center += v / float64(width)
		}
		for _, v := range row {
			spread += (v - center) * (v - center) / float64(width)
		}
		for _, v := range row {
			result = append(result, (v-center)/math.Sqrt(spread+epsilon))
		}
	}
	return result
}

func TestLayerNormalization(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	x := noise(random, 2, 3, 4)
	for _, test := range []struct {
		axis        int64
		scale, bias *tensor.Tensor
		factor      func(i int) (scale, bias float64)
		width       int
		reduced     []int
	}{
		{-1, list[float32](1, 2, 3, 4), nil, func(i int) (float64, float64) { return float64(1 + i%4), 0 }, 4, []int{2, 3, 1}},
		{1, counting(3, 4), counting(4), func(i int) (float64, float64) { return float64(i % 12), float64(i % 4) }, 12, []int{2, 1, 1}},
		{0, tensor.Scalar[float32](3), tensor.Scalar[float32](-1), func(int) (float64, float64) { return 3, -1 }, 24, []int{1, 1, 1}},
		{-1, counting(2, 1, 1), counting(1, 3, 1), func(i int) (float64, float64) { return float64(i / 12), float64(i / 4 % 3) }, 4, []int{2, 3, 1}},
	} {
		want := standardized(floats(t, x), test.width, 0.5)
		for i := range want {
			scale, bias := test.factor(i)
			want[i] = want[i]*scale + bias
		}
		in := values(x, test.scale)
		if test.bias != nil {
			in = append(in, test.bias)
		}
		attrs := []*onnx.Attr{onnx.IntAttr("axis", test.axis), onnx.FloatAttr("epsilon", 0.5)}
		got := compute(t, "LayerNormalization", 17, 3, attrs, in...)
		wantClose(t, got[0], x.Shape(), want, 1e-6)
		if !slices.Equal(got[1].Shape(), test.reduced) || !slices.Equal(got[2].Shape(), test.reduced) {
			t.Errorf("mean %v and inverse deviation %v: want %v", got[1].Shape(), got[2].Shape(), test.reduced)
		}
	}
	runNodeTests(t, []nodeTest{
		{op: "LayerNormalization", opset: 17, name: "scale", in: values(x, counting(3)), err: "broadcast"},
		{op: "LayerNormalization", opset: 17, name: "bias", in: values(x, counting(4), counting(5, 2, 3, 4)), err: "broadcast"},
		{op: "LayerNormalization", opset: 17, name: "axis", attrs: []*onnx.Attr{onnx.IntAttr("axis", 3)}, in: values(x, counting(4)), err: "axis 3"},
		{op: "LayerNormalization", opset: 17, name: "stash", attrs: []*onnx.Attr{onnx.IntAttr("stash_type", 7)}, in: values(x, counting(4)), err: "stash_type"},
		{op: "LayerNormalization", opset: 17, name: "moments", in: values(shaped[float32]([]int{1, 2}, 1, 3), list[float32](1, 1)), attrs: []*onnx.Attr{onnx.FloatAttr("epsilon", 3)},
			want: values(shaped[float32]([]int{1, 2}, -0.5, 0.5), shaped[float32]([]int{1, 1}, 2), shaped[float32]([]int{1, 1}, 0.5))},
		{op: "RMSNormalization", opset: 23, in: values(list[float32](1, 7), list[float32](1, 2)), attrs: []*onnx.Attr{onnx.FloatAttr("epsilon", 0)},
			want: values(list[float32](0.2, 2.8))},
	})
}

// A 16-bit type is rounded after normalizing, after scaling and after the bias.
func TestLayerNormalizationRounds(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, to := range []onnx.DType{onnx.Float16, onnx.BFloat16} {
		x, scale, bias := as(t, noise(random, 5, 16), to), as(t, noise(random, 16), to), as(t, noise(random, 16), to)
		one := as(t, tensor.Scalar[float32](1), to)
		normalized := compute(t, "LayerNormalization", 17, 1, nil, x, one)[0]
		want := compute(t, "Add", 14, 1, nil, compute(t, "Mul", 14, 1, nil, normalized, scale)[0], bias)[0]
		got := compute(t, "LayerNormalization", 17, 3, nil, x, scale, bias)
		if show(got[0]) != show(want) {
			t.Errorf("got %s\nwant %s", show(got[0]), show(want))
		}
		if got[1].DType() != onnx.Float {
			t.Errorf("the mean is of type %v, want float, the stash type", got[1].DType())
		}
	}
}

func TestGroupNormalization(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	x := noise(random, 2, 4, 3, 2)
	groups, epsilon := onnx.IntAttr("num_groups", 2), onnx.FloatAttr("epsilon", 0.25)
	plain := standardized(floats(t, x), 12, 0.25)
	expect := func(index func(i int) int) []float64 {
		want := slices.Clone(plain)
		for i := range want {
			k := float64(index(i))
			want[i] = want[i]*k - k
		}
		return want
	}
	negative := func(n int) *tensor.Tensor { return compute(t, "Neg", 13, 1, nil, counting(n))[0] }
	byGroup := compute(t, "GroupNormalization", 18, 1, []*onnx.Attr{groups, epsilon}, x, counting(2), negative(2))[0]
	wantClose(t, byGroup, x.Shape(), expect(func(i int) int { return i / 12 % 2 }), 1e-6)
	byChannel := compute(t, "GroupNormalization", 21, 1, []*onnx.Attr{groups, epsilon}, x, counting(4), negative(4))[0]
	wantClose(t, byChannel, x.Shape(), expect(func(i int) int { return i / 6 % 4 }), 1e-6)
	plain = standardized(floats(t, x), 6, 0.25)
	instance := compute(t, "InstanceNormalization", 6, 1, []*onnx.Attr{epsilon}, x, counting(4), negative(4))[0]
	wantClose(t, instance, x.Shape(), expect(func(i int) int { return i / 6 % 4 }), 1e-6)
	runNodeTests(t, []nodeTest{
		{op: "GroupNormalization", opset: 18, name: "no groups", in: values(x, counting(2), counting(2)), err: "num_groups"},
		{op: "GroupNormalization", opset: 18, name: "uneven", attrs: []*onnx.Attr{onnx.IntAttr("num_groups", 3)}, in: values(x, counting(3), counting(3)), err: "3 groups"},
		{op: "GroupNormalization", opset: 21, name: "scale of groups", attrs: []*onnx.Attr{groups}, in: values(x, counting(2), counting(2)), err: "4 numbers"},
	})
}

func TestBatchNormalization(t *testing.T) {
	epsilon, momentum := onnx.FloatAttr("epsilon", 3), onnx.FloatAttr("momentum", 0.75)
	x := shaped[float32]([]int{2, 2, 1}, 1, 10, 3, 14)
	two := func(a, b float32) *tensor.Tensor { return list(a, b) }
	inference := values(x, two(2, 4), two(0, 1), two(1, 10), two(1, 13))
	y := shaped[float32]([]int{2, 2, 1}, 0, 1, 2, 5) // by the deviations 2 and 4
	training := values(x, two(2, 4), two(0, 1), two(10, 20), two(5, 8))
	// The batch has means 2 and 12, variances 1 and 4.
	deviation := float32(1 / math.Sqrt(7))
	trained := shaped[float32]([]int{2, 2, 1}, -1, 1-8*deviation, 1, 1+8*deviation)
	running := []tensor.Value{two(8, 18), two(4, 7)}
	same := func(a, b float32) *tensor.Tensor { return two(a, b) }
	runNodeTests(t, []nodeTest{
		{op: "BatchNormalization", opset: 15, attrs: []*onnx.Attr{epsilon}, in: inference, want: values(y)},
		{op: "BatchNormalization", opset: 9, attrs: []*onnx.Attr{epsilon}, in: inference, want: values(y)},
		{op: "BatchNormalization", opset: 6, attrs: []*onnx.Attr{epsilon, onnx.IntAttr("is_test", 1)}, in: inference, want: values(y)},
		{op: "BatchNormalization", opset: 14, name: "training", attrs: []*onnx.Attr{epsilon, momentum, onnx.IntAttr("training_mode", 1)}, in: training,
			want: append(values(trained), running...)},
		{op: "BatchNormalization", opset: 9, name: "training", attrs: []*onnx.Attr{epsilon, momentum}, in: training,
			want: append(append(values(trained), running...), same(2, 12), same(1, 4))},
		{op: "BatchNormalization", opset: 7, name: "each element a feature", attrs: []*onnx.Attr{epsilon, onnx.IntAttr("spatial", 0)},
			in:   values(shaped[float32]([]int{1, 1, 2}, 3, 14), two(2, 4), two(0, 1), two(1, 10), two(1, 13)),
			want: values(shaped[float32]([]int{1, 1, 2}, 2, 5))},
		{op: "BatchNormalization", opset: 15, name: "rank 1", attrs: []*onnx.Attr{epsilon}, in: values(list[float32](1, 3), list[float32](2), list[float32](0), list[float32](1), list[float32](1)),
			want: values(list[float32](0, 2))},
		{op: "BatchNormalization", opset: 15, name: "features", in: values(x, two(1, 1), two(1, 1), list[float32](1), two(1, 1)), err: "mean"},
	})
}

func TestOtherNormalizations(t *testing.T) {
	p := func(n int64) *onnx.Attr { return onnx.IntAttr("p", n) }
	axis := func(n int64) *onnx.Attr { return onnx.IntAttr("axis", n) }
	runNodeTests(t, []nodeTest{
		{op: "LpNormalization", opset: 1, in: values(shaped[float32]([]int{2, 2}, 3, 4, 0, 0)), want: values(shaped[float32]([]int{2, 2}, 0.6, 0.8, 0, 0))},
		{op: "LpNormalization", opset: 1, name: "absolute", attrs: []*onnx.Attr{p(1), axis(0)}, in: values(shaped[float64]([]int{2, 2}, 3, -1, 1, -3)),
			want: values(shaped([]int{2, 2}, 0.75, -0.25, 0.25, -0.75))},
		{op: "LpNormalization", opset: 1, name: "order", attrs: []*onnx.Attr{p(3)}, in: values(counting(2)), err: "1 or 2"},
		// Of three channels around each: 1+4, 1+4+9, 4+9+16, 9+16.
		{op: "LRN", opset: 13, attrs: []*onnx.Attr{onnx.IntAttr("size", 3), onnx.FloatAttr("alpha", 3), onnx.FloatAttr("beta", 1), onnx.FloatAttr("bias", 0)},
			in: values(shaped([]int{1, 4, 1}, 1.0, 2, 3, 4)), want: values(shaped([]int{1, 4, 1}, 1.0/5, 2.0/14, 3.0/29, 4.0/25))},
		// Of an even number, the longer half lies above.
		{op: "LRN", opset: 13, name: "even", attrs: []*onnx.Attr{onnx.IntAttr("size", 2), onnx.FloatAttr("alpha", 2), onnx.FloatAttr("beta", 1), onnx.FloatAttr("bias", 0)},
			in: values(shaped([]int{1, 3}, 1.0, 2, 3)), want: values(shaped([]int{1, 3}, 1.0/5, 2.0/13, 3.0/9))},
		{op: "LRN", opset: 13, name: "no size", in: values(counting(1, 1)), err: "size"},
	})
	mvn := compute(t, "MeanVarianceNormalization", 13, 1, []*onnx.Attr{onnx.IntsAttr("axes", []int64{0})}, shaped([]int{2, 2}, 1.0, 5, 3, 5))[0]
	wantClose(t, mvn, []int{2, 2}, []float64{-1, 0, 1, 0}, 1e-8)
}
