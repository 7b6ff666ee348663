// Package tensor holds the values that the executor computes with: dense
// tensors, sequences, optionals and maps.
//
// Values are immutable once they have been handed to or returned by the
// executor: kernels never write to their inputs, and two values may share one
// slice of elements.
package tensor

import (
	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// Value is what one name of a graph stands for while it runs: a *Tensor, a
// *Sequence, an *Optional or a *Map. A nil Value is an operand that was left out.
type Value interface{ isValue() }

// Element lists the Go types of tensor elements, one for each onnx.DType.
// 4-bit, 2-bit and 6-bit types hold one element in a byte here, unpacked.
type Element interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 |
		bool | string | complex64 | complex128 |
		quantops.Float16 | quantops.BFloat16 |
		quantops.Float8E4M3FN | quantops.Float8E4M3FNUZ | quantops.Float8E5M2 | quantops.Float8E5M2FNUZ |
		quantops.Float8E8M0 | quantops.Float4E2M1 | quantops.Float6E2M3 | quantops.Float6E3M2 |
		quantops.Int4 | quantops.Uint4 | quantops.Int2 | quantops.Uint2
}

// Tensor is a dense row-major array. The zero value is not useful: see New and Make.
type Tensor struct {
	dtype onnx.DType
	shape []int
	data  any // []T for the Element T of dtype, len = product of shape
}

// Sequence is an ordered list of values of one type.
type Sequence struct {
	Elem   onnx.DType // of the tensors in it, where known (an empty sequence needs it)
	Values []Value
}

// Optional is a value that may be absent (Value nil).
type Optional struct{ Value Value }

// Map is a dictionary as the ai.onnx.ml operators know it: keys are int64 or
// string, values are tensors' elements. Keys are kept in ascending order.
type Map struct {
	Keys   *Tensor // rank 1: int64 or string
	Values *Tensor // rank 1, as long as Keys
}

func (*Tensor) isValue()   {}
func (*Sequence) isValue() {}
func (*Optional) isValue() {}
func (*Map) isValue()      {}

// New makes a tensor of data, which it keeps and does not copy; len(data) must
// be the product of shape. An empty shape is a scalar.
func New[T Element](shape []int, data []T) *Tensor {
	return &Tensor{dtype: TypeOf[T](), shape: shape, data: data}
}

// Make makes a tensor of zeros.
func Make[T Element](shape []int) *Tensor { return New(shape, make([]T, Count(shape))) }

// Scalar makes a tensor of rank 0.
func Scalar[T Element](v T) *Tensor { return New([]int{}, []T{v}) }

// Data returns t's elements, which the caller must not write to, and whether T
// is the type of t's elements.
func Data[T Element](t *Tensor) ([]T, bool) {
	data, ok := t.data.([]T)
	return data, ok
}

// DType is the type of t's elements.
func (t *Tensor) DType() onnx.DType { return t.dtype }

// Shape is t's shape, which the caller must not write to.
func (t *Tensor) Shape() []int { return t.shape }

// Rank is the number of t's dimensions.
func (t *Tensor) Rank() int { return len(t.shape) }

// Len is the number of t's elements.
func (t *Tensor) Len() int { return Count(t.shape) }

// Any is t's elements as a slice of the Element type of t.DType(), for a type switch.
func (t *Tensor) Any() any { return t.data }

// WithShape returns a tensor that shares t's elements under another shape of as many.
func (t *Tensor) WithShape(shape []int) *Tensor {
	return &Tensor{dtype: t.dtype, shape: shape, data: t.data}
}

// Count is the number of elements of a shape: the product of its dimensions.
func Count(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// TypeOf is the onnx.DType whose elements are of type T.
func TypeOf[T Element]() onnx.DType {
	var zero T
	switch any(zero).(type) {
	case float32:
		return onnx.Float
	case float64:
		return onnx.Double
	case int8:
		return onnx.Int8
	case int16:
		return onnx.Int16
	case int32:
		return onnx.Int32
	case int64:
		return onnx.Int64
	case uint8:
		return onnx.Uint8
	case uint16:
		return onnx.Uint16
	case uint32:
		return onnx.Uint32
	case uint64:
		return onnx.Uint64
	case bool:
		return onnx.Bool
	case string:
		return onnx.String
	case complex64:
		return onnx.Complex64
	case complex128:
		return onnx.Complex128
	case quantops.Float16:
		return onnx.Float16
	case quantops.BFloat16:
		return onnx.BFloat16
	case quantops.Float8E4M3FN:
		return onnx.Float8E4M3FN
	case quantops.Float8E4M3FNUZ:
		return onnx.Float8E4M3FNUZ
	case quantops.Float8E5M2:
		return onnx.Float8E5M2
	case quantops.Float8E5M2FNUZ:
		return onnx.Float8E5M2FNUZ
	case quantops.Float8E8M0:
		return onnx.Float8E8M0
	case quantops.Float4E2M1:
		return onnx.Float4E2M1
	case quantops.Float6E2M3:
		return onnx.Float6E2M3
	case quantops.Float6E3M2:
		return onnx.Float6E3M2
	case quantops.Int4:
		return onnx.Int4
	case quantops.Uint4:
		return onnx.Uint4
	case quantops.Int2:
		return onnx.Int2
	case quantops.Uint2:
		return onnx.Uint2
	}
	return onnx.Undefined
}
