// Package ops holds the executor's operators: one literal table of kernels for
// each family, in the family's file, and the machinery that they share.
package ops

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// Kernel is one line of a family's table: an operator as it is from the opset
// version Since on, until another line of the same operator takes over. An
// operator whose attributes or types only grew needs one line.
type Kernel struct {
	Domain, Op string
	Since      int
	Build      Builder
}

// Builder reads a node's attributes once, when a graph is compiled, and gives
// the function that runs the node. Its error says what is wrong with the node.
type Builder func(n *Node) (Run, error)

// Run computes a node's outputs from its inputs. It may run in several
// goroutines at once, so what the Builder prepared is only read. An absent
// input is nil; inputs beyond those the node has are not in the slice, which is
// the executor's and good until the node is done. It never writes to its inputs,
// but an output may share an input's elements. An output
// that the node leaves out may be nil.
type Run func(c *Call, in []tensor.Value) ([]tensor.Value, error)

// Node is a node as its Builder sees it.
type Node struct {
	*onnx.Node
	// Opset is the version in force of the operator set of the node's domain.
	Opset int
	// Constants holds, for each input, its value if it is known when the graph
	// is compiled, else nil.
	Constants []tensor.Value
	// Later takes work that is to be done before the node runs for the first time,
	// if it does: several such pieces of work are done at once. nil: do it now.
	Later func(work func())
	// Body compiles the graph attribute of that name.
	Body func(attr string) (Body, error)

	// asked are the types that attributes which are there were asked for as: their
	// own if they ever were.
	asked map[string]onnx.AttrType
}

// Body is a compiled graph attribute: a branch of If, a body of Loop or Scan.
type Body interface {
	// Inputs and Outputs count the body's own.
	Inputs() int
	Outputs() int
	// Run runs the body with its outer names bound as they are in the call.
	Run(c *Call, in []tensor.Value) ([]tensor.Value, error)
}

// Call is one run of one node.
type Call struct {
	// Context ends long work early.
	Context context.Context
	// Workers share the kernel's work; nil: the caller's goroutine does it.
	Workers *quantops.Workers
	// Memory is where buffers come from; nil: they are made.
	Memory *Memory
	// Left is how many bytes the run's values may still take; nil: any number.
	Left *int64
	// Frame is the executor's own: where a Body finds its outer names.
	Frame any

	operands []*tensor.Tensor // see tensors
}

// Tensors makes a Builder of a function that works on tensors alone: sequences
// and optionals among the inputs are an error, an absent input is nil, and
// absent ones at the end are not in the slice.
func Tensors(build func(n *Node) (func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error), error)) Builder {
	return func(n *Node) (Run, error) {
		run, err := build(n)
		if err != nil {
			return nil, err
		}
		return func(c *Call, in []tensor.Value) ([]tensor.Value, error) {
			operands, err := c.tensors(in)
			if err != nil {
				return nil, err
			}
			results, err := run(c, operands)
			if err != nil {
				return nil, err
			}
			out := make([]tensor.Value, len(results))
			for i, t := range results {
				if t != nil {
					out[i] = t
				}
			}
			return out, nil
		}, nil
	}
}

// Single is Tensors for operators with one output.
func Single(build func(n *Node) (func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error), error)) Builder {
	return func(n *Node) (Run, error) {
		run, err := build(n)
		if err != nil {
			return nil, err
		}
		return func(c *Call, in []tensor.Value) ([]tensor.Value, error) {
			operands, err := c.tensors(in)
			if err != nil {
				return nil, err
			}
			t, err := run(c, operands)
			if err != nil || t == nil {
				return nil, err
			}
			return []tensor.Value{t}, nil
		}, nil
	}
}

// tensors are a node's operands, without absent ones at the end. The slice is
// the call's own and good until the next node.
func (c *Call) tensors(in []tensor.Value) ([]*tensor.Tensor, error) {
	operands := c.operands[:0]
	for i, v := range in {
		t, err := asTensor(i, v)
		if err != nil {
			return nil, err
		}
		operands = append(operands, t)
	}
	c.operands = operands
	for len(operands) > 0 && operands[len(operands)-1] == nil {
		operands = operands[:len(operands)-1]
	}
	return operands, nil
}

// PanicError is a kernel's panic, such as an index out of range: shapes that no
// kernel thought of are an error of the node, not of the program.
type PanicError struct {
	Cause any
	Stack []byte // where, for whoever mends the kernel
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("the operator cannot work with these operands: %v", e.Cause)
}

// Unwrap gives the cause, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Cause.(error)
	return err
}

// Fallen is the error of a panic that has just been recovered, of this goroutine
// or of a worker: a *LimitError, or else a *PanicError.
func Fallen(cause any) error {
	stack := []byte(nil)
	if fallen, ok := cause.(*quantops.WorkerPanic); ok {
		cause, stack = fallen.Cause, fallen.Stack
	}
	if limit, ok := cause.(*LimitError); ok {
		return limit
	}
	if stack == nil {
		stack = debug.Stack()
	}
	return &PanicError{Cause: cause, Stack: stack}
}
