package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// manyWeights is a file with a model of weights of all sizes and layouts: small
// ones, ones of several pieces, transposed ones, one of which rows are picked.
func manyWeights(t *testing.T) string {
	t.Helper()
	r := rand.New(rand.NewPCG(9, 10))
	g := &onnx.Graph{Name: "weights"}
	value := func(name string) *onnx.Value {
		return &onnx.Value{Name: name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float}}
	}
	weight := func(rows, columns int64) string {
		values := make([]float32, rows*columns)
		for i := range values {
			values[i] = float32(r.NormFloat64())
		}
		name := fmt.Sprintf("w%d", len(g.Initializers))
		g.Initializers = append(g.Initializers, onnx.FloatTensor(name, []int64{rows, columns}, values))
		return name
	}
	node := func(op string, inputs []string, attrs ...*onnx.Attr) string {
		y := fmt.Sprintf("y%d", len(g.Nodes))
		g.Nodes = append(g.Nodes, &onnx.Node{Name: y, OpType: op, Inputs: inputs, Outputs: []string{y}, Attrs: attrs})
		return y
	}
	g.Inputs = []*onnx.Value{value("x"), {Name: "i", Type: &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Int64}}}
	for _, k := range []int64{16, 100, 1000} {
		for _, n := range []int64{17, 1500} {
			node("MatMul", []string{"x", weight(k, n)})
			node("MatMul", []string{"x", node("Transpose", []string{weight(n, k)}, onnx.IntsAttr("perm", []int64{1, 0}))})
			node("Gemm", []string{"x", weight(n, k)}, onnx.IntAttr("transB", 1))
		}
	}
	node("Gather", []string{weight(3000, 100), "i"})
	for _, n := range g.Nodes {
		if n.OpType != "Transpose" {
			g.Outputs = append(g.Outputs, value(n.Outputs[0]))
		}
	}
	file := filepath.Join(t.TempDir(), "model.onnx")
	m := &onnx.Model{IRVersion: 10, Opsets: []onnx.OpsetImport{{Version: 21}}, Graph: g}
	if err := onnx.WriteFile(file, m, onnx.WriteOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestResultsDoNotDependOnThreads rewrites in every recipe and layout with one
// thread and with sixteen, and with scales that are measured before and while
// the model is written: the files are the same, byte for byte.
func TestResultsDoNotDependOnThreads(t *testing.T) {
	model := manyWeights(t)
	for _, flags := range []string{
		"--ops all", "--ops all --asymmetric", "--granularity tensor", "--granularity block --asymmetric", "--target ort", "--target ort --asymmetric --block 64",
		"--target fold", "--recipe w8a16", "--recipe w8a8", "--external-data always --shard-bytes 2000000",
	} {
		var first map[string]string
		for _, more := range []string{"-j 1", "-j 16", "-j 16 --nonfinite skip"} {
			folder := t.TempDir()
			args := append([]string{"rewrite", model, "-o", filepath.Join(folder, "out.onnx"), "--check", "off", "--sync", "off", "-q"}, strings.Fields(flags+" "+more)...)
			var stdout, stderr strings.Builder
			if code := run(t.Context(), args, &stdout, &stderr); code != exitDone {
				t.Fatalf("%v: exit code %d: %s", args, code, stderr.String())
			}
			files := map[string]string{}
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				b, err := os.ReadFile(filepath.Join(folder, entry.Name()))
				if err != nil {
					t.Fatal(err)
				}
				files[entry.Name()] = string(b)
			}
			if first == nil {
				first = files
			}
			if len(files) != len(first) {
				t.Fatalf("%s %s: %d files, with one thread %d", flags, more, len(files), len(first))
			}
			for name, content := range files {
				if content != first[name] {
					t.Errorf("%s %s: %s differs from what one thread writes", flags, more, name)
				}
			}
		}
	}
}
