package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// functionFamily holds the elementwise functions of floats. They are computed in
// float64, by Go's mathematical functions, and rounded.
var functionFamily = []Kernel{
	{Op: "Ceil", Since: 1, Build: function(math.Ceil)},
	{Op: "Floor", Since: 1, Build: function(math.Floor)},
	{Op: "Round", Since: 11, Build: function(math.RoundToEven)},
	{Op: "Sqrt", Since: 1, Build: function(math.Sqrt)},
	{Op: "Reciprocal", Since: 1, Build: function(func(x float64) float64 { return 1 / x })},
	{Op: "Exp", Since: 1, Build: function(math.Exp)},
	{Op: "Log", Since: 1, Build: function(math.Log)},
	{Op: "Sin", Since: 7, Build: function(math.Sin)},
	{Op: "Cos", Since: 7, Build: function(math.Cos)},
	{Op: "Tan", Since: 7, Build: function(math.Tan)},
	{Op: "Asin", Since: 7, Build: function(math.Asin)},
	{Op: "Acos", Since: 7, Build: function(math.Acos)},
	{Op: "Atan", Since: 7, Build: function(math.Atan)},
	{Op: "Sinh", Since: 9, Build: function(math.Sinh)},
	{Op: "Cosh", Since: 9, Build: function(math.Cosh)},
	{Op: "Tanh", Since: 1, Build: function(math.Tanh)},
	{Op: "Asinh", Since: 9, Build: function(math.Asinh)},
	{Op: "Acosh", Since: 9, Build: function(math.Acosh)},
	{Op: "Atanh", Since: 9, Build: function(math.Atanh)},
	{Op: "Erf", Since: 9, Build: function(math.Erf)},
	{Op: "IsNaN", Since: 9, Build: needs(1, Single(buildIsNaN))},
	{Op: "IsInf", Since: 10, Build: needs(1, Single(buildIsInf))},
}

// function builds an operator that applies f to every element of its operand.
func function(f func(x float64) float64) Builder {
	return activation(func(*Node) func(x float64) float64 { return f })
}

// activation builds an operator that applies a function which its attributes
// shape to every element of its operand.
func activation(f func(n *Node) func(x float64) float64) Builder {
	return needs(1, Single(func(n *Node) (single, error) {
		f := f(n)
		return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) { return mapFloats(c, in[0], f) }, nil
	}))
}

// mapFloats applies f to every element of a float tensor.
func mapFloats(c *Call, t *tensor.Tensor, f func(x float64) float64) (*tensor.Tensor, error) {
	numbers, err := floatsIn(t)
	if err != nil {
		return nil, err
	}
	return numbers.apply(c, f, t)
}

// floatsIn is numbersIn for operators that take only floats.
func floatsIn(t *tensor.Tensor) (numbers, error) {
	if !t.DType().IsFloat() {
		return nil, fmt.Errorf("operand of type %v: want float, double, float16 or bfloat16", t.DType())
	}
	return numbersIn(t)
}

func (n numbersOf[S, C]) apply(c *Call, f func(x float64) float64, in *tensor.Tensor) (*tensor.Tensor, error) {
	return n.zip(c, []*tensor.Tensor{in}, func(y []C, x [][]C) {
		for i, v := range x[0] {
			y[i] = C(f(float64(v)))
		}
	})
}

func (n numbersOf[S, C]) combine(c *Call, f func(a, b float64) float64, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return n.zip(c, []*tensor.Tensor{a, b}, func(y []C, x [][]C) {
		for i, v := range x[0] {
			y[i] = C(f(float64(v), float64(x[1][i])))
		}
	})
}

func buildIsNaN(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return castThrough(c, in[0], perElement(math.IsNaN))
	}, nil
}

func buildIsInf(n *Node) (single, error) {
	positive, negative := n.Int("detect_positive", 1) != 0, n.Int("detect_negative", 1) != 0
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return castThrough(c, in[0], perElement(func(v float64) bool {
			return positive && math.IsInf(v, 1) || negative && math.IsInf(v, -1)
		}))
	}, nil
}
