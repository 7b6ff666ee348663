package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// bitwiseFamily holds the elementwise operators on the bits of integers.
var bitwiseFamily = []Kernel{
	{Op: "BitwiseAnd", Since: 18, Build: needs(2, Single(buildBitwise))},
	{Op: "BitwiseOr", Since: 18, Build: needs(2, Single(buildBitwise))},
	{Op: "BitwiseXor", Since: 18, Build: needs(2, Single(buildBitwise))},
	{Op: "BitwiseNot", Since: 18, Build: needs(1, Single(buildBitwise))},
	{Op: "BitShift", Since: 11, Build: needs(2, Single(buildBitShift))},
}

// bitFunction gives the function of an operation on bits, nil for one that there
// is not. BitwiseNot looks only at its first argument.
func bitFunction[T integer](operation string) func(a, b T) T {
	switch operation {
	case "BitwiseAnd":
		return func(a, b T) T { return a & b }
	case "BitwiseOr":
		return func(a, b T) T { return a | b }
	case "BitwiseXor":
		return func(a, b T) T { return a ^ b }
	case "BitwiseNot":
		return func(a, _ T) T { return ^a }
	case "LEFT":
		return func(a, b T) T { return a << shiftCount(b) }
	case "RIGHT":
		return func(a, b T) T { return a >> shiftCount(b) }
	}
	return nil
}

// shiftCount is how far to shift: a negative number stands for one that shifts
// all bits out, as does one that is too large.
func shiftCount[T integer](b T) uint64 {
	if b < 0 {
		return 64
	}
	return uint64(b)
}

func bitwise[T integer](c *Call, operation string, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	f := bitFunction[T](operation)
	if f == nil {
		return nil, fmt.Errorf("there is no operation %q on bits", operation)
	}
	return zipElements(c, a, b, f)
}

func bitwiseTensors(c *Call, operation string, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	switch a.DType() {
	case onnx.Int8:
		return bitwise[int8](c, operation, a, b)
	case onnx.Int16:
		return bitwise[int16](c, operation, a, b)
	case onnx.Int32:
		return bitwise[int32](c, operation, a, b)
	case onnx.Int64:
		return bitwise[int64](c, operation, a, b)
	case onnx.Uint8:
		return bitwise[uint8](c, operation, a, b)
	case onnx.Uint16:
		return bitwise[uint16](c, operation, a, b)
	case onnx.Uint32:
		return bitwise[uint32](c, operation, a, b)
	case onnx.Uint64:
		return bitwise[uint64](c, operation, a, b)
	}
	return nil, fmt.Errorf("operand of type %v: want integers of 8 bits or more", a.DType())
}

func buildBitwise(n *Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		a, b := in[0], in[0]
		if n.OpType != "BitwiseNot" {
			b = in[1]
		}
		return bitwiseTensors(c, n.OpType, a, b)
	}, nil
}

func buildBitShift(n *Node) (single, error) {
	direction := n.Text("direction", "")
	if direction != "LEFT" && direction != "RIGHT" {
		return nil, fmt.Errorf("direction is %q: want LEFT or RIGHT", direction)
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return bitwiseTensors(c, direction, in[0], in[1])
	}, nil
}
