package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Payload is a tensor's bytes: its length is always known and free to ask, its
// bytes may be read, computed or fail when they are wanted. What Bytes returns
// belongs to the payload: callers do not write to it.
//
// A payload that also is a PiecewisePayload, or else an io.WriterTo, is written
// by that when a model is encoded, so that it need not be in memory as a whole.
type Payload interface {
	Len() int64
	Bytes() ([]byte, error)
}

// Bytes is a payload in memory.
type Bytes []byte

// Len is the number of bytes.
func (b Bytes) Len() int64 { return int64(len(b)) }

// Bytes returns b itself.
func (b Bytes) Bytes() ([]byte, error) { return b, nil }

// stored is the payload of a tensor that was read: in raw_data, in a typed
// field, or in external data.
type stored struct {
	origin []byte // the TensorProto it was read from
	dtype  DType  // as the tensor stated

	inline []byte // raw_data, which wins
	twice  bool   // there are elements in a typed field too

	// In a typed field: number elements of wire type element are found in
	// origin again when they are wanted, so that they are not held twice.
	number  protowire.Number // 0: not in a typed field
	element protowire.Type
	count   int

	external *External
	source   *source
	claim    int64 // bytes that the tensor's dims and type ask for
	err      error // what is wrong with the reference
}

// isOf reports whether the payload is what an unchanged or cloned tensor was read with.
func (s *stored) isOf(t *Tensor) bool {
	if s.dtype != t.Type || len(t.base) == 0 || len(s.origin) != len(t.base) || &s.origin[0] != &t.base[0] {
		return false
	}
	return s.external == nil && t.External == nil ||
		s.external != nil && t.External != nil && *s.external == *t.External
}

// Len is the length in bytes. Of external data whose length is not stated and
// which cannot be opened it is what dims and type ask for.
func (s *stored) Len() int64 {
	switch {
	case s.external != nil || s.err != nil:
		if n, err := s.externalLen(); err == nil {
			return n
		}
		return s.claim
	case s.number != 0:
		return typedLen(s.dtype, s.count)
	}
	return int64(len(s.inline))
}

// isView reports whether Bytes gives a part of a file's memory without a copy.
func (s *stored) isView() bool { return s.number == 0 }

// Bytes returns the elements: a part of the file's or the external file's
// memory, or, for a typed field, what is decoded from it at each call.
func (s *stored) Bytes() ([]byte, error) {
	switch {
	case s.external != nil || s.err != nil:
		return s.externalBytes()
	case s.number != 0:
		return s.typedBytes()
	}
	return s.inline, nil
}

// typedField is the field that elements of a type are kept in when they are not
// in raw_data, and the wire type of its numbers.
func typedField(t DType) (protowire.Number, protowire.Type) {
	switch t {
	case Float, Complex64:
		return floatData, protowire.Fixed32Type
	case Double, Complex128:
		return doubleData, protowire.Fixed64Type
	case Int64:
		return int64Data, protowire.VarintType
	case Uint32, Uint64:
		return uint64Data, protowire.VarintType
	case String, Undefined:
		return 0, 0
	}
	if t.Known() {
		return int32Data, protowire.VarintType
	}
	return 0, 0
}

// countTyped counts the numbers in a typed field's records.
func countTyped(element protowire.Type, records []record) (int, error) {
	count := 0
	for _, r := range records {
		if r.wire != protowire.BytesType {
			count++
			continue
		}
		count += countNumbers(element, r.bytes)
		size := 0
		switch element {
		case protowire.Fixed32Type:
			size = 4
		case protowire.Fixed64Type:
			size = 8
		}
		if size > 0 && len(r.bytes)%size != 0 || size == 0 && len(r.bytes) > 0 && r.bytes[len(r.bytes)-1] >= 0x80 {
			return 0, errors.New("packed numbers end inside a number")
		}
	}
	return count, nil
}

// typedWidth is how many bits of a payload one number of a typed field becomes:
// a 32-bit number holds one element, or one byte of packed 4-bit or 2-bit ones;
// a complex element is two numbers.
func typedWidth(t DType) int {
	switch t {
	case Complex64:
		return 32
	case Complex128:
		return 64
	case Uint4, Int4, Float4E2M1, Uint2, Int2:
		return 8
	}
	return t.Bits()
}

func typedLen(t DType, count int) int64 {
	return (int64(count)*int64(typedWidth(t)) + 7) / 8
}

func (s *stored) typedBytes() ([]byte, error) {
	t := &Tensor{Type: s.dtype}
	t.raw = s.origin
	data, err := t.findData()
	if err != nil {
		return nil, err
	}
	if len(data.typed) == 1 && data.typed[0].wire == protowire.BytesType && s.element != protowire.VarintType {
		// Packed fixed-width numbers already are what a payload is.
		return data.typed[0].bytes, nil
	}
	width := typedWidth(s.dtype)
	out := make([]byte, 0, typedLen(s.dtype, s.count))
	var sixes sixBitPacker
	for _, r := range data.typed {
		err := eachNumber(r.wire, s.element, r.scalar, r.bytes, func(v uint64) {
			switch width {
			case 6:
				out = sixes.add(out, byte(v))
			case 8:
				out = append(out, byte(v))
			case 16:
				out = binary.LittleEndian.AppendUint16(out, uint16(v))
			case 32:
				out = binary.LittleEndian.AppendUint32(out, uint32(v))
			default:
				out = binary.LittleEndian.AppendUint64(out, v)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("elements of type %v: %w", s.dtype, err)
		}
	}
	return sixes.end(out), nil
}

// sixBitPacker packs 6-bit elements into bytes, low bits first.
type sixBitPacker struct {
	held uint32
	bits int
}

func (p *sixBitPacker) add(out []byte, v byte) []byte {
	p.held |= uint32(v&0x3f) << p.bits
	p.bits += 6
	for p.bits >= 8 {
		out = append(out, byte(p.held))
		p.held >>= 8
		p.bits -= 8
	}
	return out
}

func (p *sixBitPacker) end(out []byte) []byte {
	if p.bits > 0 {
		out = append(out, byte(p.held))
	}
	return out
}
