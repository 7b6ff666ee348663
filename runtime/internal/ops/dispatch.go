package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// integer and number are what operators on many types compute in.
type (
	integer interface {
		int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
	}
	number interface{ integer | real }
)

// isInteger says whether T is an integer type.
func isInteger[T number]() bool { return T(1)/2 == 0 }

// numbers is arithmetic with tensors of one element type. An operator that takes
// many types looks it up once in a run, with numbersIn, and its loops are then
// compiled for the type.
type numbers interface {
	// fold broadcasts the operands, of this type, and combines them from the
	// first on with a binary operation; see binaryLoop.
	fold(c *Call, operation string, in []*tensor.Tensor) (*tensor.Tensor, error)
	// each applies a unary operation to every element; see unaryLoop.
	each(c *Call, operation string, in *tensor.Tensor) (*tensor.Tensor, error)
	// apply computes a function of every element.
	apply(c *Call, f floatFunction, in *tensor.Tensor) (*tensor.Tensor, error)
	// applyToSum computes a function of the sum of two operands, broadcast to one
	// shape; the sum is not rounded to a 16-bit type.
	applyToSum(c *Call, f floatFunction, a, b *tensor.Tensor) (*tensor.Tensor, error)
	// combine computes a function of two operands, broadcast to one shape, in float64.
	combine(c *Call, f func(a, b float64) float64, a, b *tensor.Tensor) (*tensor.Tensor, error)
	// clip limits every element to the bounds, of one element each, that are not nil.
	clip(c *Call, in, least, most *tensor.Tensor) (*tensor.Tensor, error)
	// power raises a, of this type, to b, of whichever number type.
	power(c *Call, a, b *tensor.Tensor) (*tensor.Tensor, error)
	// compare says where the relation of two operands holds; see comparisonLoop.
	compare(c *Call, relation string, a, b *tensor.Tensor) (*tensor.Tensor, error)
	// multiply makes matrix products; see batchedProduct.
	multiply(c *Call, p *batchedProduct, a, b *tensor.Tensor) (*tensor.Tensor, error)
	// scatter combines blocks of t with blocks of updates; see scatter.
	scatter(t *tensor.Tensor, index []int, size int, updates *tensor.Tensor, reduction string) (*tensor.Tensor, error)
	// whole gives the elements as ints, fractions cut off.
	whole(t *tensor.Tensor) ([]int, error)
	// comparison orders the elements by their positions; see comparison.
	comparison(t *tensor.Tensor) (func(i, j int) int, error)
	// reduce makes one element of each row, in a tensor of rank 1; see rowReduction.
	reduce(c *Call, reduction string, r *rows) (*tensor.Tensor, error)
	// mapRows makes a row as long of each row; see rowFunction.
	mapRows(c *Call, f rowFunction, r *rows) (*tensor.Tensor, error)
	// extreme finds the largest or the smallest element of each row.
	extreme(c *Call, order ranking, r *rows) (positions []int64, err error)
	// top finds the first k elements of each row in the order of the ranking.
	top(c *Call, order ranking, k int, r *rows) (values *tensor.Tensor, positions []int64, err error)
}

// numbersOf implements numbers for elements that are stored as S and computed
// with as C: 16-bit floats are widened to float32 and rounded once, where the
// result is stored. For all other types S is C.
type numbersOf[S tensor.Element, C number] struct {
	widen  func(to []C, from []S) // nil where S is C
	narrow func(to []S, from []C)
}

// numbersIn is the arithmetic of a tensor's elements.
func numbersIn(t *tensor.Tensor) (numbers, error) {
	switch t.DType() {
	case onnx.Float:
		return numbersOf[float32, float32]{}, nil
	case onnx.Double:
		return numbersOf[float64, float64]{}, nil
	case onnx.Float16:
		return numbersOf[quantops.Float16, float32]{quantops.WidenFloat16, quantops.NarrowFloat16}, nil
	case onnx.BFloat16:
		return numbersOf[quantops.BFloat16, float32]{quantops.WidenBFloat16, quantops.NarrowBFloat16}, nil
	case onnx.Int8:
		return numbersOf[int8, int8]{}, nil
	case onnx.Int16:
		return numbersOf[int16, int16]{}, nil
	case onnx.Int32:
		return numbersOf[int32, int32]{}, nil
	case onnx.Int64:
		return numbersOf[int64, int64]{}, nil
	case onnx.Uint8:
		return numbersOf[uint8, uint8]{}, nil
	case onnx.Uint16:
		return numbersOf[uint16, uint16]{}, nil
	case onnx.Uint32:
		return numbersOf[uint32, uint32]{}, nil
	case onnx.Uint64:
		return numbersOf[uint64, uint64]{}, nil
	}
	return nil, fmt.Errorf("operand of type %v: want numbers of 8 bits or more, float8 excepted", t.DType())
}

