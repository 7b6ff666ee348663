package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var layerNormFamily = []Kernel{
	{Op: "LayerNormalization", Since: 17, Build: needs(2, Tensors(buildLayerNormalization))},
	{Op: "RMSNormalization", Since: 23, Build: needs(2, Single(buildRMSNormalization))},
}

// layerNormalization normalizes rows: all elements from an axis on.
type layerNormalization struct {
	axis    int // may count from the end
	epsilon float32
	// centered is false for the RMS kind, which subtracts no mean and divides by
	// the root of the mean square.
	centered bool
	// stash is the type of the mean and deviation outputs, and of what is
	// computed from 16-bit inputs before scaling.
	stash onnx.DType
}

func readLayerNormalization(n *Node, centered bool) (layerNormalization, error) {
	l := layerNormalization{
		axis:     n.Int("axis", -1),
		epsilon:  n.Float("epsilon", 1e-5),
		centered: centered,
		stash:    onnx.DType(n.Int("stash_type", int(onnx.Float))),
	}
	if !l.stash.IsFloat() {
		return l, fmt.Errorf("stash_type is %v: want a float type", l.stash)
	}
	return l, nil
}

func buildLayerNormalization(n *Node) (several, error) {
	l, err := readLayerNormalization(n, true)
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		y, center, inverse, err := l.run(c, in[0], in[1], operand(in, 2))
		return []*tensor.Tensor{y, center, inverse}, err
	}, err
}

func buildRMSNormalization(n *Node) (single, error) {
	l, err := readLayerNormalization(n, false)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		y, _, _, err := l.run(c, in[0], in[1], nil)
		return y, err
	}, err
}

// run gives y, of scale's type, and the mean and inverse deviation of each row
// of x, of the stash type, in x's shape with every normalized axis 1. scale and
// bias broadcast to x; bias may be nil. The normalized rows, their product with
// scale and the sum with bias are each rounded to a 16-bit type.
func (l layerNormalization) run(c *Call, x, scale, bias *tensor.Tensor) (y, center, inverse *tensor.Tensor, err error) {
	if x.DType() == onnx.Double || l.stash == onnx.Double {
		return runLayerNormalization[float64](c, l, x, scale, bias)
	}
	return runLayerNormalization[float32](c, l, x, scale, bias)
}

func runLayerNormalization[T real](c *Call, l layerNormalization, x, scale, bias *tensor.Tensor) (_, _, _ *tensor.Tensor, err error) {
	shape := x.Shape()
	axis, err := resolveAxis(l.axis, len(shape))
	if err != nil {
		return nil, nil, nil, err
	}
	data, err := reals[T](x)
	if err != nil {
		return nil, nil, nil, err
	}
	factors, err := spreadOver[T](scale, shape, axis)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("scale: %w", err)
	}
	terms, err := spreadOver[T](bias, shape, axis)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("bias: %w", err)
	}
	rows, err := checkedCount(shape[:axis])
	if err != nil {
		return nil, nil, nil, err
	}
	width := tensor.Count(shape[axis:])
	y := buffer[T](c, len(data))
	centers, inverses := make([]T, rows), make([]T, rows)
	err = parallel(c, rows, 4*width, func(from, to int) {
		for row := from; row < to; row++ {
			in, out := data[row*width:][:width], y[row*width:][:width]
			if in, ok := any(in).([]float32); ok && x.DType() == onnx.Float && scale.DType() == onnx.Float && (l.centered || terms.data == nil) {
				center, inverse := l.floatRow(any(out).([]float32), in, any(factors.row(row)).([]float32), any(terms.row(row)).([]float32))
				centers[row], inverses[row] = T(center), T(inverse)
				continue
			}
			if l.centered {
				centers[row] = mean(in)
			}
			inverses[row] = inverseDeviation(variance(in, centers[row]), l.epsilon)
			standardize(out, in, centers[row], inverses[row], 0)
			roundTo(x.DType(), out)
			multiplyRow(out, factors.row(row))
			roundTo(scale.DType(), out)
			if terms.data != nil {
				addScaled(out, terms.row(row), 1)
			}
		}
	})
	if err != nil {
		return nil, nil, nil, err
	}
	reduced := slices.Clone(shape)
	fillWith(reduced[axis:], 1)
	result, err := ofReals(scale.DType(), shape, y)
	if err != nil {
		return nil, nil, nil, err
	}
	center, err := ofReals(l.stash, reduced, centers)
	if err != nil {
		return nil, nil, nil, err
	}
	inverse, err := ofReals(l.stash, reduced, inverses)
	return result, center, inverse, err
}

// floatRow normalizes a row of float32 in fewer steps; bias may be nil.
func (l layerNormalization) floatRow(y, x, scale, bias []float32) (center, inverse float32) {
	switch {
	case !l.centered:
		return 0, vector.RMSNorm(y, x, scale, l.epsilon)
	case bias != nil:
		return vector.LayerNorm(y, x, scale, bias, l.epsilon)
	}
	center = mean(x)
	inverse = inverseDeviation(variance(x, center), l.epsilon)
	vector.Standardize(y, x, center, inverse, 0)
	vector.Mul(y, y, scale)
	return center, inverse
}

func multiplyRow[T real](y, factors []T) {
	factors = factors[:len(y)]
	for i := range y {
		y[i] *= factors[i]
	}
}

// rowOperand is an operand that broadcasts to a tensor of rows: one row for
// all, or one for each.
type rowOperand[T real] struct {
	data  []T // nil: absent
	width int
	each  bool
}

func (o rowOperand[T]) row(i int) []T {
	if o.each && o.data != nil {
		return o.data[i*o.width:][:o.width]
	}
	return o.data
}

// spreadOver broadcasts an operand to rows that run from the given axis of the
// shape on.
func spreadOver[T real](t *tensor.Tensor, shape []int, axis int) (rowOperand[T], error) {
	o := rowOperand[T]{width: tensor.Count(shape[axis:])}
	if t == nil {
		return o, nil
	}
	// Axes of size 1 in front do not make the rows different.
	own := t.Shape()
	for len(own) > len(shape)-axis && own[0] == 1 {
		own = own[1:]
	}
	target := shape[axis:]
	if len(own) > len(target) {
		target, o.each = shape, true
	}
	full, err := expand(nil, t.WithShape(own), target)
	if err == nil && !slices.Equal(full.Shape(), target) {
		err = fmt.Errorf("shape %v does not broadcast to %v", t.Shape(), shape)
	}
	if err == nil {
		o.data, err = reals[T](full)
	}
	return o, err
}
