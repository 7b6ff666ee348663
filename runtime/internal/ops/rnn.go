package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var recurrentFamily = []Kernel{
	{Op: "RNN", Since: 1, Build: needs(3, Tensors(buildRecurrent))},
	{Op: "GRU", Since: 1, Build: needs(3, Tensors(buildRecurrent))},
	{Op: "LSTM", Since: 1, Build: needs(3, Tensors(buildRecurrent))},
}

// recurrence is what the three recurrent operators' nodes state alike.
type recurrence struct {
	gates       int
	reverse     []bool // of each direction
	activations [][]gateFunction
	clip        float64            // 0: none
	batchFirst  bool               // layout 1
	lateGate    bool               // the last gate's product waits for the others
	packed      []recurrentWeights // nil: they are packed when it is run
	shapes      [2][]int           // of weights that are no operands, but packed; else nil
}

func readRecurrence(n *Node, gates int, defaults ...string) (recurrence, error) {
	r := recurrence{gates: gates, batchFirst: n.Int("layout", 0) != 0, clip: float64(n.Float("clip", 0))}
	switch direction := n.Text("direction", "forward"); direction {
	case "forward", "foward": // GRU 1 misspells its own default
		r.reverse = []bool{false}
	case "reverse":
		r.reverse = []bool{true}
	case "bidirectional":
		r.reverse = []bool{false, true}
	default:
		return r, fmt.Errorf("direction is %q: want forward, reverse or bidirectional", direction)
	}
	var err error
	r.activations, err = readActivations(n, len(r.reverse), defaults)
	return r, err
}

// recurrentOperands are the inputs of a recurrent operator; all but x, w and r
// may be nil.
type recurrentOperands struct {
	x          *tensor.Tensor // (steps, batch, inputs)
	w          *tensor.Tensor // (directions, gates·hidden, inputs)
	r          *tensor.Tensor // (directions, gates·hidden, hidden)
	b          *tensor.Tensor // (directions, 2·gates·hidden): of w, then of r
	lengths    *tensor.Tensor // (batch)
	h, c       *tensor.Tensor // (directions, batch, hidden)
	peepholes  *tensor.Tensor // (directions, 3·hidden)
	wantsCells bool           // whether the operator has a cell state
}

// recurrentPlan is a recurrent operator laid over given shapes.
type recurrentPlan struct {
	recurrence
	steps, batch, inputs, hidden int
	lengths                      []int // of each sample; from 0 to steps
}

func (r recurrence) plan(o recurrentOperands) (*recurrentPlan, error) {
	directions := len(r.reverse)
	ws, rs := r.shapes[0], r.shapes[1]
	if r.shapes[0] == nil {
		ws, rs = o.w.Shape(), o.r.Shape()
	}
	if o.x.Rank() != 3 || len(ws) != 3 || len(rs) != 3 {
		return nil, fmt.Errorf("input %v, weights %v and recurrence weights %v must have rank 3", o.x.Shape(), ws, rs)
	}
	p := &recurrentPlan{recurrence: r, steps: o.x.Shape()[0], batch: o.x.Shape()[1], inputs: o.x.Shape()[2], hidden: rs[2]}
	if r.batchFirst {
		p.steps, p.batch = p.batch, p.steps
	}
	rows := r.gates * p.hidden
	state := []int{directions, p.batch, p.hidden}
	if r.batchFirst {
		state = []int{p.batch, directions, p.hidden}
	}
	for i, want := range [][]int{{directions, rows, p.inputs}, {directions, rows, p.hidden}} {
		if got := [][]int{ws, rs}[i]; !slices.Equal(got, want) {
			return nil, fmt.Errorf("%s have shape %v: want %v", []string{"weights", "recurrence weights"}[i], got, want)
		}
	}
	for _, want := range []struct {
		name  string
		t     *tensor.Tensor
		shape []int
	}{
		{"biases", o.b, []int{directions, 2 * rows}},
		{"sequence lengths", o.lengths, []int{p.batch}},
		{"initial hidden state", o.h, state},
		{"initial cell state", o.c, state},
		{"peepholes", o.peepholes, []int{directions, 3 * p.hidden}},
	} {
		if want.t != nil && !slices.Equal(want.t.Shape(), want.shape) {
			return nil, fmt.Errorf("%s have shape %v: want %v", want.name, want.t.Shape(), want.shape)
		}
	}
	if _, err := checkedCount([]int{directions, max(p.steps, 1), p.batch, max(rows, 1)}); err != nil {
		return nil, fmt.Errorf("projected input: %w", err)
	}
	if o.lengths == nil {
		p.lengths = orAll(nil, p.batch, p.steps)
		return p, nil
	}
	var err error
	p.lengths, err = integers(o.lengths)
	for _, length := range p.lengths {
		if length < 0 || length > p.steps {
			return nil, fmt.Errorf("sequence length %d: the input has %d steps", length, p.steps)
		}
	}
	return p, err
}

