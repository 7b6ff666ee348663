package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var matMulFamily = []Kernel{
	{Op: "MatMul", Since: 1, Build: needs(2, Single(buildMatMul))},
	{Op: "Gemm", Since: 1, Build: needs(3, Single(buildGemm))},
	{Op: "Gemm", Since: 11, Build: needs(2, Single(buildGemm))},
}

func buildMatMul(n *Node) (single, error) {
	weight := packConstant(n, 1, false)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if !weight.fits(in[0], in[1]) {
			return matMul(c, in[0], in[1])
		}
		p, err := planMatMul(in[0].Shape(), in[1].Shape())
		if err != nil {
			return nil, err
		}
		return weight.multiply(c, p, in[0])
	}, nil
}

// matMul is NumPy's matmul: the last two axes are matrices, (M, K) times (K, N),
// the axes before them a batch, which broadcasts. An operand of rank 1 is a row
// on the left and a column on the right, and its axis of size 1 is left out of
// the result. 16-bit floats are multiplied and summed in float32.
func matMul(c *Call, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	p, err := planMatMul(a.Shape(), b.Shape())
	if err != nil {
		return nil, err
	}
	n, err := numbersIn(a)
	if err != nil {
		return nil, err
	}
	return n.multiply(c, p, a, b)
}

// batchedProduct is a batched matrix product laid over given shapes: y = a·b,
// of one m×k and one k×n matrix for each of the batch.
type batchedProduct struct {
	shape   []int // of the result, which has m·n elements for each of the batch
	m, k, n int
	// a and b say which matrix of each operand makes each matrix of the result.
	a, b []int
	// transposed says that b's matrices are stored n×k.
	transposed bool
	// finish, if not nil, makes of the product what is stored.
	finish *productEnd
}

// oneMatrix numbers the matrices of an operand of which there is one.
var oneMatrix = []int{0}

// planMatMul lays out NumPy's matmul.
func planMatMul(a, b []int) (*batchedProduct, error) {
	if len(a) == 0 || len(b) == 0 {
		return nil, fmt.Errorf("operands of shape %v and %v: a scalar has no matrix", a, b)
	}
	left, right := a, b
	if len(a) == 1 {
		left = []int{1, a[0]}
	}
	if len(b) == 1 {
		right = []int{b[0], 1}
	}
	p := &batchedProduct{m: left[len(left)-2], k: left[len(left)-1], n: right[len(right)-1]}
	if right[len(right)-2] != p.k {
		return nil, fmt.Errorf("operands of shape %v and %v: %d columns cannot be multiplied by %d rows", a, b, p.k, right[len(right)-2])
	}
	if len(a) > 1 && len(b) == 2 { // a layer's activations and weight
		p.shape = slices.Clone(a)
		p.shape[len(a)-1] = p.n
		if _, err := checkedCount(p.shape); err != nil {
			return nil, err
		}
		p.m, p.a, p.b = tensor.Count(a[:len(a)-1]), oneMatrix, oneMatrix
		return p, nil
	}
	leftBatch, rightBatch := left[:len(left)-2], right[:len(right)-2]
	batch, err := broadcastShapes(leftBatch, rightBatch)
	if err != nil {
		return nil, fmt.Errorf("batches of operands of shape %v and %v: %w", a, b, err)
	}
	p.shape = slices.Clone(batch)
	if len(a) > 1 {
		p.shape = append(p.shape, p.m)
	}
	if len(b) > 1 {
		p.shape = append(p.shape, p.n)
	}
	if _, err := checkedCount(slices.Concat(batch, []int{p.m, p.n})); err != nil {
		return nil, err
	}
	if len(rightBatch) == 0 || tensor.Count(rightBatch) == 1 {
		// One matrix on the right: all of the left is one tall matrix.
		p.m *= tensor.Count(batch)
		p.a, p.b = oneMatrix, oneMatrix
		return p, nil
	}
	p.a = batchOffsets(leftBatch, batch)
	p.b = batchOffsets(rightBatch, batch)
	return p, nil
}

// batchOffsets numbers the matrices of an operand for each of a broadcast batch.
func batchOffsets(own, batch []int) []int {
	offsets := make([]int, 0, tensor.Count(batch))
	if cap(offsets) > 0 {
		eachOffset(batch, broadcastStrides(own, batch), 0, func(offset int) { offsets = append(offsets, offset) })
	}
	return offsets
}

// multiply multiplies tensors of the planned shapes and of one type.
func (n numbersOf[S, C]) multiply(c *Call, p *batchedProduct, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	left, err := n.values(a)
	if err != nil {
		return nil, err
	}
	right, err := n.values(b)
	if err != nil {
		return nil, err
	}
	var addend []C
	if p.finish != nil && p.finish.addend != nil {
		if addend, err = n.values(p.finish.addend); err != nil {
			return nil, err
		}
	}
	y := buffer[C](c, len(p.a)*p.m*p.n)
	if sums, ok := any(y).([]float32); ok {
		err = multiplyFloat32(c, p, sums, any(left).([]float32), any(right).([]float32), any(addend).([]float32))
	} else {
		err = multiply(c, p, y, left, right)
		if err == nil && p.finish != nil {
			scaleAndAdd(p, y, addend)
		}
	}
	if err != nil {
		return nil, err
	}
	return n.tensor(p.shape, y), nil
}

