package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
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
	d := division{scaling: s, elements: elements, shape: x.Shape(), precision: precision}
	switch output {
	case onnx.Int8:
		return quantizeElements(c, d, toIntegers[int8](math.MinInt8, math.MaxInt8))
	case onnx.Uint8:
		return quantizeElements(c, d, toIntegers[uint8](0, math.MaxUint8))
	case onnx.Int16:
		return quantizeElements(c, d, toIntegers[int16](math.MinInt16, math.MaxInt16))
	case onnx.Uint16:
		return quantizeElements(c, d, toIntegers[uint16](0, math.MaxUint16))
	case onnx.Int4:
		return quantizeElements(c, d, toIntegers[quantops.Int4](-8, 7))
	case onnx.Uint4:
		return quantizeElements(c, d, toIntegers[quantops.Uint4](0, 15))
	case onnx.Int2:
		return quantizeElements(c, d, toIntegers[quantops.Int2](-2, 1))
	case onnx.Uint2:
		return quantizeElements(c, d, toIntegers[quantops.Uint2](0, 3))
	case onnx.Float8E4M3FN:
		return quantizeElements(c, d, toFloats(func(v float32) quantops.Float8E4M3FN { return quantops.Float8E4M3FNFromFloat32(v, q.saturate) }))
	case onnx.Float8E4M3FNUZ:
		return quantizeElements(c, d, toFloats(func(v float32) quantops.Float8E4M3FNUZ { return quantops.Float8E4M3FNUZFromFloat32(v, q.saturate) }))
	case onnx.Float8E5M2:
		return quantizeElements(c, d, toFloats(func(v float32) quantops.Float8E5M2 { return quantops.Float8E5M2FromFloat32(v, q.saturate) }))
	case onnx.Float8E5M2FNUZ:
		return quantizeElements(c, d, toFloats(func(v float32) quantops.Float8E5M2FNUZ { return quantops.Float8E5M2FNUZFromFloat32(v, q.saturate) }))
	case onnx.Float4E2M1:
		return quantizeElements(c, d, toFloats(quantops.Float4E2M1FromFloat32))
	case onnx.Float6E2M3:
		return quantizeElements(c, d, toFloats(quantops.Float6E2M3FromFloat32))
	case onnx.Float6E3M2:
		return quantizeElements(c, d, toFloats(quantops.Float6E3M2FromFloat32))
	}
	return nil, fmt.Errorf("%v is not a type to quantize to", output)
}

// division is elements over their scales, in float32, rounded to a 16-bit
// precision where that is asked for.
type division struct {
	*scaling
	elements  reader[float32]
	shape     []int
	precision onnx.DType
}

// quantizeElements divides and encodes: encode gets quotients, and as many zero
// points or one for all.
func quantizeElements[Q tensor.Element](c *Call, d division, encode func(to []Q, quotients, zeros []float32)) (*tensor.Tensor, error) {
	y := make([]Q, d.grid.Len())
	err := d.eachBlock(c, func(lo, hi int, scales, zeros []float32) {
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
		encode(y[lo:hi], to, zeros)
	})
	return tensor.New(d.shape, y), err
}

// toIntegers encodes as integers from least to most; a NaN, for which ONNX says
// nothing, becomes the least.
func toIntegers[Q ~int8 | ~uint8 | ~int16 | ~uint16](least, most float32) func(to []Q, quotients, zeros []float32) {
	return func(to []Q, quotients, zeros []float32) {
		for i, v := range quotients {
			zero := zeros[0]
			if len(zeros) > 1 {
				zero = zeros[i]
			}
			switch v := float32(math.RoundToEven(float64(v))) + zero; {
			case v >= most:
				to[i] = Q(most)
			case v > least:
				to[i] = Q(v)
			default:
				to[i] = Q(least)
			}
		}
	}
}

// toFloats encodes as one of the narrow floats. Their zero points are zero but
// in theory; adding that would only take the sign of a negative zero.
func toFloats[Q tensor.Element](narrow func(float32) Q) func(to []Q, quotients, zeros []float32) {
	return func(to []Q, quotients, zeros []float32) {
		for i, v := range quotients {
			zero := zeros[0]
			if len(zeros) > 1 {
				zero = zeros[i]
			}
			if zero != 0 {
				v += zero
			}
			to[i] = narrow(v)
		}
	}
}
