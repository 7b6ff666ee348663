package onnx

import (
	"bytes"
	"math"
	"slices"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// fields is what a message type declares its fields to, once for both ways:
// while a message is read, the one field that the record at hand belongs to
// takes its value; while one is written, each field in turn gives its own.
//
// A record whose wire type is not the field's is no record of that field; like
// one with an unknown number it is passed over when read and kept when written.
type fields struct {
	// Reading.
	decoder *decoder
	depth   int
	number  protowire.Number
	wire    protowire.Type
	scalar  uint64 // the value of a varint or fixed record
	bytes   []byte // the value of a length-delimited record
	offset  int64  // of bytes in the file
	name    string // of the field that took the record
	taken   bool
	merges  int
	seen    uint64
	err     error

	// Writing.
	writer *writer
}

// takes reports whether the record at hand is one of the field described.
func (f *fields) takes(number protowire.Number, wire protowire.Type, name string) bool {
	if f.number != number || f.wire != wire {
		return false
	}
	f.taken, f.name = true, name
	return true
}

// reading reports whether the record at hand has the number given: for fields
// of which only the one read last holds.
func (f *fields) reading(number protowire.Number) bool {
	return f.writer == nil && f.number == number
}

// string is an optional string; "" stands for its absence.
func (f *fields) string(number protowire.Number, name string, p *string) {
	if f.writer == nil {
		if f.takes(number, protowire.BytesType, name) {
			*p = f.decoder.string(f.bytes)
		}
		return
	}
	w := f.writer
	if was, ok := w.was(number, protowire.BytesType); ok && string(was.bytes) == *p {
		w.keep(number, protowire.BytesType)
		return
	}
	out := w.field(number, protowire.BytesType)
	if *p != "" {
		out.bytes(number, []byte(*p))
	}
}

// data is an optional run of bytes that is shared with the file; it is written
// if it is not empty or always is set.
func (f *fields) data(number protowire.Number, name string, p *[]byte, always bool) {
	if f.writer == nil {
		if f.takes(number, protowire.BytesType, name) {
			*p = f.bytes[:len(f.bytes):len(f.bytes)]
		}
		return
	}
	w := f.writer
	if was, ok := w.was(number, protowire.BytesType); ok && bytes.Equal(was.bytes, *p) {
		w.keep(number, protowire.BytesType)
		return
	}
	out := w.field(number, protowire.BytesType)
	if len(*p) > 0 || always {
		out.bytes(number, *p)
	}
}

// strings is a list of strings.
func (f *fields) strings(number protowire.Number, name string, p *[]string) {
	if f.writer == nil {
		if f.takes(number, protowire.BytesType, name) {
			if f.err = f.charge(2 * unsafe.Sizeof("")); f.err == nil {
				*p = append(*p, f.decoder.string(f.bytes))
			}
		}
		return
	}
	w := f.writer
	if w.same(number, protowire.BytesType, len(*p), func(i int, was record) bool { return string(was.bytes) == (*p)[i] }) {
		w.keep(number, protowire.BytesType)
		return
	}
	out := w.field(number, protowire.BytesType)
	for _, s := range *p {
		out.bytes(number, []byte(s))
	}
}

// dataList is a list of runs of bytes that are shared with the file.
func (f *fields) dataList(number protowire.Number, name string, p *[][]byte) {
	if f.writer == nil {
		if f.takes(number, protowire.BytesType, name) {
			if f.err = f.charge(2 * unsafe.Sizeof([]byte{})); f.err == nil {
				*p = append(*p, f.bytes[:len(f.bytes):len(f.bytes)])
			}
		}
		return
	}
	w := f.writer
	if w.same(number, protowire.BytesType, len(*p), func(i int, was record) bool { return bytes.Equal(was.bytes, (*p)[i]) }) {
		w.keep(number, protowire.BytesType)
		return
	}
	out := w.field(number, protowire.BytesType)
	for _, s := range *p {
		out.bytes(number, s)
	}
}

// integer is an optional integer or enumeration, written if it is not zero or
// always is set. 32-bit ones keep the low half of what the file says, as
// Protocol Buffers do.
func integer[T ~int32 | ~int64](f *fields, number protowire.Number, name string, p *T, always bool) {
	if f.writer == nil {
		if f.takes(number, protowire.VarintType, name) {
			*p = T(f.scalar)
		}
		return
	}
	w := f.writer
	if was, ok := w.was(number, protowire.VarintType); ok && T(was.scalar) == *p {
		w.keep(number, protowire.VarintType)
		return
	}
	out := w.field(number, protowire.VarintType)
	if *p != 0 || always {
		out.varint(number, uint64(int64(*p)))
	}
}

// float is an optional float32, written if it is not +0 or always is set.
func (f *fields) float(number protowire.Number, name string, p *float32, always bool) {
	if f.writer == nil {
		if f.takes(number, protowire.Fixed32Type, name) {
			*p = float32FromBits(f.scalar)
		}
		return
	}
	w := f.writer
	bits := math.Float32bits(*p)
	if was, ok := w.was(number, protowire.Fixed32Type); ok && uint32(was.scalar) == bits {
		w.keep(number, protowire.Fixed32Type)
		return
	}
	out := w.field(number, protowire.Fixed32Type)
	if bits != 0 || always {
		out.fixed32(number, bits)
	}
}

// numbers reads the record at hand into a list of numbers, packed or not.
func readNumbers[T any](f *fields, number protowire.Number, element protowire.Type, name string, p *[]T, from func(uint64) T) {
	if !f.takes(number, element, name) && !f.takes(number, protowire.BytesType, name) {
		return
	}
	if f.wire == protowire.BytesType {
		count := countNumbers(element, f.bytes)
		if f.err = f.charge(uintptr(count) * unsafe.Sizeof(*new(T))); f.err != nil {
			return
		}
		*p = slices.Grow(*p, count)
	}
	f.err = eachNumber(f.wire, element, f.scalar, f.bytes, func(v uint64) { *p = append(*p, from(v)) })
}

// sameNumbers reports whether the base's records of a list hold these numbers.
func sameNumbers[T any](w *writer, number protowire.Number, element protowire.Type, list []T, bits func(T) uint64) bool {
	i, same := 0, true
	for _, was := range w.records(number, element, protowire.BytesType) {
		err := eachNumber(was.wire, element, was.scalar, was.bytes, func(v uint64) {
			same = same && i < len(list) && bits(list[i]) == v
			i++
		})
		if err != nil {
			return false
		}
	}
	return same && i == len(list)
}

// ints is a list of integers, which ONNX writes unpacked.
func (f *fields) ints(number protowire.Number, name string, p *[]int64) {
	if f.writer == nil {
		readNumbers(f, number, protowire.VarintType, name, p, func(v uint64) int64 { return int64(v) })
		return
	}
	w := f.writer
	if sameNumbers(w, number, protowire.VarintType, *p, func(v int64) uint64 { return uint64(v) }) {
		w.keep(number, protowire.VarintType, protowire.BytesType)
		return
	}
	out := w.field(number, protowire.VarintType, protowire.BytesType)
	for _, v := range *p {
		out.varint(number, uint64(v))
	}
}

// floats is a list of float32, which ONNX writes unpacked.
func (f *fields) floats(number protowire.Number, name string, p *[]float32) {
	if f.writer == nil {
		readNumbers(f, number, protowire.Fixed32Type, name, p, float32FromBits)
		return
	}
	w := f.writer
	if sameNumbers(w, number, protowire.Fixed32Type, *p, func(v float32) uint64 { return uint64(math.Float32bits(v)) }) {
		w.keep(number, protowire.Fixed32Type, protowire.BytesType)
		return
	}
	out := w.field(number, protowire.Fixed32Type, protowire.BytesType)
	for _, v := range *p {
		out.fixed32(number, math.Float32bits(v))
	}
}
