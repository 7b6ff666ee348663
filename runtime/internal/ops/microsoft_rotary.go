package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// buildMicrosoftRotary builds RotaryEmbedding with its operands in another
// order, and positions that may be given by the first one alone.
func buildMicrosoftRotary(n *Node) (single, error) {
	r := rotary{heads: n.Int("num_heads", 0), rotated: n.Int("rotary_embedding_dim", 0), interleaved: n.Int("interleaved", 0) != 0}
	if scale := n.Float("scale", 1); scale != 1 {
		return nil, fmt.Errorf("scale is %v: only 1 can be run", scale)
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		x, ids, cos, sin := in[0], in[1], in[2], in[3]
		shape := x.Shape()
		if len(shape) != 3 && len(shape) != 4 || cos.Rank() != 2 {
			return nil, fmt.Errorf("input %v and cosines %v: want rank 3 or 4, and 2", shape, cos.Shape())
		}
		r := r
		positions := shape[1]
		if len(shape) == 4 {
			positions = shape[2]
		} else if r.heads == 0 && r.rotated == 0 {
			// A head is as large as the tables say.
			r.heads = shape[2] / max(1, 2*cos.Shape()[1])
		}
		if ids.Len() == 1 && shape[0]*positions != 1 {
			first, err := wholeNumber(ids)
			if err != nil {
				return nil, fmt.Errorf("position ids: %w", err)
			}
			each := make([]int64, shape[0]*positions)
			for i := range each {
				each[i] = int64(first + i%positions)
			}
			ids = tensor.New([]int{shape[0], positions}, each)
		}
		return r.run(c, x, cos, sin, ids)
	}, nil
}
