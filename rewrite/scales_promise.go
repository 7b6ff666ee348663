package rewrite

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// scalesPart is what a tensor stores of a weight's scales: one element for each.
type scalesPart struct {
	of     scalesField
	factor float32 // that scales are multiplied by
	shift  int     // that is added to zero points
}

// scalesField is a field of quantops.Scales.
type scalesField int

const (
	scaleValues scalesField = iota
	zeroPoints
)

// append appends the elements from…to−1, stored in a type: scales in a float
// type, zero points in any.
func (p scalesPart) append(b []byte, s *quantops.Scales, dtype onnx.DType, from, to int) []byte {
	for i := from; i < to; i++ {
		if p.of == zeroPoints && dtype.Bits() == 8 {
			b = append(b, byte(int(s.Zeros[i])+p.shift))
			continue
		}
		var v float32
		if p.of == zeroPoints {
			v = float32(int(s.Zeros[i]) + p.shift)
		} else {
			v = s.Values[i] * p.factor
		}
		switch dtype {
		case onnx.Float16:
			b = binary.LittleEndian.AppendUint16(b, uint16(quantops.Float16FromFloat32(v)))
		case onnx.BFloat16:
			b = binary.LittleEndian.AppendUint16(b, uint16(quantops.BFloat16FromFloat32(v)))
		default:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	return b
}

// ofScales is a tensor that is made of the weight's scales: now, if they are
// there, else when it is read.
func (w *weight) ofScales(name string, dtype onnx.DType, dims []int64, part scalesPart) *onnx.Tensor {
	n := elements(dims)
	length := n * int64(dtype.Bits()) / 8
	if s := w.known(); s != nil {
		return onnx.NewTensor(name, dtype, dims, onnx.Bytes(part.append(make([]byte, 0, length), s, dtype, 0, int(n))))
	}
	w.awaits(length)
	return onnx.NewTensor(name, dtype, dims, scalesPromise{w: w, part: part, dtype: dtype, length: length})
}

// scalesPromise is what is stored of a weight's scales, once they are measured.
type scalesPromise struct {
	w      *weight
	part   scalesPart
	dtype  onnx.DType
	length int64
}

// Len is known without the scales.
func (p scalesPromise) Len() int64 { return p.length }

// Bytes waits for the scales, or measures them.
func (p scalesPromise) Bytes() ([]byte, error) { return wholeOf(p) }

// PieceLen is an element.
func (p scalesPromise) PieceLen() int64 { return int64(p.dtype.Bits()) / 8 }

// ReadAt is Bytes for whole elements.
func (p scalesPromise) ReadAt(b []byte, offset int64) (int, error) {
	scales, err := p.w.measured()
	if err != nil {
		return 0, p.w.explained(err)
	}
	size := int64(p.dtype.Bits()) / 8
	whole := max(0, min(int64(len(b)), p.length-offset))
	p.part.append(b[:0], scales, p.dtype, int(offset/size), int((offset+whole)/size))
	p.w.made(int(whole))
	if whole < int64(len(b)) {
		return int(whole), io.EOF
	}
	return len(b), nil
}

// longZeros is from how many zero points on they are not kept.
const longZeros = 1 << 12

// zeros is a payload of so many bytes of nothing.
type zeros int64

// Len is the number of bytes.
func (z zeros) Len() int64 { return int64(z) }

// Bytes makes them.
func (z zeros) Bytes() ([]byte, error) { return make([]byte, z), nil }

// PieceLen is any.
func (z zeros) PieceLen() int64 { return 1 }

// ReadAt clears what it is given.
func (z zeros) ReadAt(b []byte, offset int64) (int, error) {
	whole := max(0, min(int64(len(b)), int64(z)-offset))
	clear(b[:whole])
	if whole < int64(len(b)) {
		return int(whole), io.EOF
	}
	return len(b), nil
}
