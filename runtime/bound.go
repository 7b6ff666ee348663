package runtime

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// latestOpset is an opset by whose rules the judge multiplies.
const latestOpset = 21

// bound is, for each element of a layer's result, how far the rewritten layer
// may be from the original's when both have the same input. With x the
// activation, w the original weight, ŵ = scale·q the rewritten one, b what is
// added, and u and v the unit roundoffs of the types that the rewritten and the
// original layer compute in, counted as 0 where that is float32 or double:
//
//   - |w-ŵ| is at most scale/2, as q is w/scale rounded to the nearest; so the
//     products differ by at most |alpha|·Σ|x|·scale/2. The quotient is rounded
//     itself, which may move q by a 2⁻¹⁶th of a step more.
//   - Each side sums K products in float32, in any order: off by at most γ·Σ|x||w|
//     with γ = K·2⁻²⁴/(1-K·2⁻²⁴). The few roundings of alpha, beta and the sum
//     with b are eight terms more.
//   - In 16 bit, x and ŵ are rounded, each by u, and so is the product where b is
//     added to it: 3u·Σ|x||ŵ| in all (and 4u² for their products), and v·Σ|x||w|
//     for the original's. b is rounded by u·|b|; the result by u·|y′| and by
//     v·|y|, and once more by v where it is cast back from another 16-bit type.
//   - Where ŵ, or b, goes through a 16-bit type that is not the layer's own, it is
//     rounded by that one's unit roundoff once more.
//   - Numbers below float16's normal range are rounded by up to 2⁻²⁵ instead, and
//     those below that of float32 by up to 2⁻¹²⁵: some products take them for 0.
//
// Everything is computed in float64 by the executor's own products: the sum
// over k of |x| times a matrix that has, for each weight, what its product may
// contribute, for which there is room. in are the operands of the layer's last
// node, want its result.
func (s *site) bound(ctx context.Context, threads int, room *limitRoom, in []tensor.Value, want *tensor.Tensor, y []float64) ([]float64, error) {
	x, ok := s.operands[1-s.weight].(*tensor.Tensor)
	w, isTensor := s.operands[s.weight].(*tensor.Tensor)
	if !ok || !isTensor {
		return nil, fmt.Errorf("the layer's operands are no tensors")
	}
	l, err := layoutOf(s.node, s.weight, w.Shape())
	if err != nil {
		return nil, err
	}
	steps := s.steps
	if l.k != steps.k || l.n != steps.n || l.batches != steps.batches {
		return nil, fmt.Errorf("the rewritten weight is %d×%d×%d, the original's %d×%d×%d", steps.batches, steps.k, steps.n, l.batches, l.k, l.n)
	}
	workers := quantops.NewWorkers(threads)
	defer workers.Close()
	e := errorTerms(s.cone.dtype, s.cone.narrow, want.DType(), l.k, s.add != nil)
	limits := room.of(w.Len())
	if err := steps.limitsOf(limits, l, w, e, workers); err != nil {
		return nil, err
	}
	activation, err := x.Float64s()
	if err != nil {
		return nil, err
	}
	for i, v := range activation {
		activation[i] = math.Abs(v) + e.underflow/e.relative
	}
	call := &ops.Call{Context: ctx, Workers: workers}
	operands := make([]tensor.Value, 2)
	operands[1-s.weight], operands[s.weight] = tensor.New(x.Shape(), activation), tensor.New(w.Shape(), limits)
	sum, err := runOperator(call, s.product(), operands)
	if err != nil {
		return nil, err
	}
	if sum, err = s.addAddend(call, sum, in, want.Shape(), e.addend); err != nil {
		return nil, err
	}
	total, err := sum.Float64s()
	if err != nil {
		return nil, err
	}
	if len(total) != len(y) {
		return nil, fmt.Errorf("the bound has %d elements, the result %d", len(total), len(y))
	}
	for i, v := range y {
		total[i] = (total[i]+e.result*math.Abs(v))/(1-e.rewritten) + e.store
	}
	return total, nil
}

// terms are the factors of a bound.
type terms struct {
	relative  float64 // of Σ|x||w|
	underflow float64 // the most that rounding to the type changes a tiny number
	addend    float64 // of |b|
	result    float64 // of |y|
	rewritten float64 // of |y′|
	store     float64 // whatever the numbers
}