// cell is a recurrent operator's step for one sample: it takes the projected
// input, biases included, which it may overwrite, and brings the states h and c
// (nil where there is none) to the next step. It belongs to one goroutine.
type cell[T real] interface {
	step(gates, h, c []T)
}

// cellWeights are one direction's.
type cellWeights[T real] struct {
	recurrent   []T // (gates·hidden, hidden)
	bias        []T // of the recurrence: (gates·hidden); nil for none
	peepholes   []T // (3·hidden); nil for none
	hidden      int
	clip        float64
	activations []gateFunction
}

// activate applies the clip and activation i to every element of a gate.
func (w *cellWeights[T]) activate(i int, gate []T) {
	if w.clip > 0 {
		bound := T(w.clip)
		for j, v := range gate {
			gate[j] = min(max(v, -bound), bound)
		}
	}
	apply(w.activations[i], gate)
}

// apply replaces every element by what the activation makes of it.
func apply[T real](f gateFunction, data []T) {
	if row, ok := any(data).([]float32); ok && f.row != nil {
		f.row(row, row)
		return
	}
	for i, v := range data {
		data[i] = T(f.number(float64(v)))
	}
}

// run projects the whole input through w at once, then carries every sample of
// every direction through its steps. The outputs are Y (steps, directions,
// batch, hidden), zero behind a sample's length, Y_h and, for an operator with
// cells, Y_c (directions, batch, hidden); with layout 1 the batch comes first.
// 16-bit types are computed in float32 throughout and rounded in the outputs.
func (r recurrence) run(c *Call, o recurrentOperands, cell32 func(*cellWeights[float32]) *batchCell, cell64 func(*cellWeights[float64]) cell[float64]) ([]*tensor.Tensor, error) {
	p, err := r.plan(o)
	if err != nil {
		return nil, err
	}
	if o.x.DType() == onnx.Double && o.w != nil {
		return runRecurrence(c, p, o, cell64)
	}
	weights := r.packed
	if weights == nil {
		in, err := allReals[float32](o.w, o.r)
		if err != nil {
			return nil, err
		}
		weights = packRecurrence(in[0], in[1], len(p.reverse), p.gates, p.inputs, p.hidden, r.lateGate)
	}
	return p.runFloat32(c, o, weights, cell32)
}

