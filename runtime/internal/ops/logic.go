package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// logicFamily holds the elementwise operators that give or take truth values.
var logicFamily = []Kernel{
	{Op: "And", Since: 1, Build: logical(func(a, b bool) bool { return a && b })},
	{Op: "Or", Since: 1, Build: logical(func(a, b bool) bool { return a || b })},
	{Op: "Xor", Since: 1, Build: logical(func(a, b bool) bool { return a != b })},
	{Op: "Not", Since: 1, Build: needs(1, Single(buildNot))},
	{Op: "Equal", Since: 1, Build: needs(2, Single(buildComparison))},
	{Op: "Greater", Since: 1, Build: needs(2, Single(buildComparison))},
	{Op: "Less", Since: 1, Build: needs(2, Single(buildComparison))},
	{Op: "GreaterOrEqual", Since: 12, Build: needs(2, Single(buildComparison))},
	{Op: "LessOrEqual", Since: 12, Build: needs(2, Single(buildComparison))},
	{Op: "Where", Since: 9, Build: needs(3, Single(buildWhere))},
}

func logical(f func(a, b bool) bool) Builder {
	return needs(2, Single(func(n *Node) (single, error) {
		align := alignment(n)
		return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
			in, err := align(in)
			if err != nil {
				return nil, err
			}
			return zipElements(c, in[0], in[1], f)
		}, nil
	}))
}

func buildNot(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return zipElements(c, in[0], in[0], func(a, _ bool) bool { return !a })
	}, nil
}

// zipElements computes a function of the elements of two operands of type T,
// broadcast to one shape.
func zipElements[T, Y tensor.Element](c *Call, a, b *tensor.Tensor, f func(a, b T) Y) (*tensor.Tensor, error) {
	shape, err := broadcastShapes(a.Shape(), b.Shape())
	if err != nil {
		return nil, err
	}
	readers := make([]reader[T], 2)
	for i, t := range []*tensor.Tensor{a, b} {
		data, ok := tensor.Data[T](t)
		if !ok {
			return nil, fmt.Errorf("operand %d is of type %v: want %v", i, t.DType(), tensor.TypeOf[T]())
		}
		readers[i] = expandOperand(data, t.Shape(), shape)
	}
	y := buffer[Y](c, tensor.Count(shape))
	err = eachBlock(c, len(y), readers, func(lo int, x [][]T) {
		y, b := y[lo:], x[1]
		for i, v := range x[0] {
			y[i] = f(v, b[i])
		}
	})
	return tensor.New(shape, y), err
}

// comparisonLoop gives the loop that writes to y where the relation holds; y, a
// and b are of one length.
func comparisonLoop[C number](relation string) func(y []bool, a, b []C) {
	switch relation {
	case "Equal":
		return func(y []bool, a, b []C) {
			for i := range y {
				y[i] = a[i] == b[i]
			}
		}
	case "Greater":
		return func(y []bool, a, b []C) {
			for i := range y {
				y[i] = a[i] > b[i]
			}
		}
	case "GreaterOrEqual":
		return func(y []bool, a, b []C) {
			for i := range y {
				y[i] = a[i] >= b[i]
			}
		}
	case "Less":
		return func(y []bool, a, b []C) {
			for i := range y {
				y[i] = a[i] < b[i]
			}
		}
	case "LessOrEqual":
		return func(y []bool, a, b []C) {
			for i := range y {
				y[i] = a[i] <= b[i]
			}
		}
	}
	return nil
}

func (n numbersOf[S, C]) compare(c *Call, relation string, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	loop := comparisonLoop[C](relation)
	if loop == nil {
		return nil, fmt.Errorf("there is no relation %q", relation)
	}
	shape, readers, err := n.readers([]*tensor.Tensor{a, b})
	if err != nil {
		return nil, err
	}
	y := make([]bool, tensor.Count(shape))
	err = eachBlock(c, len(y), readers, func(lo int, x [][]C) { loop(y[lo:lo+len(x[0])], x[0], x[1]) })
	return tensor.New(shape, y), err
}

func buildComparison(n *Node) (single, error) {
	align := alignment(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		in, err := align(in)
		if err != nil {
			return nil, err
		}
		if n.OpType == "Equal" {
			switch in[0].Any().(type) {
			case []bool:
				return zipElements(c, in[0], in[1], func(a, b bool) bool { return a == b })
			case []string:
				return zipElements(c, in[0], in[1], func(a, b string) bool { return a == b })
			}
		}
		numbers, err := numbersIn(in[0])
		if err != nil {
			return nil, err
		}
		return numbers.compare(c, n.OpType, in[0], in[1])
	}, nil
}

func buildWhere(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		condition, ok := tensor.Data[bool](in[0])
		if !ok {
			return nil, fmt.Errorf("condition of type %v: want bool", in[0].DType())
		}
		shape, err := broadcastShapes(in[0].Shape(), in[1].Shape(), in[2].Shape())
		if err != nil {
			return nil, err
		}
		return elementsIn(in[1]).choose(c, expandOperand(condition, in[0].Shape(), shape), in[1], in[2], shape)
	}, nil
}

func (e elementsOf[T]) choose(c *Call, condition *expanded[bool], a, b *tensor.Tensor, shape []int) (*tensor.Tensor, error) {
	other, ok := tensor.Data[T](b)
	if !ok {
		return nil, fmt.Errorf("operands of types %v and %v: want one type", a.DType(), b.DType())
	}
	y := buffer[T](c, tensor.Count(shape))
	readers := []reader[T]{expandOperand([]T(e), a.Shape(), shape), expandOperand(other, b.Shape(), shape)}
	err := eachBlock(c, len(y), readers, func(lo int, x [][]T) {
		y, a, b := y[lo:lo+len(x[0])], x[0], x[1]
		var buffer [blockElements]bool
		where := condition.block(lo, lo+len(y), buffer[:])
		for i := range y {
			if where[i] {
				y[i] = a[i]
			} else {
				y[i] = b[i]
			}
		}
	})
	return tensor.New(shape, y), err
}
