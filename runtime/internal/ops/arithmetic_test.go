package ops

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var (
	infinity  = float32(math.Inf(1))
	notNumber = float32(math.NaN())
)

func attrs(list ...*onnx.Attr) []*onnx.Attr { return list }

func TestArithmetic(t *testing.T) {
	runNodeTests(t, []nodeTest{
		{name: "wraps around", op: "Add", opset: 14, in: values(list[int8](127, -128), list[int8](1, -1)), want: values(list[int8](-128, 127))},
		{name: "empty", op: "Add", opset: 14, in: values(shaped[float32]([]int{0, 3}), list[float32](1, 2, 3)), want: values(shaped[float32]([]int{0, 3}))},
		{name: "scalars", op: "Sub", opset: 14, in: values(tensor.Scalar(int64(5)), tensor.Scalar(int64(7))), want: values(tensor.Scalar(int64(-2)))},
		{name: "of no numbers", op: "Add", opset: 14, in: values(list("a"), list("b")), err: "type string"},
		{name: "shapes that do not fit", op: "Mul", opset: 14, in: values(list[int32](1, 2), list[int32](1, 2, 3)), err: "broadcast"},
		{name: "an operand left out", op: "Mul", opset: 14, in: values(list[int32](1, 2), nil), err: "operand 1 is missing"},

		{name: "truncates", op: "Div", opset: 14, in: values(list[int32](-7, 7, 7, -7), list[int32](2, 2, -2, -2)), want: values(list[int32](-3, 3, -3, 3))},
		{name: "by zero", op: "Div", opset: 14, in: values(list[int32](5, 0), list[int32](0, 0)), want: values(list[int32](0, 0))},
		{name: "by zero", op: "Div", opset: 14, in: values(list[float32](5, -5, 0), list[float32](0)), want: values(list(infinity, -infinity, notNumber))},
		{name: "of the smallest by -1", op: "Div", opset: 14, in: values(list[int64](math.MinInt64), list[int64](-1)), want: values(list[int64](math.MinInt64))},
		{name: "beyond what a float holds", op: "Div", opset: 14, in: values(list[uint64](math.MaxUint64), list[uint64](1)), want: values(list[uint64](math.MaxUint64))},

		{name: "has the divisor's sign", op: "Mod", opset: 13, in: values(list[int32](-4, 7, 5, 4, -7, 8), list[int32](2, -3, 8, -2, 3, 5)), want: values(list[int32](0, -2, 5, 0, 2, 3))},
		{name: "has the dividend's sign", op: "Mod", opset: 13, attrs: attrs(onnx.IntAttr("fmod", 1)), in: values(list[int32](-7, 7), list[int32](3, -3)), want: values(list[int32](-1, 1))},
		{name: "of floats", op: "Mod", opset: 28, in: values(list[float32](-4.5, 4.5, 2, -2), list[float32](2, -2, infinity, infinity)), want: values(list(1.5, -1.5, 2, infinity))},
		{name: "of floats, truncated", op: "Mod", opset: 28, attrs: attrs(onnx.IntAttr("fmod", 1)), in: values(list[float32](-4.5, 4.5, infinity), list[float32](2, -2, 1)), want: values(list(-0.5, 0.5, notNumber))},
		{name: "by zero", op: "Mod", opset: 28, in: values(list[uint8](7), list[uint8](0)), want: values(list[uint8](0))},

		{name: "of unsigned", op: "Abs", opset: 13, in: values(list[uint8](0, 1, 255)), want: values(list[uint8](0, 1, 255))},
		{name: "of signed", op: "Abs", opset: 13, in: values(list[int8](-128, -1, 5)), want: values(list[int8](-128, 1, 5))},
		{name: "of floats", op: "Abs", opset: 13, in: values(list(float32(math.Copysign(0, -1)), -2, notNumber)), want: values(list(0, 2, notNumber))},
		{name: "of floats", op: "Sign", opset: 13, in: values(list(-3, 0, 0.5, notNumber)), want: values(list(-1, 0, 1, notNumber))},
		{name: "of unsigned", op: "Sign", opset: 13, in: values(list[uint16](0, 65535)), want: values(list[uint16](0, 1))},
		{name: "keeps NaN", op: "Relu", opset: 14, in: values(list(-1, 2, notNumber)), want: values(list(0, 2, notNumber))},
		{name: "keeps NaN", op: "Max", opset: 13, in: values(list(1, notNumber, 3), list[float32](2, 2, 2)), want: values(list(2, notNumber, 3))},
		{name: "of one", op: "Min", opset: 13, in: values(list[int16](3, -3)), want: values(list[int16](3, -3))},
		{name: "of three", op: "Min", opset: 13, in: values(shaped[int16]([]int{2, 1}, 3, -3), list[int16](1, 5), list[int16](4)), want: values(shaped[int16]([]int{2, 2}, 1, 3, -3, -3))},
		{name: "of three", op: "Mean", opset: 13, in: values(list[float32](1, 2), list[float32](3, 4), list[float32](8)), want: values(list[float32](4, 14.0/3))},
		{name: "one left out", op: "Sum", opset: 13, in: values(list[float32](1), nil, list[float32](3)), err: "operand 1 is missing"},
	})
}

