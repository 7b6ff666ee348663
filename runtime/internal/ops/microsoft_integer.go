package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// microsoftIntegerFamily holds products of 8-bit integers that end in floats.
var microsoftIntegerFamily = []Kernel{
	{Domain: microsoft, Op: "MatMulIntegerToFloat", Since: 1, Build: needs(4, Single(buildMatMulIntegerToFloat))},
	{Domain: microsoft, Op: "DynamicQuantizeMatMul", Since: 1, Build: needs(3, Single(buildDynamicQuantizeMatMul))},
	{Domain: microsoft, Op: "QGemm", Since: 1, Build: needs(6, Single(buildQGemm))},
}

// integerProduct is (a − aZero)·(b − bZero)·aScale·bScale + bias, where b's scale
// and zero point may be one for each column, and bias may be nil.
type integerProduct struct {
	a, b, aScale, bScale, aZero, bZero, bias *tensor.Tensor
}

func (p integerProduct) run(c *Call) (*tensor.Tensor, error) {
	plan, err := planMatMul(p.a.Shape(), p.b.Shape())
	if err != nil {
		return nil, err
	}
	sums, err := multiplyIntegers(c, plan, p.a, p.b, p.aZero, p.bZero)
	if err != nil {
		return nil, err
	}
	in, err := allReals[float32](p.aScale, p.bScale, p.bias)
	if err != nil {
		return nil, err
	}
	aScale, bScale, bias := in[0], in[1], in[2]
	if len(aScale) != 1 || len(bScale) != 1 && len(bScale) != plan.n || bias != nil && len(bias) != plan.n {
		return nil, fmt.Errorf("scales of shape %v and %v for %d columns: want one for a, and one or %d for b and for the bias",
			p.aScale.Shape(), p.bScale.Shape(), plan.n, plan.n)
	}
	y := make([]float32, len(sums))
	for i, v := range sums {
		column := i % plan.n
		scale := aScale[0]
		if len(bScale) == 1 {
			scale *= bScale[0]
		} else {
			scale *= bScale[column]
		}
		y[i] = float32(v) * scale
		if bias != nil {
			y[i] += bias[column]
		}
	}
	return ofReals(p.aScale.DType(), plan.shape, y)
}

func buildMatMulIntegerToFloat(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return integerProduct{
			a: in[0], b: in[1], aScale: in[2], bScale: in[3],
			aZero: operand(in, 4), bZero: operand(in, 5), bias: operand(in, 6),
		}.run(c)
	}, nil
}

func buildDynamicQuantizeMatMul(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		x, ok := tensor.Data[float32](in[0])
		if !ok {
			return nil, fmt.Errorf("operand of type %v: want float", in[0].DType())
		}
		q := buffer[uint8](c, len(x))
		scale, zero := quantops.DynamicQuantize(q, x, c.Workers)
		return integerProduct{
			a: tensor.New(in[0].Shape(), q), b: in[1], aScale: tensor.Scalar(scale), bScale: in[2],
			aZero: tensor.Scalar(zero), bZero: operand(in, 3), bias: operand(in, 4),
		}.run(c)
	}, nil
}

// buildQGemm builds alpha·a·b + c with a, b and c in integers: c's are in units
// of the product's. Without an output scale the result is float, else it is
// quantized again.
func buildQGemm(n *Node) (single, error) {
	order := [2]matrixOrder{{last: n.Int("transA", 0) != 0}, {last: n.Int("transB", 0) != 0}}
	alpha := n.Float("alpha", 1)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		var matrices [2]*tensor.Tensor
		for i, t := range []*tensor.Tensor{in[0], in[3]} {
			if t.Rank() != 2 {
				return nil, fmt.Errorf("operand of shape %v: want a matrix", t.Shape())
			}
			var err error
			if matrices[i], err = order[i].apply(t); err != nil {
				return nil, err
			}
		}
		p, err := planMatMul(matrices[0].Shape(), matrices[1].Shape())
		if err != nil {
			return nil, err
		}
		sums, err := multiplyIntegers(c, p, matrices[0], matrices[1], in[2], in[5])
		if err != nil {
			return nil, err
		}
		if err := addIntegers(sums, p.shape, operand(in, 6)); err != nil {
			return nil, err
		}
		s, err := productScales(p, alpha, in[1], in[4], operand(in, 7))
		if err != nil {
			return nil, err
		}
		product := rescaled{s, converted[int32, float32](sums)}
		if operand(in, 7) == nil {
			y := make([]float32, len(sums))
			err := product.quotients(c, func(lo int, quotients, _ []float32) { copy(y[lo:], quotients) })
			return tensor.New(p.shape, y), err
		}
		output := onnx.Uint8
		if zero := operand(in, 8); zero != nil {
			output = zero.DType()
			if s.zeros, err = numbersAs[float32](zero); err == nil && len(s.zeros) != 1 {
				err = fmt.Errorf("zero points of shape %v for the output: want one", zero.Shape())
			}
			if err != nil {
				return nil, err
			}
		}
		return encodeQuotients(c, output, true, p.shape, product)
	}, nil
}

// addIntegers adds an int32 tensor, which broadcasts to shape and may be nil.
func addIntegers(sums []int32, shape []int, t *tensor.Tensor) error {
	if t == nil {
		return nil
	}
	full, err := expand(nil, t, shape)
	if err != nil {
		return err
	}
	terms, ok := tensor.Data[int32](full)
	if !ok || len(terms) != len(sums) {
		return fmt.Errorf("addend of type %v and shape %v: want int32 that broadcasts to %v", t.DType(), t.Shape(), shape)
	}
	for i, v := range terms {
		sums[i] += v
	}
	return nil
}

// productScales is what the sums of a product are multiplied with:
// alpha·aScale·bScale, for one b scale or one for each column, over yScale,
// which may be nil.
func productScales(p *batchedProduct, alpha float32, aScale, bScale, yScale *tensor.Tensor) (*scaling, error) {
	in, err := allReals[float32](aScale, bScale, yScale)
	if err != nil {
		return nil, err
	}
	if len(in[0]) != 1 || len(in[1]) != 1 && len(in[1]) != p.n || in[2] != nil && len(in[2]) != 1 {
		return nil, fmt.Errorf("scales of shape %v and %v for %d columns: want one for a and for the output, and one or %d for b",
			aScale.Shape(), bScale.Shape(), p.n, p.n)
	}
	s := &scaling{grid: quantops.Grid{Outer: p.m, Length: p.n, Inner: 1}, scales: make([]float32, len(in[1]))}
	if len(in[1]) == 1 {
		s.grid = quantops.Grid{Outer: 1, Length: 1, Inner: p.m * p.n}
	}
	for i, scale := range in[1] {
		s.scales[i] = alpha * in[0][0] * scale
		if in[2] != nil {
			s.scales[i] /= in[2][0]
		}
	}
	return s, nil
}
