package ops

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestFloatRuns compares operations on float32, broadcast in every way, with the
// same on float64, which goes another way; the numbers are such that neither
// rounds.
func TestFloatRuns(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	c := &Call{Context: t.Context(), Workers: workers(t, 2)}
	for round := range 400 {
		shape := make([]int, random.IntN(5))
		for i := range shape {
			shape[i] = random.IntN(7)
			if round%3 == 0 {
				shape[i] += random.IntN(40)
			}
		}
		operands := make([]*tensor.Tensor, 2)
		for i := range operands {
			own := slices.Clone(shape[random.IntN(len(shape)+1):])
			for axis := range own {
				if random.IntN(3) == 0 {
					own[axis] = 1
				}
			}
			data := make([]float32, tensor.Count(own))
			for j := range data {
				data[j] = float32(int(1) << random.IntN(8))
			}
			operands[i] = tensor.New(own, data)
		}
		for operation := range floatLoops {
			var results []*tensor.Tensor
			for _, dtype := range []onnx.DType{onnx.Float, onnx.Double} {
				in := make([]*tensor.Tensor, 2)
				for i, operand := range operands {
					var err error
					if in[i], err = cast(c, operand, dtype, rounding{}); err != nil {
						t.Fatal(err)
					}
				}
				numbers, err := numbersIn(in[0])
				if err != nil {
					t.Fatal(err)
				}
				y, err := numbers.fold(c, operation, in)
				if err != nil {
					t.Fatal(err)
				}
				results = append(results, y)
			}
			got, want := floats(t, results[0]), floats(t, results[1])
			if !slices.Equal(got, want) || !slices.Equal(results[0].Shape(), results[1].Shape()) {
				t.Fatalf("%s of %v and %v: got %v, want %v", operation, operands[0].Shape(), operands[1].Shape(), got, want)
			}
		}
	}
}

// TestFloatRunsInPieces has runs cut where one thread's piece ends.
func TestFloatRunsInPieces(t *testing.T) {
	const rows, columns = 37, 5001 // more than a piece of work
	a, b, column := make([]float32, rows*columns), make([]float32, columns), make([]float32, rows)
	for i := range a {
		a[i] = float32(i % 1013)
	}
	for i := range b {
		b[i] = float32(i % 17)
	}
	for i := range column {
		column[i] = float32(i)
	}
	c := &Call{Context: t.Context(), Workers: workers(t, 2)}
	of := func(shape []int, data []float32) *tensor.Tensor { return tensor.New(shape, data) }
	full, row, tall := of([]int{rows, columns}, a), of([]int{columns}, b), of([]int{rows, 1}, column)
	for _, test := range []struct {
		name string
		in   []*tensor.Tensor
		want func(i int) float32
	}{
		{"a row", []*tensor.Tensor{full, row}, func(i int) float32 { return a[i] - b[i%columns] }},
		{"a row on the left", []*tensor.Tensor{row, full}, func(i int) float32 { return b[i%columns] - a[i] }},
		{"a column", []*tensor.Tensor{full, tall}, func(i int) float32 { return a[i] - column[i/columns] }},
		{"a column on the left", []*tensor.Tensor{tall, full}, func(i int) float32 { return column[i/columns] - a[i] }},
		{"a row and a column", []*tensor.Tensor{row, tall}, func(i int) float32 { return b[i%columns] - column[i/columns] }},
		{"two of a shape", []*tensor.Tensor{full, full}, func(int) float32 { return 0 }},
		{"a number", []*tensor.Tensor{full, tensor.Scalar[float32](3)}, func(i int) float32 { return a[i] - 3 }},
	} {
		y, err := foldFloats(c, floatLoops["Sub"], test.in[0], test.in[1])
		if err != nil {
			t.Fatal(err)
		}
		data, _ := tensor.Data[float32](y)
		for i, v := range data {
			if v != test.want(i) {
				t.Fatalf("%s: element %d is %v, want %v", test.name, i, v, test.want(i))
			}
		}
	}
}
