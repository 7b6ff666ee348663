package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// numbersAsReals is reals for any type of number, for operators that
// interpolate between elements of whatever type.
func numbersAsReals[T real](t *tensor.Tensor) ([]T, error) {
	switch data := t.Any().(type) {
	case []int8:
		return integersAsReals[T](data), nil
	case []int16:
		return integersAsReals[T](data), nil
	case []int32:
		return integersAsReals[T](data), nil
	case []int64:
		return integersAsReals[T](data), nil
	case []uint8:
		return integersAsReals[T](data), nil
	case []uint16:
		return integersAsReals[T](data), nil
	case []uint32:
		return integersAsReals[T](data), nil
	case []uint64:
		return integersAsReals[T](data), nil
	}
	data, err := reals[T](t)
	if err != nil {
		return nil, fmt.Errorf("operand of type %v: want a type of number", t.DType())
	}
	return data, nil
}

func integersAsReals[T real, I integer](data []I) []T {
	converted := make([]T, len(data))
	for i, v := range data {
		converted[i] = T(v)
	}
	return converted
}

// ofNumbers is ofReals for any type of number: integers are rounded half to
// even and saturate; a NaN becomes 0.
func ofNumbers[T real](t onnx.DType, shape []int, data []T) (*tensor.Tensor, error) {
	switch t {
	case onnx.Int8:
		return tensor.New(shape, roundToIntegers[int8](data, math.MinInt8, math.MaxInt8)), nil
	case onnx.Int16:
		return tensor.New(shape, roundToIntegers[int16](data, math.MinInt16, math.MaxInt16)), nil
	case onnx.Int32:
		return tensor.New(shape, roundToIntegers[int32](data, math.MinInt32, math.MaxInt32)), nil
	case onnx.Int64:
		return tensor.New(shape, roundToIntegers[int64](data, math.MinInt64, math.MaxInt64)), nil
	case onnx.Uint8:
		return tensor.New(shape, roundToIntegers[uint8](data, 0, math.MaxUint8)), nil
	case onnx.Uint16:
		return tensor.New(shape, roundToIntegers[uint16](data, 0, math.MaxUint16)), nil
	case onnx.Uint32:
		return tensor.New(shape, roundToIntegers[uint32](data, 0, math.MaxUint32)), nil
	case onnx.Uint64:
		return tensor.New(shape, roundToIntegers[uint64](data, 0, math.MaxUint64)), nil
	}
	return ofReals(t, shape, data)
}

func roundToIntegers[I integer, T real](data []T, least, most I) []I {
	rounded := make([]I, len(data))
	for i, v := range data {
		switch r := math.RoundToEven(float64(v)); {
		case r >= float64(most): // the largest 64-bit ones round up as floats
			rounded[i] = most
		case r <= float64(least):
			rounded[i] = least
		case r == r:
			rounded[i] = I(r)
		}
	}
	return rounded
}