// errorTerms works out the factors for the types that the rewritten and the
// original layer compute in, and a narrow one that the rewritten layer's constants
// go through, if there is one.
func errorTerms(rewritten, narrow, original onnx.DType, k int, added bool) terms {
	const single = 0x1p-24
	gamma := float64(k+8) * single
	gamma = 2 * gamma / max(0, 1-gamma)
	e := terms{relative: gamma, underflow: 0x1p-125, addend: gamma, result: 4 * single, store: float64(k+8) * 0x1p-124}
	if u := unitRoundoff(rewritten); sixteenBit(rewritten) {
		e.relative += 3*u + 4*u*u
		e.addend += u
		e.rewritten = u
		e.result += u
	}
	if v := unitRoundoff(original); sixteenBit(original) {
		if added {
			e.relative += v
		}
		e.result += v
		if original != rewritten {
			e.result += v
			e.rewritten += v
		}
	}
	if n := unitRoundoff(narrow); sixteenBit(narrow) {
		e.relative += n * (1 + e.relative)
		e.addend += n * (1 + e.addend)
	}
	if rewritten == onnx.Float16 || narrow == onnx.Float16 || original == onnx.Float16 {
		e.underflow = 0x1p-25
		e.store += 4 * 0x1p-25
	}
	return e
}

// product is the layer's product alone, with what may make it negative made positive.
func (s *site) product() *onnx.Node {
	n := &onnx.Node{OpType: s.node.OpType, Inputs: []string{"a", "b"}, Outputs: []string{"y"}}
	for _, a := range s.node.Attrs {
		if a.Name == "alpha" {
			a = onnx.FloatAttr("alpha", float32(math.Abs(float64(a.F))))
		}
		n.Attrs = append(n.Attrs, a)
	}
	return n
}

// addAddend adds a part of |b| to a bound, which takes the result's shape.
func (s *site) addAddend(call *ops.Call, sum *tensor.Tensor, in []tensor.Value, shape []int, factor float64) (*tensor.Tensor, error) {
	at := 2
	if s.add != nil {
		at = 0
		if s.add.Inputs[0] == s.node.Outputs[0] {
			at = 1
		}
	}
	if at >= len(in) || in[at] == nil {
		return sum.WithShape(shape), nil
	}
	if a := s.node.Attr("beta"); s.add == nil && a != nil {
		factor *= math.Abs(float64(a.F))
	}
	b, ok := in[at].(*tensor.Tensor)
	if !ok {
		return nil, fmt.Errorf("what the layer adds is no tensor")
	}
	addend, err := b.Float64s()
	if err != nil {
		return nil, err
	}
	for i, v := range addend {
		addend[i] = factor * math.Abs(v)
	}
	along := b.Shape()
	if s.add == nil && s.node.OpType == "Conv" { // one for each map, which is axis 1
		along = append([]int{b.Len()}, slices.Repeat([]int{1}, max(0, len(shape)-2))...)
	}
	n := &onnx.Node{OpType: "Add", Inputs: []string{"a", "b"}, Outputs: []string{"y"}}
	return runOperator(call, n, []tensor.Value{sum, tensor.New(along, addend)})
}

// runOperator runs one node of the default domain.
func runOperator(call *ops.Call, n *onnx.Node, operands []tensor.Value) (*tensor.Tensor, error) {
	kernel, _ := ops.Lookup("", n.OpType, latestOpset)
	if kernel == nil {
		return nil, &UnsupportedError{Operators: []Unsupported{{Op: n.OpType, Opset: latestOpset, Node: nodeLabel(n)}}}
	}
	run, err := kernel.Build(&ops.Node{Node: n, Opset: latestOpset, Constants: make([]tensor.Value, len(operands))})
	if err != nil {
		return nil, err
	}
	results, err := (&step{node: n, run: run}).call(call, operands)
	if err != nil {
		return nil, err
	}
	t, ok := results[0].(*tensor.Tensor)
	if !ok {
		return nil, fmt.Errorf("%s gives no tensor", n.OpType)
	}
	return t, nil
}
