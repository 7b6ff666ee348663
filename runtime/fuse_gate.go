package runtime

import (
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// gatedChain finds the activations that exporters write as x times a gate:
//
//	½·x·(1 + Erf(x/√2))                       Gelu
//	½·x·(1 + Tanh(√(2/π)·(x + 0.044715·x³)))  Gelu's approximation
//	x·Sigmoid(α·x)                            Silu, and the other approximation
//	x·HardSigmoid(x), x·Clip(x + 3, 0, 6)/6   HardSwish
func (f *chainFinder) gatedChain(last *step) *chain {
	if !isOperator(last.node, "Mul", "Div") || !f.isProduct(last) {
		return nil
	}
	p := f.factorsOf(last)
	if len(p.slots) != 2 {
		return nil
	}
	for i := range 2 {
		x := p.slots[i]
		loop, steps := f.gate(x, p.slots[1-i], p.number)
		if loop == nil {
			continue
		}
		return &chain{steps: append(p.steps, steps...), in: []int{x}, run: func(c *ops.Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
			if in[0].Rank() == 0 {
				return nil, nil // constants of rank 1 would broadcast it
			}
			return ops.MapFloats(c, in[0], loop)
		}}
	}
	return nil
}

// gate gives the loop of x·gate·number, and the steps that make the gate.
func (f *chainFinder) gate(x, gate int, number float64) (func(y, x []float32), []*step) {
	if st := f.maker(gate, "Sigmoid"); st != nil && isAbout(number, 1) {
		if st.in[0] == x {
			return func(y, x []float32) { vector.Swish(y, x, 1) }, []*step{st}
		}
		if inner := f.maker(st.in[0], "Mul", "Div"); inner != nil && f.isProduct(inner) {
			if p := f.factorsOf(inner); len(p.slots) == 1 && p.slots[0] == x {
				return func(y, x []float32) { vector.Swish(y, x, float32(p.number)) }, append(p.steps, st)
			}
		}
		return nil, nil
	}
	if steps := f.hardGate(x, gate, number); steps != nil {
		return vector.HardSwish, steps
	}
	sum, of := f.sumWith(gate, 1)
	if sum == nil || !isAbout(number, 0.5) {
		return nil, nil
	}
	if st := f.maker(of, "Erf"); st != nil {
		inner := f.maker(st.in[0], "Mul", "Div")
		if inner == nil || !f.isProduct(inner) {
			return nil, nil
		}
		if p := f.factorsOf(inner); len(p.slots) == 1 && p.slots[0] == x && isAbout(p.number, 1/math.Sqrt2) {
			return vector.Gelu, append(p.steps, sum, st)
		}
		return nil, nil
	}
	st := f.maker(of, "Tanh")
	if st == nil {
		return nil, nil
	}
	inner := f.maker(st.in[0], "Mul", "Div")
	if inner == nil || !f.isProduct(inner) {
		return nil, nil
	}
	p := f.factorsOf(inner)
	if len(p.slots) != 1 || !isAbout(p.number, math.Sqrt(2/math.Pi)) {
		return nil, nil
	}
	if steps := f.cubicSum(x, p.slots[0]); steps != nil {
		return vector.FastGelu, append(append(p.steps, sum, st), steps...)
	}
	return nil, nil
}

// cubicSum is the steps of x + 0.044715·x³, nil if the slot holds something else.
func (f *chainFinder) cubicSum(x, slot int) []*step {
	sum := f.maker(slot, "Add")
	if sum == nil {
		return nil
	}
	for i := range 2 {
		st := f.maker(sum.in[i], "Mul")
		if st == nil || sum.in[1-i] != x {
			continue
		}
		p := f.factorsOf(st)
		if !isAbout(p.number, 0.044715) {
			continue
		}
		steps := append(p.steps, sum)
		power := 0
		for _, slot := range p.slots {
			if slot == x {
				power++
			} else if st := f.maker(slot, "Pow"); st != nil && st.in[0] == x {
				exponent, ok := f.scalar(st.in[1])
				if !ok {
					return nil
				}
				power += int(exponent)
				steps = append(steps, st)
			} else {
				return nil
			}
		}
		if power == 3 {
			return steps
		}
	}
	return nil
}

// hardGate is the steps of a gate that with the number makes HardSwish.
func (f *chainFinder) hardGate(x, gate int, number float64) []*step {
	if st := f.maker(gate, "HardSigmoid"); st != nil && st.in[0] == x && isAbout(number, 1) {
		alpha, beta := st.node.Attr("alpha"), st.node.Attr("beta")
		if alpha != nil && isAbout(float64(alpha.F), 1.0/6) && (beta == nil || isAbout(float64(beta.F), 0.5)) {
			return []*step{st}
		}
		return nil
	}
	st := f.maker(gate, "Clip")
	if st == nil || !isAbout(number, 1.0/6) {
		return nil
	}
	least, most, ok := f.clipBounds(st)
	sum, of := f.sumWith(st.in[0], 3)
	if !ok || sum == nil || of != x || least != 0 || !isAbout(most, 6) {
		return nil
	}
	return []*step{st, sum}
}

// clipBounds are a Clip's bounds, stated as attributes or as constants.
func (f *chainFinder) clipBounds(st *step) (least, most float64, ok bool) {
	attribute := func(a *onnx.Attr) float64 {
		if a == nil {
			return math.NaN()
		}
		return float64(a.F)
	}
	if len(st.in) == 1 {
		least, most = attribute(st.node.Attr("min")), attribute(st.node.Attr("max"))
		return least, most, least == least && most == most
	}
	least, ok = f.scalar(slotAt(st.in, 1))
	if !ok {
		return 0, 0, false
	}
	most, ok = f.scalar(slotAt(st.in, 2))
	return least, most, ok
}
