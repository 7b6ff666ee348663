package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// linearAttention carries a matrix from position to position, for each key
// head: what its queries read is their product with it.
type linearAttention struct {
	queryHeads, keyHeads int
	scale                float64 // 0: 1/√(key size)
	gated                bool    // whether the matrix decays
	delta                bool    // whether a value is written as its difference from what its key reads
}

func buildLinearAttention(n *Node) (several, error) {
	l := linearAttention{queryHeads: n.Int("q_num_heads", 0), keyHeads: n.Int("kv_num_heads", 0), scale: float64(n.Float("scale", 0))}
	switch rule := n.Text("update_rule", "gated_delta"); rule {
	case "linear":
	case "gated":
		l.gated = true
	case "delta":
		l.delta = true
	case "gated_delta":
		l.gated, l.delta = true, true
	default:
		return nil, fmt.Errorf("update_rule is %q: want linear, gated, delta or gated_delta", rule)
	}
	if l.keyHeads < 1 || l.queryHeads < 1 || l.queryHeads%l.keyHeads != 0 {
		return nil, fmt.Errorf("q_num_heads %d must be a multiple of kv_num_heads %d", l.queryHeads, l.keyHeads)
	}
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		return l.run(c, linearOperands{in[0], in[1], in[2], operand(in, 3), operand(in, 4), operand(in, 5)})
	}, nil
}

// linearOperands are LinearAttention's inputs; from the past on they may be nil.
type linearOperands struct {
	q     *tensor.Tensor // (batch, positions, query heads · key size)
	k     *tensor.Tensor // (batch, positions, key heads · key size)
	v     *tensor.Tensor // (batch, positions, key heads · value size)
	past  *tensor.Tensor // (batch, key heads, key size, value size)
	decay *tensor.Tensor // (batch, positions, key heads [· key size]): logarithms
	beta  *tensor.Tensor // (batch, positions, key heads or 1): rates of change
}

// linearPlan is a linearAttention laid over given operands.
type linearPlan struct {
	linearAttention
	batch, positions, size, valueSize int
	decayWidth, betaWidth             int // of a position
}

func (l linearAttention) plan(o linearOperands) (*linearPlan, error) {
	for _, t := range []*tensor.Tensor{o.q, o.k, o.v} {
		if t.Rank() != 3 {
			return nil, fmt.Errorf("query %v, key %v and value %v must have rank 3", o.q.Shape(), o.k.Shape(), o.v.Shape())
		}
	}
	p := &linearPlan{linearAttention: l, batch: o.q.Shape()[0], positions: o.q.Shape()[1]}
	p.size, p.valueSize = o.q.Shape()[2]/l.queryHeads, o.v.Shape()[2]/l.keyHeads
	if (o.decay != nil) != l.gated || (o.beta != nil) != l.delta {
		return nil, fmt.Errorf("decay goes with the gated rules and only those, beta with the delta rules")
	}
	type wanted struct {
		name  string
		t     *tensor.Tensor
		shape []int
	}
	all := []wanted{
		{"query", o.q, []int{p.batch, p.positions, l.queryHeads * p.size}},
		{"key", o.k, []int{p.batch, p.positions, l.keyHeads * p.size}},
		{"value", o.v, []int{p.batch, p.positions, l.keyHeads * p.valueSize}},
		{"past state", o.past, []int{p.batch, l.keyHeads, p.size, p.valueSize}},
	}
	if o.decay != nil {
		p.decayWidth = l.keyHeads
		if o.decay.Rank() == 3 && o.decay.Shape()[2] != l.keyHeads {
			p.decayWidth = l.keyHeads * p.size
		}
		all = append(all, wanted{"decay", o.decay, []int{p.batch, p.positions, p.decayWidth}})
	}
	if o.beta != nil {
		p.betaWidth = l.keyHeads
		if o.beta.Rank() == 3 && o.beta.Shape()[2] == 1 {
			p.betaWidth = 1
		}
		all = append(all, wanted{"beta", o.beta, []int{p.batch, p.positions, p.betaWidth}})
	}
	for _, w := range all {
		if w.t != nil && !slices.Equal(w.t.Shape(), w.shape) {
			return nil, fmt.Errorf("%s %v: want %v", w.name, w.t.Shape(), w.shape)
		}
	}
	for _, shape := range [][]int{{p.batch, l.keyHeads, max(p.positions, 1)}, {p.batch, l.keyHeads, p.size, p.valueSize}} {
		if _, err := checkedCount(shape); err != nil {
			return nil, err
		}
	}
	if p.scale == 0 {
		p.scale = 1 / math.Sqrt(float64(p.size))
	}
	return p, nil
}

// run gives the output (batch, positions, query heads · value size), of q's
// type, and the state after the last position, of the past's type, or else of
// q's. All is computed in float32 and rounded there.
func (l linearAttention) run(c *Call, o linearOperands) ([]*tensor.Tensor, error) {
	p, err := l.plan(o)
	if err != nil {
		return nil, err
	}
	in, err := allReals[float32](o.q, o.k, o.v, o.past, o.decay, o.beta)
	if err != nil {
		return nil, err
	}
	q, k, v, decay, beta := in[0], in[1], in[2], in[4], in[5]
	one := p.size * p.valueSize
	state, stateType := make([]float32, p.batch*p.keyHeads*one), o.q.DType()
	if o.past != nil {
		copy(state, in[3])
		stateType = o.past.DType()
	}
	y := make([]float32, p.batch*p.positions*p.queryHeads*p.valueSize)
	group := p.queryHeads / p.keyHeads
	err = parallel(c, p.batch*p.keyHeads, p.positions*one*(3+group), func(from, to int) {
		value := make([]float32, p.valueSize)
		for i := from; i < to; i++ {
			sample, head := i/p.keyHeads, i%p.keyHeads
			memory := matrix[float32]{state[i*one:][:one], p.valueSize}
			for t := range p.positions {
				position := sample*p.positions + t
				key := k[(position*p.keyHeads+head)*p.size:][:p.size]
				if p.gated {
					width := p.decayWidth / p.keyHeads
					p.fade(memory, decay[position*p.decayWidth+head*width:][:width])
				}
				copy(value, v[(position*p.keyHeads+head)*p.valueSize:])
				if p.delta {
					for d, key := range key {
						addScaled(value, memory.row(d, p.valueSize), -key)
					}
					rate := beta[position*p.betaWidth+head%p.betaWidth]
					for j := range value {
						value[j] *= rate
					}
				}
				for d, key := range key {
					addScaled(memory.row(d, p.valueSize), value, key)
				}
				for h := head * group; h < (head+1)*group; h++ {
					query := q[(position*p.queryHeads+h)*p.size:][:p.size]
					out := y[(position*p.queryHeads+h)*p.valueSize:][:p.valueSize]
					addRowProduct(out, query, memory)
					for j := range out {
						out[j] *= float32(p.scale)
					}
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	result, err := ofReals(o.q.DType(), []int{p.batch, p.positions, p.queryHeads * p.valueSize}, y)
	if err != nil {
		return nil, err
	}
	present, err := ofReals(stateType, []int{p.batch, p.keyHeads, p.size, p.valueSize}, state)
	return []*tensor.Tensor{result, present}, err
}

// fade multiplies the rows of a head's memory by e to their logarithm, or to
// the one that all share.
func (p *linearPlan) fade(memory matrix[float32], logarithms []float32) {
	for d := range p.size {
		factor := float32(math.Exp(float64(logarithms[d%len(logarithms)])))
		row := memory.row(d, p.valueSize)
		for j := range row {
			row[j] *= factor
		}
	}
}
