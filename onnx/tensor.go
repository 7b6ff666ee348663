package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// NewTensor makes a tensor of a payload, whose length must be what dims and
// type ask for; for String set Strings instead. Dims is copied, data is kept.
func NewTensor(name string, t DType, dims []int64, data Payload) *Tensor {
	return &Tensor{Name: name, Type: t, Dims: slices.Clone(dims), Data: data}
}

// FloatTensor makes a float tensor; v is copied.
func FloatTensor(name string, dims []int64, v []float32) *Tensor {
	data := make(Bytes, 0, 4*len(v))
	for _, x := range v {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	return NewTensor(name, Float, dims, data)
}

// Int64Tensor makes an int64 tensor; v is copied.
func Int64Tensor(name string, dims []int64, v []int64) *Tensor {
	data := make(Bytes, 0, 8*len(v))
	for _, x := range v {
		data = binary.LittleEndian.AppendUint64(data, uint64(x))
	}
	return NewTensor(name, Int64, dims, data)
}

// Int8Tensor makes an int8 tensor; v is copied.
func Int8Tensor(name string, dims []int64, v []int8) *Tensor {
	data := make(Bytes, len(v))
	for i, x := range v {
		data[i] = byte(x)
	}
	return NewTensor(name, Int8, dims, data)
}

// Elements is the number of elements: the product of dims. A negative dimension
// and a product beyond int64 are errors.
func (t *Tensor) Elements() (int64, error) {
	n, err := product(t.Dims)
	if err != nil {
		return 0, t.wrong(err)
	}
	return n, nil
}

// wrong says which tensor an error is about.
func (t *Tensor) wrong(err error) error { return fmt.Errorf("onnx: tensor %q: %w", t.Name, err) }

func product(dims []int64) (int64, error) {
	n, empty := uint64(1), false
	overflow := false
	for _, d := range dims {
		if d < 0 {
			return 0, fmt.Errorf("dims %v: a dimension is negative", dims)
		}
		if d == 0 {
			empty = true
		}
		high, low := bits.Mul64(n, uint64(d))
		overflow = overflow || high != 0 || low > math.MaxInt64
		n = low
	}
	switch {
	case empty:
		return 0, nil
	case overflow:
		return 0, fmt.Errorf("dims %v: the number of elements is beyond 64 bits", dims)
	}
	return int64(n), nil
}

// ByteLen is the length in bytes that the payload must have: elements of less
// than a byte are packed and the last byte filled up. String and unknown types
// have none: an error.
func (t *Tensor) ByteLen() (int64, error) {
	n, err := t.byteLen()
	if err != nil {
		return 0, t.wrong(err)
	}
	return n, nil
}

func (t *Tensor) byteLen() (int64, error) {
	n, err := product(t.Dims)
	if err != nil {
		return 0, err
	}
	size := t.Type.Bits()
	if size == 0 {
		return 0, fmt.Errorf("type %v has no size in bytes", t.Type)
	}
	high, low := bits.Mul64(uint64(n), uint64(size))
	if high != 0 || low > math.MaxInt64-7 {
		return 0, fmt.Errorf("dims %v of type %v: the number of bits is beyond 64 bits", t.Dims, t.Type)
	}
	return int64(low+7) / 8, nil
}

// CheckSize reports whether the tensor holds as many elements as its dims say,
// without reading them: of a payload by its length, of String by the number of
// strings.
func (t *Tensor) CheckSize() error {
	if err := t.checkSize(); err != nil {
		return t.wrong(err)
	}
	return nil
}

func (t *Tensor) checkSize() error {
	if t.Type == String {
		n, err := product(t.Dims)
		if err == nil && int64(len(t.Strings)) != n {
			err = fmt.Errorf("dims %v ask for %d strings, there are %d", t.Dims, n, len(t.Strings))
		}
		return err
	}
	want, err := t.byteLen()
	if err != nil {
		return err
	}
	have := int64(0)
	if s, ok := t.Data.(*stored); ok && (s.external != nil || s.err != nil) {
		if have, err = s.externalLen(); err != nil {
			return err
		}
	} else if t.Data != nil {
		have = t.Data.Len()
	}
	if have != want {
		return fmt.Errorf("dims %v of type %v ask for %d bytes, there are %d", t.Dims, t.Type, want, have)
	}
	return nil
}

// RawBytes reads the payload and holds it to the length that dims and type ask
// for. The bytes belong to the payload: callers do not write to them.
func (t *Tensor) RawBytes() ([]byte, error) {
	if t.Type == String {
		return nil, t.wrong(errors.New("strings have no bytes in a row: read Strings"))
	}
	if err := t.CheckSize(); err != nil {
		return nil, err
	}
	if t.Data == nil {
		return nil, nil
	}
	want := t.Data.Len()
	b, err := t.Data.Bytes()
	if err != nil {
		return nil, t.wrong(err)
	}
	if int64(len(b)) != want {
		return nil, t.wrong(fmt.Errorf("its payload promised %d bytes and gave %d", want, len(b)))
	}
	return b, nil
}
