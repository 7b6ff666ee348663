package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var microsoftLSTMFamily = []Kernel{
	{Domain: microsoft, Op: "DynamicQuantizeLSTM", Since: 1, Build: needs(3, Tensors(buildDynamicQuantizeLSTM))},
}

// buildDynamicQuantizeLSTM builds LSTM with weights of 8 bits, which lie
// (directions, inputs, 4·hidden) and (directions, hidden, 4·hidden). What they
// are multiplied with is quantized to 8 bits too, by its own range: the whole
// input once, the hidden states of a batch at every step.
func buildDynamicQuantizeLSTM(n *Node) (several, error) {
	r, err := readRecurrence(n, 4, "Sigmoid", "Tanh", "Tanh")
	l := dynamicLSTM{recurrence: r, coupled: n.Int("input_forget", 0) != 0}
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) { return l.run(c, in) }, err
}

type dynamicLSTM struct {
	recurrence
	coupled bool
}

func (l dynamicLSTM) run(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	x, w, r := in[0], in[1], in[2]
	if w.Rank() != 3 || r.Rank() != 3 || x.DType() != onnx.Float {
		return nil, fmt.Errorf("input %v, weights %v and recurrence weights %v: want float, and rank 3", x.Shape(), w.Shape(), r.Shape())
	}
	o := recurrentOperands{
		x: x, b: operand(in, 3), lengths: operand(in, 4), h: operand(in, 5), c: operand(in, 6), peepholes: operand(in, 7),
		// The plan looks at shapes, and LSTM's are the other way round.
		w:          w.WithShape([]int{w.Shape()[0], w.Shape()[2], w.Shape()[1]}),
		r:          r.WithShape([]int{r.Shape()[0], r.Shape()[2], r.Shape()[1]}),
		wantsCells: true,
	}
	p, err := l.plan(o)
	if err != nil {
		return nil, err
	}
	values, err := allReals[float32](x, o.b, o.h, o.c, o.peepholes)
	if err != nil {
		return nil, err
	}
	input, bias, peepholes := values[0], values[1], values[4]
	rows, state := 4*p.hidden, len(p.reverse)*p.batch*p.hidden
	y := make([]float32, p.steps*state)
	h, cells := make([]float32, state), make([]float32, state)
	copy(h, values[2])
	copy(cells, values[3])
	longest := 0
	for _, length := range p.lengths {
		longest = max(longest, length)
	}
	for d := range p.reverse {
		weights, err := dynamicWeights(w, operand(in, 8), operand(in, 9), d)
		if err != nil {
			return nil, fmt.Errorf("weights: %w", err)
		}
		recurrent, err := dynamicWeights(r, operand(in, 10), operand(in, 11), d)
		if err != nil {
			return nil, fmt.Errorf("recurrence weights: %w", err)
		}
		one := lstmCell[float32]{&cellWeights[float32]{hidden: p.hidden, clip: p.clip, activations: p.activations[d]}, l.coupled}
		if peepholes != nil {
			one.peepholes = peepholes[3*d*p.hidden:][:3*p.hidden]
		}
		projected := weights.product(c, input[:longest*p.batch*p.inputs])
		hidden := h[d*p.batch*p.hidden:][:p.batch*p.hidden]
		for s := range longest {
			if err := c.Context.Err(); err != nil {
				return nil, err
			}
			recurring := recurrent.product(c, p.running(hidden, s))
			for sample := range p.batch {
				if s >= p.lengths[sample] {
					continue
				}
				t := s
				if p.reverse[d] {
					t = p.lengths[sample] - 1 - s
				}
				gates := projected[(t*p.batch+sample)*rows:][:rows]
				addScaled(gates, recurring[sample*rows:], 1)
				if bias != nil {
					addScaled(gates, bias[2*d*rows:], 1)
					addScaled(gates, bias[(2*d+1)*rows:], 1)
				}
				at := p.stateAt(d, sample)
				one.advance(gates, h[at:][:p.hidden], cells[at:][:p.hidden])
				copy(y[p.outputAt(t, d, sample):], h[at:][:p.hidden])
			}
		}
	}
	directions := len(p.reverse)
	states := []int{directions, p.batch, p.hidden}
	return []*tensor.Tensor{
		tensor.New([]int{p.steps, directions, p.batch, p.hidden}, y), tensor.New(states, h), tensor.New(states, cells),
	}, nil
}

