package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// The largest weight of a sparse model has so many rows and columns.
const sparseRows, sparseColumns = 4096, 1<<17 + 64

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
	add(sparseRows, sparseColumns)
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
	if err := onnx.Encode(model, &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetImport{{Version: 21}}, Graph: g}); err != nil {
		t.Fatal(err)
	}
	return file, size
}

// anonymousWhile runs a program and watches how much anonymous memory it has: what
// is not a part of files, and so cannot be given back to the system at no cost.
func anonymousWhile(t *testing.T, command *exec.Cmd) (stdout []byte, most int64) {
	t.Helper()
	var out bytes.Buffer
	command.Stdout = &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	status := fmt.Sprintf("/proc/%d/status", command.Process.Pid)
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err, command.Stderr)
			}
			return out.Bytes(), most
		case <-time.After(2 * time.Millisecond):
			most = max(most, memoryLine(status, "RssAnon:"))
		}
	}
}

// TestLargeModel rewrites a model of 2.2 GiB (of as many GiB as TINYQ_LARGE says)
// into shards, in memory that does not grow with the model: 64 MiB, and four
// times what the scales of its largest weight take.
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
	for _, test := range []struct {
		flags  []string
		scales int64 // bytes, of the largest weight
	}{
		{nil, 4 * sparseColumns},
		{[]string{"--granularity", "block"}, 4 * sparseColumns * sparseRows / 32},
		{[]string{"--granularity", "block", "--recipe", "w8a16"}, 4 * sparseColumns * sparseRows / 32},
	} {
		t.Run(fmt.Sprint(test.flags), func(t *testing.T) {
			const shard = 1 << 28
			output := filepath.Join(t.TempDir(), "out.onnx")
			flags := []string{"rewrite", model, "-o", output, "--check", "off", "--sync", "off", "--json", "--shard-bytes", fmt.Sprint(shard)}
			command, _ := program(append(flags, test.flags...)...)
			stdout, anonymous := anonymousWhile(t, command)
			var report rewriteReport
			if err := json.Unmarshal(stdout, &report); err != nil {
				t.Fatal(err)
			}
			if len(report.Sites) != layers+1 {
				t.Errorf("%d sites", len(report.Sites))
			}
			most := 64<<20 + 4*test.scales
			t.Logf("at most %d MiB of anonymous memory, %d MiB in all, for a model of %d MiB; %d MiB would be too much",
				anonymous>>20, report.PeakRSSBytes>>20, size>>20, most>>20)
			if anonymous > most {
				t.Errorf("%d bytes of anonymous memory for a model of %d, more than %d", anonymous, size, most)
			}
			if report.PeakRSSBytes > 192<<20+most {
				t.Errorf("%d bytes of memory for a model of %d", report.PeakRSSBytes, size)
			}
			checkSparse(t, output, layers)
		})
	}
}

// checkSparse holds what was written of a sparse model to what it has to be.
func checkSparse(t *testing.T, output string, layers int) {
	t.Helper()
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
		if w.Type != onnx.Int8 || w.Data.Len() < 4096*4096 {
			continue
		}
		b, err := w.RawBytes()
		if err != nil {
			t.Fatal(err)
		}
		if b[0] != 127 && b[0] != 0 || b[1] != 0 || b[len(b)-1] != 0 {
			t.Errorf("%s begins with %d, %d", w.Name, b[0], b[1])
		}
		if b[0] == 127 {
			seen++
		}
	}
	if seen != layers+1 {
		t.Errorf("%d int8 weights", seen)
	}
}
