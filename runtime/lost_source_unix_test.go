//go:build unix

package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// A model's file that is cut short before it is compiled, or before or while it is
// compared, is an error;
// a session that is compiled needs the file no more.
func TestSourceIsCutShort(t *testing.T) {
	model := modelOf(17, graphOf([]*onnx.Value{value("x", floatType(1, 1024))}, "y", []*onnx.Node{node("MatMul", "x,w", "p"), node("Add", "p,w", "y")},
		onnx.FloatTensor("w", []int64{1024, 1024}, make([]float32, 1<<20))))
	feeds := map[string]tensor.Value{"x": tensor.New([]int{1, 1024}, make([]float32, 1024))}
	for _, use := range []struct {
		name string
		fine bool
		do   func(m *onnx.Model, cut func()) error
	}{
		{"compiled", false, func(m *onnx.Model, cut func()) error {
			cut()
			_, err := Compile(m, Options{})
			return err
		}},
		{"compared", false, func(m *onnx.Model, cut func()) error {
			cut()
			_, err := Compare(t.Context(), m, model, CompareOptions{Feeds: []map[string]tensor.Value{feeds}})
			return err
		}},
		{"compared with", false, func(m *onnx.Model, cut func()) error {
			cut()
			_, err := Compare(t.Context(), model, m, CompareOptions{Feeds: []map[string]tensor.Value{feeds}})
			return err
		}},
		{"while compared", false, func(m *onnx.Model, cut func()) error {
			_, err := Compare(t.Context(), m, model, CompareOptions{Feeds: []map[string]tensor.Value{feeds, feeds}, Progress: func(done, _ int64) {
				if done == 1 {
					cut()
				}
			}})
			return err
		}},
		{"run", true, func(m *onnx.Model, cut func()) error {
			s, err := Compile(m, Options{})
			if err == nil {
				cut()
				_, err = s.Run(t.Context(), feeds)
			}
			return err
		}},
	} {
		path := filepath.Join(t.TempDir(), "in.onnx")
		if err := onnx.WriteFile(path, model, onnx.WriteOptions{NoSync: true}); err != nil {
			t.Fatal(err)
		}
		m, err := onnx.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		err = use.do(m, func() {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		})
		var changed *onnx.ChangedError
		if use.fine && err != nil || !use.fine && !errors.As(err, &changed) {
			t.Errorf("%s: error %v", use.name, err)
		}
		m.Close()
	}
}
