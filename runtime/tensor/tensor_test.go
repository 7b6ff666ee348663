package tensor

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

func TestCheckedCount(t *testing.T) {
	tests := []struct {
		shape []int
		want  int
		err   string
	}{
		{nil, 1, ""},
		{[]int{}, 1, ""},
		{[]int{2, 3, 4}, 24, ""},
		{[]int{2, 0, 4}, 0, ""},
		{[]int{math.MaxInt, math.MaxInt, 0}, 0, ""},
		{[]int{MaxElements}, MaxElements, ""},
		{[]int{2, -1}, 0, "negative"},
		{[]int{0, -1}, 0, "negative"},
		{[]int{MaxElements, 2}, 0, "too large"},
		{[]int{1 << 32, 1 << 32}, 0, "too large"}, // 0, if it were multiplied out
		{[]int{math.MaxInt, math.MaxInt, math.MaxInt}, 0, "too large"},
	}
	for _, test := range tests {
		got, err := CheckedCount(test.shape)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) || got != test.want {
			t.Errorf("%v: %d, %v, want %d, %q", test.shape, got, err, test.want, test.err)
		}
	}
}

// everyType is a tensor of five elements of each type, extreme ones among them.
func everyType() []*Tensor {
	five := []int{5}
	return []*Tensor{
		New(five, []float32{0, -1, math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(1))}),
		New(five, []float64{0, -1, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(-1)}),
		New(five, []int8{0, -1, math.MinInt8, math.MaxInt8, 3}),
		New(five, []int16{0, -1, math.MinInt16, math.MaxInt16, 3}),
		New(five, []int32{0, -1, math.MinInt32, math.MaxInt32, 3}),
		New(five, []int64{0, -1, math.MinInt64, math.MaxInt64, 3}),
		New(five, []uint8{0, 1, math.MaxUint8, 128, 3}),
		New(five, []uint16{0, 1, math.MaxUint16, 256, 3}),
		New(five, []uint32{0, 1, math.MaxUint32, 1 << 16, 3}),
		New(five, []uint64{0, 1, math.MaxUint64, 1 << 32, 3}),
		New(five, []bool{true, false, true, true, false}),
		New(five, []string{"", "a", "ä", "\x00", "long enough"}),
		New(five, []complex64{0, 1, 1i, -2 + 3i, complex64(complex(math.Inf(1), 0))}),
		New(five, []complex128{0, 1, 1i, -2 + 3i, 4}),
		New(five, []quantops.Float16{0, 0x8000, 0x7bff, 0x7c00, 1}),
		New(five, []quantops.BFloat16{0, 0x8000, 0x7f7f, 0x7f80, 1}),
		New(five, []quantops.Float8E4M3FN{0, 0x80, 0x7e, 0x7f, 1}),
		New(five, []quantops.Float8E4M3FNUZ{0, 0x80, 0x7f, 0xff, 1}),
		New(five, []quantops.Float8E5M2{0, 0x80, 0x7b, 0x7c, 1}),
		New(five, []quantops.Float8E5M2FNUZ{0, 0x80, 0x7f, 0xff, 1}),
		New(five, []quantops.Float8E8M0{0, 127, 254, 255, 1}),
		New(five, []quantops.Float4E2M1{0, 8, 7, 15, 1}),
		New(five, []quantops.Float6E2M3{0, 0x20, 0x1f, 0x3f, 1}),
		New(five, []quantops.Float6E3M2{0, 0x20, 0x1f, 0x3f, 1}),
		New(five, []quantops.Int4{0, -1, -8, 7, 1}),
		New(five, []quantops.Uint4{0, 1, 15, 8, 2}),
		New(five, []quantops.Int2{0, -1, -2, 1, 1}),
		New(five, []quantops.Uint2{0, 1, 2, 3, 1}),
	}
}

func TestStoredAndRead(t *testing.T) {
	seen := map[onnx.DType]bool{}
	for _, want := range everyType() {
		seen[want.DType()] = true
		t.Run(want.DType().String(), func(t *testing.T) {
			stored, err := ToONNX("w", want)
			if err != nil {
				t.Fatal(err)
			}
			if err := stored.CheckSize(); err != nil {
				t.Error(err)
			}
			got, err := FromONNX(stored)
			if err != nil {
				t.Fatal(err)
			}
			if got.DType() != want.DType() || !slices.Equal(got.Shape(), want.Shape()) || !equal(got, want) {
				t.Errorf("%v %v %v, want %v %v", got.DType(), got.Shape(), got.Any(), want.DType(), want.Any())
			}
		})
	}
	for number := onnx.Float; number <= onnx.Float6E3M2; number++ {
		if !seen[number] {
			t.Errorf("%v is not tested", number)
		}
	}
}

// equal compares elements as they are stored.
func equal(a, b *Tensor) bool {
	x, _ := ToONNX("", a)
	y, _ := ToONNX("", b)
	if a.DType() == onnx.String {
		s, _ := Data[string](a)
		u, _ := Data[string](b)
		return slices.Equal(s, u)
	}
	p, err := x.RawBytes()
	q, other := y.RawBytes()
	return err == nil && other == nil && slices.Equal(p, q)
}

