package main

import (
	"path/filepath"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestWeightSizes looks into the files that were written: each weight with at
// least 128 rows takes at most 1/3.8 of what it took as float32, its scales and
// zero points included.
func TestWeightSizes(t *testing.T) {
	cases := casesFolder(t)
	for _, target := range []string{"portable", "fold"} {
		for recipe, flags := range recipes {
			t.Run(target+"/"+recipe, func(t *testing.T) {
				measured := 0
				for _, name := range modelsIn(t, cases) {
					model := filepath.Join(cases, filepath.FromSlash(name), "model.onnx")
					output := filepath.Join(t.TempDir(), "model.onnx")
					flags := append([]string{"--target", target, "--check", "off", "--sync", "off", "--nonfinite", "skip"}, flags...)
					report := rewriteFile(t, model, output, flags...)
					if len(report.Sites) == 0 || report.Sites[0].Type != "float" {
						continue
					}
					for _, w := range quantizedWeights(t, output) {
						if w.elements/w.scales < 128 {
							continue
						}
						measured++
						if 38*w.bytes > 10*4*w.elements {
							t.Errorf("%s: %s: %d bytes stand for %d floats: more than 1/3.8", name, w.name, w.bytes, w.elements)
						}
					}
				}
				if measured < 50 {
					t.Errorf("only %d weights were measured", measured)
				}
			})
		}
	}
}

// quantizedWeight is an int8 weight in a file, with what belongs to it.
type quantizedWeight struct {
	name             string
	elements, scales int64
	bytes            int64 // with scales and zero points
}

// quantizedWeights finds the int8 weights of a model by the nodes that make
// floats of them.
func quantizedWeights(t *testing.T, path string) []quantizedWeight {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	index, err := onnx.NewIndex(m)
	if err != nil {
		t.Fatal(err)
	}
	var weights []quantizedWeight
	for _, scope := range index.Scopes() {
		for _, node := range scope.Nodes() {
			parts := []string{}
			switch node.OpType {
			case "DequantizeLinear":
				parts = node.Inputs
			case "Mul":
				if cast := scope.Producer(node.Input(0)); cast != nil && cast.OpType == "Cast" {
					parts = []string{cast.Input(0), node.Input(1)}
				}
			}
			var stored []*onnx.Tensor
			for _, part := range parts {
				if initializer := scope.Initializer(part); initializer != nil {
					stored = append(stored, initializer)
				}
			}
			if len(stored) < 2 || len(stored) != len(parts) || stored[0].Type != onnx.Int8 {
				continue
			}
			w := quantizedWeight{name: stored[0].Name}
			for _, part := range stored {
				w.bytes += part.Data.Len()
			}
			if w.elements, err = stored[0].Elements(); err != nil {
				t.Fatal(err)
			}
			if w.scales, err = stored[1].Elements(); err != nil {
				t.Fatal(err)
			}
			weights = append(weights, w)
		}
	}
	return weights
}
