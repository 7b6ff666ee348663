package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// sparseModel is a model of so many layers of 64 MiB and of one weight beyond
// 2 GiB, all in external data that takes no room on the disk: it is a hole, but
// for some numbers in each weight.
func sparseModel(t *testing.T, layers int) (file string, size int64) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "model.onnx")
	data, err := os.Create(file + ".data")
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	g := &onnx.Graph{Name: "sparse"}
	value := func(name string) *onnx.Value {
		return &onnx.Value{Name: name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float}}
	}
	g.Inputs = []*onnx.Value{value("x")}
	add := func(rows, columns int64) {
		i := len(g.Nodes)
		name := fmt.Sprintf("w%d", i)
		length := 4 * rows * columns
		if _, err := data.WriteAt([]byte{byte(i), byte(i >> 8), 0x80, 0x3f}, size); err != nil {
			t.Fatal(err)
		}
		g.Initializers = append(g.Initializers, &onnx.Tensor{
			Name: name, Type: onnx.Float, Dims: []int64{rows, columns},
			External: &onnx.External{Location: filepath.Base(file) + ".data", Offset: size, Length: length},
		})
		g.Nodes = append(g.Nodes, &onnx.Node{Name: name, OpType: "MatMul", Inputs: []string{"x", name}, Outputs: []string{"y" + name}})
		g.Outputs = append(g.Outputs, value("y"+name))
		size += length
	}
	for range layers {
		add(4096, 4096)
	}
	add(4096, 1<<17+64)
	if err := data.Truncate(size); err != nil {
		t.Fatal(err)
	}
	info, err := data.Stat()
	if err != nil {
		t.Fatal(err)
	}
	var found unix.Stat_t
	if err := unix.Fstat(int(data.Fd()), &found); err != nil {
		t.Fatal(err)
	}
	if found.Blocks*512 > info.Size()/2 {
		missing(t, fmt.Sprintf("%s holds no sparse files: %d bytes take %d", t.TempDir(), info.Size(), found.Blocks*512))
	}
	model, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	if err := onnx.Encode(model, &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetImport{{Version: 17}}, Graph: g}); err != nil {
		t.Fatal(err)
	}
	return file, size
}

// TestLargeModel rewrites a model of 2.2 GiB (of as many GiB as TINYQ_LARGE says)
// into shards, in little memory.
func TestLargeModel(t *testing.T) {
	wholeProgram(t)
	layers := 3
	if gib := os.Getenv("TINYQ_LARGE"); gib != "" {
		var n int
		if _, err := fmt.Sscan(gib, &n); err != nil || n < 3 {
			t.Fatalf("TINYQ_LARGE=%s: it is a number of GiB, 3 or more", gib)
		}
		layers = (n - 2) * 16
	}
	model, size := sparseModel(t, layers)
	const shard = 1 << 28
	output := filepath.Join(t.TempDir(), "out.onnx")
	command, stderr := program("rewrite", model, "-o", output, "--check", "off", "--sync", "off", "--json", "--shard-bytes", fmt.Sprint(shard))
	stdout, err := command.Output()
	if err != nil {
		t.Fatal(err, stderr)
	}
	var report rewriteReport
	if err := json.Unmarshal(stdout, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Sites) != layers+1 {
		t.Errorf("%d sites", len(report.Sites))
	}
	if report.PeakRSSBytes > 256<<20 {
		t.Errorf("%d bytes of memory for a model of %d", report.PeakRSSBytes, size)
	}
	shards, err := filepath.Glob(output + ".data-*")
	if err != nil || len(shards) < 2 {
		t.Fatalf("shards %v: %v", shards, err)
	}
	m, err := onnx.Open(output)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := onnx.Check(m); err != nil {
		t.Error(err)
	}
	// The first weight of each layer is its largest: 127.
	seen := 0
	for _, w := range m.Graph.Initializers {
		if w.Type != onnx.Int8 || w.Data.Len() < 1<<20 {
			continue
		}
		b, err := w.RawBytes()
		if err != nil {
			t.Fatal(err)
		}
		if b[0] != 127 || b[1] != 0 || b[len(b)-1] != 0 {
			t.Errorf("%s begins with %d, %d", w.Name, b[0], b[1])
		}
		seen++
	}
	if seen != layers+1 {
		t.Errorf("%d int8 weights", seen)
	}
}
