package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"slices"
	"unsafe"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// FromONNX reads a stored tensor into one of its own: the elements are copied,
// 4-bit, 2-bit and 6-bit ones unpacked, so the file may be closed afterwards.
// A payload that is not as long as dims and type ask for is an error, found
// before anything is allocated.
func FromONNX(t *onnx.Tensor) (*Tensor, error) {
	shape, err := shapeOf(t)
	if err != nil {
		return nil, err
	}
	if t.Type == onnx.String {
		if err := t.CheckSize(); err != nil {
			return nil, err
		}
		list := make([]string, len(t.Strings))
		for i, s := range t.Strings {
			list[i] = string(s)
		}
		return New(shape, list), nil
	}
	b, err := t.RawBytes()
	if err != nil {
		return nil, err
	}
	if v := fromBytes(t.Type, shape, b); v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("tensor %q: type %v cannot be computed with", t.Name, t.Type)
}

// shapeOf is a stored tensor's shape, if there can be such a tensor.
func shapeOf(t *onnx.Tensor) ([]int, error) {
	shape := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		if d < 0 || d > math.MaxInt {
			return nil, fmt.Errorf("tensor %q: dims %v: a dimension is out of range", t.Name, t.Dims)
		}
		shape[i] = int(d)
	}
	if _, err := CheckedCount(shape); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return shape, nil
}

// fromBytes decodes elements as a payload holds them; nil for a type without an Element.
func fromBytes(t onnx.DType, shape []int, b []byte) *Tensor {
	switch t {
	case onnx.Float:
		return New(shape, decode[float32](b))
	case onnx.Double:
		return New(shape, decode[float64](b))
	case onnx.Int8:
		return New(shape, decode[int8](b))
	case onnx.Int16:
		return New(shape, decode[int16](b))
	case onnx.Int32:
		return New(shape, decode[int32](b))
	case onnx.Int64:
		return New(shape, decode[int64](b))
	case onnx.Uint8:
		return New(shape, decode[uint8](b))
	case onnx.Uint16:
		return New(shape, decode[uint16](b))
	case onnx.Uint32:
		return New(shape, decode[uint32](b))
	case onnx.Uint64:
		return New(shape, decode[uint64](b))
	case onnx.Bool:
		return New(shape, decodeBools(b))
	case onnx.Complex64:
		return New(shape, decode[complex64](b))
	case onnx.Complex128:
		return New(shape, decode[complex128](b))
	case onnx.Float16:
		return New(shape, decode[quantops.Float16](b))
	case onnx.BFloat16:
		return New(shape, decode[quantops.BFloat16](b))
	case onnx.Float8E4M3FN:
		return New(shape, decode[quantops.Float8E4M3FN](b))
	case onnx.Float8E4M3FNUZ:
		return New(shape, decode[quantops.Float8E4M3FNUZ](b))
	case onnx.Float8E5M2:
		return New(shape, decode[quantops.Float8E5M2](b))
	case onnx.Float8E5M2FNUZ:
		return New(shape, decode[quantops.Float8E5M2FNUZ](b))
	case onnx.Float8E8M0:
		return New(shape, decode[quantops.Float8E8M0](b))
	case onnx.Float4E2M1:
		return New(shape, unpack[quantops.Float4E2M1](b, 4, Count(shape)))
	case onnx.Float6E2M3:
		return New(shape, unpack[quantops.Float6E2M3](b, 6, Count(shape)))
	case onnx.Float6E3M2:
		return New(shape, unpack[quantops.Float6E3M2](b, 6, Count(shape)))
	case onnx.Uint4:
		return New(shape, unpack[quantops.Uint4](b, 4, Count(shape)))
	case onnx.Uint2:
		return New(shape, unpack[quantops.Uint2](b, 2, Count(shape)))
	case onnx.Int4:
		return New(shape, signed(unpack[quantops.Int4](b, 4, Count(shape)), 4))
	case onnx.Int2:
		return New(shape, signed(unpack[quantops.Int2](b, 2, Count(shape)), 2))
	}
	return nil
}

