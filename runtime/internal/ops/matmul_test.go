package ops

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestMatMulFamily(t *testing.T) {
	row, column := list[int32](1, 2, 3), list[int32](4, 5, 6)
	a, b := shaped[int32]([]int{2, 3}, 1, 2, 3, 4, 5, 6), shaped[int32]([]int{3, 2}, 1, 0, 0, 1, 2, 2)
	product := shaped[int32]([]int{2, 2}, 7, 8, 16, 17)
	halves := func(shape []int, v ...float32) *tensor.Tensor {
		data := make([]quantops.Float16, len(v))
		for i, f := range v {
			data[i] = quantops.Float16FromFloat32(f)
		}
		return tensor.New(shape, data)
	}
	attrs := func(a ...*onnx.Attr) []*onnx.Attr { return a }
	transA, transB := onnx.IntAttr("transA", 1), onnx.IntAttr("transB", 1)
	runNodeTests(t, []nodeTest{
		{op: "MatMul", opset: 1, name: "vectors", in: values(row, column), want: values(tensor.Scalar[int32](32))},
		{op: "MatMul", opset: 9, in: values(a, b), want: values(product)},
		{op: "MatMul", opset: 13, name: "matrix and vector", in: values(a, row), want: values(list[int32](14, 32))},
		{op: "MatMul", opset: 13, name: "vector and matrix", in: values(row, b), want: values(list[int32](7, 8))},
		{op: "MatMul", opset: 13, name: "vector and batch", in: values(row, b.WithShape([]int{1, 3, 2})), want: values(shaped[int32]([]int{1, 2}, 7, 8))},
		{op: "MatMul", opset: 13, name: "batches that broadcast", in: values(shaped[uint64]([]int{2, 1, 1, 1}, 2, 3), shaped[uint64]([]int{2, 1, 2}, 5, 7, 11, 13)),
			want: values(shaped[uint64]([]int{2, 2, 1, 2}, 10, 14, 22, 26, 15, 21, 33, 39))},
		{op: "MatMul", opset: 13, name: "one matrix on the left", in: values(shaped[int64]([]int{1, 1}, 3), shaped[int64]([]int{2, 1, 1}, 1, 2)), want: values(shaped[int64]([]int{2, 1, 1}, 3, 6))},
		{op: "MatMul", opset: 13, name: "halves", in: values(halves([]int{1, 2}, 0.5, 1), halves([]int{2, 1}, 3, 2048)), want: values(halves([]int{1, 1}, 2050))}, // 2049.5 rounded
		{op: "MatMul", opset: 13, name: "no columns", in: values(counting(2, 0), counting(0, 1)), want: values(shaped[float32]([]int{2, 1}, 0, 0))},
		{op: "MatMul", opset: 13, name: "no matrices", in: values(counting(0, 1, 1), counting(0, 1, 1)), want: values(counting(0, 1, 1))},
		{op: "MatMul", opset: 13, name: "other shapes", in: values(a, a), err: "3 columns cannot be multiplied by 2 rows"},
		{op: "MatMul", opset: 13, name: "other batches", in: values(counting(2, 1, 1), counting(3, 1, 1)), err: "batches"},
		{op: "MatMul", opset: 13, name: "a scalar", in: values(tensor.Scalar[int32](1), row), err: "scalar"},
		{op: "MatMul", opset: 13, name: "two types", in: values(a, counting(3, 2)), err: "one type"},
		{op: "MatMul", opset: 13, name: "booleans", in: values(list(true), list(true)), err: "want numbers"},
		{op: "MatMul", opset: 13, name: "too large", in: values(counting(1<<17, 0), counting(0, 1<<17)), err: "too large"},

		{op: "Gemm", opset: 11, in: values(a, b), want: values(product)},
		{op: "Gemm", opset: 13, name: "C left out", in: values(a, b, nil), want: values(product)},
		{op: "Gemm", opset: 9, name: "needs C", in: values(a, b), err: "operand 2 is missing"},
		{op: "Gemm", opset: 7, name: "transposed", attrs: attrs(transA, transB), in: values(shaped[int32]([]int{3, 2}, 1, 4, 2, 5, 3, 6), shaped[int32]([]int{2, 3}, 1, 0, 2, 0, 1, 2), list[int32](1, -1)),
			want: values(shaped[int32]([]int{2, 2}, 8, 7, 17, 16))},
		{op: "Gemm", opset: 7, name: "a column, scaled", attrs: attrs(onnx.FloatAttr("alpha", 2), onnx.FloatAttr("beta", 0.5)),
			in: values(counting(2, 1), shaped[float32]([]int{1, 2}, 1, 10), shaped[float32]([]int{2, 1}, 4, 8)), want: values(shaped[float32]([]int{2, 2}, 2, 2, 6, 24))},
		{op: "Gemm", opset: 1, name: "broadcast", attrs: attrs(onnx.IntAttr("broadcast", 1)), in: values(a, b, tensor.Scalar[int32](1)), want: values(shaped[int32]([]int{2, 2}, 8, 9, 17, 18))},
		{op: "Gemm", opset: 6, name: "without broadcast", in: values(a, b, list[int32](1, 1)), err: "cannot be added"},
		{op: "Gemm", opset: 6, in: values(a, b, product), want: values(shaped[int32]([]int{2, 2}, 14, 16, 32, 34))},
		{op: "Gemm", opset: 13, name: "C larger than the product", in: values(a, b, shaped[int32]([]int{1, 2, 2}, 1, 1, 1, 1)), err: "cannot be added"},
		{op: "Gemm", opset: 13, name: "other shapes", in: values(a, a), err: "cannot be multiplied"},
		{op: "Gemm", opset: 13, name: "vectors", in: values(row, column), err: "two matrices"},
		{op: "Gemm", opset: 13, name: "C of another type", in: values(a, b, list[int64](1)), err: "one type"},
	})
}

// Products of all sizes around the blocks' edges are what three plain loops
// give; small integers in floats leave no room for rounding.
func TestProductsAroundTheBlocksEdges(t *testing.T) {
	c := &Call{Context: t.Context(), Workers: workers(t, 2)}
	for _, m := range []int{1, 2, productRows - 1, productRows + 1} {
		for _, k := range []int{1, 5, productDepth - 1, productDepth + 3} {
			for _, n := range []int{1, 3, productColumns, productColumns + 1} {
				a, b := make([]float32, m*k), make([]float32, k*n)
				for i := range a {
					a[i] = float32(i%7 - 3)
				}
				for i := range b {
					b[i] = float32(i%5 - 2)
				}
				for _, transposed := range []bool{false, true} {
					at := func(t, j int) float32 {
						if transposed {
							return b[j*k+t]
						}
						return b[t*n+j]
					}
					want := make([]float32, m*n)
					for i := range m {
						for j := range n {
							for t := range k {
								want[i*n+j] += a[i*k+t] * at(t, j)
							}
						}
					}
					got := make([]float32, m*n)
					p := &batchedProduct{m: m, k: k, n: n, a: []int{0}, b: []int{0}, transposed: transposed}
					if err := multiply(c, p, got, a, b); err != nil {
						t.Fatal(err)
					}
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("the product of %d×%d and %d×%d (transposed: %t) is wrong", m, k, k, n, transposed)
					}
				}
			}
		}
	}
}

func TestMatMulStopsWhenTheContextEnds(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := matMul(&Call{Context: ended, Workers: workers(t, 2)}, counting(4, 4), counting(4, 4)); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want that of the context", err)
	}
}
