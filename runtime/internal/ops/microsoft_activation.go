package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var microsoftActivationFamily = []Kernel{
	{Domain: microsoft, Op: "Gelu", Since: 1, Build: function(gelu)},
	{Domain: microsoft, Op: "BiasGelu", Since: 1, Build: needs(2, Single(biased(gelu)))},
	{Domain: microsoft, Op: "FastGelu", Since: 1, Build: needs(1, Single(biased(fastGelu)))},
	{Domain: microsoft, Op: "QuickGelu", Since: 1, Build: activation(quickGelu)},
}

var (
	gelu = floatFunction{func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }, vector.Gelu}
	// fastGelu is gelu with an approximation by tanh.
	fastGelu = floatFunction{func(x float64) float64 {
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}, vector.FastGelu}
)

func quickGelu(n *Node) floatFunction { return swishOf(n.Float("alpha", 1.702)) }

// biased builds f(x + b), where b, a vector along the last axis, may be left out.
func biased(f floatFunction) func(*Node) (single, error) {
	return func(*Node) (single, error) {
		return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
			b := operand(in, 1)
			if b == nil {
				return mapFloats(c, in[0], f)
			}
			if b.Rank() != 1 {
				return nil, fmt.Errorf("bias of shape %v: want a vector", b.Shape())
			}
			numbers, err := floatsIn(in[0])
			if err != nil {
				return nil, err
			}
			return numbers.applyToSum(c, f, in[0], b)
		}, nil
	}
}