// values is all of a tensor's elements, for reading only: its own where S is C.
func (n numbersOf[S, C]) values(t *tensor.Tensor) ([]C, error) {
	data, ok := tensor.Data[S](t)
	if !ok {
		return nil, fmt.Errorf("operands of types %v and %v: want one type", tensor.TypeOf[S](), t.DType())
	}
	if same, ok := any(data).([]C); ok {
		return same, nil
	}
	wide := make([]C, len(data))
	n.widen(wide, data)
	return wide, nil
}

// value is a tensor's only element.
func (n numbersOf[S, C]) value(t *tensor.Tensor) (C, error) {
	list, err := n.values(t)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("operand of shape %v: want one element", t.Shape())
	}
	if err != nil {
		return 0, err
	}
	return list[0], nil
}

// tensor makes a tensor of values; it keeps them where S is C.
func (n numbersOf[S, C]) tensor(shape []int, values []C) *tensor.Tensor {
	if same, ok := any(values).([]S); ok {
		return tensor.New(shape, same)
	}
	narrow := make([]S, len(values))
	n.narrow(narrow, values)
	return tensor.New(shape, narrow)
}

// reader prepares an operand to be read as if it had been expanded to shape.
func (n numbersOf[S, C]) reader(t *tensor.Tensor, shape []int) (reader[C], error) {
	if data, ok := tensor.Data[S](t); ok && n.widen != nil && len(data) == tensor.Count(shape) {
		return &widened[S, C]{data, n.widen}, nil
	}
	// What is repeated is mostly small, so it may be widened beforehand.
	data, err := n.values(t)
	if err != nil {
		return nil, err
	}
	return expandOperand(data, t.Shape(), shape), nil
}

// zip computes an elementwise function of the operands, broadcast to one shape.
// loop gets as many contiguous elements of each operand as of the result.
func (n numbersOf[S, C]) zip(c *Call, in []*tensor.Tensor, loop func(y []C, x [][]C)) (*tensor.Tensor, error) {
	shape, readers, err := n.readers(in)
	if err != nil {
		return nil, err
	}
	y := buffer[S](c, tensor.Count(shape))
	if same, ok := any(y).([]C); ok {
		if len(readers) == 1 {
			x, _ := readers[0].(*expanded[C]) // not broadcast: the shape is its own
			err = c.parallel(len(y), blockGrain, func(lo, hi int) { loop(same[lo:hi], [][]C{x.data[lo:hi]}) })
			return tensor.New(shape, y), err
		}
		err = eachBlock(c, len(y), readers, func(lo int, x [][]C) { loop(same[lo:lo+len(x[0])], x) })
		return tensor.New(shape, y), err
	}
	readers = append([]reader[C]{scratch[C]{}}, readers...)
	err = eachBlock(c, len(y), readers, func(lo int, x [][]C) {
		loop(x[0], x[1:])
		n.narrow(y[lo:], x[0])
	})
	return tensor.New(shape, y), err
}

// readers prepares operands to be read as if they had been expanded to the
// shape that they broadcast to.
func (n numbersOf[S, C]) readers(in []*tensor.Tensor) ([]int, []reader[C], error) {
	shapes := make([][]int, len(in))
	for i, t := range in {
		shapes[i] = t.Shape()
	}
	shape, err := broadcastShapes(shapes...)
	if err != nil {
		return nil, nil, err
	}
	readers := make([]reader[C], len(in))
	for i, t := range in {
		if readers[i], err = n.reader(t, shape); err != nil {
			return nil, nil, err
		}
	}
	return shape, readers, nil
}
