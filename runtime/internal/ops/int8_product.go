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
	// Bias, if not nil, is added to each row of the product: N float32. A product
	// in 16 bit is rounded before.
	Bias []float32
	// BiasWide says that the bias is added in float32, to a product that is
	// Widened; else the sum is rounded in 16 bit too.
	BiasWide bool
	// Type is the float type that the model multiplies in.
	Type onnx.DType
	// Rounded says that the activation is cast to Type first, Widened that the
	// result is cast from it to float32; both only where Type has 16 bits.
	Rounded, Widened bool
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
	wide, t, err := w.widened(c, x)
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
	end, after := quantops.Epilogue{}, false
	if t == onnx.Float {
		end.Bias = w.Bias
	}
	if w.End != nil && !w.Left {
		end, after = p.epilogue(values)
	}
	if t != onnx.Float && !w.Left && !after {
		result := w.narrowResult(c, t, p.shape, y)
		return result.stored, w.multiply(c, p, y, left, end, result.finish)
	}
	if err := w.multiply(c, p, y, left, end, nil); err != nil {
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
	if t == onnx.Float {
		return tensor.New(p.shape, y), nil
	}
	result := w.narrowResult(c, t, p.shape, y)
	return result.stored, c.parallel(len(y), blockGrain, func(lo, hi int) { result.finish(lo, y[lo:hi]) })
}

// widened is x in float32, with the values that the model multiplies, and the
// type that it does so in.
func (w *Int8Product) widened(c *Call, x *tensor.Tensor) (*tensor.Tensor, onnx.DType, error) {
	var err error
	if w.Rounded && x.DType() != onnx.Float {
		if x, err = cast(c, x, w.Type, rounding{}); err != nil {
			return nil, 0, err
		}
	}
	t, rounded := x.DType(), onnx.Undefined
	if w.Rounded {
		t, rounded = w.Type, w.Type
	}
	switch t {
	case onnx.Float, onnx.Float16, onnx.BFloat16:
	default:
		return nil, 0, fmt.Errorf("operand of type %v: want float, float16 or bfloat16", t)
	}
	if w.End != nil && x.Rank() != 2 {
		return nil, 0, fmt.Errorf("operand of shape %v: want a matrix", x.Shape())
	}
	wide, err := widenInto(c, x, rounded)
	return wide, t, err
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

// multiply computes the planned products. finish, if not nil, sees every piece of
// them, from an element of y on.
func (w *Int8Product) multiply(c *Call, p *batchedProduct, y, x []float32, end quantops.Epilogue, finish func(at int, y []float32)) error {
	end.Stop = c.stopped
	for i, matrix := range p.a {
		if finish != nil {
			end.Each = func(_, row, column int, piece []float32) { finish((i*p.m+row)*p.n+column, piece) }
		}
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
