package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// dequantizeLinear is y = (x − zero)·scale. The difference is exact but for
// int32, the product is rounded once, to float32, and then to the output's type.
type dequantizeLinear struct {
	granularity
	output onnx.DType // Undefined: that of the scales
}

func buildDequantizeLinear(n *Node) (single, error) {
	g, err := readGranularity(n)
	d := dequantizeLinear{granularity: g, output: onnx.DType(n.Int("output_dtype", 0))}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return d.run(c, in[0], in[1], operand(in, 2))
	}, err
}

func (d dequantizeLinear) run(c *Call, x, scales, zeros *tensor.Tensor) (*tensor.Tensor, error) {
	output := d.output
	if output == onnx.Undefined {
		output = scales.DType()
	}
	if zeros != nil && zeros.DType() != x.DType() {
		return nil, fmt.Errorf("elements of type %v and zero points of type %v: want one type", x.DType(), zeros.DType())
	}
	s, err := d.scaling(x.Shape(), scales, zeros)
	if err != nil {
		return nil, err
	}
	elements, err := readAs[float32](x)
	if err != nil {
		return nil, err
	}
	switch output {
	case onnx.Float:
		return dequantizeElements[float32](c, s, elements, x.Shape(), nil)
	case onnx.Float16:
		return dequantizeElements(c, s, elements, x.Shape(), quantops.NarrowFloat16)
	case onnx.BFloat16:
		return dequantizeElements(c, s, elements, x.Shape(), quantops.NarrowBFloat16)
	}
	return nil, fmt.Errorf("%v is not a type to dequantize to: want float, float16 or bfloat16, from output_dtype or the scale", output)
}

// dequantizeElements computes in float32 and stores as F by way of narrow, which
// is nil where F is float32.
func dequantizeElements[F tensor.Element](c *Call, s *scaling, elements reader[float32], shape []int, narrow func(to []F, from []float32)) (*tensor.Tensor, error) {
	y := make([]F, s.grid.Len())
	direct, _ := any(y).([]float32)
	err := s.eachBlock(c, func(lo, hi int, scales, zeros []float32) {
		var buffer, products [blockElements]float32
		x := elements.block(lo, hi, buffer[:hi-lo])
		to := products[:hi-lo]
		if direct != nil {
			to = direct[lo:hi]
		}
		if len(scales) == 1 {
			scale, zero := scales[0], zeros[0]
			for i, v := range x {
				to[i] = (v - zero) * scale
			}
		} else {
			for i, v := range x {
				zero := zeros[0]
				if len(zeros) > 1 {
					zero = zeros[i]
				}
				to[i] = (v - zero) * scales[i]
			}
		}
		if narrow != nil {
			narrow(y[lo:hi], to)
		}
	})
	return tensor.New(shape, y), err
}
