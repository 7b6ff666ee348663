package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// real is what the neural-network kernels compute in: 16-bit types are widened
// to float32 and rounded where the operator stores them.
type real interface{ float32 | float64 }

// reals is a float tensor's elements as T, for reading only: they are the
// tensor's own where it holds T. The result is nil for an absent operand.
func reals[T real](t *tensor.Tensor) ([]T, error) {
	if t == nil {
		return nil, nil
	}
	switch data := t.Any().(type) {
	case []T:
		return data, nil
	case []float32:
		return convertReals[T](data), nil
	case []float64:
		return convertReals[T](data), nil
	case []quantops.Float16:
		return widenReals[T](data, quantops.WidenFloat16), nil
	case []quantops.BFloat16:
		return widenReals[T](data, quantops.WidenBFloat16), nil
	}
	return nil, fmt.Errorf("operand of type %v: want float, double, float16 or bfloat16", t.DType())
}

// allReals is reals of several operands.
func allReals[T real](operands ...*tensor.Tensor) ([][]T, error) {
	all := make([][]T, len(operands))
	for i, t := range operands {
		data, err := reals[T](t)
		if err != nil {
			return nil, err
		}
		all[i] = data
	}
	return all, nil
}

func convertReals[To, From real](data []From) []To {
	converted := make([]To, len(data))
	for i, v := range data {
		converted[i] = To(v)
	}
	return converted
}

func widenReals[To real, From any](data []From, widen func(to []float32, from []From)) []To {
	wide := make([]float32, len(data))
	widen(wide, data)
	if same, ok := any(wide).([]To); ok {
		return same
	}
	return convertReals[To](wide)
}

// ofReals makes a tensor of a float type, rounding half to even. It keeps data
// where that is what the tensor holds.
func ofReals[T real](t onnx.DType, shape []int, data []T) (*tensor.Tensor, error) {
	switch t {
	case onnx.Float:
		if same, ok := any(data).([]float32); ok {
			return tensor.New(shape, same), nil
		}
		return tensor.New(shape, convertReals[float32](data)), nil
	case onnx.Double:
		if same, ok := any(data).([]float64); ok {
			return tensor.New(shape, same), nil
		}
		return tensor.New(shape, convertReals[float64](data)), nil
	case onnx.Float16:
		return tensor.New(shape, narrowReals(data, quantops.NarrowFloat16, quantops.Float16FromFloat64)), nil
	case onnx.BFloat16:
		return tensor.New(shape, narrowReals(data, quantops.NarrowBFloat16, quantops.BFloat16FromFloat64)), nil
	}
	return nil, fmt.Errorf("%v is not a type that this operator computes: want float, double, float16 or bfloat16", t)
}

func narrowReals[T real, To tensor.Element](data []T, narrow func(to []To, from []float32), one func(float64) To) []To {
	narrowed := make([]To, len(data))
	if same, ok := any(data).([]float32); ok {
		narrow(narrowed, same)
		return narrowed
	}
	for i, v := range data {
		narrowed[i] = one(float64(v))
	}
	return narrowed
}

// roundTo rounds data in place to what a float type can hold, for operators
// that store intermediate results.
func roundTo[T real](t onnx.DType, data []T) {
	floats, single := any(data).([]float32)
	switch {
	case t != onnx.Float16 && t != onnx.BFloat16:
	case single:
		roundFloats(t, floats, floats)
	case t == onnx.Float16:
		for i, v := range data {
			data[i] = T(quantops.Float16FromFloat64(float64(v)).Float32())
		}
	default:
		for i, v := range data {
			data[i] = T(quantops.BFloat16FromFloat64(float64(v)).Float32())
		}
	}
}
