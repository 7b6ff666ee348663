package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// functionFamily holds the elementwise functions of floats.
var functionFamily = []Kernel{
	{Op: "Ceil", Since: 1, Build: function(floatFunction{exact: math.Ceil})},
	{Op: "Floor", Since: 1, Build: function(floatFunction{exact: math.Floor})},
	{Op: "Round", Since: 11, Build: function(floatFunction{exact: math.RoundToEven})},
	{Op: "Sqrt", Since: 1, Build: function(floatFunction{math.Sqrt, vector.Sqrt})},
	{Op: "Reciprocal", Since: 1, Build: function(floatFunction{func(x float64) float64 { return 1 / x }, reciprocals})},
	{Op: "Exp", Since: 1, Build: function(floatFunction{math.Exp, vector.Exp})},
	{Op: "Log", Since: 1, Build: function(floatFunction{exact: math.Log})},
	{Op: "Sin", Since: 7, Build: function(floatFunction{exact: math.Sin})},
	{Op: "Cos", Since: 7, Build: function(floatFunction{exact: math.Cos})},
	{Op: "Tan", Since: 7, Build: function(floatFunction{exact: math.Tan})},
	{Op: "Asin", Since: 7, Build: function(floatFunction{exact: math.Asin})},
	{Op: "Acos", Since: 7, Build: function(floatFunction{exact: math.Acos})},
	{Op: "Atan", Since: 7, Build: function(floatFunction{exact: math.Atan})},
	{Op: "Sinh", Since: 9, Build: function(floatFunction{exact: math.Sinh})},
	{Op: "Cosh", Since: 9, Build: function(floatFunction{exact: math.Cosh})},
	{Op: "Tanh", Since: 1, Build: function(floatFunction{math.Tanh, vector.Tanh})},
	{Op: "Asinh", Since: 9, Build: function(floatFunction{exact: math.Asinh})},
	{Op: "Acosh", Since: 9, Build: function(floatFunction{exact: math.Acosh})},
	{Op: "Atanh", Since: 9, Build: function(floatFunction{exact: math.Atanh})},
	{Op: "Erf", Since: 9, Build: function(floatFunction{math.Erf, vector.Erf})},
	{Op: "IsNaN", Since: 9, Build: needs(1, Single(buildIsNaN))},
	{Op: "IsInf", Since: 10, Build: needs(1, Single(buildIsInf))},
}

// floatFunction is a function of one float, element by element.
type floatFunction struct {
	// exact computes it in float64, from which the result is rounded.
	exact func(x float64) float64
	// loop, if there is one, computes float32 elements in float32, and 16-bit
	// ones, which are rounded from there; y is as long as x and may be x.
	loop func(y, x []float32)
}

// function builds an operator that applies f to every element of its operand.
func function(f floatFunction) Builder {
	return activation(func(*Node) floatFunction { return f })
}

// activation builds an operator that applies a function which its attributes
// shape to every element of its operand.
func activation(f func(n *Node) floatFunction) Builder {
	return needs(1, Single(func(n *Node) (single, error) {
		f := f(n)
		return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) { return mapFloats(c, in[0], f) }, nil
	}))
}

// mapFloats applies f to every element of a float tensor.
func mapFloats(c *Call, t *tensor.Tensor, f floatFunction) (*tensor.Tensor, error) {
	numbers, err := floatsIn(t)
	if err != nil {
		return nil, err
	}
	return numbers.apply(c, f, t)
}

func reciprocals(y, x []float32) { vector.DivFrom(y, x, 1) }

// floatsIn is numbersIn for operators that take only floats.
func floatsIn(t *tensor.Tensor) (numbers, error) {
	if !t.DType().IsFloat() {
		return nil, fmt.Errorf("operand of type %v: want float, double, float16 or bfloat16", t.DType())
	}
	return numbersIn(t)
}

func (n numbersOf[S, C]) apply(c *Call, f floatFunction, in *tensor.Tensor) (*tensor.Tensor, error) {
	if loop, ok := any(f.loop).(func(y, x []C)); ok && f.loop != nil {
		return n.zip(c, []*tensor.Tensor{in}, func(y []C, x [][]C) { loop(y, x[0]) })
	}
	return n.zip(c, []*tensor.Tensor{in}, func(y []C, x [][]C) {
		for i, v := range x[0] {
			y[i] = C(f.exact(float64(v)))
		}
	})
}

func (n numbersOf[S, C]) applyToSum(c *Call, f floatFunction, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	loop, ok := any(f.loop).(func(y, x []C))
	if !ok || f.loop == nil {
		return n.combine(c, func(a, b float64) float64 { return f.exact(a + b) }, a, b)
	}
	add := binaryLoop[C]("Add")
	return n.zip(c, []*tensor.Tensor{a, b}, func(y []C, x [][]C) {
		add(y, x[0], x[1])
		loop(y, y)
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
