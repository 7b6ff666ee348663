package ops

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// halves and brains are floats as 16-bit types hold them.
func halves(shape []int, data ...float32) *tensor.Tensor {
	t := make([]quantops.Float16, len(data))
	quantops.NarrowFloat16(t, data)
	return tensor.New(shape, t)
}

func brains(shape []int, data ...float32) *tensor.Tensor {
	t := make([]quantops.BFloat16, len(data))
	quantops.NarrowBFloat16(t, data)
	return tensor.New(shape, t)
}

func TestQuantizeLinear(t *testing.T) {
	one := tensor.Scalar[float32](1)
	axis := func(a int64) *onnx.Attr { return onnx.IntAttr("axis", a) }
	block := onnx.IntAttr("block_size", 2)
	to := func(d onnx.DType) []*onnx.Attr { return attrs(onnx.IntAttr("output_dtype", int64(d))) }
	ties := list[float32](0.5, 1.5, 2.5, -0.5, -1.5)
	wild := list[float32](1e9, -1e9, float32(math.Inf(1)))
	matrix := counting(3, 4) // 0 … 11
	runNodeTests(t, []nodeTest{
		{op: "QuantizeLinear", opset: 10, name: "ties, uint8 without zero point", in: values(ties, one), want: values(list[uint8](0, 2, 2, 0, 0))},
		{op: "QuantizeLinear", opset: 10, name: "ties, zero point added after rounding", in: values(ties, one, tensor.Scalar[int8](1)), want: values(list[int8](1, 3, 3, 1, -1))},
		{op: "QuantizeLinear", opset: 10, name: "division", in: values(list[float32](24.5*49), tensor.Scalar[float32](49), tensor.Scalar[int8](0)), want: values(list[int8](24))},
		{op: "QuantizeLinear", opset: 10, name: "int32", in: values(list[int32](7, -9), tensor.Scalar[float32](2), tensor.Scalar[int8](0)), want: values(list[int8](4, -4))},
		{op: "QuantizeLinear", opset: 13, name: "saturated int8", in: values(wild, one, tensor.Scalar[int8](5)), want: values(list[int8](127, -128, 127))},
		{op: "QuantizeLinear", opset: 21, name: "saturated uint16", in: values(wild, one, tensor.Scalar[uint16](5)), want: values(list[uint16](65535, 0, 65535))},
		{op: "QuantizeLinear", opset: 21, name: "saturated int16", in: values(wild, one, tensor.Scalar[int16](0)), want: values(list[int16](32767, -32768, 32767))},
		{op: "QuantizeLinear", opset: 21, name: "saturated int4", attrs: to(onnx.Int4), in: values(wild, one), want: values(list[quantops.Int4](7, -8, 7))},
		{op: "QuantizeLinear", opset: 21, name: "saturated uint4", attrs: to(onnx.Uint4), in: values(wild, one), want: values(list[quantops.Uint4](15, 0, 15))},
		{op: "QuantizeLinear", opset: 25, name: "saturated int2", attrs: to(onnx.Int2), in: values(wild, one), want: values(list[quantops.Int2](1, -2, 1))},
		{op: "QuantizeLinear", opset: 25, name: "saturated uint2", attrs: to(onnx.Uint2), in: values(wild, one), want: values(list[quantops.Uint2](3, 0, 3))},
		{op: "QuantizeLinear", opset: 19, name: "float8 saturated", in: values(wild, one, tensor.Scalar[quantops.Float8E4M3FN](0)), want: values(list[quantops.Float8E4M3FN](0x7e, 0xfe, 0x7e))},
		{op: "QuantizeLinear", opset: 19, name: "float8 not saturated", attrs: attrs(onnx.IntAttr("saturate", 0)), in: values(wild, one, tensor.Scalar[quantops.Float8E5M2](0)), want: values(list[quantops.Float8E5M2](0x7c, 0xfc, 0x7c))},
		{op: "QuantizeLinear", opset: 19, name: "float8, one zero", attrs: attrs(onnx.IntAttr("saturate", 0)), in: values(wild, one, tensor.Scalar[quantops.Float8E4M3FNUZ](0)), want: values(list[quantops.Float8E4M3FNUZ](0x80, 0x80, 0x80))},
		{op: "QuantizeLinear", opset: 21, name: "float8, the other", attrs: to(onnx.Float8E5M2FNUZ), in: values(wild, one), want: values(list[quantops.Float8E5M2FNUZ](0x7f, 0xff, 0x7f))},
		{op: "QuantizeLinear", opset: 19, name: "float8 keeps a zero's sign", in: values(list(float32(math.Copysign(0, -1))), one, tensor.Scalar[quantops.Float8E4M3FN](0)), want: values(list[quantops.Float8E4M3FN](0x80))},
		{op: "QuantizeLinear", opset: 23, name: "float4", attrs: to(onnx.Float4E2M1), in: values(list[float32](0.75, 100), one), want: values(list[quantops.Float4E2M1](2, 7))},
		{op: "QuantizeLinear", opset: 28, name: "float6", attrs: to(onnx.Float6E2M3), in: values(list[float32](1, 100), one), want: values(list[quantops.Float6E2M3](8, 31))},
		{op: "QuantizeLinear", opset: 28, name: "the other float6", attrs: to(onnx.Float6E3M2), in: values(list[float32](1, 100), one), want: values(list[quantops.Float6E3M2](12, 31))},
		{op: "QuantizeLinear", opset: 13, name: "axis", attrs: attrs(axis(-2)), in: values(matrix, list[float32](1, 2, 4), list[uint8](10, 20, 30)),
			want: values(shaped[uint8]([]int{3, 4}, 10, 11, 12, 13, 22, 22, 23, 24, 32, 32, 32, 33))},
		{op: "QuantizeLinear", opset: 13, name: "the default axis of a vector", in: values(list[float32](8, 8), list[float32](2, 4)), want: values(list[uint8](4, 2))},
		{op: "QuantizeLinear", opset: 21, name: "blocks with a rest", attrs: attrs(axis(0), block), in: values(matrix, shaped[float32]([]int{2, 4}, 1, 1, 1, 1, 2, 4, 8, 2), shaped[int8]([]int{2, 4}, 0, 0, 0, 1, 0, 0, 0, 0)),
			want: values(shaped[int8]([]int{3, 4}, 0, 1, 2, 4, 4, 5, 6, 8, 4, 2, 1, 6))},
		// 1/3 as float16 is 0.33325; 1000/0.33325 = 3000.7, which as float16 is 3000.
		{op: "QuantizeLinear", opset: 21, name: "the quotient is a float16", in: values(halves([]int{1}, 1000), halves([]int{}, 0.3333), tensor.Scalar[int16](0)), want: values(list[int16](3000))},
		{op: "QuantizeLinear", opset: 23, name: "unless precision says so", attrs: attrs(onnx.IntAttr("precision", int64(onnx.Float))), in: values(halves([]int{1}, 1000), halves([]int{}, 0.3333), tensor.Scalar[int16](0)), want: values(list[int16](3001))},
		{op: "QuantizeLinear", opset: 19, name: "bfloat16", in: values(brains([]int{2}, 3, -4), brains([]int{}, 0.5), tensor.Scalar[int8](0)), want: values(list[int8](6, -8))},
		{op: "QuantizeLinear", opset: 24, name: "a power of two as scale", in: values(list[float32](3, -4), tensor.Scalar[quantops.Float8E8M0](126), tensor.Scalar[int8](0)), want: values(list[int8](6, -8))},
		{op: "QuantizeLinear", opset: 13, name: "nothing", in: values(counting(0, 3), list[float32](1, 1, 1)), want: values(shaped[uint8]([]int{0, 3}))},
		{op: "QuantizeLinear", opset: 13, name: "scales that do not fit", in: values(matrix, list[float32](1, 2, 3)), err: "want shape [4]"},
		{op: "QuantizeLinear", opset: 13, name: "no such axis", attrs: attrs(axis(2)), in: values(matrix, list[float32](1, 2, 3)), err: "axis 2"},
		{op: "QuantizeLinear", opset: 21, name: "blocks that do not fit", attrs: attrs(axis(0), block), in: values(matrix, shaped[float32]([]int{3, 2}, 1, 1, 1, 1, 1, 1)), err: "want shape [2 4]"},
		{op: "QuantizeLinear", opset: 21, name: "negative blocks", attrs: attrs(onnx.IntAttr("block_size", -1)), in: values(matrix, one), err: "block_size is -1"},
		{op: "QuantizeLinear", opset: 13, name: "too few zero points", in: values(matrix, list[float32](1, 1, 1, 1), list[int8](1, 2)), err: "want one for each"},
		{op: "QuantizeLinear", opset: 21, name: "two types", attrs: to(onnx.Int4), in: values(matrix, one, tensor.Scalar[int8](0)), err: "want one type"},
		{op: "QuantizeLinear", opset: 21, name: "to int64", attrs: to(onnx.Int64), in: values(matrix, one), err: "not a type to quantize to"},
		{op: "QuantizeLinear", opset: 13, name: "texts", in: values(list("a"), one), err: "want numbers"},
	})
}