func TestPow(t *testing.T) {
	runNodeTests(t, []nodeTest{
		{name: "squares", op: "Pow", opset: 15, in: values(list[int8](3, -16), list[int8](2)), want: values(list[int8](9, 0))},
		{name: "of mixed types", op: "Pow", opset: 15, in: values(list[int32](4, 9), list[float32](0.5, 0.5)), want: values(list[int32](2, 3))},
		{name: "cuts off", op: "Pow", opset: 15, in: values(list[int64](2, 1, -1, -1, 0), list[int64](-1, -5, -2, -3, 0)), want: values(list[int64](0, 1, 1, -1, 1))},
		{name: "keeps all digits", op: "Pow", opset: 15, in: values(list[int64](3), list[int32](39)), want: values(list[int64](4052555153018976267))},
		{name: "broadcasts", op: "Pow", opset: 15, in: values(shaped[float32]([]int{2, 1}, 2, 3), list[float64](3, 0.5, -1)), want: values(shaped([]int{2, 3}, 8, float32(math.Sqrt2), 0.5, 27, float32(math.Sqrt(3)), float32(1.0/3)))},
		{name: "of a negative root", op: "Pow", opset: 15, in: values(list[float32](-1), list[float32](0.5)), want: values(list(notNumber))},
	})
}

// Before version 7, attributes said how the second operand broadcasts.
func TestBroadcastByAttributes(t *testing.T) {
	matrix := shaped[float32]([]int{2, 2, 1}, 1, 2, 3, 4)
	at := func(axis int64) []*onnx.Attr { return attrs(onnx.IntAttr("broadcast", 1), onnx.IntAttr("axis", axis)) }
	runNodeTests(t, []nodeTest{
		{name: "at axis 0", op: "Add", opset: 6, attrs: at(0), in: values(matrix, list[float32](10, 20)), want: values(shaped[float32]([]int{2, 2, 1}, 11, 12, 23, 24))},
		{name: "at axis 1", op: "Add", opset: 6, attrs: at(1), in: values(matrix, list[float32](10, 20)), want: values(shaped[float32]([]int{2, 2, 1}, 11, 22, 13, 24))},
		{name: "from the end", op: "Mul", opset: 1, attrs: at(-2), in: values(matrix, list[float32](10, 20)), want: values(shaped[float32]([]int{2, 2, 1}, 10, 40, 30, 80))},
		{name: "does not fit", op: "Sub", opset: 6, attrs: at(2), in: values(matrix, shaped[float32]([]int{1, 1}, 1)), err: "does not fit"},
		{name: "of truth", op: "And", opset: 1, attrs: at(0), in: values(shaped([]int{2, 1}, true, true), list(true, false)), want: values(shaped([]int{2, 1}, true, false))},
		{name: "at the end", op: "Greater", opset: 6, attrs: attrs(onnx.IntAttr("broadcast", 1)), in: values(shaped[float32]([]int{2, 1}, 1, 3), list[float32](2)), want: values(shaped([]int{2, 1}, false, true))},
		{name: "channels", op: "PRelu", opset: 6, in: values(shaped[float32]([]int{1, 2, 1}, -1, -1), list[float32](2, 3)), want: values(shaped[float32]([]int{1, 2, 1}, -2, -3))},
		{name: "as NumPy does", op: "PRelu", opset: 9, in: values(shaped[float32]([]int{1, 2, 1}, -1, 5), shaped[float32]([]int{2, 1}, 2, 3)), want: values(shaped[float32]([]int{1, 2, 1}, -2, 5))},
	})
}

