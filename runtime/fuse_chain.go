package runtime

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// chain is several steps that are run as one. Every value between them is read
// by steps of the chain alone; the last one gives the chain's result.
type chain struct {
	steps []*step // in the order of the plan
	in    []int   // slots of the chain's operands
	// run computes the result from the operands where all of them are of
	// float32; nil where it cannot, and then the steps are run as they are.
	run func(c *ops.Call, in []*tensor.Tensor) (*tensor.Tensor, error)
	// softmax, if not nil, is what the chain computes.
	softmax *maskedSoftmax
}

// chainFinder finds the chains of a graph.
type chainFinder struct {
	*fuser
	order   map[*step]int
	removed map[*step]bool
}

// chains puts chains that have a faster form in the places of their last steps.
func (f *fuser) chains() {
	steps := f.scope.plan.steps
	c := &chainFinder{f, map[*step]int{}, map[*step]bool{}}
	for i, st := range steps {
		c.order[st] = i
	}
	for _, st := range steps {
		if c.removed[st] || !plain(st) {
			continue
		}
		for _, find := range []func(last *step) *chain{c.gatedChain, c.layerNormChain, c.rmsNormChain, c.softmaxChain} {
			found := find(st)
			if found == nil {
				continue
			}
			slices.SortFunc(found.steps, func(a, b *step) int { return c.order[a] - c.order[b] })
			found.steps = slices.Compact(found.steps)
			if c.closed(found, st) {
				c.join(found, st)
				break
			}
		}
	}
	c.attentions()
	f.scope.plan.steps = slices.DeleteFunc(steps, func(st *step) bool { return c.removed[st] })
}

// plain says whether a step computes its node, which has one result and no body.
func plain(st *step) bool {
	return len(st.out) == 1 && len(st.captured) == 0 && st.product == nil && !st.packed
}

// closed says whether the values between a chain's steps are read by them alone.
func (f *chainFinder) closed(found *chain, last *step) bool {
	reads := map[int]int{}
	for _, st := range found.steps {
		for _, slot := range st.in {
			reads[slot]++
		}
	}
	for _, st := range found.steps {
		if !plain(st) || f.removed[st] {
			return false
		}
		for _, slot := range st.out {
			if st != last && slot != absent && reads[slot] != f.readers[slot] {
				return false
			}
		}
	}
	return true
}

// join makes the last step that of the whole chain.
func (f *chainFinder) join(found *chain, last *step) {
	for i, st := range found.steps {
		for _, slot := range st.in {
			f.readers[slot]--
		}
		if st == last {
			before := *st // as the chain runs it where it has to
			found.steps[i] = &before
			continue
		}
		f.removed[st] = true
		for _, slot := range st.out {
			delete(f.makers, slot)
		}
	}
	// Everything that a step reads and none of the others gives.
	operands := slices.Clone(found.in)
	for _, st := range found.steps {
		for _, slot := range st.in {
			if slot != absent && !slices.Contains(operands, slot) && !slices.ContainsFunc(found.steps, func(other *step) bool { return slices.Contains(other.out, slot) }) {
				operands = append(operands, slot)
			}
		}
	}
	for _, slot := range operands {
		f.readers[slot]++
	}
	last.in, last.run, last.softmax = operands, found.runWith(operands), found.softmax
}

// runWith is the kernel of a chain whose operands come from the given slots, the
// chain's own ones first.
func (ch *chain) runWith(slots []int) ops.Run {
	return func(c *ops.Call, in []tensor.Value) ([]tensor.Value, error) {
		operands := make([]*tensor.Tensor, len(ch.in))
		fits := true
		for i := range operands {
			t, ok := in[i].(*tensor.Tensor)
			if ok {
				_, ok = tensor.Data[float32](t)
			}
			operands[i], fits = t, fits && ok
		}
		if fits {
			if y, err := ch.run(c, operands); y != nil || err != nil {
				return []tensor.Value{y}, err
			}
		}
		values := map[int]tensor.Value{}
		for i, slot := range slots {
			values[slot] = in[i]
		}
		var results []tensor.Value
		for _, st := range ch.steps {
			of := make([]tensor.Value, len(st.in))
			for i, slot := range st.in {
				if slot != absent {
					of[i] = values[slot]
				}
			}
			var err error
			if results, err = st.run(c, of); err != nil {
				return nil, fmt.Errorf("%s: %w", nodeLabel(st.node), err)
			}
			values[st.out[0]] = results[0]
		}
		return results, nil
	}
}

// maker is the step that gives a slot's value, if its operator is one of those
// named; else nil.
func (f *chainFinder) maker(slot int, operators ...string) *step {
	st := f.makers[slot]
	if st == nil || !plain(st) || !isOperator(st.node, operators...) {
		return nil
	}
	return st
}

// scalar is the number that a slot holds in every run.
func (f *chainFinder) scalar(slot int) (float64, bool) {
	t := f.fixedTensor(slot)
	if t == nil || t.Len() != 1 || t.Rank() > 1 || !t.DType().IsFloat() {
		return 0, false
	}
	numbers, err := t.Float64s()
	return numbers[0], err == nil
}

// isAbout says whether a model's constant is a number, to about as many digits
// as exporters write.
func isAbout(v, number float64) bool { return math.Abs(v-number) <= 1e-5*math.Abs(number) }

// factors is a product taken apart: a number and slots, each read by the product
// alone if it is a product itself.
type factors struct {
	number float64
	slots  []int
	steps  []*step
}

// factorsOf takes apart what a step computes.
func (f *chainFinder) factorsOf(st *step) factors {
	p := factors{number: 1, steps: []*step{st}}
	for i, slot := range st.in {
		if v, ok := f.scalar(slot); ok {
			if st.node.OpType == "Div" {
				v = 1 / v
			}
			p.number *= v
			continue
		}
		inner := f.maker(slot, "Mul", "Div")
		if inner == nil || f.readers[slot] != 1 || i == 1 && st.node.OpType == "Div" || !f.isProduct(inner) {
			p.slots = append(p.slots, slot)
			continue
		}
		q := f.factorsOf(inner)
		p.number *= q.number
		p.slots, p.steps = append(p.slots, q.slots...), append(p.steps, q.steps...)
	}
	return p
}

// isProduct says whether a step multiplies, or divides by a number.
func (f *chainFinder) isProduct(st *step) bool {
	if st.node.OpType == "Div" {
		_, ok := f.scalar(slotAt(st.in, 1))
		return ok
	}
	return st.node.OpType == "Mul"
}

// sumWith is the step that adds the number to a slot, and that slot.
func (f *chainFinder) sumWith(slot int, number float64) (*step, int) {
	st := f.maker(slot, "Add")
	if st == nil {
		return nil, absent
	}
	for i := range 2 {
		if v, ok := f.scalar(st.in[i]); ok && isAbout(v, number) {
			return st, st.in[1-i]
		}
	}
	return nil, absent
}
