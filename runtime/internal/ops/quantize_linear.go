package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// quantizeLinear is y = saturate(round(x/scale) + zero), where round is to the
// nearest integer, half to even, or to the nearest value of a narrow float type.
type quantizeLinear struct {
	granularity
	saturate bool
	// output and precision may be Undefined: y's type is then that of the zero
	// points, and the quotient is rounded to the scales' type.
	output, precision onnx.DType
}

func buildQuantizeLinear(n *Node) (single, error) {
	g, err := readGranularity(n)
	q := quantizeLinear{
		granularity: g,
		saturate:    n.Int("saturate", 1) != 0,
		output:      onnx.DType(n.Int("output_dtype", 0)),
		precision:   onnx.DType(n.Int("precision", 0)),
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return q.run(c, in[0], in[1], operand(in, 2))
	}, err
}

func (q quantizeLinear) run(c *Call, x, scales, zeros *tensor.Tensor) (*tensor.Tensor, error) {
	output, precision := q.output, q.precision
	switch {
	case zeros != nil && output != onnx.Undefined && output != zeros.DType():
		return nil, fmt.Errorf("output_dtype is %v and the zero point's type %v: want one type", output, zeros.DType())
	case zeros != nil:
		output = zeros.DType()
	case output == onnx.Undefined:
		output = onnx.Uint8
	}
	if precision == onnx.Undefined {
		precision = scales.DType()
	}
	s, err := q.scaling(x.Shape(), scales, zeros)
	if err != nil {
		return nil, err
	}
	elements, err := readAs[float32](x)
	if err != nil {
		return nil, err
	}
	return encodeQuotients(c, output, q.saturate, x.Shape(), division{scaling: s, elements: elements, precision: precision})
}

// division is elements over their scales, in float32, rounded to a 16-bit
// precision where that is asked for.
type division struct {
	*scaling
	elements  reader[float32]
	precision onnx.DType
}

func (d division) quotients(c *Call, f func(lo int, quotients, zeros []float32)) error {
	return d.eachBlock(c, func(lo, hi int, scales, zeros []float32) {
		var buffer, quotients [blockElements]float32
		x := d.elements.block(lo, hi, buffer[:hi-lo])
		to := quotients[:hi-lo]
		if len(scales) == 1 {
			for i, v := range x {
				to[i] = v / scales[0]
			}
		} else {
			for i, v := range x {
				to[i] = v / scales[i]
			}
		}
		roundTo(d.precision, to)
		f(lo, to, zeros)
	})
}