func TestClip(t *testing.T) {
	x := list(-5, 0, 5, notNumber)
	runNodeTests(t, []nodeTest{
		{name: "attributes", op: "Clip", opset: 6, attrs: attrs(onnx.FloatAttr("min", -1), onnx.FloatAttr("max", 1)), in: values(x), want: values(list(-1, 0, 1, notNumber))},
		{name: "without bounds", op: "Clip", opset: 1, in: values(list(-infinity, infinity)), want: values(list(-infinity, infinity))},
		{name: "default bounds", op: "Clip", opset: 6, in: values(list(-infinity, infinity)), want: values(list[float32](-math.MaxFloat32, math.MaxFloat32))},
		{name: "only the upper bound", op: "Clip", opset: 13, in: values(x, nil, tensor.Scalar(float32(1))), want: values(list(-5, 0, 1, notNumber))},
		{name: "crossed bounds", op: "Clip", opset: 13, in: values(list[int8](-5, 5), tensor.Scalar(int8(3)), tensor.Scalar(int8(1))), want: values(list[int8](1, 1))},
		{name: "no bounds", op: "Clip", opset: 13, in: values(list[int8](-5, 5)), want: values(list[int8](-5, 5))},
		{name: "a bound of another type", op: "Clip", opset: 13, in: values(x, tensor.Scalar(int8(3))), err: "min"},
		{name: "two lower bounds", op: "Clip", opset: 13, in: values(x, list[float32](1, 2)), err: "one element"},
	})
}

func TestFunctions(t *testing.T) {
	runNodeTests(t, []nodeTest{
		{name: "half to even", op: "Round", opset: 22, in: values(list[float32](0.5, 1.5, 2.5, -2.5, -0.4)), want: values(list(0, 2, 2, -2, float32(math.Copysign(0, -1))))},
		{name: "of integers", op: "Exp", opset: 13, in: values(list[int32](1)), err: "want float"},
		{name: "of zero", op: "Reciprocal", opset: 13, in: values(list[float32](0, 4)), want: values(list(infinity, 0.25))},
		{name: "far out", op: "Sigmoid", opset: 13, in: values(list[float32](-1000, 0, 1000)), want: values(list[float32](0, 0.5, 1))},
		{name: "far out", op: "Softplus", opset: 1, in: values(list[float32](-1000, 1000)), want: values(list[float32](0, 1000))},
		{name: "far out", op: "Mish", opset: 18, in: values(list[float64](800)), want: values(list[float64](800))},
		{name: "two slopes", op: "Celu", opset: 12, attrs: attrs(onnx.FloatAttr("alpha", 2)), in: values(list[float64](3, -200)), want: values(list[float64](3, -2))},
		{name: "of integers", op: "Shrink", opset: 9, attrs: attrs(onnx.FloatAttr("lambd", 1.5), onnx.FloatAttr("bias", 1)), in: values(list[int8](-3, -1, 1, 3)), want: values(list[int8](-2, 0, 0, 2))},
		{name: "of the first version", op: "Selu", opset: 1, attrs: attrs(onnx.FloatAttr("alpha", 2), onnx.FloatAttr("gamma", 3)), in: values(list[float64](2, -200)), want: values(list[float64](6, -6))},
		{name: "an approximation there is not", op: "Gelu", opset: 20, attrs: attrs(onnx.StringAttr("approximate", "cubic")), in: values(list[float32](1)), err: "cubic"},
		{name: "unequal shapes", op: "SwiGLU", opset: 28, in: values(list[float32](1, 2), list[float32](1)), err: "one shape"},
		{name: "one side", op: "IsInf", opset: 20, attrs: attrs(onnx.IntAttr("detect_negative", 0)), in: values(list(infinity, -infinity, notNumber, 1)), want: values(list(true, false, false, false))},
		{name: "of float16", op: "IsNaN", opset: 20, in: values(castOf(t, list(infinity, notNumber, 1), onnx.Float16)), want: values(list(false, true, false))},
		{name: "of float8", op: "IsNaN", opset: 20, in: values(castOf(t, list(1, notNumber), onnx.Float8E4M3FN)), want: values(list(false, true))},
	})
}

