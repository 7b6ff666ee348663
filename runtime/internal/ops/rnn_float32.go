package ops

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// packedWeight is a right operand that quantops has packed, of float32 or int8.
type packedWeight interface {
	MatMul(dst, a quantops.Rows, m int, end quantops.Epilogue, workers *quantops.Workers)
}

// recurrentWeights are one direction's, packed as right operands.
type recurrentWeights struct {
	input packedWeight // inputs × gates·hidden
	// state is hidden × the gates that the hidden state itself is multiplied with;
	// late × the last gate, if that waits for another: otherwise nil.
	state, late packedWeight
}

// batchCell is a recurrent operator's step for some samples in float32.
type batchCell struct {
	*cellWeights[float32]
	// lateGate says that the last gate's product waits for the others (GRU).
	lateGate bool
	// advance takes a sample's gates, which have the recurrence's share, and its
	// projected input, and brings its states to the next step. Before a late gate
	// it is called too, with wait set, and leaves in scaled what that gate's
	// weights are multiplied with.
	advance func(gates, projected, h, c, scaled []float32, wait bool)
}

// packRecurrence packs the weights w (directions, gates·hidden, inputs) and r
// (directions, gates·hidden, hidden); late is whether the last gate's are apart.
func packRecurrence(w, r []float32, directions, gates, inputs, hidden int, late bool) []recurrentWeights {
	rows := gates * hidden
	all := make([]recurrentWeights, directions)
	for d := range all {
		r := r[d*rows*hidden:][:rows*hidden]
		all[d].input = quantops.PackFloat32Transposed(w[d*rows*inputs:][:rows*inputs], inputs, rows)
		if late {
			all[d].late = quantops.PackFloat32Transposed(r[(rows-hidden)*hidden:], hidden, hidden)
			all[d].state = quantops.PackFloat32Transposed(r[:(rows-hidden)*hidden], hidden, rows-hidden)
			continue
		}
		all[d].state = quantops.PackFloat32Transposed(r, hidden, rows)
	}
	return all
}

// pack packs the weights of a node, if they are constant, of a type that is
// computed in float32, and have the shapes that they need.
func (r *recurrence) pack(n *Node) {
	if len(n.Constants) < 3 {
		return
	}
	w, _ := n.Constants[1].(*tensor.Tensor)
	h, _ := n.Constants[2].(*tensor.Tensor)
	if w == nil || h == nil || w.DType() == onnx.Double || w.Rank() != 3 || h.Rank() != 3 || w.Len() == 0 || h.Len() == 0 {
		return
	}
	directions, inputs, hidden := len(r.reverse), w.Shape()[2], h.Shape()[2]
	if !slices.Equal(w.Shape(), []int{directions, r.gates * hidden, inputs}) || !slices.Equal(h.Shape(), []int{directions, r.gates * hidden, hidden}) {
		return // running the node tells what is wrong
	}
	if in, err := allReals[float32](w, h); err == nil {
		r.packed = packRecurrence(in[0], in[1], directions, r.gates, inputs, hidden, r.lateGate)
	}
}

// runFloat32 is runRecurrence on packed weights: the input is projected at once,
// then the samples go through their steps together, each direction by itself.
func (p *recurrentPlan) runFloat32(c *Call, o recurrentOperands, weights []recurrentWeights, newCell func(*cellWeights[float32]) *batchCell) ([]*tensor.Tensor, error) {
	in, err := allReals[float32](o.x, o.b, o.h, o.c, o.peepholes)
	if err != nil {
		return nil, err
	}
	x, b, peepholes := in[0], in[1], in[4]
	directions, hidden := len(p.reverse), p.hidden
	rows, lines := p.gates*hidden, p.steps*p.batch
	projected := buffer[float32](c, directions*lines*rows)
	for d := range directions {
		end := quantops.Epilogue{Stop: func() bool { return c.Context.Err() != nil }}
		if b != nil {
			end.Bias = b[2*d*rows:][:rows]
		}
		weights[d].input.MatMul(quantops.Rows{Data: projected[d*lines*rows:][:lines*rows], Stride: rows}, quantops.Rows{Data: x, Stride: p.inputs}, lines, end, c.Workers)
	}
	if err := c.Context.Err(); err != nil {
		return nil, err
	}
	r := recurrentRun{
		recurrentPlan: p, projected: projected,
		y: make([]float32, p.steps*directions*p.batch*hidden), h: make([]float32, directions*p.batch*hidden),
	}
	copy(r.h, in[2])
	if o.wantsCells {
		r.c = make([]float32, len(r.h))
		copy(r.c, in[3])
	}
	// Samples of one direction stay together, unless there are threads to spare.
	parts := max(1, min(p.batch, c.Workers.Threads()/directions))
	err = c.parallel(directions*parts, 1, func(from, to int) {
		for i := from; i < to; i++ {
			d, part := i/parts, i%parts
			cell := &cellWeights[float32]{hidden: hidden, clip: p.clip, activations: p.activations[d]}
			if b != nil {
				cell.bias = b[(2*d+1)*rows:][:rows]
			}
			if peepholes != nil {
				cell.peepholes = peepholes[3*d*hidden:][:3*hidden]
			}
			r.samples(c, d, part*p.batch/parts, (part+1)*p.batch/parts, weights[d], newCell(cell))
		}
	})
	if err != nil {
		return nil, err
	}
	return recurrentResults(p, o.x.DType(), r.y, r.h, r.c)
}

