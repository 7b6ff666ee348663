package ops

import (
	"fmt"
	"math"
)

// resampleMode is how Resize, Upsample and their kin read between elements.
type resampleMode struct {
	mode        string // nearest, linear or cubic
	coordinates string // coordinate_transformation_mode
	nearest     string // nearest_mode; "simple" is what Resize 10 does
	cubic       float64
	antialias   bool
	// excludeOutside leaves out neighbours outside the axis, and makes the
	// weights of the rest sum to 1; else the elements at the ends are repeated.
	excludeOutside bool
}

// axisResampling says what each output of one axis is made of: taps elements
// of the axis, index[o·taps:], weighted by weight[o·taps:].
type axisResampling struct {
	input, output int
	taps          int
	index         []int
	weight        []float64
	// outside marks outputs of a crop that lie beyond the input; nil for none.
	outside []bool
}

// resizedAxis is one axis that is resized: scale is output/input as stated,
// which output need not meet; start and end are the crop's, as parts of the axis.
type resizedAxis struct {
	input, output int
	scale         float64
	start, end    float64
}

// original is where, on the input's axis, output coordinate x lies. (Resize's
// coordinate_transformation_mode.)
func (a resizedAxis) original(mode string, x float64) (float64, error) {
	input, output := float64(a.input), float64(a.output)
	switch mode {
	case "half_pixel":
		return (x+0.5)/a.scale - 0.5, nil
	case "half_pixel_symmetric":
		adjustment := output / (a.scale * input)
		return input/2*(1-adjustment) + (x+0.5)/a.scale - 0.5, nil
	case "pytorch_half_pixel":
		if a.output <= 1 {
			return 0, nil
		}
		return (x+0.5)/a.scale - 0.5, nil
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / a.scale, nil
	case "align_corners":
		// The width before it is rounded down, as the reference has it.
		width := a.scale * input
		if width == 1 {
			return 0, nil
		}
		return x * (input - 1) / (width - 1), nil
	case "asymmetric":
		return x / a.scale, nil
	case "tf_crop_and_resize":
		if a.output <= 1 {
			return 0.5 * (a.start + a.end) * (input - 1), nil
		}
		return a.start*(input-1) + x*(a.end-a.start)*(input-1)/(output-1), nil
	}
	return 0, fmt.Errorf("coordinate_transformation_mode %q is not known", mode)
}

// resample computes what an axis is made of.
func (m resampleMode) resample(a resizedAxis) (axisResampling, error) {
	weigh, taps, err := m.weights(a.scale)
	if err != nil {
		return axisResampling{}, err
	}
	if _, err := checkedCount([]int{a.output, taps}); err != nil {
		return axisResampling{}, err
	}
	r := axisResampling{
		input: a.input, output: a.output, taps: taps,
		index: make([]int, a.output*taps), weight: make([]float64, a.output*taps),
	}
	for o := range a.output {
		x, err := a.original(m.coordinates, float64(o))
		if err != nil {
			return r, err
		}
		if m.coordinates == "tf_crop_and_resize" && !(x >= 0 && x <= float64(a.input-1)) {
			if r.outside == nil {
				r.outside = make([]bool, a.output)
			}
			r.outside[o] = true
		}
		// An element exactly at x counts as the right one of two neighbours.
		left := math.Ceil(x) - 1
		index, weight := r.index[o*taps:][:taps], r.weight[o*taps:][:taps]
		weigh(x-left, weight)
		sum := 0.0
		for i := range index {
			at := left - float64(taps/2) + 1 + float64(i)
			if m.excludeOutside && !(at >= 0 && at < float64(a.input)) {
				weight[i] = 0
			}
			sum += weight[i]
			index[i] = int(min(max(at, 0), float64(a.input-1)))
		}
		if m.excludeOutside && sum != 0 {
			for i := range weight {
				weight[i] /= sum
			}
		}
	}
	return r, nil
}

