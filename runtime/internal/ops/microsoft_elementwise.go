package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// microsoftElementwiseFamily holds elementwise operators between tensors that
// are quantized with one scale each.
var microsoftElementwiseFamily = []Kernel{
	{Domain: microsoft, Op: "QLinearAdd", Since: 1, Build: needs(2, Single(buildQLinearAdd))},
	{Domain: microsoft, Op: "QLinearMul", Since: 1, Build: needs(2, Single(buildQLinearMul))},
	{Domain: microsoft, Op: "QLinearSigmoid", Since: 1, Build: needs(2, Single(buildQLinearSigmoid))},
}

func buildQLinearAdd(*Node) (single, error) {
	return quantizedBinary(func(y float32, a, b scaleAndZero) func(p, q float32) float32 {
		return func(p, q float32) float32 { return (a.value(p) + b.value(q)) / y }
	}), nil
}

func buildQLinearMul(*Node) (single, error) {
	return quantizedBinary(func(y float32, a, b scaleAndZero) func(p, q float32) float32 {
		scale := a.scale * b.scale / y
		return func(p, q float32) float32 { return (p - a.zero) * (q - b.zero) * scale }
	}), nil
}

// quantizedBinary runs an operator whose operands are a, its scale and zero
// point, b's, and the output's; zero points may be left out. quotient gives the
// function of two elements, over the output's scale.
func quantizedBinary(quotient func(y float32, a, b scaleAndZero) func(p, q float32) float32) single {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		var quantized [3]scaleAndZero // a, b and the output
		for i, at := range []int{1, 4, 6} {
			var err error
			if quantized[i], err = readScaleAndZero(operand(in, at), operand(in, at+1)); err != nil {
				return nil, err
			}
		}
		a, b := in[0], operand(in, 3)
		if b == nil || a.DType() != b.DType() {
			return nil, fmt.Errorf("a quantized operator of two operands needs both, of one type")
		}
		shape, err := broadcastShapes(a.Shape(), b.Shape())
		if err != nil {
			return nil, err
		}
		p, err := numbersAs[float32](a)
		if err != nil {
			return nil, err
		}
		q, err := numbersAs[float32](b)
		if err != nil {
			return nil, err
		}
		return encodeBytes(c, a.DType(), shape, elementwiseQuotients{
			count: tensor.Count(shape),
			zeros: []float32{quantized[2].zero},
			f:     quotient(quantized[2].scale, quantized[0], quantized[1]),
			left:  expandOperand(p, a.Shape(), shape),
			right: expandOperand(q, b.Shape(), shape),
		})
	}
}

func buildQLinearSigmoid(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		x, err := readScaleAndZero(in[1], operand(in, 2))
		if err != nil {
			return nil, err
		}
		y, err := readScaleAndZero(operand(in, 3), operand(in, 4))
		if err != nil {
			return nil, err
		}
		elements, err := readAs[float32](in[0])
		if err != nil {
			return nil, err
		}
		return encodeBytes(c, in[0].DType(), in[0].Shape(), elementwiseQuotients{
			count: in[0].Len(),
			zeros: []float32{y.zero},
			f:     func(p, _ float32) float32 { return float32(sigmoid(float64(x.value(p)))) / y.scale },
			left:  elements,
			right: elements,
		})
	}, nil
}

// scaleAndZero is how one tensor is quantized.
type scaleAndZero struct{ scale, zero float32 }

// value is what a quantized element stands for.
func (s scaleAndZero) value(q float32) float32 { return (q - s.zero) * s.scale }

// readScaleAndZero reads one scale and one zero point, which may be nil.
func readScaleAndZero(scale, zero *tensor.Tensor) (scaleAndZero, error) {
	var s scaleAndZero
	if scale == nil {
		return s, fmt.Errorf("a scale is missing")
	}
	for i, t := range []*tensor.Tensor{scale, zero} {
		if t == nil {
			continue
		}
		values, err := numbersAs[float32](t)
		if err == nil && len(values) != 1 {
			err = fmt.Errorf("scale or zero point of shape %v: want one number", t.Shape())
		}
		if err != nil {
			return s, err
		}
		if i == 0 {
			s.scale = values[0]
		} else {
			s.zero = values[0]
		}
	}
	return s, nil
}

// encodeBytes quantizes to the operands' type, which has to be an integer of 8 bits.
func encodeBytes(c *Call, t onnx.DType, shape []int, q elementwiseQuotients) (*tensor.Tensor, error) {
	if t != onnx.Int8 && t != onnx.Uint8 {
		return nil, fmt.Errorf("operands of type %v: want int8 or uint8", t)
	}
	return encodeQuotients(c, t, true, shape, q)
}

// elementwiseQuotients are a function of two elements that lie side by side.
type elementwiseQuotients struct {
	count       int
	zeros       []float32 // one
	f           func(p, q float32) float32
	left, right reader[float32]
}

func (e elementwiseQuotients) quotients(c *Call, f func(lo int, quotients, zeros []float32)) error {
	return eachBlock(c, e.count, []reader[float32]{scratch[float32]{}, e.left, e.right}, func(lo int, x [][]float32) {
		for i, p := range x[1] {
			x[0][i] = e.f(p, x[2][i])
		}
		f(lo, x[0], e.zeros)
	})
}
