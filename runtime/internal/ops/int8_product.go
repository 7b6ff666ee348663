package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// Int8Product is a MatMul or Gemm whose weight is stored in 8 bits or less and
// is multiplied as it is: the floats that it stands for are never made whole.
// Products are summed in float32 and stored in the activation's type. In 16 bit
// that leaves out one rounding, of the weight, which is never stored so, and the
// activations may be multiplied as 16-bit block fixed point: see Int8Matrix.Pack.
type Int8Product struct {
	// Batch and Weights are the weight's matrices, K×N as the right operand of a
	// product; all have the same K and N. Without a batch there is one.
	Batch   []int
	Weights []*Int8Matrix
	// Vector says that the weight has rank 1: K×1, and the result no last axis.
	Vector bool
	// Left says that the weight is the left operand: the product is computed
	// transposed.
	Left bool
	// Turned says that the activation's last two axes are to be exchanged: it
	// is transposed in a Gemm, or (not both) the weight is on the left.
	Turned bool
	// End, if not nil, is Gemm's: alpha and beta, for a result of rank 2.
	End *Int8ProductEnd
	// Bias, if not nil, is added to each row of the product: N float32.
	Bias []float32
	// Type is the float type that the model multiplies in.
	Type onnx.DType
}

// Int8Matrix is a weight's matrix: as the model stores it, until it is packed
// for the products.
type Int8Matrix struct {
	K, N   int
	stored *quantops.Int8Weights
	packed packedMatrix
}

// packedMatrix is a matrix that was packed in one way or another.
type packedMatrix interface {
	MatMul(dst, a quantops.Rows, m int, end quantops.Epilogue, workers *quantops.Workers)
}

// NewInt8Matrix keeps the weights until they are packed.
func NewInt8Matrix(w *quantops.Int8Weights) *Int8Matrix {
	return &Int8Matrix{K: w.K, N: w.N, stored: w}
}

// Pack lays the matrix out for products and lets go of the stored weights. It is
// to be called before the product runs. With fixed, activations will be made
// 16-bit block fixed point, if that is fast on this processor and the weights are
// such that it can be done; Pack says whether.
func (m *Int8Matrix) Pack(fixed bool) bool {
	defer func() { m.stored = nil }()
	if fixed && quantops.FixedIsFast() {
		if packed := quantops.PackFixed(m.stored); packed != nil {
			m.packed = packed
			return true
		}
	}
	m.packed = quantops.PackInt8(m.stored)
	return false
}

// Int8ProductEnd holds Gemm's factors.
type Int8ProductEnd struct{ Alpha, Beta float32 }

// Run multiplies x, of type float, float16 or bfloat16, by the weight; addend is
// Gemm's third operand, or nil.
func (w *Int8Product) Run(c *Call, x, addend *tensor.Tensor) (*tensor.Tensor, error) {
	wide, err := w.widened(x)
	if err != nil {
		return nil, err
	}
	if w.Turned {
		if wide, err = exchanged(wide); err != nil {
			return nil, err
		}
	}
	p, err := planMatMul(wide.Shape(), w.shape())
	if err != nil {
		return nil, err
	}
	left, _ := tensor.Data[float32](wide)
	var values []float32
	if w.End != nil {
		if values, err = w.End.plan(p, addend, w.Left); err != nil {
			return nil, err
		}
	}
	y := buffer[float32](c, len(p.a)*p.m*p.n)
	end, after := quantops.Epilogue{Bias: w.Bias}, false
	if w.End != nil && !w.Left {
		end, after = p.epilogue(values)
	}
	if err := w.multiply(c, p, y, left, end); err != nil {
		return nil, err
	}
	if w.Left && wide.Rank() > 1 {
		turned, err := exchanged(tensor.New(p.shape, y))
		if err != nil {
			return nil, err
		}
		y, _ = tensor.Data[float32](turned)
		p.shape, p.m, p.n = turned.Shape(), p.n, p.m
		after = w.End != nil
	}
	if after {
		scaleAndAdd(p, y, values)
	}
	return ofReals(x.DType(), p.shape, y)
}

// widened is x in float32.
func (w *Int8Product) widened(x *tensor.Tensor) (*tensor.Tensor, error) {
	switch x.DType() {
	case onnx.Float, onnx.Float16, onnx.BFloat16:
	default:
		return nil, fmt.Errorf("operand of type %v: want float, float16 or bfloat16", x.DType())
	}
	if w.End != nil && x.Rank() != 2 {
		return nil, fmt.Errorf("operand of shape %v: want a matrix", x.Shape())
	}
	data, err := reals[float32](x)
	return tensor.New(x.Shape(), data), err
}

// shape is the weight's as the right operand.
func (w *Int8Product) shape() []int {
	if w.Vector {
		return []int{w.Weights[0].K}
	}
	return append(slices.Clone(w.Batch), w.Weights[0].K, w.Weights[0].N)
}

// exchanged is t with its last two axes exchanged; a vector has none to exchange.
func exchanged(t *tensor.Tensor) (*tensor.Tensor, error) {
	rank := t.Rank()
	if rank < 2 {
		return t, nil
	}
	order := make([]int, rank)
	for i := range order {
		order[i] = i
	}
	order[rank-2], order[rank-1] = rank-1, rank-2
	return transpose(nil, t, order)
}

// multiply computes the planned products.
func (w *Int8Product) multiply(c *Call, p *batchedProduct, y, x []float32, end quantops.Epilogue) error {
	end.Stop = c.stopped
	for i, matrix := range p.a {
		left, to := quantops.Rows{Data: x[matrix*p.m*p.k:], Stride: p.k}, quantops.Rows{Data: y[i*p.m*p.n:], Stride: p.n}
		w.Weights[p.b[i]].packed.MatMul(to, left, p.m, end, c.Workers)
	}
	return c.Context.Err()
}

// plan has the product end in Gemm's factors and addend, whose elements it gives.
// turned says that the product is computed transposed.
func (e *Int8ProductEnd) plan(p *batchedProduct, addend *tensor.Tensor, turned bool) ([]float32, error) {
	p.finish = &productEnd{alpha: e.Alpha, beta: e.Beta, addend: addend}
	if addend == nil {
		return nil, nil
	}
	result := p.shape
	if turned {
		result = []int{p.n, p.m}
	}
	shape, err := broadcastShapes(addend.Shape(), result)
	if err != nil || !slices.Equal(shape, result) {
		return nil, fmt.Errorf("c of shape %v cannot be added to a product of shape %v", addend.Shape(), result)
	}
	return reals[float32](addend)
}
