package tensor

import (
	"fmt"

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
