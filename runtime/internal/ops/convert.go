package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// readAs reads a tensor of any number type, or of bool, converted to C: to
// floats rounded half to even, to integers with the fraction cut off and bits
// that do not fit dropped. What is out of an integer's range as a float has no
// defined result.
func readAs[C number](t *tensor.Tensor) (reader[C], error) {
	switch data := t.Any().(type) {
	case []C:
		return &expanded[C]{data: data}, nil
	case []float32:
		return converted[float32, C](data), nil
	case []float64:
		return converted[float64, C](data), nil
	case []int8:
		return converted[int8, C](data), nil
	case []int16:
		return converted[int16, C](data), nil
	case []int32:
		return converted[int32, C](data), nil
	case []int64:
		return converted[int64, C](data), nil
	case []uint8:
		return converted[uint8, C](data), nil
	case []uint16:
		return converted[uint16, C](data), nil
	case []uint32:
		return converted[uint32, C](data), nil
	case []uint64:
		return converted[uint64, C](data), nil
	case []quantops.Int4:
		return converted[quantops.Int4, C](data), nil
	case []quantops.Int2:
		return converted[quantops.Int2, C](data), nil
	case []quantops.Uint4:
		return converted[quantops.Uint4, C](data), nil
	case []quantops.Uint2:
		return converted[quantops.Uint2, C](data), nil
	case []bool:
		return &widened[bool, C]{data, fromBools[C]}, nil
	case []quantops.Float16:
		return fromFloats[C](data, quantops.WidenFloat16), nil
	case []quantops.BFloat16:
		return fromFloats[C](data, quantops.WidenBFloat16), nil
	case []quantops.Float8E4M3FN:
		return fromFloats[C](data, quantops.Widen[quantops.Float8E4M3FN]), nil
	case []quantops.Float8E4M3FNUZ:
		return fromFloats[C](data, quantops.Widen[quantops.Float8E4M3FNUZ]), nil
	case []quantops.Float8E5M2:
		return fromFloats[C](data, quantops.Widen[quantops.Float8E5M2]), nil
	case []quantops.Float8E5M2FNUZ:
		return fromFloats[C](data, quantops.Widen[quantops.Float8E5M2FNUZ]), nil
	case []quantops.Float8E8M0:
		return fromFloats[C](data, quantops.Widen[quantops.Float8E8M0]), nil
	case []quantops.Float4E2M1:
		return fromFloats[C](data, quantops.Widen[quantops.Float4E2M1]), nil
	case []quantops.Float6E2M3:
		return fromFloats[C](data, quantops.Widen[quantops.Float6E2M3]), nil
	case []quantops.Float6E3M2:
		return fromFloats[C](data, quantops.Widen[quantops.Float6E3M2]), nil
	}
	return nil, fmt.Errorf("operand of type %v: want numbers", t.DType())
}

// numbersAs is all elements of a tensor of any number type, or of bool, as C,
// for reading only; see readAs.
func numbersAs[C number](t *tensor.Tensor) ([]C, error) {
	r, err := readAs[C](t)
	if err != nil {
		return nil, err
	}
	if same, ok := r.(*expanded[C]); ok {
		return same.data, nil
	}
	return r.block(0, t.Len(), make([]C, t.Len())), nil
}

// converted reads elements of a type that Go converts to C.
func converted[S interface{ ~int8 | ~uint8 | number }, C number](data []S) reader[C] {
	return &widened[S, C]{data, func(to []C, from []S) {
		to = to[:len(from)]
		for i, v := range from {
			to[i] = C(v)
		}
	}}
}

// fromFloats reads elements of a narrow float type.
func fromFloats[C number, S tensor.Element](data []S, widen func(to []float32, from []S)) reader[C] {
	if direct, ok := any(widen).(func(to []C, from []S)); ok {
		return &widened[S, C]{data, direct}
	}
	return &widened[S, C]{data, func(to []C, from []S) {
		var wide [blockElements]float32
		for len(from) > 0 {
			n := min(len(from), len(wide))
			widen(wide[:n], from[:n])
			for i, v := range wide[:n] {
				to[i] = C(v)
			}
			to, from = to[n:], from[n:]
		}
	}}
}

func fromBools[C number](to []C, from []bool) {
	for i, v := range from {
		to[i] = 0
		if v {
			to[i] = 1
		}
	}
}
