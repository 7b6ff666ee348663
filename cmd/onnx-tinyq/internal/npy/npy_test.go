package npy_test

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnx-tinyq/onnx-tinyq/cmd/onnx-tinyq/internal/npy"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// file is an .npy file of version 1 with the header and the bytes given.
func file(header string, data ...byte) []byte {
	b := []byte("\x93NUMPY\x01\x00")
	b = append(b, byte(len(header)), byte(len(header)>>8))
	return append(append(b, header...), data...)
}

func TestRead(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want *tensor.Tensor
	}{
		{"little-endian floats", file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0),
			tensor.New([]int{2}, []float32{1, -2})},
		{"big-endian integers", file("{'descr': '>i8', 'fortran_order': False, 'shape': (), }\n", 0, 0, 0, 0, 0, 0, 1, 2),
			tensor.Scalar(int64(258))},
		{"half floats", file("{'descr': '<f2', 'fortran_order': False, 'shape': (1, 1), }", 0, 0x3c),
			tensor.New([]int{1, 1}, []quantops.Float16{0x3c00})},
		{"booleans", file("{'shape': (3,), 'fortran_order': False, 'descr': '|b1'}", 0, 1, 7),
			tensor.New([]int{3}, []bool{false, true, true})},
		{"column-major", file("{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3), }", 1, 2, 3, 4, 5, 6),
			tensor.New([]int{2, 3}, []int8{1, 3, 5, 2, 4, 6})},
		{"unicode strings", file("{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }", 0x61, 0, 0, 0, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0x62, 0, 0, 0),
			tensor.New([]int{2}, []string{"a", "éb"})},
		{"byte strings", file("{'descr': '|S2', 'fortran_order': False, 'shape': (2L,), }", 'a', 0, 'b', 'c'),
			tensor.New([]int{2}, []string{"a", "bc"})},
		{"no elements", file("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 5), }"),
			tensor.New([]int{0, 5}, []float64{})},
		{"version 2", append([]byte("\x93NUMPY\x02\x00\x38\x00\x00\x00"), append([]byte("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }"[:56]), 9)...),
			tensor.New([]int{1}, []uint8{9})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := npy.Read(bytes.NewReader(test.in))
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, test.want)
		})
	}
}

func same(t *testing.T, got, want *tensor.Tensor) {
	t.Helper()
	if got.DType() != want.DType() {
		t.Fatalf("type %v, want %v", got.DType(), want.DType())
	}
	if diff := cmp.Diff(want.Shape(), got.Shape()); diff != "" {
		t.Fatalf("shape (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Any(), got.Any()); diff != "" {
		t.Fatalf("elements (-want +got):\n%s", diff)
	}
}

func TestReadRefuses(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want string
	}{
		{"another file", []byte("PK\x03\x04 and more"), "not an .npy file"},
		{"nothing", nil, "not an .npy file"},
		{"future version", []byte("\x93NUMPY\x04\x00\x00\x00"), "version 4"},
		{"header cut off", file("{'descr': '<f4'")[:20], "header"},
		{"long header", []byte("\x93NUMPY\x02\x00\xff\xff\xff\x7f"), "longer than any array needs"},
		{"fields", file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}"), "plain type"},
		{"objects", file("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}"), `type "|O"`},
		{"void", file("{'descr': '|V2', 'fortran_order': False, 'shape': (2,)}"), `type "|V2"`},
		{"long double", file("{'descr': '<f16', 'fortran_order': False, 'shape': (2,)}"), "no like in ONNX"},
		{"negative size", file("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}"), `"-2" is not a size`},
		{"too short", file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 1, 2, 3), "3 of the 8 bytes"},
		{"claims too much", file("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999)}"), "too many elements"},
		{"claims much", file("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999,)}"), "too large"},
		{"empty strings without end", file("{'descr': '|S0', 'fortran_order': False, 'shape': (99999999999999,)}"), "no size"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := npy.Read(bytes.NewReader(test.in))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, %v; want an error with %q", got, err, test.want)
			}
		})
	}
}

// TestWrite reads back what it has written.
func TestWrite(t *testing.T) {
	same32 := tensor.New([]int{2, 2}, []float32{1, 2, 3, 4})
	tests := []struct {
		name     string
		in, want *tensor.Tensor // want nil: as it was
	}{
		{"float", same32, nil},
		{"scalar", tensor.Scalar(3.5), nil},
		{"one dimension", tensor.New([]int{3}, []int64{1, 2, 3}), nil},
		{"bool", tensor.New([]int{1, 2}, []bool{true, false}), nil},
		{"int8", tensor.New([]int{1}, []int8{-7}), nil},
		{"uint16", tensor.New([]int{1}, []uint16{65535}), nil},
		{"float16", tensor.New([]int{2}, []quantops.Float16{0x3c00, 0xc000}), nil},
		{"complex", tensor.New([]int{1}, []complex64{1 + 2i}), nil},
		{"strings", tensor.New([]int{3}, []string{"", "é", "abc"}), nil},
		{"empty", tensor.New([]int{0, 3}, []uint8{}), nil},
		{"bfloat16 as float", tensor.New([]int{2}, []quantops.BFloat16{0x3f80, 0xc000}), tensor.New([]int{2}, []float32{1, -2})},
		{"int4 as int8", tensor.New([]int{2}, []quantops.Int4{-8, 7}), tensor.New([]int{2}, []int8{-8, 7})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := npy.Write(&out, test.in); err != nil {
				t.Fatal(err)
			}
			if begin := bytes.IndexByte(out.Bytes(), '\n') + 1; begin%64 != 0 {
				t.Errorf("elements begin at byte %d, not at a multiple of 64", begin)
			}
			got, err := npy.Read(&out)
			if err != nil {
				t.Fatal(err)
			}
			want := test.want
			if want == nil {
				want = test.in
			}
			same(t, got, want)
		})
	}
}

func TestReadArchive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "arrays.npz")
	write := func(members map[string]*tensor.Tensor) {
		t.Helper()
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		archive := zip.NewWriter(out)
		for name, value := range members {
			member, err := archive.Create(name + ".npy")
			if err != nil {
				t.Fatal(err)
			}
			if err := npy.Write(member, value); err != nil {
				t.Fatal(err)
			}
		}
		if err := archive.Close(); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	x, y := tensor.Scalar(float32(1)), tensor.Scalar(float32(2))
	write(map[string]*tensor.Tensor{"x": x, "y": y})
	got, err := npy.ReadArchive(path, "y")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, y)
	if _, err := npy.ReadArchive(path, "z"); err == nil || !strings.Contains(err.Error(), `no array "z"`) {
		t.Errorf("an array that is not there: %v", err)
	}
	write(map[string]*tensor.Tensor{"arr_0": x})
	if got, err = npy.ReadArchive(path, "z"); err != nil {
		t.Fatal(err)
	}
	same(t, got, x)
}

// FuzzRead looks for panics and for memory that a few bytes ask for.
func FuzzRead(f *testing.F) {
	f.Add(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0))
	f.Add(file("{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3), }", 1, 2, 3, 4, 5, 6))
	f.Add(file("{'descr': '<U2', 'fortran_order': False, 'shape': (1,), }", 0x61, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		value, err := npy.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := npy.Write(&out, value); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := npy.Read(&out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if diff := cmp.Diff(value.Shape(), again.Shape()); diff != "" {
			t.Fatalf("shape (-before +after):\n%s", diff)
		}
	})
}
