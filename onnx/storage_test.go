package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// storageCase is one element type with elements in the form of a payload and in
// that of its typed field, and what they are as numbers.
type storageCase struct {
	dtype  DType
	count  int64
	raw    []byte
	field  protowire.Number
	values []uint64 // of the typed field
	wire   protowire.Type
	floats []float64 // nil: not a float type
	ints   []int64   // nil: not an integer type
}

func storageCases() []storageCase {
	le := binary.LittleEndian
	f32 := func(v ...float32) (raw []byte, bits []uint64) {
		for _, x := range v {
			raw = le.AppendUint32(raw, math.Float32bits(x))
			bits = append(bits, uint64(math.Float32bits(x)))
		}
		return raw, bits
	}
	f64 := func(v ...float64) (raw []byte, bits []uint64) {
		for _, x := range v {
			raw = le.AppendUint64(raw, math.Float64bits(x))
			bits = append(bits, math.Float64bits(x))
		}
		return raw, bits
	}
	inf, nan := math.Inf(1), math.NaN()
	const minus1, minus128 = math.MaxUint64, math.MaxUint64 - 127
	float, floatBits := f32(1, -2.5)
	double, doubleBits := f64(1, -2.5)
	v, f4, f8 := protowire.VarintType, protowire.Fixed32Type, protowire.Fixed64Type
	return []storageCase{
		{Float, 2, float, 4, floatBits, f4, []float64{1, -2.5}, nil},
		{Complex64, 1, float, 4, floatBits, f4, nil, nil},
		{Double, 2, double, 10, doubleBits, f8, []float64{1, -2.5}, nil},
		{Complex128, 1, double, 10, doubleBits, f8, nil, nil},
		{Float16, 3, []byte{0, 0x3c, 1, 0, 0, 0xfc}, 5, []uint64{0x3c00, 1, 0xfc00}, v, []float64{1, 1.0 / (1 << 24), -inf}, nil},
		{BFloat16, 2, []byte{0x80, 0x3f, 0x20, 0xc0}, 5, []uint64{0x3f80, 0xc020}, v, []float64{1, -2.5}, nil},
		// 0x08: 2^-6; 0x01: subnormal, 2^-9; 0x7e: 448.
		{Float8E4M3FN, 4, []byte{0x08, 0x01, 0x7e, 0xff}, 5, []uint64{8, 1, 0x7e, 0xff}, v, []float64{1.0 / 64, 1.0 / 512, 448, nan}, nil},
		{Float8E4M3FNUZ, 3, []byte{0x80, 0x7f, 0xc0}, 5, []uint64{0x80, 0x7f, 0xc0}, v, []float64{nan, 240, -1}, nil},
		{Float8E5M2, 4, []byte{0x7c, 0x7b, 0xfd, 0xbc}, 5, []uint64{0x7c, 0x7b, 0xfd, 0xbc}, v, []float64{inf, 57344, nan, -1}, nil},
		{Float8E5M2FNUZ, 3, []byte{0x80, 0x7f, 0x40}, 5, []uint64{0x80, 0x7f, 0x40}, v, []float64{nan, 57344, 1}, nil},
		{Float8E8M0, 3, []byte{0, 127, 255}, 5, []uint64{0, 127, 255}, v, []float64{math.Ldexp(1, -127), 1, nan}, nil},
		{Float4E2M1, 3, []byte{0x97, 0x02}, 5, []uint64{0x97, 2}, v, []float64{6, -0.5, 1}, nil},
		{Float6E2M3, 5, sixBits(0x1f, 0x21, 8, 0, 1), 5, []uint64{0x1f, 0x21, 8, 0, 1}, v, []float64{7.5, -0.125, 1, 0, 0.125}, nil},
		{Float6E3M2, 2, sixBits(0x1f, 0x2c), 5, []uint64{0x1f, 0x2c}, v, []float64{28, -1}, nil},
		{Int8, 2, []byte{0xff, 0x80}, 5, []uint64{minus1, minus128}, v, nil, []int64{-1, -128}},
		{Uint8, 2, []byte{1, 0xff}, 5, []uint64{1, 255}, v, nil, []int64{1, 255}},
		{Bool, 2, []byte{1, 0}, 5, []uint64{1, 0}, v, nil, []int64{1, 0}},
		{Int16, 2, []byte{0xff, 0xff, 0, 0x80}, 5, []uint64{minus1, math.MaxUint64 - 32767}, v, nil, []int64{-1, -32768}},
		{Uint16, 1, []byte{0xff, 0xff}, 5, []uint64{65535}, v, nil, []int64{65535}},
		{Int32, 1, []byte{0xfe, 0xff, 0xff, 0xff}, 5, []uint64{minus1 - 1}, v, nil, []int64{-2}},
		{Uint32, 1, []byte{0xfe, 0xff, 0xff, 0xff}, 11, []uint64{1<<32 - 2}, v, nil, []int64{1<<32 - 2}},
		{Int64, 2, append(le.AppendUint64(nil, minus1), 3, 0, 0, 0, 0, 0, 0, 0), 7, []uint64{minus1, 3}, v, nil, []int64{-1, 3}},
		{Uint64, 1, []byte{7, 0, 0, 0, 0, 0, 0, 1}, 11, []uint64{1<<56 + 7}, v, nil, []int64{1<<56 + 7}},
		{Int4, 3, []byte{0x8f, 0x07}, 5, []uint64{0x8f, 7}, v, nil, []int64{-1, -8, 7}},
		{Uint4, 3, []byte{0x8f, 0x07}, 5, []uint64{0x8f, 7}, v, nil, []int64{15, 8, 7}},
		{Int2, 5, []byte{0b10_01_00_11, 0b01}, 5, []uint64{0b10_01_00_11, 1}, v, nil, []int64{-1, 0, 1, -2, 1}},
		{Uint2, 5, []byte{0b10_01_00_11, 0b01}, 5, []uint64{0b10_01_00_11, 1}, v, nil, []int64{3, 0, 1, 2, 1}},
	}
}

