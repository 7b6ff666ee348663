package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var resizeFamily = []Kernel{
	{Op: "Resize", Since: 10, Build: needs(2, Single(buildResize10))},
	{Op: "Resize", Since: 11, Build: needs(1, Single(buildResize))},
	{Op: "Upsample", Since: 1, Build: needs(1, Single(buildUpsampleScales))},
	{Op: "Upsample", Since: 9, Build: needs(2, Single(buildUpsample))},
}

// resize is what a Resize node states.
type resize struct {
	resampleMode
	axes          []int  // nil: all
	aspect        string // keep_aspect_ratio_policy
	extrapolation float64
}

// legacyResize is what Upsample and Resize 10 do: no attribute but the mode.
func legacyResize(n *Node) resize {
	r := resize{resampleMode: resampleMode{mode: n.Text("mode", "nearest"), coordinates: "asymmetric", nearest: "simple"}, aspect: "stretch"}
	if r.mode == "bilinear" { // Upsample 1's name for it
		r.mode = "linear"
	}
	return r
}

func buildResize10(n *Node) (single, error) {
	r := legacyResize(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) { return r.run(c, in[0], nil, in[1], nil) }, nil
}

func buildUpsample(n *Node) (single, error) { return buildResize10(n) }

// buildUpsampleScales is Upsample with its scales among the attributes: of
// height and width in version 1, of every axis in version 7.
func buildUpsampleScales(n *Node) (single, error) {
	r := legacyResize(n)
	scales := n.Floats("scales")
	if n.Opset < 7 {
		scales = []float32{1, 1, n.Float("height_scale", 0), n.Float("width_scale", 0)}
	}
	operand := tensor.New([]int{len(scales)}, scales)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) { return r.run(c, in[0], nil, operand, nil) }, nil
}

func buildResize(n *Node) (single, error) {
	r := resize{
		resampleMode: resampleMode{
			mode:           n.Text("mode", "nearest"),
			coordinates:    n.Text("coordinate_transformation_mode", "half_pixel"),
			nearest:        n.Text("nearest_mode", "round_prefer_floor"),
			cubic:          float64(n.Float("cubic_coeff_a", -0.75)),
			antialias:      n.Int("antialias", 0) != 0,
			excludeOutside: n.Int("exclude_outside", 0) != 0,
		},
		axes:          n.Ints("axes"),
		aspect:        n.Text("keep_aspect_ratio_policy", "stretch"),
		extrapolation: float64(n.Float("extrapolation_value", 0)),
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return r.run(c, in[0], operand(in, 1), operand(in, 2), operand(in, 3))
	}, nil
}

// run resizes x by scales or to sizes, one number for each of the axes; the
// other operand is nil or empty. roi, all starts and then all ends, matters
// only to tf_crop_and_resize.
func (r resize) run(c *Call, x, roi, scales, sizes *tensor.Tensor) (*tensor.Tensor, error) {
	axes, err := r.plan(x.Shape(), roi, scales, sizes)
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(x.Shape())
	plans := make([]*axisResampling, len(axes))
	for i, a := range axes {
		shape[i] = a.output
		if a.output == a.input && math.Abs(a.scale-1) < 1e-9 && a.start == 0 && a.end == 1 {
			continue
		}
		if a.input == 0 && a.output > 0 {
			return nil, fmt.Errorf("axis %d of %v is empty and cannot be enlarged", i, x.Shape())
		}
		plan, err := r.resample(a)
		if err != nil {
			return nil, err
		}
		plans[i] = &plan
	}
	count, err := checkedCount(shape)
	if err == nil {
		err = c.fits(count, bytesEach(x))
	}
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	var y *tensor.Tensor
	switch {
	case r.mode == "nearest":
		y, err = resizeNearest(x, plans)
	case x.DType() == onnx.Float || x.DType() == onnx.Float16 || x.DType() == onnx.BFloat16:
		y, err = resizeBetween[float32](c, x, plans)
	default:
		y, err = resizeBetween[float64](c, x, plans)
	}
	if err != nil {
		return nil, err
	}
	return r.extrapolate(y, plans)
}

