package onnx

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// TestManyDataFiles reads a model whose external data are in more files than are
// mapped at once.
func TestManyDataFiles(t *testing.T) {
	const files, mapped = 300, 20
	dir := t.TempDir()
	g := &Graph{Name: "many"}
	want := map[string]string{}
	for i := range files {
		name := fmt.Sprintf("w%d", i)
		data := fmt.Sprintf("%08d", i)
		if err := os.WriteFile(filepath.Join(dir, name+".bin"), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		want[name] = data
		g.Initializers = append(g.Initializers, &Tensor{
			Name: name, Type: Uint8, Dims: []int64{8}, External: &External{Location: name + ".bin", Length: 8},
		})
	}
	path := filepath.Join(dir, "model.onnx")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Encode(file, graphModel(13, g)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.source.mostMapped = mapped
	if _, err := Check(m); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(rawTensors(t, m), want) {
		t.Error("other bytes were read")
	}
	count := 0
	for _, a := range m.source.attached {
		if a.isMapped() {
			count++
		}
	}
	if len(m.source.attached) != files || count > mapped {
		t.Errorf("%d files, %d of them mapped", len(m.source.attached), count)
	}
	out := filepath.Join(t.TempDir(), "out.onnx")
	if err := WriteFile(out, m, WriteOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(rawTensors(t, openModel(t, out)), want) {
		t.Error("other bytes were written")
	}
}