const (
	// productRows and productColumns bound the piece of the result that one
	// goroutine makes at a time, productDepth how much of k it goes along before
	// it turns to the next columns: a block of b is then some 256 KiB of floats,
	// which stays in the second-level cache for all rows of the piece.
	productRows    = 64
	productColumns = 256
	productDepth   = 256
	// productGrain is how many multiplications are worth a goroutine's while.
	productGrain = 1 << 16
)

// multiply makes y the planned product of a and b.
func multiply[T number](c *Call, p *batchedProduct, y, a, b []T) error {
	clear(y)
	down := (p.m + productRows - 1) / productRows
	across := (p.n + productColumns - 1) / productColumns
	grain := productGrain / max(1, min(p.m, productRows)*min(p.n, productColumns)*p.k)
	return c.parallel(len(p.a)*down*across, grain, func(from, to int) {
		for piece := from; piece < to; piece++ {
			product, row, column := piece/(down*across), piece/across%down*productRows, piece%across*productColumns
			rows, columns := min(productRows, p.m-row), min(productColumns, p.n-column)
			left := a[p.a[product]*p.m*p.k:]
			right := b[p.b[product]*p.k*p.n:]
			target := matrix[T]{y[product*p.m*p.n+row*p.n+column:], p.n}
			for t := 0; t < p.k && c.Context.Err() == nil; t += productDepth {
				depth := min(productDepth, p.k-t)
				source := matrix[T]{left[row*p.k+t:], p.k}
				if p.transposed {
					addProductTransposed(target, source, matrix[T]{right[column*p.k+t:], p.k}, rows, columns, depth)
				} else {
					addProduct(target, source, matrix[T]{right[t*p.n+column:], p.n}, rows, depth, columns)
				}
			}
		}
	})
}

// multiplyFloat32 writes the planned product of a and b to y; addend has the
// elements of what the plan adds.
func multiplyFloat32(c *Call, p *batchedProduct, y, a, b, addend []float32) error {
	end, finish := p.epilogue(addend)
	right := quantops.Rows{Data: b, Stride: p.n}
	if p.transposed {
		right.Stride = p.k
	}
	end.Stop = c.stopped
	f := quantops.Float32Products{
		M: p.m, K: p.k, N: p.n, Transposed: p.transposed, Count: len(p.a),
		Dst: quantops.Rows{Data: y, Stride: p.n}, A: quantops.Rows{Data: a, Stride: p.k}, B: right,
		At: func(product int) (int, int, int) {
			return product * p.m * p.n, p.a[product] * p.m * p.k, p.b[product] * p.k * p.n
		},
		Epilogue: end,
	}
	f.Run(c.Workers)
	if finish {
		scaleAndAdd(p, y, addend)
	}
	return c.Context.Err()
}

// stopped says whether the context has ended.
func (c *Call) stopped() bool { return c.Context.Err() != nil }

// packedConstant is a right operand of products that is known when the graph is
// compiled, packed once.
type packedConstant struct {
	packed *quantops.PackedFloat32 // nil while the graph is being compiled
	source *tensor.Tensor
}

// packConstant packs an operand of a node, stored transposed or not, if it is a
// constant matrix of float32 or a 16-bit type; else it gives nil.
func packConstant(n *Node, operand int, transposed bool) *packedConstant {
	if operand >= len(n.Constants) {
		return nil
	}
	t, ok := n.Constants[operand].(*tensor.Tensor)
	if !ok || t == nil || t.Rank() != 2 || t.DType() == onnx.Double {
		return nil
	}
	w := &packedConstant{source: t}
	n.later(func() {
		data, err := reals[float32](t)
		if err != nil {
			return // the product says so when it runs
		}
		if rows, columns := t.Shape()[0], t.Shape()[1]; transposed {
			w.packed = quantops.PackFloat32Transposed(data, columns, rows)
		} else {
			w.packed = quantops.PackFloat32(data, rows, columns)
		}
	})
	return w
}

// fits says whether b is what was packed, and a can be multiplied by it.
func (w *packedConstant) fits(a, b *tensor.Tensor) bool {
	return w != nil && w.packed != nil && w.source == b && a.DType() == b.DType()
}

// multiply is the planned product of a and the constant.
func (w *packedConstant) multiply(c *Call, p *batchedProduct, a *tensor.Tensor) (*tensor.Tensor, error) {
	left, err := reals[float32](a)
	if err != nil {
		return nil, err
	}
	var addend []float32
	if p.finish != nil {
		if addend, err = reals[float32](p.finish.addend); err != nil {
			return nil, err
		}
	}
	y := buffer[float32](c, p.m*p.n)
	end, finish := p.epilogue(addend)
	end.Stop = c.stopped
	w.packed.MatMul(quantops.Rows{Data: y, Stride: p.n}, quantops.Rows{Data: left, Stride: p.k}, p.m, end, c.Workers)
	if err := c.Context.Err(); err != nil {
		return nil, err
	}
	if finish {
		scaleAndAdd(p, y, addend)
	}
	return ofReals(a.DType(), p.shape, y)
}
