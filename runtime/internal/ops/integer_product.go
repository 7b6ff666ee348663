package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// IntegerProduct is a MatMulInteger with a constant right operand, whose sums are
// made float32, multiplied by scales and added to a bias.
type IntegerProduct struct {
	right *packedIntegers
	// Bias, if not nil, is added to each row: N float32.
	Bias []float32
}

// NewIntegerProduct packs a matrix of 8-bit integers with its zero points, which
// may be nil; it gives nil for operands of other types or shapes.
func NewIntegerProduct(b, zeros *tensor.Tensor) *IntegerProduct {
	if right := packIntegers(b, zeros); right != nil {
		return &IntegerProduct{right: right}
	}
	return nil
}

// N is the number of columns.
func (w *IntegerProduct) N() int { return w.right.packed.N() }

// Run computes the product of a, whose zero point may be nil, and the constant.
// scales broadcast to the product without making it larger.
func (w *IntegerProduct) Run(c *Call, a, zero, scales *tensor.Tensor) (*tensor.Tensor, error) {
	p, err := planMatMul(a.Shape(), w.right.shape)
	if err != nil {
		return nil, err
	}
	factors, ok := tensor.Data[float32](scales)
	if !ok {
		return nil, fmt.Errorf("scales of type %v: want float", scales.DType())
	}
	y := buffer[float32](c, p.m*p.n)
	to, end := quantops.Rows{Data: y, Stride: p.n}, quantops.Epilogue{Stop: c.stopped}
	inColumns := len(factors) == 1 || len(factors) == p.n && scales.Shape()[scales.Rank()-1] == p.n
	if inColumns && scales.Rank() <= len(p.shape) {
		end.Bias = w.Bias
		if err := w.right.scaled(c, to, a, zero, p, factors, end); err != nil {
			return nil, err
		}
		return tensor.New(p.shape, y), nil
	}
	// Scales that lie otherwise multiply the floats as Mul does.
	if err := w.right.scaled(c, to, a, zero, p, []float32{1}, end); err != nil {
		return nil, err
	}
	floats := numbersOf[float32, float32]{}
	product, err := floats.fold(c, "Mul", []*tensor.Tensor{tensor.New(p.shape, y), scales})
	if err != nil || w.Bias == nil {
		return product, err
	}
	return floats.fold(c, "Add", []*tensor.Tensor{product, tensor.New([]int{len(w.Bias)}, w.Bias)})
}

// packedIntegers is a constant right operand of products of integers.
type packedIntegers struct {
	packed *quantops.PackedInteger
	shape  []int
}

// packIntegers packs a matrix of int8 or uint8, with its zero points: one, one
// for each column, or nil. It gives nil for anything else.
func packIntegers(b, zeros *tensor.Tensor) *packedIntegers {
	if b == nil || b.Rank() != 2 || zeros != nil && (zeros.DType() != b.DType() || zeros.Len() != 1 && (zeros.Rank() != 1 || zeros.Len() != b.Shape()[1])) {
		return nil
	}
	k, n := b.Shape()[0], b.Shape()[1]
	w := &packedIntegers{shape: b.Shape()}
	switch q := b.Any().(type) {
	case []int8:
		w.packed = quantops.PackInteger(q, k, n, zerosOf[int8](zeros))
	case []uint8:
		w.packed = quantops.PackInteger(q, k, n, zerosOf[uint8](zeros))
	default:
		return nil
	}
	return w
}

func zerosOf[T int8 | uint8](t *tensor.Tensor) []T {
	if t == nil {
		return nil
	}
	zeros, _ := tensor.Data[T](t)
	return zeros
}

// scaled writes the planned product of a and the constant, times scales, to y.
func (w *packedIntegers) scaled(c *Call, y quantops.Rows, a, zero *tensor.Tensor, p *batchedProduct, scales []float32, end quantops.Epilogue) error {
	switch a.DType() {
	case onnx.Int8:
		return scaleIntegers[int8](c, w, y, a, zero, p, scales, end)
	case onnx.Uint8:
		return scaleIntegers[uint8](c, w, y, a, zero, p, scales, end)
	}
	return fmt.Errorf("operand of type %v: want int8 or uint8", a.DType())
}

func scaleIntegers[A int8 | uint8](c *Call, w *packedIntegers, y quantops.Rows, a, zero *tensor.Tensor, p *batchedProduct, scales []float32, end quantops.Epilogue) error {
	data, _ := tensor.Data[A](a)
	zeros, err := rowZeros[A](a, zero, p)
	if err != nil {
		return err
	}
	quantops.MatMulScaled(y, data, p.m, zeros, w.packed, scales, end, c.Workers)
	return c.Context.Err()
}

// rowZeros are zero points of the rows of a product whose right operand is one
// matrix.
func rowZeros[A int8 | uint8](a, zero *tensor.Tensor, p *batchedProduct) ([]A, error) {
	if zero != nil && zero.DType() != a.DType() {
		return nil, fmt.Errorf("operand of type %v with zero points of type %v: want one type", a.DType(), zero.DType())
	}
	rows := 1
	if a.Rank() > 1 {
		rows = a.Shape()[a.Rank()-2]
	}
	zeros, err := zerosOfMatrices[A](zero, rows, p.m, a.Len()/max(1, p.k))
	if err != nil {
		return nil, fmt.Errorf("zero points of the rows: %w", err)
	}
	return zeros.of(0), nil
}

// product is the planned product of a and the constant in int32.
func (w *packedIntegers) product(c *Call, p *batchedProduct, a, zero *tensor.Tensor) (*tensor.Tensor, error) {
	y := buffer[int32](c, p.m*p.n)
	var err error
	switch a.DType() {
	case onnx.Int8:
		err = multiplyPacked[int8](c, w, y, a, zero, p)
	case onnx.Uint8:
		err = multiplyPacked[uint8](c, w, y, a, zero, p)
	default:
		err = fmt.Errorf("operand of type %v: want int8 or uint8", a.DType())
	}
	if err != nil {
		return nil, err
	}
	return tensor.New(slices.Clone(p.shape), y), nil
}

func multiplyPacked[A int8 | uint8](c *Call, w *packedIntegers, y []int32, a, zero *tensor.Tensor, p *batchedProduct) error {
	data, _ := tensor.Data[A](a)
	zeros, err := rowZeros[A](a, zero, p)
	if err != nil {
		return err
	}
	quantops.MatMulPacked(y, data, p.m, zeros, w.packed, c.Workers)
	return c.Context.Err()
}
