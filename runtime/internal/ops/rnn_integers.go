package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// RecurrentIntegers are weights (directions, gates·hidden, columns) of a
// recurrent operator that stand for (q − zero)·scale.
type RecurrentIntegers struct {
	Type  onnx.DType // of the floats, and so of the input
	Shape []int
	Q     []int8
	// Scales and Zeros are one for each of gates·hidden rows, for all directions
	// alike; no zeros: 0.
	Scales []float32
	Zeros  []int8
}

// matrix is the rows from to to-1 of a direction as a right operand.
func (w *RecurrentIntegers) matrix(direction, from, to int) *quantops.Int8Weights {
	rows, columns := w.Shape[1], w.Shape[2]
	q := w.Q[(direction*rows+from)*columns:][:(to-from)*columns]
	m := &quantops.Int8Weights{K: columns, N: to - from, Q: make([]int8, len(q)), Scales: w.Scales[from:to]}
	if w.Zeros != nil {
		m.Zeros = w.Zeros[from:to]
	}
	for row := range to - from {
		for column, v := range q[row*columns:][:columns] {
			m.Q[column*m.N+row] = v
		}
	}
	return m
}

// BuildQuantizedRecurrent builds an RNN, GRU or LSTM whose weights w and r are
// packed as the integers that they are. What it is run with are the node's
// operands without these two: nil in their places.
func BuildQuantizedRecurrent(n *Node, w, r *RecurrentIntegers) (Run, error) {
	node, err := readRecurrent(n)
	if err != nil {
		return nil, err
	}
	if len(w.Shape) != 3 || len(r.Shape) != 3 || len(w.Q) == 0 || len(r.Q) == 0 || w.Type != r.Type {
		return nil, fmt.Errorf("weights %v and recurrence weights %v: want rank 3, and one type", w.Shape, r.Shape)
	}
	directions, hidden := len(node.reverse), r.Shape[2]
	rows := node.gates * hidden
	if !slices.Equal(w.Shape, []int{directions, rows, w.Shape[2]}) || !slices.Equal(r.Shape, []int{directions, rows, hidden}) {
		return nil, fmt.Errorf("weights %v and recurrence weights %v do not fit %d directions", w.Shape, r.Shape, directions)
	}
	node.shapes = [2][]int{w.Shape, r.Shape}
	node.packed = make([]recurrentWeights, directions)
	for d := range node.packed {
		early := rows
		p := &node.packed[d]
		if node.lateGate {
			early -= hidden
			p.late = quantops.PackInt8(r.matrix(d, early, rows))
		}
		p.input = quantops.PackInt8(w.matrix(d, 0, rows))
		p.state = quantops.PackInt8(r.matrix(d, 0, early))
	}
	return Tensors(func(*Node) (several, error) {
		return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			if len(in) == 0 || in[0] == nil || in[0].DType() != w.Type {
				return nil, fmt.Errorf("the input must have the weights' type, %v", w.Type)
			}
			return node.compute(c, in)
		}, nil
	})(n)
}
