// Package npy reads and writes NumPy's array files: .npy holds one array, .npz
// is a zip archive of several.
//
// Source of the format: "NEP 1 — A Simple File Format for NumPy Arrays".
package npy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

const magic = "\x93NUMPY"

// maxHeader is more than any header of an array without named fields needs.
const maxHeader = 1 << 16

// Read reads one array of booleans, integers, floats (16 to 64 bits), complex
// numbers or strings, in either byte order and either order of dimensions; the
// result is always row-major. What follows the array is left unread, though
// bytes of it may have been buffered.
func Read(r io.Reader) (*tensor.Tensor, error) {
	in := bufio.NewReader(r)
	text, err := readHeader(in)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	h, err := parseHeader(text)
	if err != nil {
		return nil, fmt.Errorf("npy: header %q: %w", text, err)
	}
	count, size := uint64(1), uint64(0)
	for _, d := range h.shape {
		high, low := bits.Mul64(count, uint64(d))
		if high != 0 {
			return nil, fmt.Errorf("npy: shape %v has too many elements", h.shape)
		}
		count = low
	}
	high, size := bits.Mul64(count, uint64(h.width))
	if high != 0 || size > 1<<40 {
		return nil, fmt.Errorf("npy: shape %v of %d-byte elements is too large", h.shape, h.width)
	}
	// Read what is there rather than make room for what the header claims.
	var data bytes.Buffer
	if n, err := io.Copy(&data, io.LimitReader(in, int64(size))); err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	} else if uint64(n) < size {
		return nil, fmt.Errorf("npy: the file ends after %d of the %d bytes that shape %v takes", n, size, h.shape)
	}
	t, err := decoders[h.kind](h, data.Bytes(), int(count))
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	return t, nil
}

