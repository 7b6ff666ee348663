package ops

import (
	"fmt"
	"slices"
	"sync"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var integerMatMulFamily = []Kernel{
	{Op: "MatMulInteger", Since: 10, Build: needs(2, Single(buildMatMulInteger))},
	{Op: "QLinearMatMul", Since: 10, Build: needs(8, Single(buildQLinearMatMul))},
}

func buildMatMulInteger(n *Node) (single, error) {
	constant := func(i int) (t *tensor.Tensor, known bool) {
		if i >= len(n.Inputs) || n.Inputs[i] == "" {
			return nil, true
		}
		t, known = n.Constants[i].(*tensor.Tensor)
		return t, known && t != nil
	}
	weight, known := constant(1)
	zeros, also := constant(3)
	packed := sync.OnceValue(func() *packedIntegers { // in the first run: another step may have taken the node in
		if !known || !also {
			return nil
		}
		return packIntegers(weight, zeros)
	})
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		p, err := planMatMul(in[0].Shape(), in[1].Shape())
		if err != nil {
			return nil, err
		}
		if right := packed(); right != nil && in[1] == weight {
			return right.product(c, p, in[0], operand(in, 2))
		}
		y, err := multiplyIntegers(c, p, in[0], in[1], operand(in, 2), operand(in, 3))
		if err != nil {
			return nil, err
		}
		return tensor.New(p.shape, y), nil
	}, nil
}

// multiplyIntegers is the planned product of a − aZeros and b − bZeros, all int8
// or uint8, in int32. Zero points may be nil; else there is one for all, or one
// for each row of a and each column of b: of one matrix, or of every matrix of
// the batch.
func multiplyIntegers(c *Call, p *batchedProduct, a, b, aZeros, bZeros *tensor.Tensor) ([]int32, error) {
	for _, pair := range [][2]*tensor.Tensor{{a, aZeros}, {b, bZeros}} {
		if pair[1] != nil && pair[0].DType() != pair[1].DType() {
			return nil, fmt.Errorf("operand of type %v with zero points of type %v: want one type", pair[0].DType(), pair[1].DType())
		}
	}
	switch a.DType() {
	case onnx.Int8:
		switch b.DType() {
		case onnx.Int8:
			return multiplyIntegersAs[int8, int8](c, p, a, b, aZeros, bZeros)
		case onnx.Uint8:
			return multiplyIntegersAs[int8, uint8](c, p, a, b, aZeros, bZeros)
		}
	case onnx.Uint8:
		switch b.DType() {
		case onnx.Int8:
			return multiplyIntegersAs[uint8, int8](c, p, a, b, aZeros, bZeros)
		case onnx.Uint8:
			return multiplyIntegersAs[uint8, uint8](c, p, a, b, aZeros, bZeros)
		}
	}
	return nil, fmt.Errorf("operands of type %v and %v: want int8 or uint8", a.DType(), b.DType())
}

// integerRows is how many rows are multiplied between looks at the context.
const integerRows = 128

func multiplyIntegersAs[A, B int8 | uint8](c *Call, p *batchedProduct, left, right, aZeros, bZeros *tensor.Tensor) ([]int32, error) {
	a, _ := tensor.Data[A](left)
	b, _ := tensor.Data[B](right)
	rows := 1 // of one matrix, where p.m may count those of a whole batch
	if left.Rank() > 1 {
		rows = left.Shape()[left.Rank()-2]
	}
	ofRows, err := zerosOfMatrices[A](aZeros, rows, p.m, len(a)/max(1, p.k))
	if err != nil {
		return nil, fmt.Errorf("zero points of the rows: %w", err)
	}
	ofColumns, err := zerosOfMatrices[B](bZeros, p.n, p.n, len(b)/max(1, p.k))
	if err != nil {
		return nil, fmt.Errorf("zero points of the columns: %w", err)
	}
	y := make([]int32, len(p.a)*p.m*p.n)
	for i := range p.a {
		for row := 0; row < p.m; row += integerRows {
			if err := c.Context.Err(); err != nil {
				return nil, err
			}
			some := min(integerRows, p.m-row)
			lines := a[(p.a[i]*p.m+row)*p.k:][:some*p.k]
			zeros := ofRows.of(p.a[i])
			if len(zeros) > 1 {
				zeros = zeros[row : row+some]
			}
			quantops.MatMulInteger(y[(i*p.m+row)*p.n:][:some*p.n], lines, b[p.b[i]*p.k*p.n:][:p.k*p.n], some, p.k, p.n, zeros, ofColumns.of(p.b[i]), c.Workers)
		}
	}
	return y, nil
}

// matrixZeros are the zero points of a batch of matrices.
type matrixZeros[T int8 | uint8] struct {
	data []T
	each int // of one matrix; 0: all have the same
}

func (z matrixZeros[T]) of(matrix int) []T {
	if z.each == 0 {
		return z.data
	}
	return z.data[matrix*z.each:][:z.each]
}

// zerosOfMatrices lays zero points out over all rows (or columns) of a batch:
// there are one for all, those of one matrix, which the others share, or those
// of all. each is what counts as one matrix in the product.
func zerosOfMatrices[T int8 | uint8](t *tensor.Tensor, one, each, all int) (matrixZeros[T], error) {
	if t == nil {
		return matrixZeros[T]{}, nil
	}
	data, ok := tensor.Data[T](t)
	switch {
	case !ok:
		return matrixZeros[T]{}, fmt.Errorf("type %v: want that of the operand", t.DType())
	case len(data) == 1:
		return matrixZeros[T]{data: data}, nil
	case len(data) == 0 && all == 0:
		return matrixZeros[T]{}, nil
	case len(data) == all:
		return matrixZeros[T]{data, each}, nil
	case len(data) == one && one > 0:
		return matrixZeros[T]{data: slices.Repeat(data, each/one)}, nil
	}
	return matrixZeros[T]{}, fmt.Errorf("shape %v for matrices of %d rows or columns", t.Shape(), one)
}

