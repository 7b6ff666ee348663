package ops

import "github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"

// recurrentNode is a recurrent operator's node, ready to run.
type recurrentNode struct {
	recurrence
	hasCells bool
	cell32   func(*cellWeights[float32]) *batchCell
	cell64   func(*cellWeights[float64]) cell[float64]
}

func readRecurrent(n *Node) (*recurrentNode, error) {
	var r recurrentNode
	var err error
	switch n.OpType {
	case "RNN":
		r.recurrence, err = readRecurrence(n, 1, "Tanh")
		r.cell32, r.cell64 = plainBatchCell, newPlainCell[float64]
	case "GRU":
		r.recurrence, err = readRecurrence(n, 3, "Sigmoid", "Tanh")
		linear := n.Int("linear_before_reset", 0) != 0
		r.lateGate = !linear
		r.cell32 = func(w *cellWeights[float32]) *batchCell { return gruBatchCell(w, linear) }
		r.cell64 = func(w *cellWeights[float64]) cell[float64] { return newGRUCell(w, linear) }
	case "LSTM":
		r.recurrence, err = readRecurrence(n, 4, "Sigmoid", "Tanh", "Tanh")
		coupled := n.Int("input_forget", 0) != 0
		r.hasCells = true
		r.cell32 = func(w *cellWeights[float32]) *batchCell { return lstmBatchCell(w, coupled) }
		r.cell64 = func(w *cellWeights[float64]) cell[float64] { return lstmCell[float64]{w, coupled} }
	}
	return &r, err
}

func buildRecurrent(n *Node) (several, error) {
	r, err := readRecurrent(n)
	if err != nil {
		return nil, err
	}
	r.pack(n)
	return r.compute, nil
}

// compute takes the node's operands in their order.
func (r *recurrentNode) compute(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	o := recurrentOperands{x: in[0], w: operand(in, 1), r: operand(in, 2), b: operand(in, 3), lengths: operand(in, 4), h: operand(in, 5), wantsCells: r.hasCells}
	if r.hasCells {
		o.c, o.peepholes = operand(in, 6), operand(in, 7)
	}
	return r.run(c, o, r.cell32, r.cell64)
}

// plainCell is RNN's: h' = f(x + h·Rᵀ + b).
type plainCell[T real] struct{ *cellWeights[T] }

func newPlainCell[T real](w *cellWeights[T]) cell[T] { return plainCell[T]{w} }

func (c plainCell[T]) step(gates, h, _ []T) {
	c.recur(gates, h, 0)
	c.activate(0, gates)
	copy(h, gates)
}

// recur adds h·Rᵀ and the recurrence's bias to gates, which are consecutive
// ones from the given gate on.
func (w *cellWeights[T]) recur(gates, h []T, first int) {
	n := w.hidden
	if w.bias != nil {
		addScaled(gates, w.bias[first*n:], 1)
	}
	weights := matrix[T]{w.recurrent[first*n*n:], n}
	addProductTransposed(matrix[T]{gates, len(gates)}, matrix[T]{h, n}, weights, 1, len(gates), n)
}

// gruCell's gates are update z, reset r and hidden g:
//
//	z = f(xz + h·Rzᵀ + bz), r = f(xr + h·Rrᵀ + br)
//	g = g(xg + (r⊙h)·Rgᵀ + bg), or linear before reset g(xg + r⊙(h·Rgᵀ + bg))
//	h' = (1-z)⊙g + z⊙h
type gruCell[T real] struct {
	*cellWeights[T]
	linearBeforeReset bool
	scratch           []T
}

func newGRUCell[T real](w *cellWeights[T], linear bool) cell[T] {
	return &gruCell[T]{w, linear, make([]T, w.hidden)}
}

func (c *gruCell[T]) step(gates, h, _ []T) {
	n := c.hidden
	update, reset, hidden := gates[:n], gates[n:2*n], gates[2*n:]
	c.recur(gates[:2*n], h, 0)
	c.activate(0, gates[:2*n])
	if c.linearBeforeReset {
		clear(c.scratch)
		c.recur(c.scratch, h, 2)
		for i, v := range c.scratch {
			hidden[i] += reset[i] * v
		}
	} else {
		for i, v := range reset {
			c.scratch[i] = v * h[i]
		}
		c.recur(hidden, c.scratch, 2)
	}
	c.activate(1, hidden)
	for i, z := range update {
		h[i] = (1-z)*hidden[i] + z*h[i]
	}
}

// lstmCell's gates are input i, output o, forget f and cell g, and its
// peepholes those of i, o and f:
//
//	i = f(xi + h·Riᵀ + bi + pi⊙c), f = f(xf + h·Rfᵀ + bf + pf⊙c), g = g(xg + h·Rgᵀ + bg)
//	c' = f⊙c + i⊙g
//	o = f(xo + h·Roᵀ + bo + po⊙c'), h' = o⊙h(c')
//
// With coupled gates, f is 1-i.
type lstmCell[T real] struct {
	*cellWeights[T]
	coupled bool
}

func (l lstmCell[T]) step(gates, h, c []T) {
	l.recur(gates, h, 0)
	l.advance(gates, h, c)
}

// advance is the step from gates that have the recurrence's share already.
func (l lstmCell[T]) advance(gates, h, c []T) {
	n := l.hidden
	input, output, forget, candidate := gates[:n], gates[n:2*n], gates[2*n:3*n], gates[3*n:]
	l.peep(input, c, 0)
	l.activate(0, input)
	if l.coupled {
		for i, v := range input {
			forget[i] = 1 - v
		}
	} else {
		l.peep(forget, c, 2)
		l.activate(0, forget)
	}
	l.activate(1, candidate)
	for i := range c {
		c[i] = forget[i]*c[i] + input[i]*candidate[i]
	}
	l.peep(output, c, 1)
	l.activate(0, output)
	// The clip is the gates': the cell state goes to its activation as it is,
	// which is how runtimes read the attribute.
	copy(h, c)
	apply(l.activations[2], h)
	for i, v := range output {
		h[i] *= v
	}
}

// peep adds what a gate sees of the cell state through its peephole.
func (l lstmCell[T]) peep(gate, c []T, which int) {
	if l.peepholes == nil {
		return
	}
	for i, p := range l.peepholes[which*l.hidden:][:l.hidden] {
		gate[i] += p * c[i]
	}
}
