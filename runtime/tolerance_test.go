package runtime_test

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestTolerance holds the comparison to its formula at its edges.
func TestTolerance(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, test := range []struct {
		name      string
		got, want tensor.Value
		tolerance runtime.Tolerance
		equal     bool
	}{
		{"within the relative part", tensor.Scalar(1.0009), tensor.Scalar(1.0), runtime.Tolerance{Relative: 1e-3}, true},
		{"beyond the relative part", tensor.Scalar(1.0011), tensor.Scalar(1.0), runtime.Tolerance{Relative: 1e-3}, false},
		{"within the absolute part", tensor.Scalar(1e-8), tensor.Scalar(0.0), runtime.Tolerance{Absolute: 1e-7}, true},
		{"beyond the absolute part", tensor.Scalar(2e-7), tensor.Scalar(0.0), runtime.Tolerance{Absolute: 1e-7}, false},
		{"NaN for NaN", tensor.Scalar(nan), tensor.Scalar(nan), runtime.Tolerance{}, true},
		{"NaN for a number", tensor.Scalar(nan), tensor.Scalar(1.0), runtime.Tolerance{Absolute: 9}, false},
		{"an infinity for itself", tensor.Scalar(inf), tensor.Scalar(inf), runtime.Tolerance{}, true},
		{"an infinity for the other", tensor.Scalar(-inf), tensor.Scalar(inf), runtime.Tolerance{Relative: 9}, false},
		{"a number for an infinity", tensor.Scalar(1.0), tensor.Scalar(inf), runtime.Tolerance{Relative: 9}, false},
		{"what cancels in float32", tensor.New([]int{2}, []float32{0, 64}), tensor.New([]int{2}, []float32{3e-6, 64}), runtime.Tolerance{}, true},
		{"more than cancels in float32", tensor.New([]int{2}, []float32{0, 64}), tensor.New([]int{2}, []float32{5e-6, 64}), runtime.Tolerance{}, false},
		{"what cancels in float64 is less", tensor.New([]int{2}, []float64{0, 64}), tensor.New([]int{2}, []float64{3e-6, 64}), runtime.Tolerance{}, false},
		{"another type", tensor.Scalar(float32(1)), tensor.Scalar(1.0), runtime.Tolerance{Relative: 9}, false},
		{"another shape", tensor.New([]int{1, 2}, []float32{1, 2}), tensor.New([]int{2}, []float32{1, 2}), runtime.Tolerance{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.tolerance.Equal(test.got, test.want); (err == nil) != test.equal {
				t.Errorf("got %v, want equal %v", err, test.equal)
			}
		})
	}
}
