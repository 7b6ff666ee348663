package ops

import "github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"

func buildRNN(n *Node) (several, error) {
	r, err := readRecurrence(n, 1, "Tanh")
	r.pack(n)
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		o := recurrentOperands{x: in[0], w: in[1], r: in[2], b: operand(in, 3), lengths: operand(in, 4), h: operand(in, 5)}
		return r.run(c, o, plainBatchCell, newPlainCell[float64])
	}, err
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

func buildGRU(n *Node) (several, error) {
	r, err := readRecurrence(n, 3, "Sigmoid", "Tanh")
	linear := n.Int("linear_before_reset", 0) != 0
	r.lateGate = !linear
	r.pack(n)
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		o := recurrentOperands{x: in[0], w: in[1], r: in[2], b: operand(in, 3), lengths: operand(in, 4), h: operand(in, 5)}
		return r.gru(c, o, linear)
	}, err
}

// gru runs a GRU of any direction; see recurrence.run.
func (r recurrence) gru(c *Call, o recurrentOperands, linearBeforeReset bool) ([]*tensor.Tensor, error) {
	return r.run(c, o,
		func(w *cellWeights[float32]) *batchCell { return gruBatchCell(w, linearBeforeReset) },
		func(w *cellWeights[float64]) cell[float64] { return newGRUCell(w, linearBeforeReset) })
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

func buildLSTM(n *Node) (several, error) {
	r, err := readRecurrence(n, 4, "Sigmoid", "Tanh", "Tanh")
	r.pack(n)
	coupled := n.Int("input_forget", 0) != 0
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		o := recurrentOperands{
			x: in[0], w: in[1], r: in[2], b: operand(in, 3), lengths: operand(in, 4),
			h: operand(in, 5), c: operand(in, 6), peepholes: operand(in, 7), wantsCells: true,
		}
		return r.lstm(c, o, coupled)
	}, err
}

// lstm runs an LSTM of any direction; see recurrence.run.
func (r recurrence) lstm(c *Call, o recurrentOperands, coupled bool) ([]*tensor.Tensor, error) {
	return r.run(c, o,
		func(w *cellWeights[float32]) *batchCell { return lstmBatchCell(w, coupled) },
		func(w *cellWeights[float64]) cell[float64] { return lstmCell[float64]{w, coupled} })
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