func TestFromONNXRefuses(t *testing.T) {
	tests := map[string]struct {
		stored *onnx.Tensor
		words  string
	}{
		"too short":       {onnx.NewTensor("w", onnx.Float, []int64{3}, onnx.Bytes{1, 2}), "12 bytes"},
		"too long":        {onnx.NewTensor("w", onnx.Int8, []int64{1}, onnx.Bytes{1, 2}), "1 bytes"},
		"negative":        {onnx.NewTensor("w", onnx.Int8, []int64{-1}, onnx.Bytes{}), "out of range"},
		"far too large":   {onnx.NewTensor("w", onnx.Int8, []int64{1 << 40}, onnx.Bytes{}), "too large"},
		"too few strings": {&onnx.Tensor{Name: "w", Type: onnx.String, Dims: []int64{2}, Strings: [][]byte{nil}}, "2 strings"},
		"no type":         {onnx.NewTensor("w", onnx.Undefined, []int64{0}, onnx.Bytes{}), "w"},
		"unknown type":    {onnx.NewTensor("w", 99, []int64{1}, onnx.Bytes{1}), "w"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := FromONNX(test.stored); err == nil || !strings.Contains(err.Error(), test.words) || !strings.Contains(err.Error(), `"w"`) {
				t.Errorf("the error is %v, want one about %q", err, test.words)
			}
		})
	}
}

func TestZeros(t *testing.T) {
	for _, like := range everyType() {
		z, err := Zeros(like.DType(), []int{2, 3})
		if err != nil {
			t.Errorf("%v: %v", like.DType(), err)
			continue
		}
		if z.DType() != like.DType() || z.Len() != 6 {
			t.Errorf("%v: %v of %d", like.DType(), z.DType(), z.Len())
		}
	}
	if _, err := Zeros(onnx.Float, []int{1 << 40}); err == nil {
		t.Error("too many zeros give no error")
	}
	if _, err := Zeros(onnx.Undefined, []int{1}); err == nil {
		t.Error("zeros of no type give no error")
	}
}

// TestNumbersAndBack takes numbers that each type holds through it.
func TestNumbersAndBack(t *testing.T) {
	numbers := []float64{0, 1, 1, 0, 1}
	for _, like := range everyType() {
		if like.DType() == onnx.String || like.DType() == onnx.Complex64 || like.DType() == onnx.Complex128 {
			if _, err := like.Float64s(); err == nil {
				t.Errorf("%v has numbers", like.DType())
			}
			if _, err := FromFloat64s(like.DType(), []int{5}, numbers); err == nil {
				t.Errorf("%v is made of numbers", like.DType())
			}
			continue
		}
		if like.DType() == onnx.Float8E8M0 { // has no 0, and is not rounded to
			continue
		}
		v, err := FromFloat64s(like.DType(), []int{5}, numbers)
		if err != nil {
			t.Errorf("%v: %v", like.DType(), err)
			continue
		}
		if got, err := v.Float64s(); err != nil || !slices.Equal(got, numbers) || v.DType() != like.DType() {
			t.Errorf("%v: %v %v", like.DType(), got, err)
		}
	}
}

func TestNumbersAreRounded(t *testing.T) {
	tests := []struct {
		to   onnx.DType
		from []float64
		want []float64
	}{
		{onnx.Float16, []float64{2049, 2051, 1e9, 1 + 0x1p-11 + 0x1p-40}, []float64{2048, 2052, math.Inf(1), 1 + 0x1p-10}},
		{onnx.BFloat16, []float64{257, 259, 1 + 0x1p-8 + 0x1p-40}, []float64{256, 260, 1 + 0x1p-7}},
		{onnx.Int8, []float64{0.5, 1.5, -2.5, -128, 127}, []float64{0, 2, -2, -128, 127}},
		{onnx.Uint8, []float64{254.5, 255}, []float64{254, 255}},
		{onnx.Int4, []float64{-8, 7}, []float64{-8, 7}},
		{onnx.Int64, []float64{-1 << 62, 1 << 62}, []float64{-1 << 62, 1 << 62}},
		{onnx.Bool, []float64{0, -3}, []float64{0, 1}},
		{onnx.Float8E4M3FN, []float64{1e9, -17}, []float64{448, -16}},
	}
	for _, test := range tests {
		v, err := FromFloat64s(test.to, []int{len(test.from)}, test.from)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, err := v.Float64s(); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%v of %v is %v, want %v (%v)", test.to, test.from, got, test.want, err)
		}
	}
}

func TestNewMap(t *testing.T) {
	m, err := NewMap([]string{"b", "a"}, []*Tensor{Scalar(int64(2)), New([]int{1}, []int64{1})})
	if err != nil {
		t.Fatal(err)
	}
	keys, _ := Data[string](m.Keys)
	values, _ := Data[int64](m.Values)
	if !slices.Equal(keys, []string{"a", "b"}) || !slices.Equal(values, []int64{1, 2}) {
		t.Errorf("%v %v", keys, values)
	}
	if empty, err := NewMap([]int64{}, nil); err != nil || empty.Keys.Len() != 0 || empty.Values.Len() != 0 {
		t.Errorf("%v %v", empty, err)
	}
	wrong := map[string]func() (*Map, error){
		"twice":        func() (*Map, error) { return NewMap([]int64{1, 1}, []*Tensor{Scalar(int64(2)), Scalar(int64(2))}) },
		"2 keys":       func() (*Map, error) { return NewMap([]int64{1, 2}, []*Tensor{Scalar(int64(2))}) },
		"one type":     func() (*Map, error) { return NewMap([]int64{1, 2}, []*Tensor{Scalar(int64(2)), Scalar("a")}) },
		"single":       func() (*Map, error) { return NewMap([]int64{1}, []*Tensor{New([]int{2}, []int64{1, 2})}) },
		"cannot be of": func() (*Map, error) { return NewMap([]int64{1}, []*Tensor{Scalar(true)}) },
	}
	for words, make := range wrong {
		if _, err := make(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("the error is %v, want one that says %q", err, words)
		}
	}
}