// readHeader reads all that comes before the elements and returns the header's text.
func readHeader(in io.Reader) (string, error) {
	var start [8]byte
	if _, err := io.ReadFull(in, start[:]); err != nil || string(start[:6]) != magic {
		return "", errors.New("this is not an .npy file: it does not begin as one")
	}
	var length uint32
	switch version := start[6]; version {
	case 1:
		var short uint16
		if err := binary.Read(in, binary.LittleEndian, &short); err != nil {
			return "", fmt.Errorf("header length: %w", err)
		}
		length = uint32(short)
	case 2, 3:
		if err := binary.Read(in, binary.LittleEndian, &length); err != nil {
			return "", fmt.Errorf("header length: %w", err)
		}
	default:
		return "", fmt.Errorf("format version %d is not known; 1, 2 and 3 are", version)
	}
	if length > maxHeader {
		return "", fmt.Errorf("a header of %d bytes is longer than any array needs", length)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(in, text); err != nil {
		return "", fmt.Errorf("header: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// decoders make tensors of elements' bytes, by NumPy's letter and size of the type.
var decoders = map[string]func(h header, raw []byte, count int) (*tensor.Tensor, error){
	"b1": decodeBools,
	"i1": decodeFixed[int8], "i2": decodeFixed[int16], "i4": decodeFixed[int32], "i8": decodeFixed[int64],
	"u1": decodeFixed[uint8], "u2": decodeFixed[uint16], "u4": decodeFixed[uint32], "u8": decodeFixed[uint64],
	"f2": decodeFixed[quantops.Float16], "f4": decodeFixed[float32], "f8": decodeFixed[float64],
	"c8": decodeFixed[complex64], "c16": decodeFixed[complex128],
	"S": decodeStrings, "U": decodeStrings,
}

func decodeFixed[T tensor.Element](h header, raw []byte, count int) (*tensor.Tensor, error) {
	data := make([]T, count)
	if _, err := binary.Decode(raw, h.order, data); err != nil {
		return nil, err
	}
	return tensor.New(h.shape, rowMajor(h, data)), nil
}

// decodeBools takes any byte but 0 for true, as NumPy does.
func decodeBools(h header, raw []byte, count int) (*tensor.Tensor, error) {
	data := make([]bool, count)
	for i, b := range raw {
		data[i] = b != 0
	}
	return tensor.New(h.shape, rowMajor(h, data)), nil
}

// decodeStrings reads strings of a fixed width, filled up with zeros: bytes
// (kind S) or UTF-32 (kind U).
func decodeStrings(h header, raw []byte, count int) (*tensor.Tensor, error) {
	data := make([]string, count)
	for i := range data {
		element := raw[i*h.width : (i+1)*h.width]
		if h.kind == "S" {
			data[i] = strings.TrimRight(string(element), "\x00")
			continue
		}
		var text strings.Builder
		for ; len(element) > 0; element = element[4:] {
			text.WriteRune(rune(h.order.Uint32(element)))
		}
		data[i] = strings.TrimRight(text.String(), "\x00")
	}
	return tensor.New(h.shape, rowMajor(h, data)), nil
}

// rowMajor reorders elements that lie with the first dimension fastest.
func rowMajor[T any](h header, data []T) []T {
	if !h.fortran || len(h.shape) < 2 || len(data) == 0 {
		return data
	}
	out := make([]T, len(data))
	index := make([]int, len(h.shape))
	for i := range out {
		from, stride := 0, 1
		for axis, d := range h.shape {
			from += index[axis] * stride
			stride *= d
		}
		out[i] = data[from]
		for axis := len(index) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < h.shape[axis] {
				break
			}
			index[axis] = 0
		}
	}
	return out
}

// Write writes a tensor as one array. NumPy has no type for the floats of
// bfloat16, 8 bits and less, which are written as float32, nor for integers of
// 4 and 2 bits, which are written as 8-bit ones: both hold the very values.
func Write(w io.Writer, t *tensor.Tensor) error {
	kind, data := encodable(t)
	if kind == "" {
		return fmt.Errorf("npy: elements of type %v cannot be written", t.DType())
	}
	if _, err := io.WriteString(w, formatHeader(kind, t.Shape())); err != nil {
		return fmt.Errorf("npy: %w", err)
	}
	if err := binary.Write(w, binary.LittleEndian, data); err != nil {
		return fmt.Errorf("npy: %w", err)
	}
	return nil
}

// encodable is NumPy's name of an element type, and the elements in it.
func encodable(t *tensor.Tensor) (kind string, data any) {
	switch data := t.Any().(type) {
	case []bool:
		return "|b1", data
	case []int8:
		return "|i1", data
	case []int16:
		return "<i2", data
	case []int32:
		return "<i4", data
	case []int64:
		return "<i8", data
	case []uint8:
		return "|u1", data
	case []uint16:
		return "<u2", data
	case []uint32:
		return "<u4", data
	case []uint64:
		return "<u8", data
	case []quantops.Float16:
		return "<f2", data
	case []float32:
		return "<f4", data
	case []float64:
		return "<f8", data
	case []complex64:
		return "<c8", data
	case []complex128:
		return "<c16", data
	case []string:
		return encodableStrings(data)
	case []quantops.BFloat16:
		return "<f4", widened(data)
	case []quantops.Float8E4M3FN:
		return "<f4", widened(data)
	case []quantops.Float8E4M3FNUZ:
		return "<f4", widened(data)
	case []quantops.Float8E5M2:
		return "<f4", widened(data)
	case []quantops.Float8E5M2FNUZ:
		return "<f4", widened(data)
	case []quantops.Float8E8M0:
		return "<f4", widened(data)
	case []quantops.Float4E2M1:
		return "<f4", widened(data)
	case []quantops.Float6E2M3:
		return "<f4", widened(data)
	case []quantops.Float6E3M2:
		return "<f4", widened(data)
	case []quantops.Int4:
		return "|i1", data
	case []quantops.Int2:
		return "|i1", data
	case []quantops.Uint4:
		return "|u1", data
	case []quantops.Uint2:
		return "|u1", data
	}
	return "", nil
}

func widened[T interface{ Float32() float32 }](narrow []T) []float32 {
	wide := make([]float32, len(narrow))
	for i, v := range narrow {
		wide[i] = v.Float32()
	}
	return wide
}

// encodableStrings lays strings out in UTF-32, all as wide as the longest.
func encodableStrings(list []string) (kind string, data any) {
	longest := 1
	for _, s := range list {
		longest = max(longest, utf8.RuneCountInString(s))
	}
	runes := make([]rune, 0, longest*len(list))
	for i, s := range list {
		runes = append(runes, []rune(s)...)
		for len(runes) < (i+1)*longest {
			runes = append(runes, 0)
		}
	}
	return fmt.Sprintf("<U%d", longest), runes
}
