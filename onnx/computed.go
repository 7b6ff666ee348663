package onnx

import (
	"encoding/binary"
	"fmt"
)

// computed is the payload of a constant behind steps that move or convert its
// elements. They are applied anew each time the bytes are asked for.
type computed struct {
	source *Tensor
	steps  []step
	result *Tensor // its type and dims
}

// Len is what the result's dims and type ask for.
func (c *computed) Len() int64 { return c.result.claim() }

// Bytes reads the source and applies the steps.
func (c *computed) Bytes() ([]byte, error) {
	b, err := c.source.RawBytes()
	if err != nil {
		return nil, err
	}
	t := c.source.Type
	for _, s := range c.steps {
		if s.cast {
			b, t = castBytes(b, s.from, s.to), s.to
		} else {
			b = transposeBytes(b, t.Bits(), s.dims, s.permutation)
		}
	}
	if want := c.Len(); int64(len(b)) != want {
		return nil, fmt.Errorf("onnx: tensor %q: behind the nodes that follow it there are %d bytes, not the %d of dims %v",
			c.source.Name, len(b), want, c.result.Dims)
	}
	return b, nil
}

// transposeBytes permutes the axes of row-major elements of a number of bits;
// those of less than a byte are unpacked, moved and packed again.
func transposeBytes(b []byte, bits int, dims []int64, permutation []int) []byte {
	n := 1
	for _, d := range dims {
		n *= int(d)
	}
	if bits >= 8 {
		width := bits / 8
		out := make([]byte, len(b))
		visitTransposed(dims, permutation, func(to, from int) {
			copy(out[to*width:(to+1)*width], b[from*width:(from+1)*width])
		})
		return out
	}
	codes := make([]byte, n)
	visitTransposed(dims, permutation, func(to, from int) { codes[to] = bitsAt(b, from*bits, bits) })
	out := make([]byte, len(b))
	for i, code := range codes {
		at := i * bits
		wide := uint16(code) << (at % 8)
		out[at/8] |= byte(wide)
		if wide>>8 != 0 {
			out[at/8+1] |= byte(wide >> 8)
		}
	}
	return out
}

// bitsAt reads up to 8 bits at a bit offset, low bits first.
func bitsAt(b []byte, at, bits int) byte {
	wide := uint16(b[at/8])
	if at%8+bits > 8 {
		wide |= uint16(b[at/8+1]) << 8
	}
	return byte(wide >> (at % 8) & (1<<bits - 1))
}

// visitTransposed calls visit for each element's place after a transpose, in
// order, with its place before it.
func visitTransposed(dims []int64, permutation []int, visit func(to, from int)) {
	rank := len(dims)
	n := 1
	strides := make([]int, rank) // before, by axis
	for axis := rank - 1; axis >= 0; axis-- {
		strides[axis] = n
		n *= int(dims[axis])
	}
	counts, jumps := make([]int, rank), make([]int, rank) // after, by axis
	for i, axis := range permutation {
		counts[i], jumps[i] = int(dims[axis]), strides[axis]
	}
	index := make([]int, rank)
	from := 0
	for to := range n {
		visit(to, from)
		for i := rank - 1; i >= 0; i-- {
			index[i]++
			from += jumps[i]
			if index[i] < counts[i] {
				break
			}
			from -= counts[i] * jumps[i]
			index[i] = 0
		}
	}
}

// stringsAfter applies the steps that strings can go through.
func stringsAfter(list [][]byte, steps []step) [][]byte {
	for _, s := range steps {
		n, err := product(s.dims)
		if err != nil || n != int64(len(list)) {
			return list // CheckSize says what is wrong with it
		}
		moved := make([][]byte, len(list))
		visitTransposed(s.dims, s.permutation, func(to, from int) { moved[to] = list[from] })
		list = moved
	}
	return list
}

// The dense form of a sparse tensor may take as many bytes as denseAllowance
// and denseFactor times what is stored: sparser ones are not seen through, as
// a few bytes could ask for all of the memory.
const (
	denseAllowance = 16 << 20
	denseFactor    = 4096
)

// dense makes a tensor that stands for a sparse one, nil if that is not of a
// known form or would be too large.
func dense(name string, s *SparseTensor) *Tensor {
	if s.Values == nil || s.Indices == nil || s.Indices.Type != Int64 || s.Values.Type.Bits() < 8 ||
		len(s.Values.Dims) != 1 || len(s.Dims) == 0 || len(s.Dims) > maxRank || s.Values.Data == nil || s.Indices.Data == nil {
		return nil
	}
	t := &Tensor{Name: name, Type: s.Values.Type, Dims: s.Dims, Data: &scattered{sparse: s}}
	n, err := t.byteLen()
	if err != nil || n > denseAllowance && n/denseFactor > s.Values.Data.Len()+s.Indices.Data.Len() {
		return nil
	}
	return t
}

// scattered is the payload of a sparse tensor's dense form; elements that are
// not stored are 0.
type scattered struct{ sparse *SparseTensor }

// Len is what the dense tensor's dims and type ask for.
func (s *scattered) Len() int64 {
	return (&Tensor{Type: s.sparse.Values.Type, Dims: s.sparse.Dims}).claim()
}

// Bytes scatters the values over zeros.
func (s *scattered) Bytes() ([]byte, error) {
	values, err := s.sparse.Values.RawBytes()
	if err != nil {
		return nil, err
	}
	places, err := s.sparse.places()
	if err != nil {
		return nil, fmt.Errorf("onnx: sparse tensor %q: %w", s.sparse.Values.Name, err)
	}
	width := s.sparse.Values.Type.Bits() / 8
	out := make([]byte, s.Len())
	for i, place := range places {
		copy(out[place*int64(width):], values[i*width:(i+1)*width])
	}
	return out, nil
}

// places turns the indices, linear or by axis, into linear ones that are in range.
func (s *SparseTensor) places() ([]int64, error) {
	if !s.indicesFit() {
		return nil, fmt.Errorf("indices of dims %v do not fit values of dims %v in %v", s.Indices.Dims, s.Values.Dims, s.Dims)
	}
	count, byAxis := s.Values.Dims[0], len(s.Indices.Dims) == 2
	raw, err := s.Indices.RawBytes()
	if err != nil {
		return nil, err
	}
	total, err := product(s.Dims)
	if err != nil {
		return nil, err
	}
	indices := elements(raw, 8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) })
	places := indices
	if byAxis {
		places = make([]int64, count)
		for i := range places {
			for axis, size := range s.Dims {
				index := indices[i*len(s.Dims)+axis]
				if index < 0 || index >= size {
					return nil, fmt.Errorf("index %d of value %d is outside axis %d, which has %d", index, i, axis, size)
				}
				places[i] = places[i]*size + index
			}
		}
	}
	for i, place := range places {
		if place < 0 || place >= total {
			return nil, fmt.Errorf("index %d of value %d is outside the tensor, which has %d elements", place, i, total)
		}
	}
	return places, nil
}

// indicesFit reports whether there is one index, linear or one for each axis,
// for each value.
func (s *SparseTensor) indicesFit() bool {
	values, indices := s.Values.Dims, s.Indices.Dims
	return s.Indices.Type == Int64 && len(values) == 1 &&
		(len(indices) == 1 && indices[0] == values[0] ||
			len(indices) == 2 && indices[0] == values[0] && indices[1] == int64(len(s.Dims)))
}
