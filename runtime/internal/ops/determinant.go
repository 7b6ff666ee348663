package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// determinantFamily holds Det.
var determinantFamily = []Kernel{
	{Op: "Det", Since: 11, Build: needs(1, Single(buildDet))},
}

func buildDet(*Node) (single, error) {
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		shape := in[0].Shape()
		rank := len(shape)
		if rank < 2 || shape[rank-1] != shape[rank-2] {
			return nil, fmt.Errorf("operand of shape %v: want square matrices", shape)
		}
		values, err := numbersAs[float64](in[0])
		if err != nil {
			return nil, err
		}
		n := shape[rank-1]
		batch := shape[: rank-2 : rank-2]
		determinants := make([]float64, tensor.Count(batch))
		for i := range determinants {
			determinants[i] = determinant(slices.Clone(values[i*n*n:(i+1)*n*n]), n)
		}
		return ofReals(in[0].DType(), batch, determinants)
	}, nil
}

// determinant of the n×n matrix m, which it overwrites, by Gaussian elimination
// with the largest pivot of each column.
func determinant(m []float64, n int) float64 {
	result := 1.0
	for column := range n {
		pivot := column
		for row := column + 1; row < n; row++ {
			if math.Abs(m[row*n+column]) > math.Abs(m[pivot*n+column]) {
				pivot = row
			}
		}
		if pivot != column {
			for i := range n {
				m[pivot*n+i], m[column*n+i] = m[column*n+i], m[pivot*n+i]
			}
			result = -result
		}
		top := m[column*n : (column+1)*n]
		result *= top[column]
		if top[column] == 0 {
			return 0
		}
		for row := column + 1; row < n; row++ {
			addScaled(m[row*n+column:(row+1)*n], top[column:], -m[row*n+column]/top[column])
		}
	}
	return result
}