func sixBits(codes ...byte) []byte {
	var out []byte
	at := 0
	for _, c := range codes {
		for bit := range 6 {
			if at%8 == 0 {
				out = append(out, 0)
			}
			out[at/8] |= c >> bit & 1 << (at % 8)
			at++
		}
	}
	return out
}

func TestEveryTypeInEveryStorage(t *testing.T) {
	dir := t.TempDir()
	seen := map[DType]bool{}
	for _, c := range storageCases() {
		seen[c.dtype] = true
		head := protowire.AppendTag(nil, 1, protowire.VarintType)
		head = protowire.AppendVarint(head, uint64(c.count))
		typed := protowire.AppendTag(nil, 2, protowire.VarintType)
		typed = protowire.AppendVarint(typed, uint64(c.dtype))
		number := func(b []byte, v uint64) []byte {
			switch c.wire {
			case protowire.Fixed32Type:
				return protowire.AppendFixed32(b, uint32(v))
			case protowire.Fixed64Type:
				return protowire.AppendFixed64(b, v)
			}
			return protowire.AppendVarint(b, v)
		}
		packed := func(b []byte, values []uint64) []byte {
			var all []byte
			for _, v := range values {
				all = number(all, v)
			}
			return protowire.AppendBytes(protowire.AppendTag(b, c.field, protowire.BytesType), all)
		}
		unpacked := func(b []byte, values []uint64) []byte {
			for _, v := range values {
				b = number(protowire.AppendTag(b, c.field, c.wire), v)
			}
			return b
		}
		entry := func(b []byte, key, value string) []byte {
			var e []byte
			e = protowire.AppendString(protowire.AppendTag(e, 1, protowire.BytesType), key)
			e = protowire.AppendString(protowire.AppendTag(e, 2, protowire.BytesType), value)
			return protowire.AppendBytes(protowire.AppendTag(b, 13, protowire.BytesType), e)
		}
		join := func(parts ...[]byte) []byte {
			var all []byte
			for _, p := range parts {
				all = append(all, p...)
			}
			return all
		}
		file := c.dtype.String()
		writeBytes(t, filepath.Join(dir, file), append([]byte("head"), c.raw...))
		forms := map[string][]byte{
			"raw_data":              join(head, typed, protowire.AppendBytes(protowire.AppendTag(nil, 9, protowire.BytesType), c.raw)),
			"packed":                join(head, typed, packed(nil, c.values)),
			"unpacked":              join(head, typed, unpacked(nil, c.values)),
			"both":                  join(head, typed, packed(nil, c.values[:1]), unpacked(nil, c.values[1:])),
			"type after the values": join(head, packed(nil, c.values), typed),
			"external": join(head, typed, entry(entry(nil, "location", file), "offset", "4"),
				protowire.AppendVarint(protowire.AppendTag(nil, 14, protowire.VarintType), 1)),
		}
		for form, data := range forms {
			t.Run(fmt.Sprintf("%v in %s", c.dtype, form), func(t *testing.T) {
				graph := protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), data)
				model := protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), graph)
				path := filepath.Join(dir, "model.onnx")
				writeBytes(t, path, model)
				m := openModel(t, path)
				x := m.Graph.Initializers[0]
				checkElements(t, c, x)
				// Another name leaves the data as they are; another type has them
				// written anew.
				renamed := x.Clone()
				renamed.Name = "renamed"
				want := append(append([]byte(nil), data...), protowire.AppendString(protowire.AppendTag(nil, 8, protowire.BytesType), "renamed")...)
				out, err := layOut(renamed, &renamed.message)
				if err != nil {
					t.Fatal(err)
				}
				out.flush()
				if diff := cmp.Diff(want, out.chunks[0].data); diff != "" {
					t.Error(diff)
				}
				replaced := x.Clone()
				replaced.Data = Bytes(c.raw)
				out, err = layOut(replaced, &replaced.message)
				if err != nil {
					t.Fatal(err)
				}
				w := &writerTo{}
				if err := out.writeTo(w, nil); err != nil {
					t.Fatal(err)
				}
				back, err := DecodeTensor(w.b)
				if err != nil {
					t.Fatal(err)
				}
				checkElements(t, c, back)
				if back.External != nil || len(w.b) != len(forms["raw_data"]) {
					t.Errorf("with another payload it is not written as raw_data: % x", w.b)
				}
			})
		}
	}
	for d := Float; d.Known(); d++ {
		if !seen[d] && d != String {
			t.Errorf("%v is not tested", d)
		}
	}
}