// decode reads elements of whole bytes, which a payload holds in little-endian
// order: as most processors do, so that they are copied at once.
func decode[T number](b []byte) []T {
	var element T
	width := int(unsafe.Sizeof(element))
	out := make([]T, len(b)/width)
	if len(out) == 0 {
		return out
	}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(out))), len(out)*width)
	copy(raw, b)
	if !littleEndian {
		part := width
		switch any(element).(type) {
		case complex64, complex128:
			part /= 2 // the real and the imaginary part are each a number
		}
		for at := 0; at < len(raw); at += part {
			slices.Reverse(raw[at : at+part])
		}
	}
	return out
}

// number is an element of one or more whole bytes, of which all values are one.
type number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | complex64 | complex128 |
		quantops.Float16 | quantops.BFloat16 |
		quantops.Float8E4M3FN | quantops.Float8E4M3FNUZ | quantops.Float8E5M2 | quantops.Float8E5M2FNUZ | quantops.Float8E8M0
}

// littleEndian says in which order the processor keeps a number's bytes.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

func decodeBools(b []byte) []bool {
	out := make([]bool, len(b))
	for i, v := range b {
		out[i] = v != 0
	}
	return out
}

// unpack reads count elements of less than a byte, packed low bits first.
func unpack[T ~int8 | ~uint8](b []byte, width, count int) []T {
	out := make([]T, count)
	held, have, next := uint32(0), 0, 0
	for i := range out {
		if have < width {
			held |= uint32(b[next]) << have
			have += 8
			next++
		}
		out[i] = T(held & (1<<width - 1))
		held >>= width
		have -= width
	}
	return out
}

// signed extends the sign of elements that are width bits wide, in place.
func signed[T ~int8](data []T, width int) []T {
	for i, v := range data {
		data[i] = v << (8 - width) >> (8 - width)
	}
	return data
}

// ToONNX makes a tensor to be stored, of t's elements as they are now.
func ToONNX(name string, t *Tensor) (*onnx.Tensor, error) {
	dims := make([]int64, len(t.shape))
	for i, d := range t.shape {
		dims[i] = int64(d)
	}
	if list, ok := t.data.([]string); ok {
		stored := onnx.NewTensor(name, onnx.String, dims, nil)
		for _, s := range list {
			stored.Strings = append(stored.Strings, []byte(s))
		}
		return stored, nil
	}
	b, err := t.bytes()
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return onnx.NewTensor(name, t.dtype, dims, onnx.Bytes(b)), nil
}

