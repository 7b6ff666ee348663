package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Float32s reads a tensor of any float type, widened to float32; double is
// rounded to the nearest, half to even. A payload whose length is not what dims
// and type ask for is an error, found before anything is allocated.
func (t *Tensor) Float32s() ([]float32, error) {
	b, err := t.RawBytes()
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	switch t.Type {
	case Float:
		return elements(b, 4, func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) }), nil
	case Double:
		return elements(b, 8, func(b []byte) float32 { return float32(math.Float64frombits(le.Uint64(b))) }), nil
	case BFloat16:
		return elements(b, 2, func(b []byte) float32 { return math.Float32frombits(uint32(le.Uint16(b)) << 16) }), nil
	}
	format, ok := smallFloatOf(t.Type)
	if !ok {
		return nil, fmt.Errorf("onnx: tensor %q: its type %v is not a float type", t.Name, t.Type)
	}
	codes, err := t.codes(b)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(codes))
	for i, code := range codes {
		out[i] = format.decode(code)
	}
	return out, nil
}

// Float64s reads a tensor of any float type, widened to float64.
func (t *Tensor) Float64s() ([]float64, error) {
	if t.Type != Double {
		narrow, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		out := make([]float64, len(narrow))
		for i, v := range narrow {
			out[i] = float64(v)
		}
		return out, nil
	}
	b, err := t.RawBytes()
	if err != nil {
		return nil, err
	}
	return elements(b, 8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }), nil
}

// Int64s reads a tensor of any integer type or bool (0 and 1). A uint64 beyond
// int64 is an error.
func (t *Tensor) Int64s() ([]int64, error) {
	b, err := t.RawBytes()
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	switch t.Type {
	case Int8:
		return elements(b, 1, func(b []byte) int64 { return int64(int8(b[0])) }), nil
	case Int16:
		return elements(b, 2, func(b []byte) int64 { return int64(int16(le.Uint16(b))) }), nil
	case Int32:
		return elements(b, 4, func(b []byte) int64 { return int64(int32(le.Uint32(b))) }), nil
	case Int64:
		return elements(b, 8, func(b []byte) int64 { return int64(le.Uint64(b)) }), nil
	case Uint8:
		return elements(b, 1, func(b []byte) int64 { return int64(b[0]) }), nil
	case Uint16:
		return elements(b, 2, func(b []byte) int64 { return int64(le.Uint16(b)) }), nil
	case Uint32:
		return elements(b, 4, func(b []byte) int64 { return int64(le.Uint32(b)) }), nil
	case Bool:
		return elements(b, 1, func(b []byte) int64 {
			if b[0] != 0 {
				return 1
			}
			return 0
		}), nil
	case Uint64:
		out := elements(b, 8, func(b []byte) int64 { return int64(le.Uint64(b)) })
		for i, v := range out {
			if v < 0 {
				return nil, fmt.Errorf("onnx: tensor %q: element %d, %d, is beyond int64", t.Name, i, uint64(v))
			}
		}
		return out, nil
	case Uint4, Int4, Uint2, Int2:
		codes, err := t.codes(b)
		if err != nil {
			return nil, err
		}
		shift := 0 // brings the sign to the top and back
		if t.Type == Int4 || t.Type == Int2 {
			shift = 64 - t.Type.Bits()
		}
		out := make([]int64, len(codes))
		for i, code := range codes {
			out[i] = int64(code) << shift >> shift
		}
		return out, nil
	}
	return nil, fmt.Errorf("onnx: tensor %q: its type %v is not an integer type", t.Name, t.Type)
}

// elements decodes fixed-width elements.
func elements[T any](b []byte, width int, decode func([]byte) T) []T {
	out := make([]T, len(b)/width)
	for i := range out {
		out[i] = decode(b[i*width : (i+1)*width])
	}
	return out
}

// codes unpacks elements of at most 16 bits into their bit patterns.
func (t *Tensor) codes(b []byte) ([]uint16, error) {
	n, err := t.Elements()
	if err != nil {
		return nil, err
	}
	width := t.Type.Bits()
	out := make([]uint16, n)
	if width == 16 {
		for i := range out {
			out[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
		return out, nil
	}
	held, have, next := uint32(0), 0, 0
	for i := range out {
		if have < width {
			held |= uint32(b[next]) << have
			have += 8
			next++
		}
		out[i] = uint16(held & (1<<width - 1))
		held >>= width
		have -= width
	}
	return out, nil
}
