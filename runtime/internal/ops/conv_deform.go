package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func buildDeformConv(n *Node) (single, error) {
	v, err := readConvolution(n)
	if err != nil {
		return nil, err
	}
	d := deformableConvolution{v, n.Int("offset_group", 1)}
	if d.offsetGroups < 1 {
		return nil, fmt.Errorf("offset_group is %d: want at least 1", d.offsetGroups)
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return d.run(c, in[0], in[1], in[2], operand(in, 3), operand(in, 4))
	}, nil
}

// deformableConvolution is a convolution whose taps are moved, for each output
// element, by offsets that are an operand, and weighted by a mask.
type deformableConvolution struct {
	convolver
	offsetGroups int
}

// run takes x (N, C, D1, ..., Dn), w (M, C/group, K1, ..., Kn), offset (N,
// offset groups · taps · n, O1, ..., On), b (M) and mask (N, offset groups ·
// taps, O1, ..., On); b and mask may be nil.
func (v deformableConvolution) run(c *Call, x, w, offset, b, mask *tensor.Tensor) (*tensor.Tensor, error) {
	p, err := v.plan(x, w, b)
	if err != nil {
		return nil, err
	}
	if x.Shape()[1]%v.offsetGroups != 0 {
		return nil, fmt.Errorf("input %v does not divide into %d offset groups", x.Shape(), v.offsetGroups)
	}
	rank := len(p.input)
	if rank > maxInterpolated {
		return nil, fmt.Errorf("input %v has %d spatial axes: at most %d can be interpolated", x.Shape(), rank, maxInterpolated)
	}
	want := append([]int{p.batch, v.offsetGroups * p.taps * rank}, p.output...)
	if !slices.Equal(offset.Shape(), want) {
		return nil, fmt.Errorf("offset %v: want %v", offset.Shape(), want)
	}
	want[1] /= rank
	if mask != nil && !slices.Equal(mask.Shape(), want) {
		return nil, fmt.Errorf("mask %v: want %v", mask.Shape(), want)
	}
	if x.DType() == onnx.Double {
		return deform[float64](c, p, v.offsetGroups, x, w, offset, b, mask)
	}
	return deform[float32](c, p, v.offsetGroups, x, w, offset, b, mask)
}

// deform samples the columns that unroll would copy, then multiplies as
// convolve does.
func deform[T real](c *Call, p *convPlan, offsetGroups int, x, w, offset, b, mask *tensor.Tensor) (*tensor.Tensor, error) {
	in, err := allReals[T](x, w, offset, b, mask)
	if err != nil {
		return nil, err
	}
	data, weights, offsets, bias, masks := in[0], in[1], in[2], in[3], in[4]
	rank, depth := len(p.input), p.channels*p.taps
	perOffset := p.groups * p.channels / offsetGroups // channels
	y := make([]T, p.batch*p.groups*p.maps*p.outputs)
	err = parallel(c, p.batch*p.groups, depth*p.maps*p.outputs, func(from, to int) {
		columns := make([]T, depth*p.outputs)
		center, place, tap := make([]float64, rank), make([]int, rank), make([]int, rank)
		for i := from; i < to; i++ {
			sample, group := i/p.groups, i%p.groups
			for channel := range p.channels {
				plane := data[(i*p.channels+channel)*p.inputs:][:p.inputs]
				offsetGroup := (group*p.channels + channel) / perOffset
				for t := range p.taps {
					unravel(t, p.kernel, tap)
					line := (sample*offsetGroups+offsetGroup)*p.taps + t
					row := columns[(channel*p.taps+t)*p.outputs:][:p.outputs]
					for o := range row {
						unravel(o, p.output, place)
						for axis := range rank {
							center[axis] = float64(place[axis]*p.strides[axis]-p.before[axis]+tap[axis]*p.dilations[axis]) +
								float64(offsets[(line*rank+axis)*p.outputs+o])
						}
						row[o] = interpolate(plane, p.input, center)
						if masks != nil {
							row[o] *= masks[line*p.outputs+o]
						}
					}
				}
			}
			out := y[i*p.maps*p.outputs:][:p.maps*p.outputs]
			for m := range p.maps {
				if bias != nil {
					fillWith(out[m*p.outputs:][:p.outputs], bias[group*p.maps+m])
				}
			}
			a := matrix[T]{weights[group*p.maps*depth:], depth}
			addProduct(matrix[T]{out, p.outputs}, a, matrix[T]{columns, p.outputs}, p.maps, depth, p.outputs)
		}
	})
	if err != nil {
		return nil, err
	}
	return ofReals(x.DType(), p.shape(), y)
}

// unravel turns a row-major position in a shape into one index for each axis.
func unravel(position int, shape, index []int) {
	for axis := len(shape) - 1; axis >= 0; axis-- {
		index[axis] = position % shape[axis]
		position /= shape[axis]
	}
}

// maxInterpolated is the most axes that interpolate takes: their corners are 2ⁿ.
const maxInterpolated = 8

// interpolate is the linear interpolation, along every axis, of an image at a
// point; elements outside the image count as zero.
func interpolate[T real](image []T, shape []int, at []float64) T {
	corners := 1 << len(shape)
	var sum float64
	for corner := range corners {
		weight, position := 1.0, 0
		for axis, size := range shape {
			low := math.Floor(at[axis])
			share := at[axis] - low
			if corner>>axis&1 == 0 {
				share = 1 - share
			} else {
				low++
			}
			if share == 0 || !(low >= 0 && low < float64(size)) {
				weight = 0
				break
			}
			weight *= share
			position = position*size + int(low)
		}
		if weight != 0 {
			sum += weight * float64(image[position])
		}
	}
	return T(sum)
}
