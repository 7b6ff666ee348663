package ops

import (
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// runLoops are the loops of a binary operation over runs of float32: of two
// operands that both go on, and of one that does while the other is one number
// all along. y is as long as the run.
type runLoops struct {
	pair func(y, a, b []float32)
	// left has the number as its right operand, right as its left one.
	left, right func(y, x []float32, number float32)
}

// floatLoops are the operations that have such loops.
var floatLoops = map[string]runLoops{
	"Add": {vector.Add, vector.AddNumber, vector.AddNumber},
	"Sum": {vector.Add, vector.AddNumber, vector.AddNumber},
	"Sub": {vector.Sub, vector.SubNumber, vector.SubFrom},
	"Mul": {vector.Mul, vector.MulNumber, vector.MulNumber},
	"Div": {vector.Div, vector.DivNumber, vector.DivFrom},
	"Max": {vector.Max, vector.MaxNumber, vector.MaxNumber},
	"Min": {vector.Min, vector.MinNumber, vector.MinNumber},
}

// floatUnaryLoop is a unary operation's loop over float32, if it has one.
func floatUnaryLoop(operation string) func(y, x []float32) {
	switch operation {
	case "Neg":
		return vector.Neg
	case "Abs":
		return vector.Abs
	case "Relu":
		return vector.Relu
	}
	return nil
}

// pairAxis is an axis of the result of two operands that are broadcast to one
// shape, and how far apart neighbours along it lie in each operand: 0 where it
// repeats.
type pairAxis struct{ size, a, b int }

// pairAxes are the result's axes, outermost first, with those joined that both
// operands go through in one stride; there is at least one.
func pairAxes(a, b, shape []int) []pairAxis {
	ofA, ofB := broadcastStrides(a, shape), broadcastStrides(b, shape)
	var axes []pairAxis
	for i, size := range shape {
		if size == 1 {
			continue
		}
		axis := pairAxis{size, ofA[i], ofB[i]}
		if n := len(axes); n > 0 && axes[n-1].a == axis.a*size && axes[n-1].b == axis.b*size {
			axes[n-1] = pairAxis{axes[n-1].size * size, axis.a, axis.b}
			continue
		}
		axes = append(axes, axis)
	}
	if axes == nil {
		axes = []pairAxis{{size: tensor.Count(shape), a: 1, b: 1}}
	}
	return axes
}

// foldFloats computes a binary operation of two tensors of float32, broadcast to
// one shape, in the longest runs in which neither operand jumps.
func foldFloats(c *Call, loops runLoops, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	shape, err := broadcastShapes(a.Shape(), b.Shape())
	if err != nil {
		return nil, err
	}
	p, _ := tensor.Data[float32](a)
	q, _ := tensor.Data[float32](b)
	axes := pairAxes(a.Shape(), b.Shape(), shape)
	inner, outer := axes[len(axes)-1], axes[:len(axes)-1]
	y := buffer[float32](c, tensor.Count(shape))
	err = c.parallel(len(y), blockGrain, func(lo, hi int) {
		for lo < hi {
			atA, atB := 0, 0
			rest := lo / inner.size
			for i := len(outer) - 1; i >= 0; i-- {
				index := rest % outer[i].size
				rest /= outer[i].size
				atA += index * outer[i].a
				atB += index * outer[i].b
			}
			start := lo % inner.size
			run := y[lo:min(hi, lo+inner.size-start)]
			atA, atB = atA+start*inner.a, atB+start*inner.b
			switch {
			case inner.b == 0:
				loops.left(run, p[atA:atA+len(run)], q[atB])
			case inner.a == 0:
				loops.right(run, q[atB:atB+len(run)], p[atA])
			default:
				loops.pair(run, p[atA:atA+len(run)], q[atB:atB+len(run)])
			}
			lo += len(run)
		}
	})
	return tensor.New(shape, y), err
}