// buildQLinearMatMul builds round(a·b·aScale·bScale/yScale) + yZero.
func buildQLinearMatMul(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		a, aScale, aZero, b, bScale, bZero, yScale, yZero := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]
		p, err := planMatMul(a.Shape(), b.Shape())
		if err != nil {
			return nil, err
		}
		// The shape in which rows and columns are axes, also those of vectors.
		full := slices.Clone(p.shape)
		if b.Rank() == 1 {
			full = append(full, 1)
		}
		if a.Rank() == 1 {
			full = slices.Insert(full, len(full)-1, 1)
		}
		s, err := rescaling(full, aScale, bScale, yScale, yZero)
		if err != nil {
			return nil, err
		}
		sums, err := quantizedProduct(c, p, a, b, aZero, bZero)
		if err != nil {
			return nil, err
		}
		return encodeQuotients(c, yZero.DType(), true, p.shape, rescaled{s, sums})
	}, nil
}

// quantizedProduct is the planned product of a − aZero and b − bZero: in int32
// where they are integers, in float32 for float8.
func quantizedProduct(c *Call, p *batchedProduct, a, b, aZero, bZero *tensor.Tensor) (reader[float32], error) {
	if isFloat8(a.DType()) || isFloat8(b.DType()) {
		var differences [2]*tensor.Tensor
		for i, pair := range [][2]*tensor.Tensor{{a, aZero}, {b, bZero}} {
			left, err := numbersAs[float32](pair[0])
			if err != nil {
				return nil, err
			}
			zero, err := numbersAs[float32](pair[1])
			if err != nil {
				return nil, err
			}
			if len(zero) != 1 {
				return nil, fmt.Errorf("zero points of shape %v for operands of float8: want one", pair[1].Shape())
			}
			difference := make([]float32, len(left))
			for j, v := range left {
				difference[j] = v - zero[0]
			}
			differences[i] = tensor.New(pair[0].Shape(), difference)
		}
		y, err := numbersOf[float32, float32]{}.multiply(c, p, differences[0], differences[1])
		if err != nil {
			return nil, err
		}
		return readAs[float32](y)
	}
	sums, err := multiplyIntegers(c, p, a, b, aZero, bZero)
	return converted[int32, float32](sums), err
}

func isFloat8(t onnx.DType) bool {
	return t == onnx.Float8E4M3FN || t == onnx.Float8E4M3FNUZ || t == onnx.Float8E5M2 || t == onnx.Float8E5M2FNUZ
}

// rescaling lays what a sum of products is multiplied with, to become the
// output's quotient, over the product's shape: aScale·bScale/yScale, and the
// output's zero points. Scales are one for all, or for each row (of a and y) or
// column (of b).
func rescaling(shape []int, aScale, bScale, yScale, yZero *tensor.Tensor) (*scaling, error) {
	s := &scaling{grid: quantops.Grid{Outer: 1, Length: 1, Inner: tensor.Count(shape)}}
	columns := shape[len(shape)-1]
	scales := [][]int{byRow(aScale), bScale.Shape(), byRow(yScale), byRow(yZero)}
	target := []int{1}
	switch {
	case aScale.Len()*bScale.Len()*yScale.Len()*yZero.Len() == 1:
		scales = [][]int{{1}, {1}, {1}, {1}}
	case aScale.Len()*yScale.Len()*yZero.Len() == 1 && bScale.Len() == columns:
		target, scales = []int{columns}, [][]int{{1}, {columns}, {1}, {1}}
		s.grid = quantops.Grid{Outer: tensor.Count(shape[:len(shape)-1]), Length: columns, Inner: 1}
	default:
		target = shape
		s.grid = quantops.Grid{Outer: 1, Length: tensor.Count(shape), Inner: 1}
	}
	var values [4][]float32
	for i, t := range []*tensor.Tensor{aScale, bScale, yScale, yZero} {
		full, err := expand(nil, t.WithShape(scales[i]), target)
		if err == nil && !slices.Equal(full.Shape(), target) {
			err = fmt.Errorf("shape %v does not fit a product of shape %v", t.Shape(), shape)
		}
		if err == nil {
			values[i], err = numbersAs[float32](full)
		}
		if err != nil {
			return nil, fmt.Errorf("scale or zero point: %w", err)
		}
	}
	s.scales, s.zeros = make([]float32, len(values[0])), values[3]
	for i, v := range values[0] {
		s.scales[i] = v * values[1][i] / values[2][i]
	}
	return s, nil
}

// byRow is the shape of a row operand's scale: a vector lies along the rows.
func byRow(t *tensor.Tensor) []int {
	if t.Rank() == 1 {
		return []int{t.Len(), 1}
	}
	return t.Shape()
}

// rescaled is sums of products, times a scale.
type rescaled struct {
	*scaling
	sums reader[float32]
}

func (r rescaled) quotients(c *Call, f func(lo int, quotients, zeros []float32)) error {
	return r.eachBlock(c, func(lo, hi int, scales, zeros []float32) {
		var buffer, products [blockElements]float32
		to := products[:hi-lo]
		scaleBlock(to, r.sums.block(lo, hi, buffer[:hi-lo]), scales)
		f(lo, to, zeros)
	})
}

// scaleBlock writes x·scale to y; there is a scale for each element, or one.
func scaleBlock(y, x, scales []float32) {
	for i, v := range x {
		scale := scales[0]
		if len(scales) > 1 {
			scale = scales[i]
		}
		y[i] = v * scale
	}
}
