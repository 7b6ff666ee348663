package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// quotients is what a quantizing operator computed, in units of its output's
// scale: all that is left is to round, to add the zero point and to saturate.
type quotients interface {
	// quotients calls f, in parallel, for blocks of elements from lo on, with
	// as many zero points as quotients, or one for all.
	quotients(c *Call, f func(lo int, quotients, zeros []float32)) error
}

// encodeQuotients makes the tensor of a quantized type that quotients stand for.
// saturate is for float8 types.
func encodeQuotients(c *Call, t onnx.DType, saturate bool, shape []int, q quotients) (*tensor.Tensor, error) {
	switch t {
	case onnx.Int8:
		return encode(c, shape, q, toIntegers[int8](math.MinInt8, math.MaxInt8))
	case onnx.Uint8:
		return encode(c, shape, q, toIntegers[uint8](0, math.MaxUint8))
	case onnx.Int16:
		return encode(c, shape, q, toIntegers[int16](math.MinInt16, math.MaxInt16))
	case onnx.Uint16:
		return encode(c, shape, q, toIntegers[uint16](0, math.MaxUint16))
	case onnx.Int4:
		return encode(c, shape, q, toIntegers[quantops.Int4](-8, 7))
	case onnx.Uint4:
		return encode(c, shape, q, toIntegers[quantops.Uint4](0, 15))
	case onnx.Int2:
		return encode(c, shape, q, toIntegers[quantops.Int2](-2, 1))
	case onnx.Uint2:
		return encode(c, shape, q, toIntegers[quantops.Uint2](0, 3))
	case onnx.Float8E4M3FN:
		return encode(c, shape, q, toFloats(func(v float32) quantops.Float8E4M3FN { return quantops.Float8E4M3FNFromFloat32(v, saturate) }))
	case onnx.Float8E4M3FNUZ:
		return encode(c, shape, q, toFloats(func(v float32) quantops.Float8E4M3FNUZ { return quantops.Float8E4M3FNUZFromFloat32(v, saturate) }))
	case onnx.Float8E5M2:
		return encode(c, shape, q, toFloats(func(v float32) quantops.Float8E5M2 { return quantops.Float8E5M2FromFloat32(v, saturate) }))
	case onnx.Float8E5M2FNUZ:
		return encode(c, shape, q, toFloats(func(v float32) quantops.Float8E5M2FNUZ { return quantops.Float8E5M2FNUZFromFloat32(v, saturate) }))
	case onnx.Float4E2M1:
		return encode(c, shape, q, toFloats(quantops.Float4E2M1FromFloat32))
	case onnx.Float6E2M3:
		return encode(c, shape, q, toFloats(quantops.Float6E2M3FromFloat32))
	case onnx.Float6E3M2:
		return encode(c, shape, q, toFloats(quantops.Float6E3M2FromFloat32))
	}
	return nil, fmt.Errorf("%v is not a type to quantize to", t)
}

func encode[Q tensor.Element](c *Call, shape []int, q quotients, encode func(to []Q, quotients, zeros []float32)) (*tensor.Tensor, error) {
	y := make([]Q, tensor.Count(shape))
	err := q.quotients(c, func(lo int, quotients, zeros []float32) { encode(y[lo:lo+len(quotients)], quotients, zeros) })
	return tensor.New(shape, y), err
}

// toIntegers encodes as integers from least to most; a NaN, for which ONNX says
// nothing, becomes the least.
func toIntegers[Q ~int8 | ~uint8 | ~int16 | ~uint16](least, most float32) func(to []Q, quotients, zeros []float32) {
	return func(to []Q, quotients, zeros []float32) {
		for i, v := range quotients {
			zero := zeros[0]
			if len(zeros) > 1 {
				zero = zeros[i]
			}
			switch v := float32(math.RoundToEven(float64(v))) + zero; {
			case v >= most:
				to[i] = Q(most)
			case v > least:
				to[i] = Q(v)
			default:
				to[i] = Q(least)
			}
		}
	}
}

// toFloats encodes as one of the narrow floats. Their zero points are zero but
// in theory; adding that would only take the sign of a negative zero.
func toFloats[Q tensor.Element](narrow func(float32) Q) func(to []Q, quotients, zeros []float32) {
	return func(to []Q, quotients, zeros []float32) {
		for i, v := range quotients {
			zero := zeros[0]
			if len(zeros) > 1 {
				zero = zeros[i]
			}
			if zero != 0 {
				v += zero
			}
			to[i] = narrow(v)
		}
	}
}