// running is the hidden states that a step starts from: what the step before put
// out, which is zeros for the samples that had ended by then. So the states of
// those do not widen the range by which the others are quantized.
func (p *recurrentPlan) running(hidden []float32, step int) []float32 {
	states := slices.Clone(hidden)
	for sample, length := range p.lengths {
		if step > length {
			clear(states[sample*p.hidden:][:p.hidden])
		}
	}
	return states
}

// quantizedMatrix is the weight of one direction: multiply gives the sums of
// its product with what is quantized to uint8 by one zero point.
type quantizedMatrix struct {
	rows, columns int
	scales        []float32 // one, or one for each column
	multiply      func(c *Call, y []int32, a []uint8, zero uint8)
}

// dynamicWeights reads one direction of int8 or uint8 weights (directions, rows,
// columns), with one scale and zero point for each direction, or for each of its
// columns.
func dynamicWeights(w, scales, zeros *tensor.Tensor, direction int) (*quantizedMatrix, error) {
	if scales == nil || zeros == nil || scales.DType() != onnx.Float || zeros.DType() != w.DType() || scales.Len() != zeros.Len() {
		return nil, fmt.Errorf("want scales of type float and as many zero points of the weights' type, %v", w.DType())
	}
	directions, columns := w.Shape()[0], w.Shape()[2]
	each := scales.Len() / max(1, directions)
	if scales.Len() != directions*each || each != 1 && each != columns {
		return nil, fmt.Errorf("scales of shape %v: want one for each of %d directions, or of their %d columns", scales.Shape(), directions, columns)
	}
	all, _ := tensor.Data[float32](scales)
	m := &quantizedMatrix{rows: w.Shape()[1], columns: columns, scales: all[direction*each:][:each]}
	switch w.DType() {
	case onnx.Int8:
		m.multiply = integerMultiplier[int8](m, w, zeros, direction, each)
	case onnx.Uint8:
		m.multiply = integerMultiplier[uint8](m, w, zeros, direction, each)
	default:
		return nil, fmt.Errorf("type %v: want int8 or uint8", w.DType())
	}
	return m, nil
}

func integerMultiplier[B int8 | uint8](m *quantizedMatrix, w, zeros *tensor.Tensor, direction, each int) func(c *Call, y []int32, a []uint8, zero uint8) {
	b, _ := tensor.Data[B](w)
	b = b[direction*m.rows*m.columns:][:m.rows*m.columns]
	shifts, _ := tensor.Data[B](zeros)
	shifts = shifts[direction*each:][:each]
	return func(c *Call, y []int32, a []uint8, zero uint8) {
		quantops.MatMulInteger(y, a, b, len(a)/max(1, m.rows), m.rows, m.columns, []uint8{zero}, shifts, c.Workers)
	}
}

// product quantizes x, rows as long as the matrix has, and multiplies.
func (m *quantizedMatrix) product(c *Call, x []float32) []float32 {
	q := buffer[uint8](c, len(x))
	scale, zero := quantops.DynamicQuantize(q, x, c.Workers)
	sums := make([]int32, len(x)/max(1, m.rows)*m.columns)
	m.multiply(c, sums, q, zero)
	y := make([]float32, len(sums))
	for i, v := range sums {
		by := m.scales[0]
		if len(m.scales) > 1 {
			by = m.scales[i%m.columns]
		}
		y[i] = float32(v) * (scale * by)
	}
	return y
}
