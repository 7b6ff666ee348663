//go:build unix

package rewrite

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// A model's file that is cut short while it is measured or quantized is an error,
// on whichever goroutine that is noticed.
func TestSourceIsCutShort(t *testing.T) {
	matmul := &onnx.Node{Name: "m", OpType: "MatMul", Inputs: []string{"x", "w"}, Outputs: []string{"y"}}
	large := &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetImport{{Version: 17}}, Graph: &onnx.Graph{
		Inputs: []*onnx.Value{{Name: "x"}}, Outputs: []*onnx.Value{{Name: "y"}}, Nodes: []*onnx.Node{matmul},
		Initializers: []*onnx.Tensor{onnx.FloatTensor("w", []int64{1024, 1024}, make([]float32, 1<<20))},
	}}
	for _, step := range []string{"New", "Apply", "WriteFile"} {
		folder := t.TempDir()
		path := filepath.Join(folder, "in.onnx")
		if err := onnx.WriteFile(path, large, onnx.WriteOptions{NoSync: true}); err != nil {
			t.Fatal(err)
		}
		m, err := onnx.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		cut := func(at string) {
			if at == step {
				if err := os.Truncate(path, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		err = func() error {
			cut("New")
			plan, err := New(m, Recipe{})
			if err != nil {
				return err
			}
			plan.Threads = 4
			cut("Apply")
			result, err := plan.Apply(t.Context())
			if err != nil {
				return err
			}
			cut("WriteFile")
			return onnx.WriteFile(filepath.Join(folder, "out.onnx"), result.Model, onnx.WriteOptions{NoSync: true})
		}()
		var changed *onnx.ChangedError
		if !errors.As(err, &changed) || changed.Path != path {
			t.Errorf("cut short before %s: error %v", step, err)
		}
		if _, err := os.Stat(filepath.Join(folder, "out.onnx")); err == nil {
			t.Errorf("cut short before %s: something was written", step)
		}
		m.Close()
	}
}
