package tensor

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// Float64s is a copy of t's elements as float64, which holds all of every type
// but int64, uint64 (rounded to the nearest) and the types that are no real
// numbers; bool is 0 and 1.
func (t *Tensor) Float64s() ([]float64, error) {
	switch data := t.data.(type) {
	case []float64:
		return append([]float64{}, data...), nil
	case []float32:
		return toFloat64(data), nil
	case []int8:
		return toFloat64(data), nil
	case []int16:
		return toFloat64(data), nil
	case []int32:
		return toFloat64(data), nil
	case []int64:
		return toFloat64(data), nil
	case []uint8:
		return toFloat64(data), nil
	case []uint16:
		return toFloat64(data), nil
	case []uint32:
		return toFloat64(data), nil
	case []uint64:
		return toFloat64(data), nil
	case []bool:
		wide := make([]float64, len(data))
		for i, v := range data {
			if v {
				wide[i] = 1
			}
		}
		return wide, nil
	case []quantops.Float16:
		return widen(data), nil
	case []quantops.BFloat16:
		return widen(data), nil
	case []quantops.Float8E4M3FN:
		return widen(data), nil
	case []quantops.Float8E4M3FNUZ:
		return widen(data), nil
	case []quantops.Float8E5M2:
		return widen(data), nil
	case []quantops.Float8E5M2FNUZ:
		return widen(data), nil
	case []quantops.Float8E8M0:
		return widen(data), nil
	case []quantops.Float4E2M1:
		return widen(data), nil
	case []quantops.Float6E2M3:
		return widen(data), nil
	case []quantops.Float6E3M2:
		return widen(data), nil
	case []quantops.Int4:
		return widen(data), nil
	case []quantops.Uint4:
		return widen(data), nil
	case []quantops.Int2:
		return widen(data), nil
	case []quantops.Uint2:
		return widen(data), nil
	}
	return nil, fmt.Errorf("elements of type %v are no real numbers", t.dtype)
}

func toFloat64[T float32 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](data []T) []float64 {
	wide := make([]float64, len(data))
	for i, v := range data {
		wide[i] = float64(v)
	}
	return wide
}

func widen[T interface{ Float32() float32 }](data []T) []float64 {
	wide := make([]float64, len(data))
	for i, v := range data {
		wide[i] = float64(v.Float32())
	}
	return wide
}

// FromFloat64s makes a tensor of numbers of any type but strings and complex
// ones. Floats are rounded to the nearest, half to even, the 8-bit ones
// saturating; integers are rounded likewise and wrap; bool is whether a number
// is not 0.
func FromFloat64s(t onnx.DType, shape []int, data []float64) (*Tensor, error) {
	switch t {
	case onnx.Double:
		return New(shape, append([]float64{}, data...)), nil
	case onnx.Float:
		return New(shape, from(data, func(v float64) float32 { return float32(v) })), nil
	case onnx.Float16:
		return New(shape, from(data, quantops.Float16FromFloat64)), nil
	case onnx.BFloat16:
		return New(shape, from(data, quantops.BFloat16FromFloat64)), nil
	case onnx.Int8:
		return New(shape, from(data, rounded[int8])), nil
	case onnx.Int16:
		return New(shape, from(data, rounded[int16])), nil
	case onnx.Int32:
		return New(shape, from(data, rounded[int32])), nil
	case onnx.Int64:
		return New(shape, from(data, rounded[int64])), nil
	case onnx.Uint8:
		return New(shape, from(data, rounded[uint8])), nil
	case onnx.Uint16:
		return New(shape, from(data, rounded[uint16])), nil
	case onnx.Uint32:
		return New(shape, from(data, rounded[uint32])), nil
	case onnx.Uint64:
		return New(shape, from(data, rounded[uint64])), nil
	case onnx.Bool:
		return New(shape, from(data, func(v float64) bool { return v != 0 })), nil
	case onnx.Float8E4M3FN:
		return New(shape, from(data, func(v float64) quantops.Float8E4M3FN {
			return quantops.Float8E4M3FNFromFloat32(quantops.RoundToOdd(v), true)
		})), nil
	case onnx.Float8E4M3FNUZ:
		return New(shape, from(data, func(v float64) quantops.Float8E4M3FNUZ {
			return quantops.Float8E4M3FNUZFromFloat32(quantops.RoundToOdd(v), true)
		})), nil
	case onnx.Float8E5M2:
		return New(shape, from(data, func(v float64) quantops.Float8E5M2 {
			return quantops.Float8E5M2FromFloat32(quantops.RoundToOdd(v), true)
		})), nil
	case onnx.Float8E5M2FNUZ:
		return New(shape, from(data, func(v float64) quantops.Float8E5M2FNUZ {
			return quantops.Float8E5M2FNUZFromFloat32(quantops.RoundToOdd(v), true)
		})), nil
	case onnx.Float4E2M1:
		return New(shape, from(data, func(v float64) quantops.Float4E2M1 {
			return quantops.Float4E2M1FromFloat32(quantops.RoundToOdd(v))
		})), nil
	case onnx.Float6E2M3:
		return New(shape, from(data, func(v float64) quantops.Float6E2M3 {
			return quantops.Float6E2M3FromFloat32(quantops.RoundToOdd(v))
		})), nil
	case onnx.Float6E3M2:
		return New(shape, from(data, func(v float64) quantops.Float6E3M2 {
			return quantops.Float6E3M2FromFloat32(quantops.RoundToOdd(v))
		})), nil
	case onnx.Int4:
		return New(shape, signed(from(data, rounded[quantops.Int4]), 4)), nil
	case onnx.Int2:
		return New(shape, signed(from(data, rounded[quantops.Int2]), 2)), nil
	case onnx.Uint4:
		return New(shape, from(data, func(v float64) quantops.Uint4 { return rounded[quantops.Uint4](v) & 15 })), nil
	case onnx.Uint2:
		return New(shape, from(data, func(v float64) quantops.Uint2 { return rounded[quantops.Uint2](v) & 3 })), nil
	}
	return nil, fmt.Errorf("numbers cannot become elements of type %v", t)
}

func from[T Element](data []float64, convert func(float64) T) []T {
	out := make([]T, len(data))
	for i, v := range data {
		out[i] = convert(v)
	}
	return out
}

func rounded[T ~int8 | int16 | int32 | int64 | ~uint8 | uint16 | uint32 | uint64](v float64) T {
	v = math.RoundToEven(v)
	if v < 0 {
		return T(int64(v))
	}
	return T(uint64(v))
}