// recurrentRun is a run under way.
type recurrentRun struct {
	*recurrentPlan
	projected []float32
	y, h, c   []float32
}

// samples carries some samples of a direction through their steps.
func (r *recurrentRun) samples(call *Call, d, from, to int, weights recurrentWeights, cell *batchCell) {
	n, m, rows := r.hidden, to-from, r.gates*r.hidden
	early := rows // the gates that the first product gives
	if cell.lateGate {
		early -= n
	}
	gates, states := make([]float32, m*rows), make([]float32, m*n)
	scaled, late := make([]float32, m*n), make([]float32, m*n)
	longest := 0
	for sample := from; sample < to; sample++ {
		copy(states[(sample-from)*n:], r.h[r.stateAt(d, sample):][:n])
		longest = max(longest, r.lengths[sample])
	}
	end, lateEnd := quantops.Epilogue{}, quantops.Epilogue{}
	if cell.bias != nil {
		end.Bias, lateEnd.Bias = cell.bias[:early], cell.bias[rows-n:]
	}
	for step := range longest {
		if call.Context.Err() != nil {
			return
		}
		weights.state.MatMul(quantops.Rows{Data: gates, Stride: rows}, quantops.Rows{Data: states, Stride: n}, m, end, call.Workers)
		each := func(wait bool) {
			for i := range m {
				sample := from + i
				length := r.lengths[sample]
				if step >= length {
					continue
				}
				t := step
				if r.reverse[d] {
					t = length - 1 - step
				}
				h := states[i*n:][:n]
				var c []float32
				if r.c != nil {
					c = r.c[r.stateAt(d, sample):][:n]
				}
				cell.advance(gates[i*rows:][:rows], r.projected[(d*r.steps*r.batch+r.inputRow(t, sample))*rows:][:rows], h, c, scaled[i*n:][:n], wait)
				if !wait {
					copy(r.y[r.outputAt(t, d, sample):], h)
				}
			}
		}
		if cell.lateGate {
			each(true)
			weights.late.MatMul(quantops.Rows{Data: late, Stride: n}, quantops.Rows{Data: scaled, Stride: n}, m, lateEnd, call.Workers)
			for i := range m {
				copy(gates[i*rows+early:][:n], late[i*n:])
			}
		}
		each(false)
	}
	for sample := from; sample < to; sample++ {
		copy(r.h[r.stateAt(d, sample):], states[(sample-from)*n:][:n])
	}
}

func plainBatchCell(w *cellWeights[float32]) *batchCell {
	return &batchCell{cellWeights: w, advance: func(gates, projected, h, _, _ []float32, _ bool) {
		vector.Add(gates, gates, projected)
		w.activate(0, gates)
		copy(h, gates)
	}}
}

func lstmBatchCell(w *cellWeights[float32], coupled bool) *batchCell {
	one := lstmCell[float32]{w, coupled}
	return &batchCell{cellWeights: w, advance: func(gates, projected, h, c, _ []float32, _ bool) {
		vector.Add(gates, gates, projected)
		one.advance(gates, h, c)
	}}
}

// gruBatchCell is gruCell for samples together.
func gruBatchCell(w *cellWeights[float32], linearBeforeReset bool) *batchCell {
	n := w.hidden
	return &batchCell{cellWeights: w, lateGate: !linearBeforeReset, advance: func(gates, projected, h, _, scaled []float32, wait bool) {
		update, reset, hidden := gates[:n], gates[n:2*n], gates[2*n:]
		if wait || linearBeforeReset {
			vector.Add(gates[:2*n], gates[:2*n], projected[:2*n])
			w.activate(0, gates[:2*n])
		}
		if wait {
			vector.Mul(scaled, reset, h)
			return
		}
		if linearBeforeReset {
			vector.Mul(hidden, hidden, reset)
		}
		vector.Add(hidden, hidden, projected[2*n:])
		w.activate(1, hidden)
		for i, z := range update {
			h[i] = (1-z)*hidden[i] + z*h[i]
		}
	}}
}
