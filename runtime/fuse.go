package runtime

import (
	"slices"
	"sync/atomic"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// fuser rewrites the steps of one graph: a product with a constant weight that
// other steps make float of integers first,
//
//	DequantizeLinear → (Cast, Transpose) → MatMul, Gemm → (Add of a bias)
//	Cast → (Sub) → Mul → (Cast, Transpose) → MatMul, Gemm → (Add of a bias)
//
// becomes one step on the integers. Steps whose results nobody reads any more
// are left out. What does not have exactly one of these forms stays as it is.
type fuser struct {
	scope   *scope
	makers  map[int]*step // by slot: the step that gives it
	readers map[int]int   // by slot: how many steps and outputs read it
	// stored holds the weights that have been read, by the slot of their floats
	// and how they are laid out: layers may share one.
	stored map[weightUse]*ops.Int8Product
	// packedConvs are by their steps the convolutions that lanes may take.
	packedConvs map[*step]*ops.ConstantConv
}

// weightUse is a weight as one kind of product reads it.
type weightUse struct {
	slot   int
	turned bool
}

// fuse rewrites the scope's steps.
func (s *scope) fuse() {
	slots := len(s.plan.initial)
	f := &fuser{scope: s, makers: make(map[int]*step, slots), readers: make(map[int]int, slots), stored: map[weightUse]*ops.Int8Product{}, packedConvs: map[*step]*ops.ConstantConv{}}
	for _, st := range s.plan.steps {
		for _, slot := range st.out {
			if slot != absent {
				f.makers[slot] = st
			}
		}
		for _, slot := range st.in {
			f.readers[slot]++
		}
		for _, slot := range st.captured {
			f.readers[slot]++
		}
	}
	for _, slot := range s.plan.outputs {
		f.readers[slot]++
	}
	fused := false
	for _, st := range s.plan.steps {
		fused = f.product(st) || fused
	}
	fused = f.layProducts() || fused
	if fused {
		f.takeCasts()
		f.endProducts()
	}
	fused = f.integerProducts() || fused
	fused = f.convolutions() || fused
	if f.recurrences() || fused {
		f.sweep()
		f.pack()
	}
	if f.lanes() {
		f.sweep()
	}
	f.chains()
}

// users are by slot the steps that read it.
func (f *fuser) users() map[int][]*step {
	users := make(map[int][]*step, len(f.scope.plan.initial))
	for _, st := range f.scope.plan.steps {
		for _, slots := range [][]int{st.in, st.captured} {
			for _, slot := range slots {
				users[slot] = append(users[slot], st)
			}
		}
	}
	return users
}

// pack lays the weights of the products out, several at a time. Products in 16
// bit may take fixed point, which is finer than that; those in float32 do if the
// options say so.
func (f *fuser) pack() {
	type matrix struct {
		*ops.Int8Matrix
		wide bool // multiplied in float32
	}
	var matrices []matrix
	for _, w := range f.stored {
		if w == nil {
			continue
		}
		for _, m := range w.Weights {
			matrices = append(matrices, matrix{m, w.Type == onnx.Float})
		}
	}
	compiler := f.scope.compiler
	var fast atomic.Bool
	compiler.workers.Each(len(matrices), func(i int) {
		m := matrices[i]
		if fixed := m.Pack(!m.wide || compiler.fast); fixed && m.wide {
			fast.Store(true)
		}
	})
	compiler.session.fast = compiler.session.fast || fast.Load()
}

// product puts a product on integers in the place of one on floats.
func (f *fuser) product(st *step) bool {
	n := st.node
	isGemm := n.OpType == "Gemm"
	if n.Domain != "" && n.Domain != "ai.onnx" || n.OpType != "MatMul" && !isGemm || len(st.in) < 2 {
		return false
	}
	trans := func(name string) bool {
		a := n.Attr(name)
		return isGemm && a != nil && a.I != 0
	}
	transposed := [2]bool{trans("transA"), trans("transB")}
	for _, operand := range []int{1, 0} {
		// The weight is wanted as the right operand: as it is on the right, and
		// transposed on the left.
		use := weightUse{st.in[operand], transposed[operand] != (operand == 0)}
		w, known := f.stored[use]
		if !known {
			w = f.weight(use)
			f.stored[use] = w
		}
		if w == nil {
			continue
		}
		product := *w
		product.Left = operand == 0
		product.Turned = transposed[1-operand] != product.Left
		if isGemm {
			product.End = &ops.Int8ProductEnd{Alpha: floatAttribute(n, "alpha"), Beta: floatAttribute(n, "beta")}
		}
		st.product = &product
		f.readers[use.slot]--
		st.in = []int{st.in[1-operand], f.wideAddend(slotAt(st.in, 2))}
		st.run = runProduct(st.product)
		return true
	}
	return false
}

// wideAddend is a slot with Gemm's third operand in float32, in which it is added,
// if it is a constant in 16 bit: then not every run has to widen it.
func (f *fuser) wideAddend(slot int) int {
	t := f.fixedTensor(slot)
	if t == nil || !sixteenBit(t.DType()) {
		return slot
	}
	values, err := t.Float64s()
	if err != nil {
		return slot
	}
	wide := make([]float32, len(values))
	for i, v := range values {
		wide[i] = float32(v)
	}
	f.readers[slot]--
	slot = f.scope.constant("", tensor.New(t.Shape(), wide))
	f.readers[slot]++
	return slot
}

func slotAt(slots []int, i int) int {
	if i < len(slots) {
		return slots[i]
	}
	return absent
}

// floatAttribute is one of Gemm's factors, which are 1 where they are not stated.
func floatAttribute(n *onnx.Node, name string) float32 {
	if a := n.Attr(name); a != nil {
		return a.F
	}
	return 1
}

// runProduct is a kernel of two operands: the activation and Gemm's addend.
func runProduct(w *ops.Int8Product) ops.Run {
	return func(c *ops.Call, in []tensor.Value) ([]tensor.Value, error) {
		x, ok := in[0].(*tensor.Tensor)
		if !ok {
			return nil, errNoTensor(in[0])
		}
		addend, ok := in[1].(*tensor.Tensor)
		if in[1] != nil && !ok {
			return nil, errNoTensor(in[1])
		}
		y, err := w.Run(c, x, addend)
		if err != nil {
			return nil, err
		}
		return []tensor.Value{y}, nil
	}
}

// sweep leaves out the steps that only made what a product does not read any more.
func (f *fuser) sweep() {
	steps := f.scope.plan.steps
	for i, st := range slices.Backward(steps) {
		if !onlyConverts(st) || slices.ContainsFunc(st.out, func(slot int) bool { return slot != absent && f.readers[slot] > 0 }) {
			continue
		}
		for _, slot := range slices.Concat(st.in, st.captured) {
			f.readers[slot]--
		}
		steps[i] = nil
	}
	f.scope.plan.steps = slices.DeleteFunc(steps, func(st *step) bool { return st == nil })
}

// onlyConverts says whether a step is of the kind that stands before a product,
// or is one that was taken in by a later step.
func onlyConverts(st *step) bool {
	switch st.node.OpType {
	case "DequantizeLinear", "Cast", "Sub", "Mul", "Transpose", "Identity", "Split", "Squeeze", "Gather":
		return true
	}
	return st.product != nil || st.packed
}
