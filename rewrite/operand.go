package rewrite

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// operand is the one normal form of a weight that a node reads: the recipes
// build their replacements from this alone.
type operand struct {
	node   *onnx.Node
	input  int // the weight's place among the node's inputs
	weight *onnx.Constant
	layout
}

// operandsOf finds a node's weights. It says why the node has none that could
// be quantized.
func operandsOf(scope *onnx.Scope, op *operator, node *onnx.Node) ([]*operand, string) {
	if len(node.Outputs) == 0 || node.Outputs[0] == "" && len(node.Outputs) == 1 {
		return nil, "it has no output"
	}
	var constants []int
	computed := 0
	for i, name := range node.Inputs {
		switch {
		case name == "":
		case slices.Contains(op.inputs, i) && scope.Constant(name) != nil:
			constants = append(constants, i)
		case scope.Constant(name) == nil:
			computed++
		}
	}
	switch {
	case len(constants) == 0:
		return nil, notConstant(scope, op, node)
	case computed == 0 && !op.lookup: // a table takes its bytes even if the same rows are always picked
		return nil, "all its operands are constant: it computes a constant"
	}
	var operands []*operand
	reason := ""
	for _, i := range op.inputs {
		if !slices.Contains(constants, i) {
			continue
		}
		o, why := operandAt(op, node, i, scope.Constant(node.Inputs[i]))
		if why != "" {
			reason = why
			continue
		}
		operands = append(operands, o)
	}
	return operands, reason
}

// operandAt is the operand that a constant is in a given place.
func operandAt(op *operator, node *onnx.Node, input int, c *onnx.Constant) (*operand, string) {
	if len(c.Dims) == 0 {
		return nil, "the weight is a scalar"
	}
	l, reason := op.read(node, input, c.Dims)
	if reason != "" {
		return nil, reason
	}
	if slices.Contains(c.Dims, 0) {
		return nil, fmt.Sprintf("its weight %v has no elements", c.Dims)
	}
	return &operand{node: node, input: input, weight: c, layout: l}, ""
}

// storedAsPassed keeps the weight's own orientation, for a function that reads
// it as it was passed.
func (o *operand) storedAsPassed() {
	if rank := len(o.dims); o.transpose {
		o.transpose = false
		o.dims = slices.Clone(o.weight.Dims)
		o.axis = 2*rank - 3 - o.axis // the other of the last two
		if o.reduction >= 0 {
			o.reduction = 1 - o.axis
		}
	}
}

// read makes a node read a weight that is stored as the layout says.
func (o *operand) read(node *onnx.Node, weight string) {
	node.Inputs[o.input] = weight
	if o.transpose || o.node.OpType == "Gemm" {
		name := transposeAttr[o.input]
		node.Attrs = slices.DeleteFunc(node.Attrs, func(a *onnx.Attr) bool { return a.Name == name })
	}
}

// notConstant says where the operands of a node without a constant come from.
func notConstant(scope *onnx.Scope, op *operator, node *onnx.Node) string {
	words := "no operand is constant: "
	first, passed := true, false
	for i, name := range node.Inputs {
		if name == "" || !slices.Contains(op.inputs, i) {
			continue
		}
		if producer := scope.Producer(name); producer != nil {
			if packed := quantizedBy(scope, producer); packed != "" {
				return fmt.Sprintf("operand %s is quantized already, by %s", operandName(i), packed)
			}
		}
		if !first {
			words += ", "
		}
		from := origin(scope, name)
		passed = passed || from == functionInput
		words += operandName(i) + " is " + from
		first = false
	}
	if passed {
		words += "; a constant that a caller passes is quantized at the call"
	}
	return words
}

// operandName is A for the first input, B for the second, as the operators'
// definitions have them.
func operandName(i int) string { return string(rune('A' + i)) }

const functionInput = "an input of the function"

// origin says what defines a value.
func origin(scope *onnx.Scope, name string) string {
	if producer := scope.Producer(name); producer != nil {
		return "computed by " + opName(producer)
	}
	if defining := scope.Lookup(name); defining != nil && defining.Function != nil {
		return functionInput
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
