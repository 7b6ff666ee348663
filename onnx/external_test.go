package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// externalModel writes a model with one tensor of 4 floats in external data.
func externalModel(t *testing.T, dir string, x External) string {
	t.Helper()
	w := &Tensor{Name: "w", Type: Float, Dims: []int64{4}, External: &x}
	path := filepath.Join(dir, "model.onnx")
	writeBytes(t, path, encoded(t, graphModel(13, &Graph{Initializers: []*Tensor{w}})))
	return path
}

func writeBytes(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func openModel(t *testing.T, path string) *Model {
	t.Helper()
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestExternalData(t *testing.T) {
	dir := t.TempDir()
	want := []float32{1, 2, 3, 4}
	payload, _ := FloatTensor("", []int64{4}, want).RawBytes()
	writeBytes(t, filepath.Join(dir, "exact"), payload)
	writeBytes(t, filepath.Join(dir, "sub", "shifted"), append([]byte("12345678"), payload...))
	writeBytes(t, filepath.Join(dir, "inside"), append(append([]byte("1234"), payload...), "tail"...))
	tests := []External{
		{Location: "exact", Length: -1},
		{Location: "./exact", Length: 16},
		{Location: "sub/shifted", Offset: 8, Length: -1},
		{Location: "inside", Offset: 4, Length: 16},
	}
	if err := os.Symlink(filepath.Join("sub", "shifted"), filepath.Join(dir, "link")); err != nil {
		t.Logf("links are not tested: %v", err)
	} else {
		tests = append(tests, External{Location: "link", Offset: 8, Length: 16})
	}
	for _, x := range tests {
		m := openModel(t, externalModel(t, dir, x))
		w := m.Graph.Initializers[0]
		got, err := w.Float32s()
		if err != nil {
			t.Errorf("%+v: %v", x, err)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%+v: %v", x, got)
				break
			}
		}
		if *w.External != x || w.Data.Len() != 16 {
			t.Errorf("%+v was read as %+v of %d bytes", x, *w.External, w.Data.Len())
		}
		second, err := w.Data.Bytes()
		if first, _ := w.Data.Bytes(); err != nil || &first[0] != &second[0] {
			t.Errorf("%+v: the file is not shared: %v", x, err)
		}
	}
}

func TestExternalDataAttacks(t *testing.T) {
	outside := t.TempDir()
	writeBytes(t, filepath.Join(outside, "secret"), make([]byte, 64))
	dir := filepath.Join(outside, "models")
	writeBytes(t, filepath.Join(dir, "data"), make([]byte, 16))
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	link(filepath.Join(outside, "secret"), "absolute-link")
	link("../secret", "relative-link")
	link("..", "folder-link")
	link("missing", "dangling-link")
	link("/dev/zero", "device-link")
	tests := []struct {
		name string
		x    External
	}{
		{"absolute", External{Location: filepath.Join(outside, "secret"), Length: 16}},
		{"parent", External{Location: "../secret", Length: 16}},
		{"parent of a folder", External{Location: "folder/../../secret", Length: 16}},
		{"parent that comes back", External{Location: "folder/../data", Length: 16}},
		{"link out", External{Location: "relative-link", Length: 16}},
		{"absolute link out", External{Location: "absolute-link", Length: 16}},
		{"folder link out", External{Location: "folder-link/secret", Length: 16}},
		{"dangling link", External{Location: "dangling-link", Length: 16}},
		{"device", External{Location: "device-link", Length: 16}},
		{"folder", External{Location: "folder", Length: 16}},
		{"the folder itself", External{Location: ".", Length: 16}},
		{"missing", External{Location: "missing", Length: 16}},
		{"no location", External{Length: 16}},
		{"zero byte", External{Location: "da\x00ta", Length: 16}},
		{"offset beyond the end", External{Location: "data", Offset: 17, Length: -1}},
		{"end beyond the end", External{Location: "data", Offset: 4, Length: 16}},
		{"offset near the greatest number", External{Location: "data", Offset: 1<<63 - 1, Length: 16}},
		{"length near the greatest number", External{Location: "data", Length: 1<<63 - 1}},
		{"length of another size", External{Location: "data", Length: 8}},
		{"rest of another size", External{Location: "data", Offset: 4, Length: -1}},
	}
	for _, test := range tests {
		m := openModel(t, externalModel(t, dir, test.x))
		if _, err := m.Graph.Initializers[0].Float32s(); err == nil {
			t.Errorf("%s: no error", test.name)
		} else if !strings.Contains(err.Error(), `"w"`) {
			t.Errorf("%s: the error does not name the tensor: %v", test.name, err)
		}
		if _, err := Check(m); err == nil || !strings.Contains(err.Error(), `"w"`) {
			t.Errorf("%s: Check finds %v", test.name, err)
		}
		if got := encoded(t, m.Clone()); !bytes.Equal(got, m.raw) {
			t.Errorf("%s: the reference is not written as it was", test.name)
		}
	}
}

func TestExternalDataEntriesThatAreNoNumbers(t *testing.T) {
	for _, entry := range []Property{{"offset", "x"}, {"offset", "-1"}, {"length", ""}, {"length", "1e3"}, {"length", "99999999999999999999"}} {
		x, err := parseExternal([]Property{{"location", "data"}, entry})
		if err == nil {
			t.Errorf("%v was read as %+v", entry, x)
		}
	}
}

func TestExternalDataNeedsAFolder(t *testing.T) {
	path := externalModel(t, t.TempDir(), External{Location: "data", Length: 16})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Graph.Initializers[0].Float32s(); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("error %v", err)
	}
	if n := m.Graph.Initializers[0].Data.Len(); n != 16 {
		t.Errorf("the length is %d", n)
	}
}

func TestClosedModel(t *testing.T) {
	dir := t.TempDir()
	writeBytes(t, filepath.Join(dir, "data"), make([]byte, 16))
	m := openModel(t, externalModel(t, dir, External{Location: "data", Length: 16}))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Clone().Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if _, err := m.Graph.Initializers[0].Float32s(); err == nil {
		t.Error("external data of a closed model is read")
	}
}
