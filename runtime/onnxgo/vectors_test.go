package onnxgo

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	backendapi "github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/testbackend"
	_ "github.com/owulveryck/onnx-go/backend/testbackend/onnx" // registers the vectors
	"gorgonia.org/tensor"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
)

// TestVectors runs onnx-go's own test vectors: all of those that its decoder
// loads pass. The others are counted by the decoder's reason. So are those that
// lost values when they were generated: their model declares, say, an int64, and
// they hold a float in its place.
func TestVectors(t *testing.T) {
	declined := map[string]int{}
	passed := 0
	var vectors []*testbackend.TestCase
	for _, vector := range testbackend.GetAllRegisteredTests() {
		vectors = append(vectors, vector())
	}
	slices.SortFunc(vectors, func(a, b *testbackend.TestCase) int { return strings.Compare(a.Title, b.Title) })
	for _, vector := range vectors {
		t.Run(vector.Title, func(t *testing.T) {
			stated, err := onnx.Decode(vector.ModelB)
			if err != nil {
				t.Fatal(err)
			}
			if damaged(vector.Input, stated.Graph.Inputs) || damaged(vector.ExpectedOutput, stated.Graph.Outputs) {
				declined["values of another type than the model declares"]++
				return
			}
			backend := New()
			backend.Opset = stated.Opset("")
			model := backendapi.NewModel(backend)
			if err := decode(model, vector.ModelB); err != nil {
				var lacking *backendapi.ErrNotImplemented
				if errors.As(err, &lacking) && lacking.Operator != "" {
					t.Fatal(err) // an operator that the executor lacks
				}
				declined[reason(err)]++
				return
			}
			for i, v := range vector.Input {
				if err := model.SetInput(i, v); err != nil {
					t.Fatal(err)
				}
			}
			if err := backend.Run(); err != nil {
				t.Fatal(err)
			}
			outputs, err := model.GetOutputTensors()
			if err != nil {
				t.Fatal(err)
			}
			if err := compare(outputs, vector.ExpectedOutput); err != nil {
				t.Fatal(err)
			}
			passed++
		})
	}
	for _, text := range slices.Sorted(maps.Keys(declined)) {
		t.Logf("%d not run: %s", declined[text], text)
	}
	t.Logf("%d passed", passed)
	if passed < 300 {
		t.Errorf("%d vectors passed: there are more that the decoder loads", passed)
	}
}

// damaged says whether a value is of another type than the model declares.
func damaged(values []tensor.Tensor, declared []*onnx.Value) bool {
	for i, v := range values {
		t, err := fromGorgonia(v)
		if err != nil || i >= len(declared) || declared[i].Type == nil || t.DType() != declared[i].Type.DType {
			return true
		}
	}
	return false
}

// decode is the decoder's work; where it panics that is the decoder's error.
func decode(m *backendapi.Model, data []byte) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the decoder panics: %v", cause)
		}
	}()
	return m.UnmarshalBinary(data)
}

// reason is the decoder's error without the values that differ from model to model.
func reason(err error) string {
	text, _, _ := strings.Cut(err.Error(), " (&")
	return text
}

// compare allows what ONNX's own runner does: some vectors are rounded to four digits.
func compare(got, want []tensor.Tensor) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d outputs, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] == nil {
			return fmt.Errorf("output %d is missing", i)
		}
		g, err := fromGorgonia(got[i])
		if err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
		w, err := fromGorgonia(want[i])
		if err != nil {
			return fmt.Errorf("expected output %d: %w", i, err)
		}
		if err := (runtime.Tolerance{Relative: 1e-3, Absolute: 1e-6}).Equal(g, w); err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
	}
	return nil
}
