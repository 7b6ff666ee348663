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

// linear is a function scale·x + offset for each map.
type linear struct{ scale, offset []float64 }

func identity(maps int) linear {
	l := linear{make([]float64, maps), make([]float64, maps)}
	for i := range l.scale {
		l.scale[i] = 1
	}
	return l
}

// then is the function that computes l and after it other; ok says that its
// numbers are ones that can be folded into float32.
func (l linear) then(other linear) (both linear, ok bool) {
	both, ok = identity(len(l.scale)), true
	for i := range l.scale {
		both.scale[i] = l.scale[i] * other.scale[i]
		both.offset[i] = l.offset[i]*other.scale[i] + other.offset[i]
		ok = ok && foldableFactor(both.scale[i]) && math.Abs(both.offset[i]) < largestFolded
	}
	return both, ok
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
	t.before, t.inner, t.after = identity(t.maps), identity(t.maps), identity(t.maps)
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
	inner, after := identity(t.maps), identity(t.maps)
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
	for i := range t.inner.scale {
		t.inner.scale[i], t.inner.offset[i] = scale, offset
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
	factors, needed := make([]float32, t.maps), false
	for i, v := range t.before.scale {
		factors[i] = float32(v)
		needed = needed || v != 1
	}
	if !needed {
		return nil
	}
	return factors
}

func (t *convTail) bias() []float32 {
	bias := make([]float32, t.maps)
	for i, v := range t.before.offset {
		bias[i] = float32(v)
	}
	return bias
}

// end is what the kernels compute after the products; nil: nothing.
func (t *convTail) end() *ops.ConvEnd {
	if !t.clipped {
		return nil
	}
	e := &ops.ConvEnd{Gate: t.gate, Ramps: make([]convolution.Ramp, t.maps)}
	same := true
	for i := range e.Ramps {
		e.Ramps[i] = convolution.Ramp{
			Alpha: float32(t.inner.scale[i]), Beta: float32(t.inner.offset[i]), Low: float32(t.low), High: float32(t.high),
			Scale: float32(t.after.scale[i]), Offset: float32(t.after.offset[i]),
		}
		same = same && e.Ramps[i] == e.Ramps[0]
	}
	if same {
		e.Ramps = e.Ramps[:1]
	}
	return e
}
