package runtime

import (
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/convolution"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// convTail is what a convolution takes in of the steps behind it. With x what
// the products of a map sum to, it computes
//
//	t = before(x), y = min(max(inner(t), low), high), y = y·t if it is a gate, after(y)
//
// where before, inner and after are linear functions of their own for each map.
type convTail struct {
	*fuser
	users      map[int][]*step // by slot: the steps that read it
	maps, rank int             // of the weight

	before, inner, after linear
	low, high            float64
	clipped, gate        bool

	taken []*step // all but the convolution's
	last  *step   // whose result the tail computes
}

// linear is a function scale·x + offset, with numbers for each map, for all of
// them, or none: 1 and 0. They are not changed once made.
type linear struct{ scale, offset []float64 }

// at is the function of a map.
func (l linear) at(m int) (scale, offset float64) {
	scale = 1
	if len(l.scale) > 0 {
		scale = l.scale[min(m, len(l.scale)-1)]
	}
	if len(l.offset) > 0 {
		offset = l.offset[min(m, len(l.offset)-1)]
	}
	return scale, offset
}

// size is how many maps have functions that may differ.
func (l linear) size() int { return max(1, len(l.scale), len(l.offset)) }

// foldable says whether the numbers are ones that can be folded into float32.
func (l linear) foldable() bool {
	return !slices.ContainsFunc(l.scale, func(v float64) bool { return !foldableFactor(v) }) &&
		!slices.ContainsFunc(l.offset, func(v float64) bool { return !(math.Abs(v) < largestFolded) })
}

// then is the function that computes l and after it other; ok says whether it is
// foldable.
func (l linear) then(other linear) (both linear, ok bool) {
	if l.scale == nil && l.offset == nil {
		return other, other.foldable()
	}
	n := max(l.size(), other.size())
	both = linear{make([]float64, n), make([]float64, n)}
	for i := range n {
		scale, offset := l.at(i)
		otherScale, otherOffset := other.at(i)
		both.scale[i], both.offset[i] = scale*otherScale, offset*otherScale+otherOffset
	}
	return both, both.foldable()
}

// largestFolded bounds the numbers that are multiplied into weights: beyond it,
// or below its inverse, float32 might not hold the products.
const largestFolded = 1e9

func foldableFactor(v float64) bool {
	a := math.Abs(v)
	return a == 0 || a < largestFolded && a > 1/largestFolded
}

// begin takes the convolution's own bias; it is false if that does not fit.
func (t *convTail) begin(bias *tensor.Tensor) bool {
	t.before, t.inner, t.after = linear{}, linear{}, linear{}
	t.low, t.high = math.Inf(-1), math.Inf(1)
	if bias == nil {
		return true
	}
	values, err := bias.Float64s()
	if err != nil || len(values) != t.maps || !narrowFloat(bias.DType()) {
		return false
	}
	t.before.offset = values
	return true
}

// only is the step that alone reads a slot, nil if there is none.
func (t *convTail) only(slot int) *step {
	if t.readers[slot] != 1 || len(t.users[slot]) != 1 || t.users[slot][0].packed {
		return nil
	}
	return t.users[slot][0]
}

// takes notes a step that the tail has taken in and gives the slot of its result.
func (t *convTail) takes(st *step) int {
	t.taken, t.last = append(t.taken, st), st
	return st.out[0]
}

// follow takes in what it can behind the convolution's result.
func (t *convTail) follow(slot int) {
	slot = t.linears(slot, &t.before)
	slot, ok := t.function(slot)
	if ok {
		t.linears(slot, &t.after)
	}
}

// linears takes in linear functions as long as there are some.
func (t *convTail) linears(slot int, into *linear) int {
	for {
		st := t.only(slot)
		if st == nil {
			return slot
		}
		l, ok := t.linearOf(st, slot)
		if !ok {
			return slot
		}
		both, ok := into.then(l)
		if !ok {
			return slot
		}
		*into, slot = both, t.takes(st)
	}
}

// function takes in a clip of the slot, or a product of the slot and a clip of it.
func (t *convTail) function(slot int) (result int, ok bool) {
	if st := t.only(slot); st != nil {
		if !t.clip(st, slot) {
			if !isOperator(st.node, "HardSwish") {
				return slot, false
			}
			t.clipTo(floatOr(st.node, "alpha", 1./6), 0.5, 0, 1)
			t.gate = true
		}
		return t.takes(st), true
	}
	if t.readers[slot] != 2 || len(t.users[slot]) != 2 {
		return slot, false
	}
	for i, product := range t.users[slot] {
		first := t.users[slot][1-i]
		if first == product || first.packed || product.packed || !isOperator(product.node, "Mul") || len(product.in) != 2 {
			continue
		}
		other := product.in[0]
		if other == slot {
			other = product.in[1]
		}
		if taken, ok := t.gateOf(slot, first, other); ok {
			t.taken = append(t.taken, taken...)
			t.gate = true
			return t.takes(product), true
		}
	}
	return slot, false
}

// gateOf follows the path from a slot through the step first to another slot: a
// linear function, a clip, and a factor. It gives the steps on the path.
func (t *convTail) gateOf(slot int, first *step, end int) (path []*step, ok bool) {
	var inner, after linear
	clipped := false
	saved := *t
	defer func() {
		if !ok {
			*t = saved
		}
	}()
	for st := first; st != nil; {
		into := &inner
		if clipped {
			into = &after
		}
		if l, linear := t.linearOf(st, slot); linear {
			both, folds := into.then(l)
			if !folds {
				return nil, false
			}
			*into = both
		} else if clipped || !t.clip(st, slot) {
			return nil, false
		} else {
			clipped = true
		}
		path, slot = append(path, st), st.out[0]
		if slot == end {
			break
		}
		st = t.only(slot)
	}
	plain := !slices.ContainsFunc(after.offset, func(v float64) bool { return v != 0 })
	if slot != end || t.readers[slot] != 1 || !clipped || !plain {
		return nil, false
	}
	var folds bool
	if t.inner, folds = inner.then(t.inner); !folds {
		return nil, false
	}
	t.after = after
	return path, true
}

// clip reads a step that clips a linear function of the slot.
func (t *convTail) clip(st *step, slot int) bool {
	n := st.node
	if st.in[0] != slot || len(st.out) != 1 {
		return false
	}
	switch {
	case isOperator(n, "Relu"):
		t.clipTo(1, 0, 0, math.Inf(1))
	case isOperator(n, "HardSigmoid"):
		t.clipTo(floatOr(n, "alpha", 0.2), floatOr(n, "beta", 0.5), 0, 1)
	case isOperator(n, "Clip"):
		low, high := floatOr(n, "min", math.Inf(-1)), floatOr(n, "max", math.Inf(1))
		for i, bound := range []*float64{&low, &high} {
			if slotAt(st.in, i+1) == absent {
				continue
			}
			v := t.fixedTensor(st.in[i+1])
			if v == nil || v.Len() != 1 || v.DType() != onnx.Float {
				return false
			}
			values, err := v.Float64s()
			if err != nil {
				return false
			}
			*bound = values[0]
		}
		if !(low <= high) {
			return false
		}
		t.clipTo(1, 0, low, high)
	default:
		return false
	}
	return true
}

func (t *convTail) clipTo(scale, offset, low, high float64) {
	t.clipped, t.low, t.high = true, low, high
	t.inner = linear{}
	if scale != 1 || offset != 0 {
		t.inner = linear{[]float64{scale}, []float64{offset}}
	}
}

// floatOr is a float attribute, or its default where it is not stated.
func floatOr(n *onnx.Node, name string, otherwise float64) float64 {
	if a := n.Attr(name); a != nil {
		return float64(a.F)
	}
	return otherwise
}

// factors are what the weights of each map are multiplied by; nil: by 1.
func (t *convTail) factors() []float32 {
	if !slices.ContainsFunc(t.before.scale, func(v float64) bool { return v != 1 }) {
		return nil
	}
	factors := make([]float32, t.maps)
	for i := range factors {
		scale, _ := t.before.at(i)
		factors[i] = float32(scale)
	}
	return factors
}

func (t *convTail) bias() []float32 {
	bias := make([]float32, t.maps)
	for i := range bias {
		_, offset := t.before.at(i)
		bias[i] = float32(offset)
	}
	return bias
}

// end is what the kernels compute after the products; nil: nothing.
func (t *convTail) end() *ops.ConvEnd {
	if !t.clipped {
		return nil
	}
	e := &ops.ConvEnd{Gate: t.gate, Ramps: make([]convolution.Ramp, max(t.inner.size(), t.after.size()))}
	same := true
	for i := range e.Ramps {
		alpha, beta := t.inner.at(i)
		scale, offset := t.after.at(i)
		e.Ramps[i] = convolution.Ramp{
			Alpha: float32(alpha), Beta: float32(beta), Low: float32(t.low), High: float32(t.high), Scale: float32(scale), Offset: float32(offset),
		}
		same = same && e.Ramps[i] == e.Ramps[0]
	}
	if same {
		e.Ramps = e.Ramps[:1]
	}
	return e
}
