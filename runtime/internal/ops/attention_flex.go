package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// flexAttention is attention with graphs that change all scores, or all
// probabilities, at once.
type flexAttention struct {
	scale               float64    // 0: 1/√(head size)
	precision           onnx.DType // Undefined: double for double, else float
	onScores, onWeights Body       // nil: none
}

func buildFlexAttention(n *Node) (single, error) {
	f := flexAttention{scale: float64(n.Float("scale", 0)), precision: onnx.DType(n.Int("softmax_precision", 0))}
	if f.precision != onnx.Undefined && !f.precision.IsFloat() {
		return nil, fmt.Errorf("softmax_precision is %v: want a float type", f.precision)
	}
	for _, body := range []struct {
		attr string
		body *Body
	}{{"score_mod", &f.onScores}, {"prob_mod", &f.onWeights}} {
		if !n.Has(body.attr) {
			continue
		}
		compiled, err := n.Body(body.attr)
		if err != nil {
			return nil, err
		}
		if compiled.Inputs() != 1 || compiled.Outputs() != 1 {
			return nil, fmt.Errorf("%s has %d inputs and %d outputs: want one of each", body.attr, compiled.Inputs(), compiled.Outputs())
		}
		*body.body = compiled
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		precision := f.precision
		if precision == onnx.Undefined {
			precision = onnx.Float
			if in[0].DType() == onnx.Double {
				precision = onnx.Double
			}
		}
		if precision == onnx.Double || in[0].DType() == onnx.Double {
			return runFlexAttention[float64](c, f, precision, in[0], in[1], in[2])
		}
		return runFlexAttention[float32](c, f, precision, in[0], in[1], in[2])
	}, nil
}

// runFlexAttention takes q, k and v, all (batch, heads, positions, size).
// Scores are products in the operands' type; from there to the result all is in
// the precision of the softmax.
func runFlexAttention[T real](c *Call, f flexAttention, precision onnx.DType, q, k, v *tensor.Tensor) (*tensor.Tensor, error) {
	if q.Rank() != 4 || k.Rank() != 4 || v.Rank() != 4 {
		return nil, fmt.Errorf("query %v, key %v and value %v must have rank 4", q.Shape(), k.Shape(), v.Shape())
	}
	p, err := attention{scale: f.scale, left: -1, right: -1}.plan(attentionOperands{q: q, k: k, v: v})
	if err != nil {
		return nil, err
	}
	a := p.attentionHeads
	shape := []int{a.batch, a.queryHeads, a.queries, a.keys}
	count, err := checkedCount(shape)
	if err != nil {
		return nil, err
	}
	in, err := allReals[T](q, k, v)
	if err != nil {
		return nil, err
	}
	root := math.Sqrt(p.scale)
	query := headsFirst(scaledCopy(in[0], root, q.DType()), a.queryHeads, a.queries, a.size)
	key := headsFirst(scaledCopy(in[1], root, q.DType()), a.keyHeads, a.keys, a.size)
	value := headsFirst(in[2], a.keyHeads, a.keys, a.valueSize)
	scores, y := make([]T, count), make([]T, a.batch*a.queryHeads*a.queries*a.valueSize)
	each := func(work func(sample, head, shared int, scores matrix[T])) error {
		return parallel(c, a.batch*a.queryHeads, a.queries*a.keys*(a.size+1), func(from, to int) {
			for i := from; i < to; i++ {
				head := i % a.queryHeads
				work(i/a.queryHeads, head, head/(a.queryHeads/a.keyHeads), matrix[T]{scores[i*a.queries*a.keys:][:a.queries*a.keys], a.keys})
			}
		})
	}
	err = each(func(sample, head, shared int, scores matrix[T]) {
		addProductTransposed(scores, query.at(sample, head, 0), key.at(sample, shared, 0), a.queries, a.keys, a.size)
		roundTo(q.DType(), scores.data)
		roundTo(precision, scores.data)
	})
	if err != nil {
		return nil, err
	}
	if scores, err = modify(c, f.onScores, precision, shape, scores); err != nil {
		return nil, fmt.Errorf("score_mod: %w", err)
	}
	err = each(func(_, _, _ int, scores matrix[T]) {
		for i := range a.queries {
			attentionSoftmax(scores.row(i, a.keys), precision)
		}
	})
	if err != nil {
		return nil, err
	}
	if scores, err = modify(c, f.onWeights, precision, shape, scores); err != nil {
		return nil, fmt.Errorf("prob_mod: %w", err)
	}
	result := headsFirst(y, a.queryHeads, a.queries, a.valueSize)
	err = each(func(sample, head, shared int, scores matrix[T]) {
		addProduct(result.at(sample, head, 0), scores, value.at(sample, shared, 0), a.queries, a.keys, a.valueSize)
	})
	if err != nil {
		return nil, err
	}
	roundTo(precision, y)
	return ofReals(v.DType(), []int{a.batch, a.queryHeads, a.queries, a.valueSize}, y)
}

// modify sends data through a body, as a tensor of the given type. What comes
// back may be written to.
func modify[T real](c *Call, body Body, t onnx.DType, shape []int, data []T) ([]T, error) {
	if body == nil {
		return data, nil
	}
	given, err := ofReals(t, shape, data)
	if err != nil {
		return nil, err
	}
	out, err := body.Run(c, []tensor.Value{given})
	if err != nil {
		return nil, err
	}
	changed, err := asTensor(0, out[0])
	if err != nil {
		return nil, err
	}
	if changed == nil || changed.DType() != t || !slices.Equal(changed.Shape(), shape) {
		return nil, fmt.Errorf("the body gave %v: want %v %v", describe(changed), t, shape)
	}
	result, err := reals[T](changed)
	return slices.Clone(result), err
}

func describe(t *tensor.Tensor) string {
	if t == nil {
		return "nothing"
	}
	return fmt.Sprint(t.DType(), " ", t.Shape())
}
