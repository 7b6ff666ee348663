package rewrite

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// linear is the one normal form of every spelling of a linear layer:
//
//	y = alpha · x·W + beta · c      (or W·x, where the weight is on the left)
//
// The recipes build their replacements from this alone.
type linear struct {
	node    *onnx.Node
	operand int // the weight's place among the inputs: 0 (left) or 1 (right)
	weight  *onnx.Constant
	// transpose says that the weight has to be stored transposed, so that the
	// new node reads it as [K,N] (right) or [M,K] (left) with no transpose of
	// its own.
	transpose bool
	dims      []int64 // of the weight as stored
	axis      int     // of dims, along which output channels lie; -1: there is one
}

// activation is the name of the layer's other operand.
func (l *linear) activation() string { return l.node.Inputs[1-l.operand] }

// newLinear reads MatMul and Gemm. It says why a node has no weight that could
// be quantized.
func newLinear(scope *onnx.Scope, node *onnx.Node) (*linear, string) {
	if len(node.Inputs) < 2 || node.Inputs[0] == "" || node.Inputs[1] == "" || len(node.Outputs) == 0 || node.Outputs[0] == "" {
		return nil, "it lacks an operand or an output"
	}
	left, right := scope.Constant(node.Inputs[0]), scope.Constant(node.Inputs[1])
	switch {
	case left != nil && right != nil:
		return nil, "both operands are constant: it computes a constant"
	case right != nil:
		return geometry(node, 1, right)
	case left != nil:
		return geometry(node, 0, left)
	default:
		return nil, notConstant(scope, node)
	}
}

// geometry is the layer that a node computes with a constant in a given place.
func geometry(node *onnx.Node, operand int, c *onnx.Constant) (*linear, string) {
	l := &linear{node: node, operand: operand, weight: c, dims: slices.Clone(c.Dims)}
	rank := len(l.dims)
	if rank == 0 {
		return nil, "the weight is a scalar"
	}
	if node.OpType == "Gemm" {
		if rank != 2 {
			return nil, fmt.Sprintf("a Gemm weight of rank %d is not valid", rank)
		}
		if a := node.Attr(transposeAttr[operand]); a != nil && a.RefName != "" {
			return nil, "its " + a.Name + " is an attribute of the function's caller"
		} else if a != nil && a.I != 0 {
			l.transpose = true
			l.dims[0], l.dims[1] = l.dims[1], l.dims[0]
		}
	}
	switch {
	case rank == 1:
		l.axis = -1
	case operand == 1:
		l.axis = rank - 1
	default:
		l.axis = rank - 2
	}
	if slices.Contains(l.dims, 0) {
		return nil, fmt.Sprintf("its weight %v has no elements", c.Dims)
	}
	return l, ""
}

// transposeAttr names Gemm's attribute for each operand.
var transposeAttr = [2]string{"transA", "transB"}

// storedAsPassed keeps the weight's own orientation, for a function that reads
// it as it was passed.
func (l *linear) storedAsPassed() {
	if l.transpose {
		l.transpose = false
		l.dims = slices.Clone(l.weight.Dims)
		l.axis = 1 - l.axis
	}
}

// notConstant says where the operands of a node without a constant come from.
func notConstant(scope *onnx.Scope, node *onnx.Node) string {
	for i, name := range node.Inputs[:2] {
		if producer := scope.Producer(name); producer != nil {
			if packed := quantizedBy(scope, producer); packed != "" {
				return fmt.Sprintf("operand %s is quantized already, by %s", operandName(i), packed)
			}
		}
	}
	return fmt.Sprintf("no operand is constant: %s is %s, %s is %s",
		operandName(0), origin(scope, node.Inputs[0]), operandName(1), origin(scope, node.Inputs[1]))
}

func operandName(i int) string { return string(rune('A' + i)) }

// origin says what defines a value.
func origin(scope *onnx.Scope, name string) string {
	if producer := scope.Producer(name); producer != nil {
		return "computed by " + opName(producer)
	}
	if defining := scope.Lookup(name); defining != nil && defining.Function != nil {
		return "an input of the function"
	}
	return "an input"
}

// quantizedBy names the operator that dequantizes a stored integer weight, if
// that is what a node is: DequantizeLinear, or Mul of a cast integer.
func quantizedBy(scope *onnx.Scope, node *onnx.Node) string {
	// A float16 weight may be dequantized to float32 and cast.
	for range 4 {
		switch node.OpType {
		case "DequantizeLinear":
			return "DequantizeLinear"
		case "Mul":
			for _, name := range node.Inputs {
				if c := scope.Constant(name); c != nil && c.Source.Type != c.Type && !c.Source.Type.IsFloat() {
					return "Cast and Mul"
				}
			}
			return ""
		case "Cast", "Transpose", "Reshape", "Identity":
			next := scope.Producer(node.Input(0))
			if next == nil {
				return ""
			}
			node = next
		default:
			return ""
		}
	}
	return ""
}
