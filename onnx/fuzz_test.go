package onnx

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"
)

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, soundModel()))
	full, err := proto.MarshalOptions{AllowPartial: true}.Marshal(fullModel(oracleModel(f), 4).Interface())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add(field(7, field(5, varintField(1, 3), varintField(2, 6), varintField(5, 1), field(5, []byte{2, 3})), field(2, []byte("g")), field(2)))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			var format *FormatError
			if !errors.As(err, &format) || format.Offset < 0 || format.Offset > int64(len(data)) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if got := encoded(t, m); !bytes.Equal(got, data) {
			t.Fatal("unchanged, but not written as it was")
		}
		// Written field by field it may be other bytes, as of repeated fields
		// and of a oneof's members the last counts; but it is the same model,
		// and from then on the bytes stay.
		once := encoded(t, deepClone(m))
		again := mustDecode(t, once)
		if a, b := formatted(t, m), formatted(t, again); a != b {
			t.Fatalf("written field by field it is another model:\n%s\n%s", a, b)
		}
		if twice := encoded(t, deepClone(again)); !bytes.Equal(once, twice) {
			t.Fatal("written field by field twice it is other bytes than once")
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add(encoded(f, soundModel()))
	g := &Graph{
		Initializers: []*Tensor{FloatTensor("w", []int64{2, 1, 3}, make([]float32, 6)), Int64Tensor("s", []int64{1}, []int64{1})},
		Nodes: []*Node{
			node("Squeeze", "a", names("w", "s")), node("Transpose", "b", names("a"), IntsAttr("perm", []int64{1, 0})),
			node("Cast", "c", names("b"), IntAttr("to", int64(Float16))), node("Unsqueeze", "d", names("c", "s")),
			node("Reshape", "e", names("d", "s")), node("Identity", "f", names("e")),
		},
	}
	f.Add(encoded(f, graphModel(13, g)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := Decode(data); err == nil {
			// That it ends, without a panic, is what is asked.
			_ = survey(m)
		}
	})
}

func FuzzExternalData(f *testing.F) {
	outside := f.TempDir()
	dir := filepath.Join(outside, "models")
	inside := bytes.Repeat([]byte("inside, "), 8)
	for path, content := range map[string][]byte{
		filepath.Join(outside, "secret"):     bytes.Repeat([]byte("SECRET! "), 8),
		filepath.Join(dir, "data"):           inside,
		filepath.Join(dir, "folder", "data"): inside,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			f.Fatal(err)
		}
	}
	// Where links cannot be made there is the less to get wrong.
	_ = os.Symlink(filepath.Join("..", "secret"), filepath.Join(dir, "link"))
	for _, location := range []string{"data", "folder/data", "link", "../secret", "folder/../../secret", filepath.Join(outside, "secret"), ".", "", "a\x00b"} {
		f.Add(location, "8", "16")
	}
	f.Add("data", "-1", "99999999999999999999")
	f.Add("data", "9223372036854775807", "9223372036854775807")
	f.Fuzz(func(t *testing.T, location, offset, length string) {
		x, err := parseExternal([]Property{{"location", location}, {"offset", offset}, {"length", length}})
		s := &source{path: filepath.Join(dir, "model.onnx"), attached: map[string]*attachment{}}
		defer s.close()
		payload := &stored{external: x, source: s, err: err}
		b, err := payload.Bytes()
		if err != nil {
			return
		}
		at, _ := strconv.ParseInt(offset, 10, 64)
		n, _ := strconv.ParseInt(length, 10, 64)
		if !bytes.Equal(b, inside[at:at+n]) {
			t.Errorf("%q at %q, %q bytes: %q", location, offset, length, b)
		}
	})
}

func FuzzDecodeTensor(f *testing.F) {
	for _, c := range storageCases() {
		var b bytes.Buffer
		if err := EncodeTensor(&b, NewTensor("w", c.dtype, []int64{c.count}, Bytes(c.raw))); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := DecodeTensor(data)
		if err != nil {
			return
		}
		raw, err := x.RawBytes()
		if err != nil {
			return
		}
		c := x.Clone()
		c.Data = Bytes(raw)
		var b bytes.Buffer
		if err := EncodeTensor(&b, c); err != nil {
			t.Fatal(err)
		}
		again, err := DecodeTensor(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if back, err := again.RawBytes(); err != nil || !bytes.Equal(back, raw) {
			t.Fatalf("% x became % x, %v", raw, back, err)
		}
		if err := EncodeTensor(io.Discard, x); err != nil {
			t.Fatal(err)
		}
	})
}
