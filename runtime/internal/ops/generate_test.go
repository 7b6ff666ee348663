package ops

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestGenerate(t *testing.T) {
	scalar := func(v float32) tensor.Value { return tensor.Scalar(v) }
	whole := func(v int64) tensor.Value { return tensor.Scalar(v) }
	double := onnx.IntAttr("output_datatype", int64(onnx.Double))
	runNodeTests(t, []nodeTest{
		{name: "of floats", op: "Range", opset: 11, in: values(scalar(1), scalar(2), scalar(0.25)), want: values(list[float32](1, 1.25, 1.5, 1.75))},
		{name: "down", op: "Range", opset: 11, in: values(whole(3), whole(-3), whole(-2)), want: values(list[int64](3, 1, -1))},
		{name: "away", op: "Range", opset: 11, in: values(whole(3), whole(-3), whole(2)), want: values(list[int64]())},
		{name: "beyond what a float holds", op: "Range", opset: 11, in: values(whole(math.MaxInt64-3), whole(math.MaxInt64), whole(2)), want: values(list[int64](math.MaxInt64-3, math.MaxInt64-1))},
		{name: "in the longest step", op: "Range", opset: 11, in: values(whole(0), whole(-1), whole(math.MinInt64)), want: values(list[int64](0))},
		{name: "standing still", op: "Range", opset: 11, in: values(whole(3), whole(4), whole(0)), err: "delta is 0"},
		{name: "endless", op: "Range", opset: 11, in: values(scalar(0), scalar(infinity), scalar(1)), err: "too long"},
		{name: "too long", op: "Range", opset: 11, in: values(whole(math.MinInt64), whole(math.MaxInt64), whole(1)), err: "too long"},
		{name: "of mixed types", op: "Range", opset: 11, in: values(whole(0), whole(1), scalar(1)), err: "want one int64"},
		{name: "of half precision", op: "Range", opset: 27, in: values(castOf(t, tensor.Scalar(float32(2047)), onnx.Float16), castOf(t, tensor.Scalar(float32(2054)), onnx.Float16), castOf(t, tensor.Scalar(float32(3)), onnx.Float16)), want: values(castOf(t, list[float32](2047, 2050, 2053), onnx.Float16))},
		{name: "off the diagonal", op: "EyeLike", opset: 9, attrs: attrs(onnx.IntAttr("k", -1), onnx.IntAttr("dtype", int64(onnx.Bool))), in: values(counting(3, 2)), want: values(shaped([]int{3, 2}, false, false, true, false, false, true))},
		{name: "like its operand", op: "EyeLike", opset: 9, in: values(shaped[int32]([]int{1, 2}, 7, 7)), want: values(shaped[int32]([]int{1, 2}, 1, 0))},
		{name: "of a list", op: "EyeLike", opset: 9, in: values(list[int32](1)), err: "want a matrix"},
		{name: "symmetric", op: "HannWindow", opset: 17, attrs: attrs(double, onnx.IntAttr("periodic", 0)), in: values(whole(3)), want: values(list(0.0, 1, 0))},
		{name: "of one", op: "HannWindow", opset: 17, attrs: attrs(double, onnx.IntAttr("periodic", 0)), in: values(whole(1)), want: values(list(0.0))},
		{name: "of nothing", op: "HammingWindow", opset: 17, in: values(whole(0)), want: values(list[float32]())},
		{name: "of less", op: "BlackmanWindow", opset: 17, in: values(whole(-1)), err: "negative"},
		{name: "triangles", op: "MelWeightMatrix", opset: 17, in: values(whole(2), whole(16), whole(16), scalar(0), scalar(8)), want: values(shaped[float32]([]int{9, 2}, 0, 0, 0.5, 0, 1, 0, 0.5, 0.5, 0, 1, 0, 0.5, 0, 0, 0, 0, 0, 0))},
		{name: "beyond the spectrum", op: "MelWeightMatrix", opset: 17, in: values(whole(8), whole(16), whole(8192), scalar(0), scalar(8192)), err: "do not lie within"},
		{name: "two numbers", op: "MelWeightMatrix", opset: 17, in: values(list[int64](1, 2), whole(16), whole(8192), scalar(0), scalar(8192)), err: "one number"},
		{name: "with its sign", op: "Det", opset: 22, in: values(shaped[float32]([]int{2, 2, 2}, 0, 2, 3, 4, 1, 2, 2, 4)), want: values(list[float32](-6, 0))},
		{name: "of nothing", op: "Det", opset: 11, in: values(shaped[float32]([]int{0, 0})), want: values(tensor.Scalar(float32(1)))},
		{name: "not square", op: "Det", opset: 11, in: values(counting(2, 3)), err: "square"},
	})
}

