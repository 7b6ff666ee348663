package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// activationFamily holds the elementwise functions that networks have between
// their layers; Relu, which also takes integers, is with the arithmetic.
var activationFamily = []Kernel{
	{Op: "Sigmoid", Since: 1, Build: function(floatFunction{sigmoid, vector.Sigmoid})},
	{Op: "LeakyRelu", Since: 1, Build: activation(leakyRelu)},
	{Op: "Elu", Since: 1, Build: activation(elu)},
	{Op: "Selu", Since: 1, Build: activation(selu)},
	{Op: "Celu", Since: 12, Build: activation(celu)},
	{Op: "Gelu", Since: 20, Build: needs(1, Single(buildGelu))},
	{Op: "ThresholdedRelu", Since: 10, Build: activation(thresholdedRelu)},
	{Op: "HardSigmoid", Since: 1, Build: activation(hardSigmoid)},
	{Op: "HardSwish", Since: 14, Build: function(floatFunction{hardSwish, vector.HardSwish})},
	{Op: "Mish", Since: 18, Build: function(floatFunction{exact: func(x float64) float64 { return x * math.Tanh(softplus(x)) }})},
	{Op: "Swish", Since: 24, Build: activation(swish)},
	{Op: "SwiGLU", Since: 28, Build: needs(2, Single(buildSwiGLU))},
	{Op: "Softplus", Since: 1, Build: function(floatFunction{exact: softplus})},
	{Op: "Softsign", Since: 1, Build: function(floatFunction{exact: func(x float64) float64 { return x / (1 + math.Abs(x)) }})},
	{Op: "Shrink", Since: 9, Build: needs(1, Single(buildShrink))},
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softplus is ln(1 + eˣ), written so that nothing overflows.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func hardSwish(x float64) float64 { return x * min(max(x/6+0.5, 0), 1) }

func leakyRelu(n *Node) floatFunction {
	alpha := n.Float("alpha", 0.01)
	return floatFunction{
		func(x float64) float64 {
			if x < 0 {
				x *= float64(alpha)
			}
			return x
		},
		func(y, x []float32) { vector.LeakyRelu(y, x, alpha) },
	}
}

func elu(n *Node) floatFunction {
	alpha := n.Float("alpha", 1)
	return floatFunction{scaledElu(float64(alpha), 1), func(y, x []float32) { vector.Elu(y, x, alpha) }}
}

func selu(n *Node) floatFunction {
	if n.Opset < 6 {
		return floatFunction{exact: scaledElu(float64(n.Float("alpha", 1.6732)), float64(n.Float("gamma", 1.0507)))}
	}
	return floatFunction{exact: scaledElu(float64(n.Float("alpha", 1.67326319217681884765625)), float64(n.Float("gamma", 1.05070102214813232421875)))}
}

// scaledElu is gamma·x for positive x, else gamma·alpha·(eˣ - 1).
func scaledElu(alpha, gamma float64) func(x float64) float64 {
	return func(x float64) float64 {
		if x > 0 {
			return gamma * x
		}
		return gamma * alpha * math.Expm1(x)
	}
}

func celu(n *Node) floatFunction {
	alpha := float64(n.Float("alpha", 1))
	return floatFunction{exact: func(x float64) float64 { return max(x, 0) + min(alpha*math.Expm1(x/alpha), 0) }}
}

func thresholdedRelu(n *Node) floatFunction {
	alpha := float64(n.Float("alpha", 1))
	return floatFunction{exact: func(x float64) float64 {
		if x > alpha {
			return x
		}
		return 0
	}}
}

func hardSigmoid(n *Node) floatFunction {
	alpha, beta := n.Float("alpha", 0.2), n.Float("beta", 0.5)
	return floatFunction{
		func(x float64) float64 { return min(max(float64(alpha)*x+float64(beta), 0), 1) },
		func(y, x []float32) { vector.HardSigmoid(y, x, alpha, beta) },
	}
}

func swish(n *Node) floatFunction { return swishOf(n.Float("alpha", 1)) }

// swishOf is x times the sigmoid of alpha·x.
func swishOf(alpha float32) floatFunction {
	return floatFunction{
		func(x float64) float64 { return x * sigmoid(float64(alpha)*x) },
		func(y, x []float32) { vector.Swish(y, x, alpha) },
	}
}

func buildGelu(n *Node) (single, error) {
	var f floatFunction
	switch approximate := n.Text("approximate", "none"); approximate {
	case "none":
		f = gelu
	case "tanh":
		f = fastGelu
	default:
		return nil, fmt.Errorf("approximate is %q: want none or tanh", approximate)
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) { return mapFloats(c, in[0], f) }, nil
}

func buildSwiGLU(n *Node) (single, error) {
	gate := swish(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if !slices.Equal(in[0].Shape(), in[1].Shape()) {
			return nil, fmt.Errorf("operands of shapes %v and %v: want one shape", in[0].Shape(), in[1].Shape())
		}
		numbers, err := floatsIn(in[0])
		if err != nil {
			return nil, err
		}
		return numbers.combine(c, func(a, b float64) float64 { return gate.exact(a) * b }, in[0], in[1])
	}, nil
}

// buildShrink builds Shrink, which takes integers too.
func buildShrink(n *Node) (single, error) {
	bias, lambda := float64(n.Float("bias", 0)), float64(n.Float("lambd", 0.5))
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		numbers, err := numbersIn(in[0])
		if err != nil {
			return nil, err
		}
		return numbers.apply(c, floatFunction{exact: func(x float64) float64 {
			switch {
			case x < -lambda:
				return x + bias
			case x > lambda:
				return x - bias
			}
			return 0
		}}, in[0])
	}, nil
}
