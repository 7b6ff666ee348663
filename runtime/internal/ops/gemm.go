package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// gemm is alpha·a·b + beta·c, with a and b transposed where asked.
type gemm struct {
	transA, transB bool
	alpha, beta    float32
	// broadcast says that c may be smaller than the product: always from opset 7
	// on, before that only where the attribute says so.
	broadcast bool
}

func buildGemm(n *Node) (single, error) {
	g := gemm{
		transA: n.Int("transA", 0) != 0, transB: n.Int("transB", 0) != 0,
		alpha: n.Float("alpha", 1), beta: n.Float("beta", 1),
		broadcast: n.Opset >= 7 || n.Int("broadcast", 0) != 0,
	}
	weight := packConstant(n, 1, g.transB)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return g.run(c, in[0], in[1], operand(in, 2), weight)
	}, nil
}

// plan checks the shapes: a is (M, K), or (K, M) with transA, b is (K, N), or
// (N, K) with transB, c, which may be nil, broadcasts to (M, N).
func (g gemm) plan(a, b, c *tensor.Tensor) (*batchedProduct, error) {
	if a.Rank() != 2 || b.Rank() != 2 {
		return nil, fmt.Errorf("operands of shape %v and %v: want two matrices", a.Shape(), b.Shape())
	}
	p := &batchedProduct{
		m: a.Shape()[0], k: a.Shape()[1], n: b.Shape()[1],
		a: []int{0}, b: []int{0}, transposed: g.transB,
		finish: &productEnd{alpha: g.alpha, beta: g.beta, addend: c},
	}
	if g.transA {
		p.m, p.k = p.k, p.m
	}
	depth := b.Shape()[0]
	if g.transB {
		p.n, depth = depth, p.n
	}
	if depth != p.k {
		return nil, fmt.Errorf("operands of shape %v and %v (transA %t, transB %t): %d columns cannot be multiplied by %d rows",
			a.Shape(), b.Shape(), g.transA, g.transB, p.k, depth)
	}
	p.shape = []int{p.m, p.n}
	if _, err := checkedCount(p.shape); err != nil {
		return nil, err
	}
	if c == nil {
		return p, nil
	}
	shape, err := broadcastShapes(c.Shape(), p.shape)
	if err != nil || !slices.Equal(shape, p.shape) || !g.broadcast && !slices.Equal(c.Shape(), p.shape) {
		return nil, fmt.Errorf("c of shape %v cannot be added to a product of shape %v", c.Shape(), p.shape)
	}
	return p, nil
}

// run computes the product; weight may hold b packed.
func (g gemm) run(call *Call, a, b, c *tensor.Tensor, weight *packedConstant) (*tensor.Tensor, error) {
	p, err := g.plan(a, b, c)
	if err != nil {
		return nil, err
	}
	if g.transA {
		if a, err = transpose(call, a, []int{1, 0}); err != nil {
			return nil, err
		}
	}
	if weight.fits(a, b) && (c == nil || c.DType() == a.DType()) {
		return weight.multiply(call, p, a)
	}
	n, err := numbersIn(a)
	if err != nil {
		return nil, err
	}
	return n.multiply(call, p, a, b)
}

// productEnd is what becomes of a product before it is stored: alpha·y + beta·addend,
// where the addend may be nil and broadcasts to the product.
type productEnd struct {
	alpha, beta float32
	addend      *tensor.Tensor
}

// epilogue is the plan's end as the products in float32 take it; addend has the
// elements of the end's. after says that it does not, and scaleAndAdd is to do
// it: that is where alpha is 0.
func (p *batchedProduct) epilogue(addend []float32) (end quantops.Epilogue, after bool) {
	if p.finish == nil {
		return end, false
	}
	if p.finish.alpha == 0 {
		return end, true
	}
	if p.finish.alpha != 1 {
		end.Scale = p.finish.alpha
	}
	if p.finish.addend == nil {
		return end, false
	}
	if beta := p.finish.beta; beta != 1 {
		addend = slices.Clone(addend)
		for i, v := range addend {
			addend[i] = scaled(v, beta)
		}
	}
	strides := broadcastStrides(p.finish.addend.Shape(), p.shape)
	switch {
	case strides[0] != 0 && strides[1] != 0, len(addend) == p.m*p.n:
		end.Add = addend
	case strides[1] != 0:
		end.Bias = addend
	case strides[0] != 0:
		end.RowBias = addend
	default:
		end.Bias = slices.Repeat(addend, p.n)
	}
	return end, false
}

// scaleAndAdd finishes the product y, of one m×n matrix, in place; addend has
// the elements of the end's.
func scaleAndAdd[T number](p *batchedProduct, y, addend []T) {
	if p.finish.alpha != 1 {
		for i, v := range y {
			y[i] = scaled(v, p.finish.alpha)
		}
	}
	if p.finish.addend == nil {
		return
	}
	strides := broadcastStrides(p.finish.addend.Shape(), p.shape)
	for i := range p.m {
		row := y[i*p.n : (i+1)*p.n]
		from := i * strides[0]
		for j := range row {
			row[j] += scaled(addend[from], p.finish.beta)
			from += strides[1]
		}
	}
}

// scaled is v·by, rounded once to T: a double holds the product of two floats exactly.
func scaled[T number](v T, by float32) T {
	if by == 1 {
		return v
	}
	return T(float64(v) * float64(by))
}