// weights gives the function that weighs an even number of neighbours of a
// point, of which half lie to its left: ratio, in (0, 1], is how far the point
// lies behind the nearest of those.
func (m resampleMode) weights(scale float64) (weigh func(ratio float64, weight []float64), taps int, err error) {
	var kernel func(x float64) float64
	reach := 1.0
	switch m.mode {
	case "nearest":
		return m.nearestWeights(scale)
	case "linear":
		kernel = func(x float64) float64 { return max(0, 1-math.Abs(x)) }
	case "cubic":
		kernel, reach = m.cubicKernel, 2
	default:
		return nil, 0, fmt.Errorf("mode is %q: want nearest, linear or cubic", m.mode)
	}
	if !m.antialias || scale >= 1 {
		return func(ratio float64, weight []float64) {
			for i := range weight {
				weight[i] = kernel(float64(i) - reach + 1 - ratio)
			}
		}, 2 * int(reach), nil
	}
	// Downsampling stretches the kernel, so that all elements between two
	// outputs have their share.
	half := math.Ceil(reach / scale)
	if !(half < maxWindowExtent) {
		return nil, 0, fmt.Errorf("scale %v is too small", scale)
	}
	return func(ratio float64, weight []float64) {
		sum := 0.0
		for i := range weight {
			weight[i] = kernel((float64(i) - half + 1 - ratio) * scale)
			sum += weight[i]
		}
		for i := range weight {
			weight[i] /= sum
		}
	}, 2 * int(half), nil
}

// cubicKernel is the cubic convolution of Keys ("Cubic convolution
// interpolation for digital image processing", equation 4).
func (m resampleMode) cubicKernel(x float64) float64 {
	x = math.Abs(x)
	a := m.cubic
	switch {
	case x <= 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return ((a*x-5*a)*x+8*a)*x - 4*a
	}
	return 0
}

// nearestWeights chooses the left or the right of two neighbours.
func (m resampleMode) nearestWeights(scale float64) (func(ratio float64, weight []float64), int, error) {
	var right func(ratio float64) bool
	switch m.nearest {
	case "round_prefer_floor":
		right = func(ratio float64) bool { return ratio > 0.5 }
	case "round_prefer_ceil":
		right = func(ratio float64) bool { return ratio >= 0.5 }
	case "floor":
		right = func(ratio float64) bool { return ratio == 1 }
	case "ceil":
		right = func(float64) bool { return true }
	case "simple":
		// What the first version left open; runtimes round down when they
		// enlarge and up when they shrink.
		right = func(ratio float64) bool { return scale < 1 || ratio == 1 }
	default:
		return nil, 0, fmt.Errorf("nearest_mode %q is not known", m.nearest)
	}
	return func(ratio float64, weight []float64) {
		chosen := 0
		if right(ratio) {
			chosen = 1
		}
		weight[0], weight[1] = float64(1-chosen), float64(chosen)
	}, 2, nil
}

// chosen is the one neighbour of each output of a nearest resampling.
func (r axisResampling) chosen() []int {
	index := make([]int, r.output)
	for o := range index {
		index[o] = r.index[2*o]
		if r.weight[2*o+1] != 0 {
			index[o] = r.index[2*o+1]
		}
	}
	return index
}

// apply resamples the middle axis of x (outer, input, inner).
func applyResampling[T real](c *Call, r axisResampling, x []T, outer, inner int) ([]T, error) {
	y := make([]T, outer*r.output*inner)
	return y, parallel(c, outer*r.output, r.taps*inner, func(from, to int) {
		for i := from; i < to; i++ {
			o := i % r.output
			source := x[i/r.output*r.input*inner:][:r.input*inner]
			index, weight := r.index[o*r.taps:][:r.taps], r.weight[o*r.taps:][:r.taps]
			if inner == 1 {
				var sum T
				for t, at := range index {
					sum += source[at] * T(weight[t])
				}
				y[i] = sum
				continue
			}
			out := y[i*inner:][:inner]
			for t, at := range index {
				if weight[t] != 0 {
					addScaled(out, source[at*inner:], T(weight[t]))
				}
			}
		}
	})
}