// bytes encodes the elements as a payload holds them.
func (t *Tensor) bytes() ([]byte, error) {
	le := binary.LittleEndian
	switch data := t.data.(type) {
	case []float32:
		return encode(data, 4, func(b []byte, v float32) { le.PutUint32(b, math.Float32bits(v)) }), nil
	case []float64:
		return encode(data, 8, func(b []byte, v float64) { le.PutUint64(b, math.Float64bits(v)) }), nil
	case []int8:
		return encode(data, 1, func(b []byte, v int8) { b[0] = byte(v) }), nil
	case []int16:
		return encode(data, 2, func(b []byte, v int16) { le.PutUint16(b, uint16(v)) }), nil
	case []int32:
		return encode(data, 4, func(b []byte, v int32) { le.PutUint32(b, uint32(v)) }), nil
	case []int64:
		return encode(data, 8, func(b []byte, v int64) { le.PutUint64(b, uint64(v)) }), nil
	case []uint8:
		return append([]byte{}, data...), nil
	case []uint16:
		return encode(data, 2, le.PutUint16), nil
	case []uint32:
		return encode(data, 4, le.PutUint32), nil
	case []uint64:
		return encode(data, 8, le.PutUint64), nil
	case []bool:
		return encode(data, 1, func(b []byte, v bool) {
			if v {
				b[0] = 1
			}
		}), nil
	case []complex64:
		return encode(data, 8, func(b []byte, v complex64) {
			le.PutUint32(b, math.Float32bits(real(v)))
			le.PutUint32(b[4:], math.Float32bits(imag(v)))
		}), nil
	case []complex128:
		return encode(data, 16, func(b []byte, v complex128) {
			le.PutUint64(b, math.Float64bits(real(v)))
			le.PutUint64(b[8:], math.Float64bits(imag(v)))
		}), nil
	case []quantops.Float16:
		return encode(data, 2, func(b []byte, v quantops.Float16) { le.PutUint16(b, uint16(v)) }), nil
	case []quantops.BFloat16:
		return encode(data, 2, func(b []byte, v quantops.BFloat16) { le.PutUint16(b, uint16(v)) }), nil
	case []quantops.Float8E4M3FN:
		return pack(data, 8), nil
	case []quantops.Float8E4M3FNUZ:
		return pack(data, 8), nil
	case []quantops.Float8E5M2:
		return pack(data, 8), nil
	case []quantops.Float8E5M2FNUZ:
		return pack(data, 8), nil
	case []quantops.Float8E8M0:
		return pack(data, 8), nil
	case []quantops.Float4E2M1:
		return pack(data, 4), nil
	case []quantops.Float6E2M3:
		return pack(data, 6), nil
	case []quantops.Float6E3M2:
		return pack(data, 6), nil
	case []quantops.Uint4:
		return pack(data, 4), nil
	case []quantops.Int4:
		return pack(data, 4), nil
	case []quantops.Uint2:
		return pack(data, 2), nil
	case []quantops.Int2:
		return pack(data, 2), nil
	}
	return nil, fmt.Errorf("elements of type %v cannot be stored", t.dtype)
}

func encode[T Element](data []T, width int, element func([]byte, T)) []byte {
	out := make([]byte, width*len(data))
	for i, v := range data {
		element(out[i*width:(i+1)*width], v)
	}
	return out
}

// pack writes elements of at most a byte, low bits first, and fills the last byte up.
func pack[T ~int8 | ~uint8](data []T, width int) []byte {
	out := make([]byte, 0, (len(data)*width+7)/8)
	held, have := uint32(0), 0
	for _, v := range data {
		held |= uint32(uint8(v)) & (1<<width - 1) << have
		have += width
		for have >= 8 {
			out = append(out, byte(held))
			held >>= 8
			have -= 8
		}
	}
	if have > 0 {
		out = append(out, byte(held))
	}
	return out
}

// ViewOfONNX is FromONNX of a tensor of type Int8, Uint8 or Float without copying:
// the result shares the payload's bytes, and is good for as long as they are.
// Floats that do not lie as this machine reads them are copied nevertheless.
func ViewOfONNX(t *onnx.Tensor) (*Tensor, error) {
	if t.Type != onnx.Int8 && t.Type != onnx.Uint8 && t.Type != onnx.Float {
		return nil, fmt.Errorf("tensor %q: elements of type %v cannot be shared", t.Name, t.Type)
	}
	shape, err := shapeOf(t)
	if err != nil {
		return nil, err
	}
	b, err := t.RawBytes()
	if err != nil {
		return nil, err
	}
	switch {
	case t.Type == onnx.Uint8:
		return New(shape, b[:len(b):len(b)]), nil
	case t.Type == onnx.Float:
		start := unsafe.Pointer(unsafe.SliceData(b))
		// A payload begins anywhere in a file, which these processors read as well.
		anywhere := runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"
		if len(b) == 0 || uintptr(start)%4 != 0 && !anywhere || binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
			return fromBytes(t.Type, shape, b), nil
		}
		return New(shape, unsafe.Slice((*float32)(start), len(b)/4)), nil
	}
	return New(shape, unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(b))), len(b))), nil
}
