package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// quantizeFamily holds the operators between floats and their quantized forms.
var quantizeFamily = []Kernel{
	{Op: "QuantizeLinear", Since: 10, Build: needs(2, Single(buildQuantizeLinear))},
	{Op: "DequantizeLinear", Since: 10, Build: needs(2, Single(buildDequantizeLinear))},
	{Op: "DynamicQuantizeLinear", Since: 11, Build: needs(1, Tensors(buildDynamicQuantizeLinear))},
	{Domain: microsoft, Op: "QuantizeLinear", Since: 1, Build: needs(2, Single(buildQuantizeLinear))},
	{Domain: microsoft, Op: "DequantizeLinear", Since: 1, Build: needs(2, Single(buildDequantizeLinear))},
}

// granularity is what QuantizeLinear and DequantizeLinear state about how many
// elements share a scale.
type granularity struct {
	axis  int // may count from the end
	block int // 0: not in blocks
}

func readGranularity(n *Node) (granularity, error) {
	g := granularity{axis: n.Int("axis", 1), block: n.Int("block_size", 0)}
	if g.block < 0 {
		return g, fmt.Errorf("block_size is %d: want a positive number, or 0 for no blocks", g.block)
	}
	return g, nil
}

// grid lays scales over elements: one for all, a vector along the axis, or with
// blocks a tensor of the elements' shape but for the axis, which has one for
// each block.
func (g granularity) grid(elements, scales []int) (quantops.Grid, error) {
	n := tensor.Count(elements)
	if tensor.Count(scales) == 1 {
		return quantops.Grid{Outer: 1, Length: 1, Inner: n}, nil
	}
	axis := g.axis
	if len(elements) == 1 {
		axis = 0 // there is no other, whatever the default says
	}
	axis, err := resolveAxis(axis, len(elements))
	if err != nil {
		return quantops.Grid{}, err
	}
	want, grid := []int{elements[axis]}, quantops.Grid{
		Outer: tensor.Count(elements[:axis]), Length: elements[axis], Inner: tensor.Count(elements[axis+1:]),
	}
	if g.block > 0 {
		want = slices.Clone(elements)
		want[axis] = elements[axis]/g.block + min(1, elements[axis]%g.block)
		grid.Block = g.block
	}
	if !slices.Equal(scales, want) {
		return grid, fmt.Errorf("scales of shape %v for elements of shape %v along axis %d, with block size %d: want shape %v, or one scale",
			scales, elements, axis, g.block, want)
	}
	return grid, nil
}

// scaling is scales and zero points laid over elements.
type scaling struct {
	grid   quantops.Grid
	scales []float32
	zeros  []float32 // as many as scales, or one, or nil
}

// scaling prepares the operands of that name; zeros may be nil.
func (g granularity) scaling(elements []int, scales, zeros *tensor.Tensor) (*scaling, error) {
	grid, err := g.grid(elements, scales.Shape())
	if err != nil {
		return nil, err
	}
	s := &scaling{grid: grid}
	if s.scales, err = numbersAs[float32](scales); err != nil || zeros == nil {
		return s, err
	}
	if zeros.Len() != scales.Len() {
		return nil, fmt.Errorf("zero points of shape %v for scales of shape %v: want one for each", zeros.Shape(), scales.Shape())
	}
	s.zeros, err = numbersAs[float32](zeros)
	return s, err
}

// eachBlock calls f, in parallel, for blocks of elements lo…hi−1, with the
// scales and zero points of each: hi−lo, or one for all. Without zero points,
// zeros is the one number 0.
func (s *scaling) eachBlock(c *Call, f func(lo, hi int, scales, zeros []float32)) error {
	none := []float32{0}
	return c.parallel(s.grid.Len(), blockGrain, func(from, to int) {
		s.grid.Runs(from, to, func(start, length, scale int, each bool) {
			for lo := start; lo < start+length; lo += blockElements {
				hi := min(start+length, lo+blockElements)
				first, last := scale, scale+1
				if each {
					first, last = scale+lo-start, scale+hi-start
				}
				zeros := none
				switch {
				case len(s.zeros) == 1:
					zeros = s.zeros
				case s.zeros != nil:
					zeros = s.zeros[first:last]
				}
				f(lo, hi, s.scales[first:last], zeros)
			}
		})
	})
}

func buildDynamicQuantizeLinear(*Node) (several, error) {
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		x, ok := tensor.Data[float32](in[0])
		if !ok {
			return nil, fmt.Errorf("operand of type %v: want float", in[0].DType())
		}
		q := buffer[uint8](c, len(x))
		scale, zero := quantops.DynamicQuantize(q, x, c.Workers)
		return []*tensor.Tensor{tensor.New(in[0].Shape(), q), tensor.Scalar(scale), tensor.Scalar(zero)}, nil
	}, nil
}
