package ops

import (
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func buildMeanVarianceNormalization(n *Node) (single, error) {
	axes := n.Ints("axes")
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if in[0].DType() == onnx.Double {
			return meanVarianceNormalize[float64](in[0], axes)
		}
		return meanVarianceNormalize[float32](in[0], axes)
	}, nil
}

// varianceFloor is what the operator adds to the deviation it divides by.
const varianceFloor = 1e-9

// meanVarianceNormalize gives the elements that differ only along the axes mean
// 0 and deviation 1.
func meanVarianceNormalize[T real](x *tensor.Tensor, axes []int) (*tensor.Tensor, error) {
	marked, err := markAxes(axes, x.Rank())
	if err != nil {
		return nil, err
	}
	lines, err := layRows(nil, x, marked)
	if err != nil || x.Len() == 0 {
		return x, err
	}
	data, err := reals[T](lines.table)
	if err != nil {
		return nil, err
	}
	y := make([]T, len(data))
	for i := range lines.count {
		row := data[i*lines.width:][:lines.width]
		center := mean(row)
		deviation := math.Sqrt(float64(variance(row, center)))
		standardize(y[i*lines.width:], row, center, T(1/(deviation+varianceFloor)), 0)
	}
	result, err := ofReals(x.DType(), lines.table.Shape(), y)
	if err != nil {
		return nil, err
	}
	return lines.unlay(result)
}