func runRecurrence[T real](c *Call, p *recurrentPlan, o recurrentOperands, newCell func(*cellWeights[T]) cell[T]) ([]*tensor.Tensor, error) {
	in, err := allReals[T](o.x, o.w, o.r, o.b, o.h, o.c, o.peepholes)
	if err != nil {
		return nil, err
	}
	x, w, r, b, h0, c0, peepholes := in[0], in[1], in[2], in[3], in[4], in[5], in[6]
	directions, hidden := len(p.reverse), p.hidden
	rows := p.gates * hidden
	projected := make([]T, directions*p.steps*p.batch*rows)
	err = parallel(c, directions*p.steps*p.batch, rows*p.inputs, func(from, to int) {
		for from < to {
			// One range may span two directions: each part has its own weights.
			d := from / (p.steps * p.batch)
			end := min(to, (d+1)*p.steps*p.batch)
			first := from - d*p.steps*p.batch
			out := matrix[T]{projected[from*rows:], rows}
			if b != nil {
				for i := range end - from {
					copy(out.row(i, rows), b[2*d*rows:])
				}
			}
			addProductTransposed(out, matrix[T]{x[first*p.inputs:], p.inputs}, matrix[T]{w[d*rows*p.inputs:], p.inputs}, end-from, rows, p.inputs)
			from = end
		}
	})
	if err != nil {
		return nil, err
	}

	y := make([]T, p.steps*directions*p.batch*hidden)
	lastH, lastC := make([]T, directions*p.batch*hidden), []T(nil)
	if o.wantsCells {
		lastC = make([]T, len(lastH))
	}
	copy(lastH, h0)
	copy(lastC, c0)
	err = parallel(c, directions*p.batch, p.steps*rows*hidden, func(from, to int) {
		for i := from; i < to; i++ {
			d, sample := i/p.batch, i%p.batch
			weights := &cellWeights[T]{recurrent: r[d*rows*hidden:][:rows*hidden], hidden: hidden, clip: p.clip, activations: p.activations[d]}
			if b != nil {
				weights.bias = b[(2*d+1)*rows:][:rows]
			}
			if peepholes != nil {
				weights.peepholes = peepholes[3*d*hidden:][:3*hidden]
			}
			one := newCell(weights)
			state := p.stateAt(d, sample)
			h := lastH[state:][:hidden]
			var c []T
			if lastC != nil {
				c = lastC[state:][:hidden]
			}
			for s := range p.lengths[sample] {
				t := s
				if p.reverse[d] {
					t = p.lengths[sample] - 1 - s
				}
				one.step(projected[(d*p.steps*p.batch+p.inputRow(t, sample))*rows:][:rows], h, c)
				copy(y[p.outputAt(t, d, sample):], h)
			}
		}
	})
	if err != nil {
		return nil, err
	}

	return recurrentResults(p, o.x.DType(), y, lastH, lastC)
}

// recurrentResults are the operator's outputs in a type; an operator without cells has
// none of lastC.
func recurrentResults[T real](p *recurrentPlan, t onnx.DType, y, lastH, lastC []T) ([]*tensor.Tensor, error) {
	directions, hidden := len(p.reverse), p.hidden
	sequence, state := []int{p.steps, directions, p.batch, hidden}, []int{directions, p.batch, hidden}
	if p.batchFirst {
		sequence, state = []int{p.batch, p.steps, directions, hidden}, []int{p.batch, directions, hidden}
	}
	results := make([]*tensor.Tensor, 0, 3)
	for _, out := range []struct {
		shape []int
		data  []T
	}{{sequence, y}, {state, lastH}, {state, lastC}} {
		if out.data == nil {
			break
		}
		v, err := ofReals(t, out.shape, out.data)
		if err != nil {
			return nil, err
		}
		results = append(results, v)
	}
	return results, nil
}

// inputRow is the row of x, as a matrix, of a sample's step.
func (p *recurrentPlan) inputRow(t, sample int) int {
	if p.batchFirst {
		return sample*p.steps + t
	}
	return t*p.batch + sample
}

// outputAt is where a step's hidden state lies in Y.
func (p *recurrentPlan) outputAt(t, d, sample int) int {
	directions := len(p.reverse)
	if p.batchFirst {
		return ((sample*p.steps+t)*directions + d) * p.hidden
	}
	return ((t*directions+d)*p.batch + sample) * p.hidden
}

// stateAt is where a sample's state lies in the initial and last states.
func (p *recurrentPlan) stateAt(d, sample int) int {
	if p.batchFirst {
		return (sample*len(p.reverse) + d) * p.hidden
	}
	return (d*p.batch + sample) * p.hidden
}
