package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// LaidProduct is a MatMul together with the Transposes of its operands and of its
// result: the matrices are read and written where they lie, none of them is
// copied. Attention is made of such products, one for each head.
type LaidProduct struct {
	// A, B and Y are the orders of the axes, as Transpose has them, of the
	// operands and then of the result; nil: as they are. See LeftLies,
	// RightLies and ResultLies.
	A, B, Y []int
	// PartA and PartB, if not nil, say that an operand is only one part of its
	// tensor, along the first axis in that order.
	PartA, PartB *Part
	// Factor, if not nil, is one float other than 0 that the result is multiplied
	// by.
	Factor *tensor.Tensor
}

// Part is one element of an axis, which has so many; Of: 0 is any number, and a
// negative Index counts from the end.
type Part struct{ Index, Of int }

// LeftLies says whether a product reads, as its left operand, a matrix whose axes
// have been brought into an order: its rows must have their elements side by side.
func LeftLies(order []int) bool { return len(order) >= 2 && order[len(order)-1] == len(order)-1 }

// RightLies is LeftLies of the right operand, where it may be the columns.
func RightLies(order []int) bool {
	return LeftLies(order) || len(order) >= 2 && order[len(order)-2] == len(order)-1
}

// ResultLies is LeftLies of the result.
func ResultLies(order []int) bool { return LeftLies(order) }

// Run multiplies a and b.
func (p *LaidProduct) Run(c *Call, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return p.run(c, a, b, nil, nil)
}

// run is Run where not all of each row is wanted, or not 0: see
// quantops.Float32Products.
func (p *LaidProduct) run(c *Call, a, b *tensor.Tensor, widths, depths []int) (*tensor.Tensor, error) {
	left, err := ordered(a, p.A, p.PartA)
	if err != nil {
		return nil, err
	}
	right, err := ordered(b, p.B, p.PartB)
	if err != nil {
		return nil, err
	}
	plan, err := planMatMul(left.shape, right.shape)
	if err != nil {
		return nil, err
	}
	rank := len(plan.shape)
	if a.DType() != onnx.Float || b.DType() != onnx.Float || len(left.shape) < 2 || len(right.shape) < 2 ||
		p.Y != nil && len(p.Y) != rank || p.Factor != nil && p.Factor.Rank() > rank {
		return p.stepByStep(c, a, b)
	}
	// The result's axes, and how far apart neighbours along each lie.
	shape, strides := plan.shape, rowMajor(plan.shape).strides
	if p.Y != nil {
		shape = permuted(plan.shape, p.Y)
		for i, stride := range rowMajor(shape).strides {
			strides[p.Y[i]] = stride
		}
	}
	x, _ := tensor.Data[float32](a)
	w, _ := tensor.Data[float32](b)
	y := buffer[float32](c, tensor.Count(shape))
	batch := plan.shape[:rank-2]
	to, ofLeft, ofRight := offsets(batch, strides[:rank-2]), left.offsets(batch), right.offsets(batch)
	last := len(left.strides) - 1
	products := quantops.Float32Products{
		M: plan.shape[rank-2], K: left.shape[last], N: plan.shape[rank-1], Count: len(to),
		Dst:    quantops.Rows{Data: y, Stride: strides[rank-2]},
		A:      quantops.Rows{Data: x, Stride: left.strides[last-1]},
		B:      quantops.Rows{Data: w, Stride: right.strides[len(right.strides)-2]},
		At:     func(i int) (int, int, int) { return to[i], ofLeft[i], ofRight[i] },
		Widths: widths, Depths: depths,
	}
	products.Epilogue.Stop = c.stopped
	if p.Factor != nil {
		factor, _ := tensor.Data[float32](p.Factor)
		products.Epilogue.Scale = factor[0]
	}
	if !LeftLies(p.B) && p.B != nil {
		products.Transposed, products.B.Stride = true, right.strides[len(right.strides)-1]
	}
	products.Run(c.Workers)
	return tensor.New(shape, y), c.Context.Err()
}

// stepByStep is Run of operands that are no matrices of float32.
func (p *LaidProduct) stepByStep(c *Call, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	var err error
	if a, err = rearranged(c, a, p.A, p.PartA); err != nil {
		return nil, err
	}
	if b, err = rearranged(c, b, p.B, p.PartB); err != nil {
		return nil, err
	}
	y, err := matMul(c, a, b)
	if err != nil {
		return nil, err
	}
	if p.Factor != nil {
		n, err := numbersIn(y)
		if err != nil {
			return nil, err
		}
		if y, err = n.fold(c, "Mul", []*tensor.Tensor{y, p.Factor}); err != nil {
			return nil, err
		}
	}
	if p.Y == nil {
		return y, nil
	}
	return transpose(c, y, p.Y)
}

// rearranged is a tensor with its axes brought into an order, or one part of it.
func rearranged(c *Call, t *tensor.Tensor, order []int, part *Part) (*tensor.Tensor, error) {
	lies, err := ordered(t, order, part)
	if err != nil || order == nil && part == nil {
		return t, err
	}
	return pick(c, t, layout{lies.first, lies.strides}, lies.shape), nil
}

// orderedTensor is where the elements of a tensor lie when its axes have been
// brought into an order, from the first one on.
type orderedTensor struct {
	shape, strides []int
	first          int
}

func ordered(t *tensor.Tensor, order []int, part *Part) (orderedTensor, error) {
	o := orderedTensor{shape: t.Shape(), strides: rowMajor(t.Shape()).strides}
	if order != nil {
		if err := checkOrder(t, order); err != nil {
			return o, err
		}
		o.shape, o.strides = permuted(o.shape, order), permuted(o.strides, order)
	}
	if part == nil {
		return o, nil
	}
	if t.Rank() == 0 || part.Of > 0 && o.shape[0] != part.Of {
		return o, fmt.Errorf("an operand of shape %v has not %d parts along its first axis", o.shape, part.Of)
	}
	index := part.Index
	if index < 0 {
		index += o.shape[0]
	}
	if index < 0 || index >= o.shape[0] {
		return o, fmt.Errorf("an operand of shape %v has no part %d along its first axis", o.shape, part.Index)
	}
	return orderedTensor{o.shape[1:], o.strides[1:], index * o.strides[0]}, nil
}

// permuted is a list whose element i is element order[i] of another.
func permuted(list, order []int) []int {
	moved := make([]int, len(order))
	for i, axis := range order {
		moved[i] = list[axis]
	}
	return moved
}

// offsets says where the matrices begin that make each of a broadcast batch.
func (o orderedTensor) offsets(batch []int) []int {
	strides := make([]int, len(batch))
	own := len(o.shape) - 2
	for i := range own {
		if o.shape[i] != 1 {
			strides[len(batch)-own+i] = o.strides[i]
		}
	}
	list := offsets(batch, strides)
	for i := range list {
		list[i] += o.first
	}
	return list
}

func offsets(batch, strides []int) []int {
	list := make([]int, 0, tensor.Count(batch))
	if cap(list) > 0 {
		eachOffset(batch, strides, 0, func(offset int) { list = append(list, offset) })
	}
	return list
}
