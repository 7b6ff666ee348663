package onnx

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bigModel has initializers of several sizes, in the main graph, in a body, and
// one in a Constant node; each element is its tensor's first plus its place.
func bigModel() *Model {
	counted := func(name string, n int, first float32) *Tensor {
		v := make([]float32, n)
		for i := range v {
			v[i] = first + float32(i)
		}
		return FloatTensor(name, []int64{int64(n)}, v)
	}
	body := &Graph{Name: "b", Initializers: []*Tensor{counted("inner", 700, 10)}, Nodes: []*Node{node("Add", "r", names("inner", "x"))}, Outputs: []*Value{{Name: "r"}}}
	return graphModel(13, &Graph{
		Name:   "main",
		Inputs: []*Value{{Name: "x"}, {Name: "c"}}, Outputs: []*Value{{Name: "y"}},
		Initializers: []*Tensor{counted("small", 4, 0), counted("large", 20_000, 1), counted("medium", 300, 2)},
		Nodes: []*Node{
			node("Constant", "k", nil, TensorAttr("value", counted("", 500, 3))),
			node("If", "y", names("c"), GraphAttr("then_branch", body), GraphAttr("else_branch", body)),
		},
	})
}

// tensorsOf lists all tensors of a model with their elements.
func tensorsOf(t *testing.T, m *Model) map[string][]float32 {
	t.Helper()
	found := map[string][]float32{}
	mapTensors(m, func(x *Tensor, _ tensorRole) *Tensor {
		v, err := x.Float32s()
		if err != nil {
			t.Error(err)
		}
		found[x.Name] = v
		return x
	})
	return found
}

