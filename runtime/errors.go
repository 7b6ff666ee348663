package runtime

import (
	"fmt"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// NodeError says which node failed, on what operands, and why.
type NodeError struct {
	Node     *onnx.Node
	Operands []string // each operand's type and shape; empty when the graph was being compiled
	Err      error
}

func (e *NodeError) Error() string {
	operands := ""
	if len(e.Operands) > 0 {
		operands = " of " + strings.Join(e.Operands, ", ")
	}
	return fmt.Sprintf("node %s%s: %v", nodeLabel(e.Node), operands, e.Err)
}

// Unwrap is the cause.
func (e *NodeError) Unwrap() error { return e.Err }

// PanicError is a kernel's panic, such as an index out of range.
type PanicError = ops.PanicError

// nodeLabel names a node by its name, or where it has none by its first output,
// and its operator.
func nodeLabel(n *onnx.Node) string {
	name := n.Name
	for _, output := range n.Outputs {
		if name == "" {
			name = output
		}
	}
	return fmt.Sprintf("%q (%s)", name, operatorName(n.Domain, n.OpType))
}

func operatorName(domain, op string) string {
	if domain == "" || domain == "ai.onnx" {
		return op
	}
	return domain + "." + op
}

// describe is a value's type and shape, as errors print it.
func describe(v tensor.Value) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case *tensor.Tensor:
		return v.DType().String() + strings.ReplaceAll(fmt.Sprint(v.Shape()), " ", ",")
	case *tensor.Sequence:
		return fmt.Sprintf("sequence of %d", len(v.Values))
	case *tensor.Optional:
		return "optional " + describe(v.Value)
	case *tensor.Map:
		return fmt.Sprintf("map of %d", v.Keys.Len())
	}
	return fmt.Sprintf("%T", v)
}

func describeAll(values []tensor.Value) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = describe(v)
	}
	return list
}

// Unsupported is an operator that the executor does not have.
type Unsupported struct {
	Domain, Op string
	Opset      int64  // in force where it is used
	Node       string // the first node that uses it
	Known      bool   // the executor has other versions of it
}

// UnsupportedError lists every operator of a model that the executor lacks.
type UnsupportedError struct{ Operators []Unsupported }

func (e *UnsupportedError) Error() string {
	const most = 20 // to be told of: who has more has another problem
	list := make([]string, min(len(e.Operators), most))
	for i, u := range e.Operators[:len(list)] {
		list[i] = fmt.Sprintf("%s (opset %d, first at node %s)", operatorName(u.Domain, u.Op), u.Opset, u.Node)
	}
	more := ""
	if rest := len(e.Operators) - len(list); rest > 0 {
		more = fmt.Sprintf(", and %d more", rest)
	}
	return "runtime: the executor does not have these operators: " + strings.Join(list, ", ") + more
}