func TestDequantizeLinear(t *testing.T) {
	axis := func(a int64) *onnx.Attr { return onnx.IntAttr("axis", a) }
	half, two := tensor.Scalar[float32](0.5), list[float32](2)
	runNodeTests(t, []nodeTest{
		{op: "DequantizeLinear", opset: 10, in: values(list[uint8](0, 128, 255), half, tensor.Scalar[uint8](128)), want: values(list[float32](-64, 0, 63.5))},
		{op: "DequantizeLinear", opset: 10, name: "int32", in: values(list[int32](1<<24+1, -7), half), want: values(list[float32](1<<23, -3.5))},
		{op: "DequantizeLinear", opset: 13, name: "one scale as a vector", in: values(shaped[int8]([]int{1, 2}, -128, 127), two, list[int8](1)), want: values(shaped[float32]([]int{1, 2}, -258, 252))},
		{op: "DequantizeLinear", opset: 13, name: "axis", attrs: attrs(axis(0)), in: values(shaped[int8]([]int{2, 2}, 1, 2, 3, 4), list[float32](1, 10), list[int8](0, 1)), want: values(shaped[float32]([]int{2, 2}, 1, 2, 20, 30))},
		{op: "DequantizeLinear", opset: 19, name: "float8", in: values(list[quantops.Float8E5M2](0x3c, 0xbc, 0x7c), two), want: values(list(2, -2, float32(math.Inf(1))))},
		{op: "DequantizeLinear", opset: 21, name: "4 bits", in: values(list[quantops.Int4](-8, 7), two, list[quantops.Int4](1)), want: values(list[float32](-18, 12))},
		{op: "DequantizeLinear", opset: 21, name: "uint16", in: values(list[uint16](0, 65535), two, list[uint16](65535)), want: values(list[float32](-131070, 0))},
		{op: "DequantizeLinear", opset: 21, name: "blocks with a rest", attrs: attrs(axis(1), onnx.IntAttr("block_size", 2)), in: values(shaped[int8]([]int{2, 3}, 1, 2, 3, 4, 5, 6), shaped[float32]([]int{2, 2}, 1, 10, 100, 1000)),
			want: values(shaped[float32]([]int{2, 3}, 1, 2, 30, 400, 500, 6000))},
		{op: "DequantizeLinear", opset: 19, name: "to float16", in: values(list[int8](127), halves([]int{}, 0.1), list[int8](0)), want: values(halves([]int{1}, 127*quantops.Float16FromFloat32(0.1).Float32()))},
		{op: "DequantizeLinear", opset: 19, name: "to bfloat16", in: values(list[int8](127), brains([]int{}, 0.1)), want: values(brains([]int{1}, 127*quantops.BFloat16FromFloat32(0.1).Float32()))},
		{op: "DequantizeLinear", opset: 24, name: "a power of two as scale", attrs: attrs(onnx.IntAttr("output_dtype", int64(onnx.Float))), in: values(list[quantops.Float4E2M1](7, 9), tensor.Scalar[quantops.Float8E8M0](128)), want: values(list[float32](12, -1))},
		{op: "DequantizeLinear", opset: 24, name: "to a power of two", in: values(list[int8](1), tensor.Scalar[quantops.Float8E8M0](128)), err: "not a type to dequantize to"},
		{op: "DequantizeLinear", opset: 13, name: "two types", in: values(list[int8](1), half, tensor.Scalar[uint8](0)), err: "want one type"},
		{op: "DequantizeLinear", opset: 13, name: "scales that do not fit", in: values(shaped[int8]([]int{2, 2}, 1, 2, 3, 4), list[float32](1, 2, 3)), err: "want shape [2]"},
		{op: "DequantizeLinear", opset: 13, name: "no scale", in: values(list[int8](1)), err: "operand 1 is missing"},
	})
}

func TestDynamicQuantizeLinear(t *testing.T) {
	runNodeTests(t, []nodeTest{
		{op: "DynamicQuantizeLinear", opset: 11, in: values(shaped[float32]([]int{2, 1}, -128, 127)), want: values(shaped[uint8]([]int{2, 1}, 0, 255), tensor.Scalar[float32](1), tensor.Scalar[uint8](128))},
		{op: "DynamicQuantizeLinear", opset: 11, name: "zeros", in: values(list[float32](0, 0)), want: values(list[uint8](0, 0), tensor.Scalar[float32](1), tensor.Scalar[uint8](0))},
		{op: "DynamicQuantizeLinear", opset: 11, name: "nothing", in: values(list[float32]()), want: values(list[uint8](), tensor.Scalar[float32](1), tensor.Scalar[uint8](0))},
		{op: "DynamicQuantizeLinear", opset: 11, name: "float16", in: values(halves([]int{1}, 1)), err: "want float"},
	})
}
