package ops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// noise is a tensor of numbers between -1 and 1.
func noise(random *rand.Rand, shape ...int) *tensor.Tensor {
	data := make([]float32, tensor.Count(shape))
	for i := range data {
		data[i] = 2*random.Float32() - 1
	}
	return tensor.New(shape, data)
}

// compute runs a node of the default domain that must succeed; it wants the
// given number of outputs.
func compute(t *testing.T, op string, opset, outputs int, attrs []*onnx.Attr, in ...tensor.Value) []*tensor.Tensor {
	t.Helper()
	results, err := runNode(t, nodeTest{op: op, opset: opset, attrs: attrs, in: in, want: make([]tensor.Value, outputs)})
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	list := make([]*tensor.Tensor, len(results))
	for i, v := range results {
		list[i], _ = v.(*tensor.Tensor)
	}
	return list
}

// floats is a float tensor's elements, of whatever type, as float64.
func floats(t *testing.T, v *tensor.Tensor) []float64 {
	t.Helper()
	data, err := numbersAsReals[float64](v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wantClose checks a shape, and elements to a tolerance relative to the largest.
func wantClose(t *testing.T, got *tensor.Tensor, shape []int, want []float64, tolerance float64) {
	t.Helper()
	if !slices.Equal(got.Shape(), shape) {
		t.Fatalf("got the shape %v, want %v", got.Shape(), shape)
	}
	largest := 1.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for i, v := range floats(t, got) {
		if !(math.Abs(v-want[i]) <= tolerance*largest) {
			t.Fatalf("element %d of %v is %v, want %v", i, shape, v, want[i])
		}
	}
}

// wantSame checks that two tensors are alike to a tolerance.
func wantSame(t *testing.T, got, want *tensor.Tensor, tolerance float64) {
	t.Helper()
	if got.DType() != want.DType() {
		t.Fatalf("got %v, want %v", got.DType(), want.DType())
	}
	wantClose(t, got, want.Shape(), floats(t, want), tolerance)
}

// as is t in another float type.
func as(t *testing.T, v *tensor.Tensor, to onnx.DType) *tensor.Tensor {
	t.Helper()
	result, err := ofReals(to, v.Shape(), floats(t, v))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// part is positions [from, to) of an axis.
func part(v *tensor.Tensor, axis, from, to int) *tensor.Tensor {
	shape, at := slices.Clone(v.Shape()), make([]int, v.Rank())
	shape[axis], at[axis] = to-from, from
	return pick(nil, v, rowMajor(v.Shape()).at(at), shape)
}

// backwards turns an axis around.
func backwards(v *tensor.Tensor, axis int) *tensor.Tensor {
	at := make([]int, v.Rank())
	at[axis] = v.Shape()[axis] - 1
	l := rowMajor(v.Shape()).at(at)
	l.strides[axis] = -l.strides[axis]
	return pick(nil, v, l, v.Shape())
}

// swapped exchanges the first two axes.
func swapped(t *testing.T, v *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	order := make([]int, v.Rank())
	for i := range order {
		order[i] = i
	}
	order[0], order[1] = 1, 0
	result, err := transpose(nil, v, order)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// joined puts tensors one behind the other along an axis.
func joined(t *testing.T, axis int, list ...*tensor.Tensor) *tensor.Tensor {
	t.Helper()
	in := make([]tensor.Value, len(list))
	for i, v := range list {
		in[i] = v
	}
	return compute(t, "Concat", 13, 1, []*onnx.Attr{onnx.IntAttr("axis", int64(axis))}, in...)[0]
}

func toInt64(list []int) []int64 {
	wide := make([]int64, len(list))
	for i, v := range list {
		wide[i] = int64(v)
	}
	return wide
}