// castOf converts a test's operand to a type that Go has no literals of.
func castOf(t *testing.T, from *tensor.Tensor, to onnx.DType) *tensor.Tensor {
	t.Helper()
	converted, err := cast(&Call{Context: t.Context()}, from, to, rounding{saturate: true})
	if err != nil {
		t.Fatal(err)
	}
	return converted
}

func TestLogic(t *testing.T) {
	runNodeTests(t, []nodeTest{
		{name: "broadcasts", op: "Xor", opset: 7, in: values(shaped([]int{2, 1}, true, false), list(true, false)), want: values(shaped([]int{2, 2}, false, true, true, false))},
		{name: "of numbers", op: "Not", opset: 1, in: values(list[int8](1)), err: "want bool"},
		{name: "of strings", op: "Equal", opset: 19, in: values(list("a", "b"), list("b")), want: values(list(false, true))},
		{name: "of truth", op: "Equal", opset: 1, in: values(list(true, false), list(true)), want: values(list(true, false))},
		{name: "of NaN", op: "Equal", opset: 13, in: values(list(notNumber, 1), list(notNumber, 1)), want: values(list(false, true))},
		{name: "of zeros", op: "Equal", opset: 13, in: values(castOf(t, list(float32(math.Copysign(0, -1))), onnx.BFloat16), castOf(t, list[float32](0), onnx.BFloat16)), want: values(list(true))},
		{name: "beyond what a float holds", op: "Less", opset: 13, in: values(list[int64](1<<60), list[int64](1<<60+1)), want: values(list(true))},
		{name: "of NaN", op: "GreaterOrEqual", opset: 16, in: values(list(notNumber, 2), list[float32](1, 2)), want: values(list(false, true))},
		{name: "of equal ones", op: "LessOrEqual", opset: 16, in: values(list[uint64](1, 2, 3), list[uint64](2)), want: values(list(true, true, false))},
		{name: "of strings", op: "Greater", opset: 13, in: values(list("a"), list("b")), err: "type string"},
		{name: "of strings", op: "Where", opset: 9, in: values(shaped([]int{2, 1}, true, false), list("a", "b"), tensor.Scalar("c")), want: values(shaped([]int{2, 2}, "a", "b", "c", "c"))},
		{name: "of complex numbers", op: "Where", opset: 16, in: values(list(true, false), list[complex64](1i), list[complex64](2)), want: values(list[complex64](1i, 2))},
		{name: "no condition", op: "Where", opset: 16, in: values(list[int32](1), list[int32](1), list[int32](1)), err: "want bool"},
	})
}

func TestBits(t *testing.T) {
	left, right := attrs(onnx.StringAttr("direction", "LEFT")), attrs(onnx.StringAttr("direction", "RIGHT"))
	runNodeTests(t, []nodeTest{
		{name: "broadcasts", op: "BitwiseOr", opset: 18, in: values(shaped[int16]([]int{2, 1}, 1, -2), list[int16](4, 8)), want: values(shaped[int16]([]int{2, 2}, 5, 9, -2, -2))},
		{name: "of unsigned", op: "BitwiseNot", opset: 18, in: values(list[uint32](0, 1)), want: values(list[uint32](math.MaxUint32, math.MaxUint32-1))},
		{name: "of floats", op: "BitwiseXor", opset: 18, in: values(list[float32](1), list[float32](1)), err: "want integers"},
		{name: "drops bits", op: "BitShift", opset: 11, attrs: left, in: values(list[uint8](255, 255), list[uint8](4, 8)), want: values(list[uint8](240, 0))},
		{name: "into the sign", op: "BitShift", opset: 28, attrs: left, in: values(list[int8](64, 1, 1), list[int8](1, -1, 8)), want: values(list[int8](-128, 0, 0))},
		{name: "extends the sign", op: "BitShift", opset: 28, attrs: right, in: values(list[int32](-8, -8, 8, -8), list[int32](1, 40, 40, -1)), want: values(list[int32](-4, -1, 0, -1))},
		{name: "no direction", op: "BitShift", opset: 11, in: values(list[uint8](1), list[uint8](1)), err: "direction"},
	})
}
