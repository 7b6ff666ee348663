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
// that leaves out one rounding, of the weight, which is never stored so.
type Int8Product struct {
	// Batch and Weights are the weight's matrices, K×N as the right operand of a
	// product; all have the same K and N. Without a batch there is one.
	Batch   []int
	Weights []*quantops.Int8Weights
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
	y := buffer[float32](c, len(p.a)*p.m*p.n)
	if err := w.multiply(c, p, y, left); err != nil {
		return nil, err
	}
	if w.Left && wide.Rank() > 1 {
		turned, err := exchanged(tensor.New(p.shape, y))
		if err != nil {
			return nil, err
		}
		y, _ = tensor.Data[float32](turned)
		p.shape, p.m, p.n = turned.Shape(), p.n, p.m
	}
	if w.End != nil {
		if err := w.End.finish(p, y, addend); err != nil {
			return nil, err
		}
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

// multiply computes the planned products, some rows at a time, and looks at the
// context between them.
func (w *Int8Product) multiply(c *Call, p *batchedProduct, y, x []float32) error {
	rows := max(4, productSpan/max(1, p.k*p.n))
	for i, matrix := range p.a {
		weights := w.Weights[p.b[i]]
		left, to := x[matrix*p.m*p.k:][:p.m*p.k], y[i*p.m*p.n:][:p.m*p.n]
		for row := 0; row < p.m; row += rows {
			if err := c.Context.Err(); err != nil {
				return err
			}
			end := min(p.m, row+rows)
			piece := to[row*p.n : end*p.n]
			quantops.MatMulInt8(piece, left[row*p.k:end*p.k], end-row, weights, c.Workers)
			w.addBias(piece)
		}
	}
	return nil
}

func (w *Int8Product) addBias(y []float32) {
	n := len(w.Bias)
	if n == 0 {
		return
	}
	for row := 0; row+n <= len(y); row += n {
		to := y[row : row+n]
		for i, b := range w.Bias {
			to[i] += b
		}
	}
}

func (e *Int8ProductEnd) finish(p *batchedProduct, y []float32, addend *tensor.Tensor) error {
	p.finish = &productEnd{alpha: e.Alpha, beta: e.Beta, addend: addend}
	var values []float32
	if addend != nil {
		shape, err := broadcastShapes(addend.Shape(), p.shape)
		if err != nil || !slices.Equal(shape, p.shape) {
			return fmt.Errorf("c of shape %v cannot be added to a product of shape %v", addend.Shape(), p.shape)
		}
		if values, err = reals[float32](addend); err != nil {
			return err
		}
	}
	scaleAndAdd(p, y, values)
	return nil
}
