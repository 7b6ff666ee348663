package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// localResponse is what an LRN node states: y = x / (bias + alpha/size·s)^beta,
// where s sums the squares of the size channels around an element's own, the
// shorter half of an even size below it.
type localResponse struct {
	size              int
	alpha, beta, bias float64
}

func buildLRN(n *Node) (single, error) {
	l := localResponse{
		size:  n.Int("size", 0),
		alpha: float64(n.Float("alpha", 1e-4)),
		beta:  float64(n.Float("beta", 0.75)),
		bias:  float64(n.Float("bias", 1)),
	}
	if l.size < 1 || l.size > maxWindowExtent {
		return nil, fmt.Errorf("size is %d: want from 1 to %d", l.size, maxWindowExtent)
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if in[0].DType() == onnx.Double {
			return runLRN[float64](c, l, in[0])
		}
		return runLRN[float32](c, l, in[0])
	}, nil
}

func runLRN[T real](c *Call, l localResponse, x *tensor.Tensor) (*tensor.Tensor, error) {
	_, each, err := channelRows(x)
	if err != nil {
		return nil, err
	}
	data, err := reals[T](x)
	if err != nil {
		return nil, err
	}
	channels := x.Shape()[1]
	y := make([]T, len(data))
	err = parallel(c, x.Shape()[0]*channels, each*min(l.size, channels), func(from, to int) {
		squares := make([]float64, each)
		for i := from; i < to; i++ {
			channel := i % channels
			first, last := max(0, channel-(l.size-1)/2), min(channels-1, channel+l.size/2)
			clear(squares)
			for other := first; other <= last; other++ {
				for j, v := range data[(i-channel+other)*each:][:each] {
					squares[j] += float64(v) * float64(v)
				}
			}
			out := y[i*each:][:each]
			for j, v := range data[i*each:][:each] {
				out[j] = T(float64(v) / math.Pow(l.bias+l.alpha/float64(l.size)*squares[j], l.beta))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return ofReals(x.DType(), x.Shape(), y)
}