type writerTo struct{ b []byte }

func (w *writerTo) Write(b []byte) (int, error) {
	w.b = append(w.b, b...)
	return len(b), nil
}

func checkElements(t *testing.T, c storageCase, x *Tensor) {
	t.Helper()
	raw, err := x.RawBytes()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.raw, raw); diff != "" {
		t.Error(diff)
	}
	floats, err := x.Float64s()
	if (err == nil) != (c.floats != nil) || !sameFloats(c.floats, floats) {
		t.Errorf("floats: %v, %v, want %v", floats, err, c.floats)
	}
	ints, err := x.Int64s()
	if (err == nil) != (c.ints != nil) || !cmp.Equal(c.ints, ints) {
		t.Errorf("ints: %v, %v, want %v", ints, err, c.ints)
	}
}

func sameFloats(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return false
		}
	}
	return true
}

func TestStrings(t *testing.T) {
	x := &Tensor{Name: "s", Type: String, Dims: []int64{2}, Strings: [][]byte{[]byte("a"), {}}}
	back := mustDecode(t, encoded(t, graphModel(13, &Graph{Initializers: []*Tensor{x}}))).Graph.Initializers[0]
	if len(back.Strings) != 2 || string(back.Strings[0]) != "a" || len(back.Strings[1]) != 0 || back.Data != nil {
		t.Errorf("%+v", back)
	}
	if err := back.CheckSize(); err != nil {
		t.Error(err)
	}
	if _, err := back.Float32s(); err == nil {
		t.Error("strings are numbers")
	}
}

func TestReadersHoldToTheSize(t *testing.T) {
	tests := []*Tensor{
		NewTensor("w", Float, []int64{25 << 30}, Bytes(make([]byte, 8))),
		NewTensor("w", Int64, []int64{25 << 30}, Bytes(make([]byte, 8))),
		NewTensor("w", Float, []int64{1 << 62, 4}, Bytes(make([]byte, 8))),
		NewTensor("w", Float, []int64{-2}, Bytes(make([]byte, 8))),
		NewTensor("w", Float, []int64{3}, nil),
		NewTensor("w", Float, []int64{2}, broken{length: 8, bytes: make([]byte, 4)}),
		NewTensor("w", 99, []int64{2}, Bytes(make([]byte, 8))),
	}
	for _, x := range tests {
		if v, err := x.Float32s(); err == nil {
			t.Errorf("%v%v has %d floats", x.Type, x.Dims, len(v))
		}
		if v, err := x.Int64s(); err == nil {
			t.Errorf("%v%v has %d ints", x.Type, x.Dims, len(v))
		}
	}
	big := NewTensor("w", Uint64, []int64{1}, Bytes{0, 0, 0, 0, 0, 0, 0, 0x80})
	if v, err := big.Int64s(); err == nil {
		t.Errorf("2^63 is %d", v)
	}
	empty := NewTensor("w", Float, []int64{0, 1 << 62, 1 << 62}, Bytes{})
	if v, err := empty.Float32s(); err != nil || len(v) != 0 {
		t.Errorf("an empty tensor: %v, %v", v, err)
	}
}

func TestDTypeNames(t *testing.T) {
	for d := Float; d.Known(); d++ {
		if got, err := ParseDType(d.String()); err != nil || got != d {
			t.Errorf("%d is called %q, which is %d, %v", d, d, got, err)
		}
	}
	for _, name := range []string{"", "undefined", "float32", "Float"} {
		if d, err := ParseDType(name); err == nil {
			t.Errorf("%q is %v", name, d)
		}
	}
	for _, d := range []DType{-1, 29, math.MaxInt32, math.MinInt32} {
		if d.Known() || d.Bits() != 0 || d.String() != fmt.Sprintf("dtype(%d)", int32(d)) {
			t.Errorf("%d: known %v, %d bits, %q", int32(d), d.Known(), d.Bits(), d)
		}
	}
}