// Random numbers have the distribution they should have, and a seed repeats them.
func TestRandom(t *testing.T) {
	const count = 20000
	shape, seed := onnx.IntsAttr("shape", []int64{count}), onnx.FloatAttr("seed", 3)
	draw := func(op string, opset int, in []tensor.Value, more ...*onnx.Attr) []float64 {
		t.Helper()
		got, err := runNode(t, nodeTest{op: op, opset: opset, attrs: more, in: in})
		if err != nil {
			t.Fatal(err)
		}
		again, err := runNode(t, nodeTest{op: op, opset: opset, attrs: more, in: in})
		if err != nil {
			t.Fatal(err)
		}
		if show(got...) != show(again...) {
			t.Errorf("%s with a seed gives other numbers the second time", op)
		}
		list, err := numbersAs[float64](got[0].(*tensor.Tensor))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	moments := func(name string, list []float64, mean, deviation float64) {
		t.Helper()
		if len(list) != count {
			t.Fatalf("%s gives %d numbers, want %d", name, len(list), count)
		}
		gotMean := floatSum(list) / count
		gotDeviation := math.Sqrt(squareSum(list)/count - gotMean*gotMean)
		if math.Abs(gotMean-mean) > 0.05*deviation || math.Abs(gotDeviation-deviation) > 0.05*deviation {
			t.Errorf("%s has mean %v and deviation %v, want %v and %v", name, gotMean, gotDeviation, mean, deviation)
		}
	}
	moments("RandomNormal", draw("RandomNormal", 1, nil, shape, seed, onnx.FloatAttr("mean", 5), onnx.FloatAttr("scale", 2)), 5, 2)
	moments("RandomUniformLike", draw("RandomUniformLike", 22, values(tensor.Make[float64]([]int{count})), seed, onnx.FloatAttr("low", -1), onnx.FloatAttr("high", 3)), 1, 4/math.Sqrt(12))
	chances := make([]float32, count)
	fillWith(chances, 0.3)
	moments("Bernoulli", draw("Bernoulli", 15, values(list(chances...)), seed, onnx.IntAttr("dtype", int64(onnx.Int32))), 0.3, math.Sqrt(0.3*0.7))
	odds := shaped([]int{1, 3}, float32(math.Log(0.5)), float32(math.Log(0.25)), float32(math.Log(0.25)))
	moments("Multinomial", draw("Multinomial", 7, values(odds), seed, onnx.IntAttr("sample_size", count)), 0.75, math.Sqrt(0.25+4*0.25-0.75*0.75))

	got, err := runNode(t, nodeTest{op: "RandomNormal", opset: 1, attrs: attrs(shape)})
	if err != nil {
		t.Fatal(err)
	}
	again, err := runNode(t, nodeTest{op: "RandomNormal", opset: 1, attrs: attrs(shape)})
	if err != nil {
		t.Fatal(err)
	}
	if show(got...) == show(again...) {
		t.Error("without a seed the numbers are the same the second time")
	}
}

func TestDropout(t *testing.T) {
	x := list[float32](1, 2, 3)
	all := list(true, true, true)
	runNodeTests(t, []nodeTest{
		{name: "with an attribute", op: "Dropout", opset: 6, attrs: attrs(onnx.FloatAttr("ratio", 0.9)), in: values(x), want: values(x, list[float32](1, 1, 1))},
		{name: "with a mask", op: "Dropout", opset: 10, in: values(x), want: values(x, all)},
		{name: "not in training", op: "Dropout", opset: 13, in: values(x, tensor.Scalar(float32(0.9)), tensor.Scalar(false)), want: values(x, all)},
		{name: "of nothing", op: "Dropout", opset: 13, in: values(x, tensor.Scalar(float32(0)), tensor.Scalar(true)), want: values(x, all)},
		{name: "ratios", op: "Dropout", opset: 13, in: values(x, list[float32](1, 2)), err: "want one number"},
	})
	ones := make([]float32, 1000)
	fillWith(ones, 1)
	got, err := runNode(t, nodeTest{
		op: "Dropout", opset: 22, attrs: attrs(onnx.IntAttr("seed", 1)), want: make([]tensor.Value, 2),
		in: values(list(ones...), tensor.Scalar(float32(0.75)), tensor.Scalar(true)),
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	mask := got[1].(*tensor.Tensor).Any().([]bool)
	for i, v := range got[0].(*tensor.Tensor).Any().([]float32) {
		if want := map[bool]float32{true: 4}[mask[i]]; v != want {
			t.Fatalf("element %d, kept: %v, is %v, want %v", i, mask[i], v, want)
		}
		if mask[i] {
			kept++
		}
	}
	if kept < 200 || kept > 300 {
		t.Errorf("%d of 1000 elements are kept, want about 250", kept)
	}
}

func TestLosses(t *testing.T) {
	logarithms := shaped([]int{2, 2}, -1.0, -2, -3, -5)
	reduction := func(v string) *onnx.Attr { return onnx.StringAttr("reduction", v) }
	ignore := onnx.IntAttr("ignore_index", -1)
	even := shaped[float64]([]int{1, 2, 1}, 0, 0)
	runNodeTests(t, []nodeTest{
		{name: "mean", op: "NegativeLogLikelihoodLoss", opset: 13, in: values(logarithms, list[int64](0, 1)), want: values(tensor.Scalar(3.0))},
		{name: "sum", op: "NegativeLogLikelihoodLoss", opset: 13, attrs: attrs(reduction("sum")), in: values(logarithms, list[int32](1, 1)), want: values(tensor.Scalar(7.0))},
		{name: "weighted mean", op: "NegativeLogLikelihoodLoss", opset: 22, in: values(logarithms, list[int64](0, 1), list(1.0, 3)), want: values(tensor.Scalar(4.0))},
		{name: "each", op: "NegativeLogLikelihoodLoss", opset: 13, attrs: attrs(reduction("none"), ignore), in: values(logarithms, list[int64](-1, 0)), want: values(list(0.0, 3))},
		{name: "mean of some", op: "NegativeLogLikelihoodLoss", opset: 13, attrs: attrs(ignore), in: values(logarithms, list[int64](-1, 0)), want: values(tensor.Scalar(3.0))},
		{name: "no such class", op: "NegativeLogLikelihoodLoss", opset: 13, in: values(logarithms, list[int64](0, 2)), err: "class 2"},
		{name: "negative class", op: "NegativeLogLikelihoodLoss", opset: 13, in: values(logarithms, list[int64](0, -1)), err: "class -1"},
		{name: "too few classes", op: "NegativeLogLikelihoodLoss", opset: 13, in: values(logarithms, list[int64](0)), err: "want (N, C"},
		{name: "too few weights", op: "NegativeLogLikelihoodLoss", opset: 13, in: values(logarithms, list[int64](0, 1), list(1.0)), err: "weight"},
		{name: "no such reduction", op: "NegativeLogLikelihoodLoss", opset: 13, attrs: attrs(reduction("max")), in: values(logarithms, list[int64](0, 1)), err: "max"},
		{name: "of logits", op: "SoftmaxCrossEntropyLoss", opset: 13, in: values(even, shaped[int64]([]int{1, 1}, 0)), want: values(tensor.Scalar(math.Ln2), shaped([]int{1, 2, 1}, -math.Ln2, -math.Ln2))},
		{name: "of a list", op: "SoftmaxCrossEntropyLoss", opset: 13, in: values(list(1.0), shaped[int64]([]int{}, 0)), err: "axis 1"},
	})
}