func externals(m *Model) map[string]External {
	found := map[string]External{}
	mapTensors(m, func(x *Tensor, _ tensorRole) *Tensor {
		if x.External != nil {
			found[x.Name] = *x.External
		}
		return x
	})
	return found
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

func TestWriteFileModes(t *testing.T) {
	want := tensorsOf(t, bigModel())
	tests := []struct {
		name     string
		mode     ExternalMode
		limit    int64
		external []string // tensors, nil: none
	}{
		{"all in one", ExternalAuto, maxFile, nil},
		{"never", ExternalNever, maxFile, nil},
		{"too large", ExternalAuto, 10_000, []string{"large", "medium", "inner"}},
		{"too large without the initializers", ExternalAuto, 2_000, []string{"large", "medium", "inner", ""}},
		{"always", ExternalAlways, maxFile, []string{"large", "medium", "inner"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "out.onnx")
			var done, total int64
			progress := func(d, all int64) {
				if d < done {
					t.Errorf("progress went from %d back to %d", done, d)
				}
				done, total = d, all
			}
			if err := writeFile(system{}, path, bigModel(), WriteOptions{ExternalData: test.mode, Progress: progress}, test.limit); err != nil {
				t.Fatal(err)
			}
			m := openModel(t, path)
			if diff := cmp.Diff(want, tensorsOf(t, m)); diff != "" {
				t.Error(diff)
			}
			var placed []string
			offsets := map[int64]bool{}
			for name, x := range externals(m) {
				placed = append(placed, name)
				if x.Location != "out.onnx.data" || x.Offset%vectorSize != 0 || name == "large" && x.Offset%pageSize != 0 {
					t.Errorf("%q lies at %+v", name, x)
				}
				offsets[x.Offset] = true
			}
			if diff := cmp.Diff(sorted(test.external), sorted(placed)); diff != "" {
				t.Error(diff)
			}
			wantFiles := []string{"out.onnx"}
			if test.external != nil {
				wantFiles = append(wantFiles, "out.onnx.data")
			}
			if diff := cmp.Diff(wantFiles, filesIn(t, dir)); diff != "" {
				t.Error(diff)
			}
			size := int64(0)
			for _, name := range wantFiles {
				info, err := os.Stat(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				size += info.Size()
			}
			if done != size || total != size {
				t.Errorf("progress ended at %d of %d, the files have %d bytes", done, total, size)
			}
			if _, err := Check(m); err != nil {
				t.Error(err)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "out.onnx")
	for _, limit := range []int64{100, 10_000} {
		if err := writeFile(system{}, path, bigModel(), WriteOptions{ExternalData: ExternalNever}, limit); err == nil || !strings.Contains(err.Error(), "external data was ruled out") {
			t.Errorf("a model too large for one file: %v", err)
		}
	}
	if err := writeFile(system{}, path, bigModel(), WriteOptions{}, 100); err == nil || !strings.Contains(err.Error(), "without its weights") {
		t.Errorf("a model too large without its weights: %v", err)
	}
}

func sorted(list []string) []string {
	out := append([]string{}, list...)
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

func TestWriteFileLeavesTheSourceFolder(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	source := filepath.Join(from, "in.onnx")
	if err := WriteFile(source, bigModel(), WriteOptions{ExternalData: ExternalAlways}); err != nil {
		t.Fatal(err)
	}
	want := tensorsOf(t, bigModel())
	for _, mode := range []ExternalMode{ExternalAuto, ExternalAlways, ExternalNever} {
		m := openModel(t, source)
		path := filepath.Join(to, "out.onnx")
		if err := WriteFile(path, m, WriteOptions{ExternalData: mode}); err != nil {
			t.Fatal(err)
		}
		out := openModel(t, path)
		if diff := cmp.Diff(want, tensorsOf(t, out)); diff != "" {
			t.Error(diff)
		}
		for name, x := range externals(out) {
			if mode != ExternalAlways || x.Location != "out.onnx.data" {
				t.Errorf("mode %d: %q lies in %q", mode, name, x.Location)
			}
		}
	}
	// Encode has no folder to write to: it keeps the references.
	m := openModel(t, source)
	if diff := cmp.Diff(externals(m), externals(mustDecode(t, encoded(t, m.Clone())))); diff != "" {
		t.Error(diff)
	}
}

func mustDecode(t testing.TB, data []byte) *Model {
	t.Helper()
	m, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWriteFileMovesTrainingData(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	payload, _ := FloatTensor("", []int64{4}, []float32{1, 2, 3, 4}).RawBytes()
	writeBytes(t, filepath.Join(from, "data"), payload)
	m := bigModel()
	m.training = []*trainingInfo{{algorithm: &Graph{Name: "a", Initializers: []*Tensor{
		{Name: "rate", Type: Float, Dims: []int64{4}, External: &External{Location: "data", Length: -1}},
	}}}}
	source := filepath.Join(from, "in.onnx")
	writeBytes(t, source, encoded(t, m))
	path := filepath.Join(to, "out.onnx")
	if err := WriteFile(path, openModel(t, source), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	out := openModel(t, path)
	if diff := cmp.Diff([]float32{1, 2, 3, 4}, tensorsOf(t, out)["rate"]); diff != "" {
		t.Error(diff)
	}
}

func TestWriteFileRefusesItsSource(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "in.onnx")
	if err := WriteFile(path, bigModel(), WriteOptions{ExternalData: ExternalAlways}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("in.onnx", filepath.Join(dir, "link.onnx")); err != nil {
		t.Skip(err)
	}
	if err := os.Link(path+".data", filepath.Join(dir, "hard.onnx")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink("in.onnx.data", filepath.Join(dir, "other.onnx.data")); err != nil {
		t.Skip(err)
	}
	before := filesIn(t, dir)
	// A model that no longer has the tensors still must not overwrite their file.
	m := openModel(t, path).Clone()
	m.Graph = bigModel().Graph
	for _, target := range []string{"in.onnx", "link.onnx", "in.onnx.data", "hard.onnx", "other.onnx", "../" + filepath.Base(dir) + "/in.onnx"} {
		err := WriteFile(filepath.Join(dir, target), m, WriteOptions{ExternalData: ExternalAlways})
		if err == nil || !strings.Contains(err.Error(), "read from") {
			t.Errorf("%s: error %v", target, err)
		}
	}
	if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(tensorsOf(t, bigModel()), tensorsOf(t, openModel(t, path))); diff != "" {
		t.Error(diff)
	}
	if err := WriteFile(dir, m, WriteOptions{}); err == nil {
		t.Error("a folder was replaced")
	}
}

func TestWriteFilePermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("this system has no such permissions")
	}
	dir := t.TempDir()
	mode := func(path string) fs.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	source, out := filepath.Join(dir, "in.onnx"), filepath.Join(dir, "out.onnx")
	if err := WriteFile(source, bigModel(), WriteOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	if got := mode(source); got != 0o644 {
		t.Errorf("without a source: %v", got)
	}
	if err := os.Chmod(source, 0o600); err != nil {
		t.Fatal(err)
	}
	m := openModel(t, source)
	if err := WriteFile(out, m, WriteOptions{ExternalData: ExternalAlways}); err != nil {
		t.Fatal(err)
	}
	if mode(out) != 0o600 || mode(out+".data") != 0o600 {
		t.Errorf("with a source of mode 0600: %v, %v", mode(out), mode(out+".data"))
	}
	if err := WriteFile(out, m, WriteOptions{Mode: 0o640}); err != nil {
		t.Fatal(err)
	}
	if got := mode(out); got != 0o640 {
		t.Errorf("with mode 0640: %v", got)
	}
}

func TestWriteFileUnchanged(t *testing.T) {
	dir := t.TempDir()
	data := encoded(t, bigModel())
	writeBytes(t, filepath.Join(dir, "in.onnx"), data)
	out := filepath.Join(dir, "out.onnx")
	if err := WriteFile(out, openModel(t, filepath.Join(dir, "in.onnx")), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, data) {
		t.Errorf("an unchanged model is not written as it was: %v", err)
	}
}

func TestEncodeRefusesTooMuch(t *testing.T) {
	m := graphModel(13, &Graph{Initializers: []*Tensor{NewTensor("w", Uint8, []int64{maxFile}, untouchable{maxFile})}})
	var w countingDiscard
	if err := Encode(&w, m); err == nil || !strings.Contains(err.Error(), "WriteFile") || w > 0 {
		t.Errorf("error %v after %d bytes", err, w)
	}
	if err := EncodeTensor(&w, m.Graph.Initializers[0]); err == nil || w > 0 {
		t.Errorf("error %v after %d bytes", err, w)
	}
}

type countingDiscard int64

func (c *countingDiscard) Write(b []byte) (int, error) {
	*c += countingDiscard(len(b))
	return len(b), nil
}

func TestEncodeTensor(t *testing.T) {
	want := FloatTensor("w", []int64{2}, []float32{1, 2})
	var b bytes.Buffer
	if err := EncodeTensor(&b, want); err != nil {
		t.Fatal(err)
	}
	got, err := DecodeTensor(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := got.RawBytes()
	if err != nil || got.Name != "w" || got.Type != Float || binary.LittleEndian.Uint64(raw) != 0x40000000_3f800000 {
		t.Errorf("%+v, %v, %v", got, raw, err)
	}
	if _, err := DecodeTensor([]byte{0x4a, 0x05, 1}); err == nil {
		t.Error("half a tensor is one")
	}
}