// plan works out every axis of an input of the given shape.
func (r resize) plan(shape []int, roi, scales, sizes *tensor.Tensor) ([]resizedAxis, error) {
	all := make([]resizedAxis, len(shape))
	for i, size := range shape {
		all[i] = resizedAxis{input: size, output: size, scale: 1, end: 1}
	}
	axes := r.axes
	if axes == nil {
		axes = make([]int, len(shape))
		for i := range axes {
			axes[i] = i
		}
	}
	chosen := make([]*resizedAxis, len(axes))
	for i, axis := range axes {
		axis, err := resolveAxis(axis, len(shape))
		if err != nil {
			return nil, err
		}
		chosen[i] = &all[axis]
	}
	if r.coordinates == "tf_crop_and_resize" {
		if err := cropAxes(chosen, roi); err != nil {
			return nil, err
		}
	}
	if sizes != nil && sizes.Len() > 0 {
		wanted, err := integers(sizes)
		if err != nil {
			return nil, fmt.Errorf("sizes: %w", err)
		}
		return all, r.fitSizes(chosen, wanted)
	}
	if scales == nil {
		return nil, fmt.Errorf("neither scales nor sizes are given")
	}
	factors, err := reals[float64](scales)
	if err != nil {
		return nil, fmt.Errorf("scales: %w", err)
	}
	if len(factors) != len(chosen) {
		return nil, fmt.Errorf("%d scales for %d axes", len(factors), len(chosen))
	}
	for i, a := range chosen {
		a.scale = factors[i]
		// The operator's text multiplies by the extent of a crop, too; neither the
		// reference nor runtimes do.
		size := math.Floor(float64(a.input) * a.scale)
		if !(a.scale > 0 && size >= 0 && size <= maxWindowExtent) {
			return nil, fmt.Errorf("scale %v of an axis of size %d: the result is out of range", a.scale, a.input)
		}
		a.output = int(size)
	}
	return all, nil
}

// cropAxes sets where the crop lies on each axis.
func cropAxes(axes []*resizedAxis, roi *tensor.Tensor) error {
	if roi == nil || roi.Len() != 2*len(axes) {
		return fmt.Errorf("tf_crop_and_resize needs a roi with a start and an end for each of %d axes", len(axes))
	}
	crop, err := reals[float64](roi)
	if err != nil {
		return fmt.Errorf("roi: %w", err)
	}
	for i, a := range axes {
		a.start, a.end = crop[i], crop[len(axes)+i]
	}
	return nil
}

// fitSizes sets outputs and scales by the sizes that are asked for.
func (r resize) fitSizes(axes []*resizedAxis, wanted []int) error {
	if len(wanted) != len(axes) {
		return fmt.Errorf("%d sizes for %d axes", len(wanted), len(axes))
	}
	for i, a := range axes {
		if wanted[i] < 0 || wanted[i] > maxWindowExtent {
			return fmt.Errorf("sizes %v are out of range", wanted)
		}
		a.output = wanted[i]
		a.scale = float64(wanted[i]) / float64(a.input)
	}
	if r.aspect == "stretch" || len(axes) == 0 {
		return nil
	}
	scale := axes[0].scale
	for _, a := range axes {
		switch r.aspect {
		case "not_larger":
			scale = min(scale, a.scale)
		case "not_smaller":
			scale = max(scale, a.scale)
		default:
			return fmt.Errorf("keep_aspect_ratio_policy is %q: want stretch, not_larger or not_smaller", r.aspect)
		}
	}
	for _, a := range axes {
		size := math.Floor(scale*float64(a.input) + 0.5)
		if !(size <= maxWindowExtent) {
			return fmt.Errorf("sizes %v are out of range", wanted)
		}
		a.scale, a.output = scale, int(size)
	}
	return nil
}

// resizeNearest moves elements of any type, axis by axis.
func resizeNearest(x *tensor.Tensor, plans []*axisResampling) (*tensor.Tensor, error) {
	shape, data := slices.Clone(x.Shape()), elementsIn(x)
	for axis, plan := range plans {
		if plan == nil {
			continue
		}
		data = data.take(nil, tensor.Count(shape[:axis]), plan.input, plan.chosen(), tensor.Count(shape[axis+1:]))
		shape[axis] = plan.output
	}
	return data.tensor(shape), nil
}

// resizeBetween interpolates numbers of any type, axis by axis.
func resizeBetween[T real](c *Call, x *tensor.Tensor, plans []*axisResampling) (*tensor.Tensor, error) {
	data, err := numbersAsReals[T](x)
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(x.Shape())
	for axis, plan := range plans {
		if plan == nil {
			continue
		}
		data, err = applyResampling(c, *plan, data, tensor.Count(shape[:axis]), tensor.Count(shape[axis+1:]))
		if err != nil {
			return nil, err
		}
		shape[axis] = plan.output
	}
	return ofNumbers(x.DType(), shape, data)
}

// extrapolate overwrites what lies outside the input of a crop.
func (r resize) extrapolate(y *tensor.Tensor, plans []*axisResampling) (*tensor.Tensor, error) {
	cropped := false
	for _, plan := range plans {
		cropped = cropped || plan != nil && plan.outside != nil
	}
	if !cropped {
		return y, nil
	}
	value, err := ofNumbers(y.DType(), []int{}, []float64{r.extrapolation})
	if err != nil {
		return nil, err
	}
	shape := y.Shape()
	result := elementsIn(pick(nil, y, rowMajor(shape), shape))
	for axis, plan := range plans {
		if plan == nil || plan.outside == nil {
			continue
		}
		slab := slices.Clone(shape)
		slab[axis] = 1
		for o, outside := range plan.outside {
			if outside {
				at := make([]int, len(shape))
				at[axis] = o
				move(result, rowMajor(shape).at(at), elementsIn(value), layout{strides: make([]int, len(shape))}, slab)
			}
		}
	}
	return result.tensor(shape), nil
}
