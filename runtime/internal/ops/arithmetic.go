package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// arithmeticFamily holds the elementwise operators that take numbers of every
// type. Where the loops allow it, they take more types than the operator's first
// versions list.
var arithmeticFamily = []Kernel{
	{Op: "Add", Since: 1, Build: needs(2, Single(buildBinary))},
	{Op: "Sub", Since: 1, Build: needs(2, Single(buildBinary))},
	{Op: "Mul", Since: 1, Build: needs(2, Single(buildBinary))},
	{Op: "Div", Since: 1, Build: needs(2, Single(buildBinary))},
	{Op: "PRelu", Since: 1, Build: needs(2, Single(buildPRelu))},
	{Op: "Mod", Since: 10, Build: needs(2, Single(buildMod))},
	{Op: "Pow", Since: 1, Build: needs(2, Single(buildPow))},
	{Op: "Max", Since: 1, Build: needs(1, Single(buildFold))},
	{Op: "Min", Since: 1, Build: needs(1, Single(buildFold))},
	{Op: "Sum", Since: 1, Build: needs(1, Single(buildFold))},
	{Op: "Mean", Since: 1, Build: needs(1, Single(buildFold))},
	{Op: "Neg", Since: 1, Build: needs(1, Single(buildUnary))},
	{Op: "Abs", Since: 1, Build: needs(1, Single(buildUnary))},
	{Op: "Sign", Since: 9, Build: needs(1, Single(buildUnary))},
	{Op: "Relu", Since: 1, Build: needs(1, Single(buildUnary))},
	{Op: "Clip", Since: 1, Build: needs(1, Single(buildClipByAttributes))},
	{Op: "Clip", Since: 11, Build: needs(1, Single(buildClip))},
}

// binaryLoop gives the loop of a binary operation, which writes to y, as long as
// a and b; y may be a. It is nil for an operation that there is not.
func binaryLoop[C number](operation string) func(y, a, b []C) {
	if loop, ok := any(floatLoops[operation].pair).(func(y, a, b []C)); ok && loop != nil {
		return loop
	}
	switch operation {
	case "Add", "Sum", "Mean":
		return elementwise(func(a, b C) C { return a + b })
	case "Sub":
		return elementwise(func(a, b C) C { return a - b })
	case "Mul":
		return elementwise(func(a, b C) C { return a * b })
	case "Div":
		if isInteger[C]() {
			return elementwise(quotient[C])
		}
		return elementwise(func(a, b C) C { return a / b })
	case "Mod":
		return elementwise(floorRemainder[C])
	case "Fmod":
		return elementwise(truncatedRemainder[C])
	case "Max":
		return elementwise(func(a, b C) C { return max(a, b) })
	case "Min":
		return elementwise(func(a, b C) C { return min(a, b) })
	case "PRelu":
		return elementwise(func(x, slope C) C {
			if x < 0 {
				x *= slope
			}
			return x
		})
	}
	return nil
}

// elementwise is the loop of a function of two elements.
func elementwise[C number](f func(a, b C) C) func(y, a, b []C) {
	return func(y, a, b []C) {
		a, b = a[:len(y)], b[:len(y)]
		for i := range y {
			y[i] = f(a[i], b[i])
		}
	}
}

// absolute is |v|; of -0 it is 0.
func absolute[C number](v C) C {
	if v <= 0 {
		return 0 - v
	}
	return v
}

// quotient is that of integers, truncated; by zero it is 0, as in NumPy.
func quotient[C number](a, b C) C {
	if b == 0 {
		return 0
	}
	return a / b
}

// truncatedRemainder has the sign of the dividend; that of an integer by zero is 0.
func truncatedRemainder[C number](a, b C) C {
	if isInteger[C]() {
		if b == 0 {
			return 0
		}
		return a - a/b*b
	}
	return C(math.Mod(float64(a), float64(b)))
}

// floorRemainder has the sign of the divisor, also where it is a zero.
func floorRemainder[C number](a, b C) C {
	r := truncatedRemainder(a, b)
	switch {
	case r != 0 && (r < 0) != (b < 0):
		r += b
	case r == 0 && !isInteger[C]():
		r = C(math.Copysign(0, float64(b)))
	}
	return r
}

// unaryLoop gives the loop of a unary operation; y is as long as x.
func unaryLoop[C number](operation string) func(y, x []C) {
	if loop, ok := any(floatUnaryLoop(operation)).(func(y, x []C)); ok && loop != nil {
		return loop
	}
	switch operation {
	case "Neg":
		return func(y, x []C) {
			for i, v := range x {
				y[i] = -v
			}
		}
	case "Abs":
		return func(y, x []C) {
			for i, v := range x {
				y[i] = absolute(v)
			}
		}
	case "Relu":
		return func(y, x []C) {
			for i, v := range x {
				y[i] = max(v, 0)
			}
		}
	case "Sign":
		return func(y, x []C) {
			one := C(1)
			for i, v := range x {
				switch {
				case v > 0:
					v = one
				case v < 0:
					v = -one
				}
				y[i] = v
			}
		}
	}
	return nil
}

func (n numbersOf[S, C]) fold(c *Call, operation string, in []*tensor.Tensor) (*tensor.Tensor, error) {
	if loops, ok := floatLoops[operation]; ok && len(in) == 2 && in[0].DType() == onnx.Float && in[1].DType() == onnx.Float {
		return foldFloats(c, loops, in[0], in[1])
	}
	loop := binaryLoop[C](operation)
	if loop == nil {
		return nil, fmt.Errorf("there is no binary operation %q", operation)
	}
	return n.zip(c, in, func(y []C, x [][]C) {
		if len(x) == 1 {
			copy(y, x[0])
			return
		}
		loop(y, x[0], x[1])
		for _, next := range x[2:] {
			loop(y, y, next)
		}
		if operation == "Mean" {
			for i, v := range y {
				y[i] = v / C(len(x))
			}
		}
	})
}

