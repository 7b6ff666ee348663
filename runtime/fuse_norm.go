package runtime

import (
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// layerNormChain finds a layer normalization as older exporters write it, with m
// for the ReduceMean of the last axis:
//
//	d = x - m(x);  y = d / √(m(d²) + ε) · scale + bias
func (f *chainFinder) layerNormChain(last *step) *chain {
	if !isOperator(last.node, "Add") {
		return nil
	}
	for i := range 2 {
		bias, product := f.rowConstant(last.in[i]), f.maker(last.in[1-i], "Mul")
		if bias == nil || product == nil {
			continue
		}
		n := f.normalized(product)
		if n == nil {
			continue
		}
		difference := f.maker(n.of, "Sub")
		if difference == nil {
			return nil
		}
		x := difference.in[0]
		mean := f.rowMean(difference.in[1])
		if mean == nil || mean.of != x {
			return nil
		}
		n.steps = append(n.steps, last, product, difference, mean.step)
		if n.squared != n.of {
			// Some exporters compute the difference twice.
			again := f.maker(n.squared, "Sub")
			if again == nil || again.in[0] != x {
				return nil
			}
			second := f.rowMean(again.in[1])
			if second == nil || second.of != x || second.axis != n.axis {
				return nil
			}
			n.steps = append(n.steps, again, second.step)
		}
		if mean.axis != n.axis || len(bias) != len(n.scale) {
			return nil
		}
		return &chain{steps: n.steps, in: []int{x}, run: func(c *ops.Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
			if !n.fits(in[0]) {
				return nil, nil
			}
			return ops.LayerNormRows(c, in[0], n.scale, bias, float32(n.epsilon))
		}}
	}
	return nil
}

// rmsNormChain finds x / √(m(x²) + ε) · scale.
func (f *chainFinder) rmsNormChain(last *step) *chain {
	if !isOperator(last.node, "Mul") {
		return nil
	}
	n := f.normalized(last)
	if n == nil || n.squared != n.of {
		return nil
	}
	if of := f.maker(n.of, "Sub"); of != nil && f.rowMean(of.in[1]) != nil {
		return nil // a part of a layer normalization
	}
	n.steps = append(n.steps, last)
	return &chain{steps: n.steps, in: []int{n.of}, run: func(c *ops.Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if !n.fits(in[0]) {
			return nil, nil
		}
		return ops.RMSNormRows(c, in[0], n.scale, float32(n.epsilon))
	}}
}

// normalizedRow is of / √(m(squared²) + ε), times scale.
type normalizedRow struct {
	of, squared int // slots
	axis        int
	epsilon     float64
	scale       []float32
	steps       []*step // without that of the product with scale
}

// fits says whether a tensor's last axis is the one that is normalized.
func (n *normalizedRow) fits(x *tensor.Tensor) bool {
	shape := x.Shape()
	last := len(shape) - 1
	return last >= 0 && (n.axis == -1 || n.axis == last) && shape[last] == len(n.scale)
}

// normalized reads a product with scale; nil if it is that of something else.
func (f *chainFinder) normalized(product *step) *normalizedRow {
	for i := range 2 {
		n := &normalizedRow{scale: f.rowConstant(product.in[i])}
		quotient := f.maker(product.in[1-i], "Div", "Mul")
		if n.scale == nil || quotient == nil {
			continue
		}
		n.steps = append(n.steps, quotient)
		root := f.maker(quotient.in[1], "Sqrt")
		n.of = quotient.in[0]
		if quotient.node.OpType == "Mul" {
			for j := range 2 {
				if inverse := f.maker(quotient.in[j], "Reciprocal"); inverse != nil {
					root, n.of = f.maker(inverse.in[0], "Sqrt"), quotient.in[1-j]
					n.steps = append(n.steps, inverse)
					break
				}
				root = nil
			}
		}
		if root == nil {
			continue
		}
		sum := f.maker(root.in[0], "Add")
		if sum == nil {
			continue
		}
		for j := range 2 {
			epsilon, ok := f.scalar(sum.in[j])
			mean := f.rowMean(sum.in[1-j])
			if !ok || mean == nil {
				continue
			}
			square := f.maker(mean.of, "Pow", "Mul")
			if square == nil {
				return nil
			}
			exponent, isNumber := f.scalar(square.in[1])
			if square.node.OpType == "Pow" && (!isNumber || exponent != 2) || square.node.OpType == "Mul" && square.in[0] != square.in[1] {
				return nil
			}
			n.squared, n.axis, n.epsilon = square.in[0], mean.axis, epsilon
			n.steps = append(n.steps, root, sum, mean.step, square)
			return n
		}
	}
	return nil
}

// rowConstant is a vector that is the same in every run, nil for anything else.
func (f *chainFinder) rowConstant(slot int) []float32 {
	t := f.fixedTensor(slot)
	if t == nil || t.Rank() != 1 || t.Len() < 2 {
		return nil
	}
	data, _ := tensor.Data[float32](t)
	return data
}

// rowMean is a ReduceMean along one axis, which stays with size 1.
type rowMean struct {
	of, axis int
	step     *step
}

func (f *chainFinder) rowMean(slot int) *rowMean {
	st := f.maker(slot, "ReduceMean")
	if st == nil {
		return nil
	}
	if keep := st.node.Attr("keepdims"); keep != nil && keep.I == 0 {
		return nil
	}
	axes := f.axesOf(st)
	if len(axes) != 1 {
		return nil
	}
	return &rowMean{st.in[0], int(axes[0]), st}
}

// axesOf are the axes that a step's node states, in its attribute or, as later
// versions have it, in a constant; nil if it states none.
func (f *fuser) axesOf(st *step) []int64 {
	if a := st.node.Attr("axes"); a != nil {
		return a.Ints
	}
	t := f.fixedTensor(slotAt(st.in, 1))
	if t == nil {
		return nil
	}
	axes, _ := tensor.Data[int64](t)
	return axes
}
