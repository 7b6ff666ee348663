package ops

import (
	"math"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestCast(t *testing.T) {
	to := func(target onnx.DType, more ...*onnx.Attr) []*onnx.Attr {
		return append(more, onnx.IntAttr("to", int64(target)))
	}
	strict := onnx.IntAttr("saturate", 0)
	runNodeTests(t, []nodeTest{
		{name: "cuts fractions off", op: "Cast", opset: 13, attrs: to(onnx.Int32), in: values(list[float32](1.9, -1.9)), want: values(list[int32](1, -1))},
		{name: "drops bits", op: "Cast", opset: 13, attrs: to(onnx.Int8), in: values(list[int16](200, -129)), want: values(list[int8](-56, 127))},
		{name: "drops bits", op: "Cast", opset: 25, attrs: to(onnx.Int4), in: values(list[int32](7, 8, -9, 16)), want: values(list[quantops.Int4](7, -8, 7, 0))},
		{name: "drops bits", op: "Cast", opset: 25, attrs: to(onnx.Uint2), in: values(list[uint8](3, 4, 7)), want: values(list[quantops.Uint2](3, 0, 3))},
		{name: "of packed types", op: "Cast", opset: 25, attrs: to(onnx.Double), in: values(list[quantops.Int2](-2, 1)), want: values(list[float64](-2, 1))},
		{name: "anything but zero", op: "Cast", opset: 13, attrs: to(onnx.Bool), in: values(list(0, -0.5, notNumber, float32(math.Copysign(0, -1)))), want: values(list(false, true, true, false))},
		{name: "of truth", op: "Cast", opset: 13, attrs: to(onnx.Float), in: values(list(true, false)), want: values(list[float32](1, 0))},
		{name: "to itself", op: "Cast", opset: 13, attrs: to(onnx.String), in: values(list("a")), want: values(list("a"))},
		{name: "rounds once", op: "Cast", opset: 13, attrs: to(onnx.Float), in: values(list[int64](1<<54 + 1<<30 + 1)), want: values(list[float32](1<<54 + 1<<31))},
		// Half way between two float16 as a float32, but a little above it.
		{name: "rounds once", op: "Cast", opset: 13, attrs: to(onnx.Float16), in: values(list(1 + 0x1p-11 + 0x1p-40)), want: values(list(quantops.Float16(0x3c01)))},
		{name: "beyond the range", op: "Cast", opset: 13, attrs: to(onnx.Float16), in: values(list[int64](70000, -70000)), want: values(list[quantops.Float16](0x7c00, 0xfc00))},
		{name: "saturates", op: "Cast", opset: 19, attrs: to(onnx.Float8E4M3FN), in: values(list(1000, infinity, notNumber)), want: values(list[quantops.Float8E4M3FN](0x7e, 0x7e, 0x7f))},
		{name: "does not saturate", op: "Cast", opset: 19, attrs: to(onnx.Float8E5M2, strict), in: values(list(1e6, -infinity)), want: values(list[quantops.Float8E5M2](0x7c, 0xfc))},
		{name: "rounds down", op: "Cast", opset: 24, attrs: to(onnx.Float8E8M0, onnx.StringAttr("round_mode", "down")), in: values(list[float32](3)), want: values(list[quantops.Float8E8M0](128))},
		{name: "rounds up", op: "Cast", opset: 24, attrs: to(onnx.Float8E8M0), in: values(list[float32](3)), want: values(list[quantops.Float8E8M0](129))},
		{name: "a mode there is not", op: "Cast", opset: 24, attrs: to(onnx.Float8E8M0, onnx.StringAttr("round_mode", "odd")), in: values(list[float32](3)), err: "odd"},
		{name: "by name", op: "Cast", opset: 1, attrs: attrs(onnx.StringAttr("to", "INT64")), in: values(list[float32](3)), want: values(list[int64](3))},
		{name: "to no type", op: "Cast", opset: 13, in: values(list[float32](3)), err: "attribute to is missing"},
		{name: "to a type there is not", op: "Cast", opset: 13, attrs: attrs(onnx.IntAttr("to", 99)), in: values(list[float32](3)), err: "cannot be cast"},
		{name: "of complex numbers", op: "Cast", opset: 13, attrs: to(onnx.Float), in: values(list[complex64](1)), err: "complex64"},

		{name: "writes", op: "Cast", opset: 13, attrs: to(onnx.String), in: values(list(314.15926, 3, 1e-5, 1e20, 0.1, notNumber, -infinity)), want: values(list("314.15927", "3.0", "1e-05", "1e+20", "0.1", "nan", "-inf"))},
		{name: "writes all digits", op: "Cast", opset: 13, attrs: to(onnx.String), in: values(list(0.1, 1.0/3)), want: values(list("0.1", "0.3333333333333333"))},
		{name: "writes integers", op: "Cast", opset: 13, attrs: to(onnx.String), in: values(list[uint64](math.MaxUint64)), want: values(list("18446744073709551615"))},
		{name: "writes packed integers", op: "Cast", opset: 25, attrs: to(onnx.String), in: values(list[quantops.Int4](-8)), want: values(list("-8"))},
		{name: "writes truth", op: "Cast", opset: 13, attrs: to(onnx.String), in: values(list(true, false)), want: values(list("True", "False"))},
		{name: "reads", op: "Cast", opset: 13, attrs: to(onnx.Float), in: values(list("3.14", "1e-5", "1E8", "+INF", "-inf", "NaN", " 7 ")), want: values(list(3.14, 1e-5, 1e8, infinity, -infinity, notNumber, 7))},
		{name: "reads integers", op: "Cast", opset: 13, attrs: to(onnx.Int64), in: values(list("9223372036854775807", "-5", "100.5")), want: values(list[int64](math.MaxInt64, -5, 100))},
		{name: "reads unsigned integers", op: "Cast", opset: 13, attrs: to(onnx.Uint64), in: values(list("18446744073709551615")), want: values(list[uint64](math.MaxUint64))},
		{name: "reads truth", op: "Cast", opset: 13, attrs: to(onnx.Bool), in: values(list("True", "false", "0", "0.5")), want: values(list(true, false, false, true))},
		{name: "reads float16", op: "Cast", opset: 13, attrs: to(onnx.Float16), in: values(list("1.5")), want: values(list(quantops.Float16(0x3e00)))},
		{name: "reads beyond the range", op: "Cast", opset: 13, attrs: to(onnx.Float), in: values(list("1e400")), want: values(list(infinity))},
		{name: "reads no number", op: "Cast", opset: 13, attrs: to(onnx.Float), in: values(list("1", "one")), err: `element 1, "one", is not a number`},

		{name: "like the other", op: "CastLike", opset: 19, in: values(list[float32](1.5), list[int16]()), want: values(list[int16](1))},
		{name: "of floats", op: "BitCast", opset: 26, attrs: to(onnx.Int32), in: values(list[float32](1, 0)), want: values(list[int32](0x3f800000, 0))},
		{name: "of packed types", op: "BitCast", opset: 26, attrs: to(onnx.Uint4), in: values(list[quantops.Int4](-1, 3, -8)), want: values(list[quantops.Uint4](15, 3, 8))},
		{name: "of another width", op: "BitCast", opset: 26, attrs: to(onnx.Int16), in: values(list[float32](1)), err: "one width"},
		{name: "of strings", op: "BitCast", opset: 26, attrs: to(onnx.String), in: values(list("a")), err: "one width"},
	})
}

// Every type casts to every other, and small whole numbers survive the way there
// and back.
func TestCastsOfEveryType(t *testing.T) {
	var types []onnx.DType
	for d := onnx.DType(1); d < 32; d++ {
		if name := d.String(); d.Bits() > 0 && !strings.HasPrefix(name, "complex") || d == onnx.String {
			types = append(types, d)
		}
	}
	if len(types) != 26 {
		t.Fatalf("there are %d types to cast, %v: want 26", len(types), types)
	}
	for _, from := range types {
		for _, to := range types {
			in := castOf(t, list[float32](1, 1), from)
			there := castOf(t, in, to)
			if there.DType() != to {
				t.Fatalf("%v to %v gives %v", from, to, there.DType())
			}
			if back := castOf(t, there, from); show(back) != show(in) && to != onnx.Bool && from != onnx.String {
				t.Errorf("%v by way of %v: %s becomes %s", from, to, show(in), show(back))
			}
		}
	}
	blocks := make([]float32, 3*blockElements+7)
	for i := range blocks {
		blocks[i] = float32(i % 100)
	}
	through := castOf(t, castOf(t, castOf(t, tensor.New([]int{len(blocks)}, blocks), onnx.BFloat16), onnx.Int8), onnx.Float)
	if got, want := show(through), show(tensor.New([]int{len(blocks)}, blocks)); got != want {
		t.Errorf("several blocks by way of bfloat16 and int8: got %.100s, want %.100s", got, want)
	}
}