func (n numbersOf[S, C]) each(c *Call, operation string, in *tensor.Tensor) (*tensor.Tensor, error) {
	loop := unaryLoop[C](operation)
	if loop == nil {
		return nil, fmt.Errorf("there is no unary operation %q", operation)
	}
	return n.zip(c, []*tensor.Tensor{in}, func(y []C, x [][]C) { loop(y, x[0]) })
}

func (n numbersOf[S, C]) clip(c *Call, in, least, most *tensor.Tensor) (*tensor.Tensor, error) {
	from, to := lowest[C](), highest[C]()
	for _, bound := range []struct {
		name  string
		given *tensor.Tensor
		value *C
	}{{"min", least, &from}, {"max", most, &to}} {
		if bound.given == nil {
			continue
		}
		var err error
		if *bound.value, err = n.value(bound.given); err != nil {
			return nil, fmt.Errorf("%s: %w", bound.name, err)
		}
	}
	loop := func(y, x []C) {
		for i, v := range x {
			y[i] = min(max(v, from), to)
		}
	}
	if same, ok := any(func(y, x []float32) { vector.Clip(y, x, float32(from), float32(to)) }).(func(y, x []C)); ok && from == from && to == to {
		loop = same
	}
	return n.zip(c, []*tensor.Tensor{in}, func(y []C, x [][]C) { loop(y, x[0]) })
}

// buildBinary builds the operator whose operation has its name.
func buildBinary(n *Node) (single, error) { return binary(n, n.OpType) }

func binary(n *Node, operation string) (single, error) {
	align := alignment(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		in, err := align(in)
		if err != nil {
			return nil, err
		}
		numbers, err := numbersIn(in[0])
		if err != nil {
			return nil, err
		}
		return numbers.fold(c, operation, in)
	}, nil
}

func buildMod(n *Node) (single, error) {
	if n.Int("fmod", 0) != 0 {
		return binary(n, "Fmod")
	}
	return binary(n, "Mod")
}

func buildFold(n *Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		for i, t := range in {
			if t == nil {
				return nil, fmt.Errorf("operand %d is missing", i)
			}
		}
		numbers, err := numbersIn(in[0])
		if err != nil {
			return nil, err
		}
		return numbers.fold(c, n.OpType, in)
	}, nil
}

func buildUnary(n *Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		numbers, err := numbersIn(in[0])
		if err != nil {
			return nil, err
		}
		return numbers.each(c, n.OpType, in[0])
	}, nil
}

func buildClip(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		numbers, err := numbersIn(in[0])
		if err != nil {
			return nil, err
		}
		return numbers.clip(c, in[0], operand(in, 1), operand(in, 2))
	}, nil
}

// buildClipByAttributes builds Clip as it was before its bounds became operands.
func buildClipByAttributes(n *Node) (single, error) {
	least, most := float32(math.Inf(-1)), float32(math.Inf(1))
	if n.Opset >= 6 || n.Has("min") {
		least = n.Float("min", -math.MaxFloat32)
	}
	if n.Opset >= 6 || n.Has("max") {
		most = n.Float("max", math.MaxFloat32)
	}
	f := clipping(least, most)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) { return mapFloats(c, in[0], f) }, nil
}

// clipping limits elements to bounds, neither of which is NaN.
func clipping(least, most float32) floatFunction {
	return floatFunction{
		func(x float64) float64 { return min(max(x, float64(least)), float64(most)) },
		func(y, x []float32) { vector.Clip(y, x, least, most) },
	}
}

// buildPRelu builds PRelu: a slope of one axis that does not broadcast belongs
// to the channels, axis 1.
func buildPRelu(n *Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		x, slope := in[0], in[1]
		if n.Opset < 7 && slope.Rank() == 1 && slope.Len() > 1 && x.Rank() > 2 {
			shape := make([]int, x.Rank()-1)
			for i := range shape {
				shape[i] = 1
			}
			shape[0] = slope.Len()
			slope = slope.WithShape(shape)
		}
		numbers, err := numbersIn(x)
		if err != nil {
			return nil, err
		}
		return numbers.fold(c, "PRelu", []*tensor.Tensor{x, slope})
	}, nil
}

// alignment brings the operands of a binary operator into shapes that broadcast
// as NumPy's do. Before version 7, attributes said whether the second operand
// broadcasts to the first and at which axis of the first its own axes begin.
func alignment(n *Node) func(in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	if n.Opset >= 7 || !n.Has("axis") || n.Int("broadcast", 0) == 0 {
		return func(in []*tensor.Tensor) ([]*tensor.Tensor, error) { return in[:2], nil }
	}
	first := n.Int("axis", 0)
	return func(in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		a, b := in[0], in[1]
		axis, err := resolveAxis(first, a.Rank())
		if err != nil {
			return nil, err
		}
		shape := append([]int{}, b.Shape()...)
		if axis+len(shape) > a.Rank() {
			return nil, fmt.Errorf("an operand of shape %v does not fit into one of shape %v from axis %d on", shape, a.Shape(), axis)
		}
		for len(shape) < a.Rank()-axis {
			shape = append(shape, 1)
		}
		return []*tensor.Tensor{a, b.WithShape(shape)}, nil
	}
}
