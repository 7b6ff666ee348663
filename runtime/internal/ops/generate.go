package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// generateFamily holds the operators that make numbers of a rule.
var generateFamily = []Kernel{
	{Op: "Range", Since: 11, Build: needs(3, Single(buildRange))},
	{Op: "EyeLike", Since: 9, Build: needs(1, Single(buildEyeLike))},
	{Op: "HannWindow", Since: 17, Build: cosineWindow(0.5, 0.5, 0)},
	{Op: "HammingWindow", Since: 17, Build: cosineWindow(25.0/46, 21.0/46, 0)},
	{Op: "BlackmanWindow", Since: 17, Build: cosineWindow(0.42, 0.5, 0.08)},
	{Op: "MelWeightMatrix", Since: 17, Build: needs(5, Single(buildMelWeights))},
}

func buildRange(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		start, limit, delta := in[0], in[1], in[2]
		for _, t := range in[:3] {
			if t.Len() != 1 || t.DType() != start.DType() {
				return nil, fmt.Errorf("operand of type %v and shape %v: want one %v", t.DType(), t.Shape(), start.DType())
			}
		}
		if start.DType().IsFloat() {
			return steps[float64](c, start, limit, delta)
		}
		return steps[int64](c, start, limit, delta)
	}, nil
}

// steps computes start + i·delta up to the limit, in float64 or int64, whichever
// holds the operands' type.
func steps[C int64 | float64](c *Call, start, limit, delta *tensor.Tensor) (*tensor.Tensor, error) {
	bounds := make([]C, 3)
	for i, t := range []*tensor.Tensor{start, limit, delta} {
		list, err := numbersAs[C](t)
		if err != nil {
			return nil, err
		}
		bounds[i] = list[0]
	}
	first, end, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return nil, fmt.Errorf("delta is 0: the limit is never reached")
	}
	count := stepCount(first, end, step)
	if math.IsNaN(count) || count > tensor.MaxElements {
		return nil, fmt.Errorf("a range from %v to %v in steps of %v is too long", first, end, step)
	}
	if err := c.fits(max(0, int(count)), 8); err != nil {
		return nil, err
	}
	list := make([]C, max(0, int(count)))
	for i := range list {
		list[i] = first + C(i)*step
	}
	return cast(c, tensor.New([]int{len(list)}, list), start.DType(), rounding{})
}

// stepCount is how many steps, of a size other than 0, it takes to reach the end:
// none or less if that lies the other way. Distances between integers are taken
// unsigned, in which none overflows.
func stepCount[C int64 | float64](first, end, step C) float64 {
	if !isInteger[C]() {
		return math.Ceil(float64((end - first) / step))
	}
	if step < 0 {
		first, end, step = end, first, -step
	}
	if end <= first {
		return 0
	}
	return float64((uint64(end)-uint64(first)-1)/uint64(step) + 1)
}

func buildEyeLike(n *Node) (single, error) {
	stated, diagonal := onnx.DType(n.Int("dtype", 0)), n.Int("k", 0)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if in[0].Rank() != 2 {
			return nil, fmt.Errorf("operand of shape %v: want a matrix", in[0].Shape())
		}
		target := stated
		if target == onnx.Undefined {
			target = in[0].DType()
		}
		rows, columns := in[0].Shape()[0], in[0].Shape()[1]
		if err := c.fits(rows*columns, 1); err != nil {
			return nil, err
		}
		ones := make([]uint8, rows*columns)
		for row := range rows {
			if column := row + diagonal; column >= 0 && column < columns {
				ones[row*columns+column] = 1
			}
		}
		return cast(c, tensor.New(in[0].Shape(), ones), target, rounding{})
	}, nil
}

// cosineWindow builds a window function, c0 - c1·cos(2πi/N) + c2·cos(4πi/N),
// where N is the window's size, or one less if it is symmetric.
func cosineWindow(c0, c1, c2 float64) Builder {
	return needs(1, Single(func(n *Node) (single, error) {
		target, periodic := onnx.DType(n.Int("output_datatype", int(onnx.Float))), n.Int("periodic", 1) != 0
		return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
			size, err := wholeNumber(in[0])
			if err == nil {
				_, err = checkedCount([]int{size})
			}
			if err == nil {
				err = c.fits(size, 8)
			}
			if err != nil {
				return nil, fmt.Errorf("size: %w", err)
			}
			period := float64(size)
			if !periodic {
				period--
			}
			window := make([]float64, size)
			for i := range window {
				phase := 2 * math.Pi * float64(i) / max(period, 1)
				window[i] = c0 - c1*math.Cos(phase) + c2*math.Cos(2*phase)
			}
			return cast(c, tensor.New([]int{size}, window), target, rounding{})
		}, nil
	}))
}

func buildMelWeights(n *Node) (single, error) {
	target := onnx.DType(n.Int("output_datatype", int(onnx.Float)))
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		given := make([]float64, 5)
		for i := range given {
			list, err := numbersAs[float64](in[i])
			if err == nil && len(list) != 1 {
				err = fmt.Errorf("shape %v: want one number", in[i].Shape())
			}
			if err != nil {
				return nil, fmt.Errorf("operand %d: %w", i, err)
			}
			given[i] = list[0]
		}
		weights, err := melWeights(int(given[0]), int(given[1]), given[2], given[3], given[4])
		if err != nil {
			return nil, err
		}
		return cast(c, weights, target, rounding{})
	}, nil
}

// melWeights maps the bins of a spectrum, of a transform of the given length, to
// bins that are evenly spaced on the mel scale, 2595·log10(1 + hertz/700). Each
// is a triangle: it rises from the bin below its own to 1 and falls to the bin
// above. The result's shape is (spectrum's bins, mel bins).
func melWeights(bins, length int, sampleRate, lowest, highest float64) (*tensor.Tensor, error) {
	spectrum := length/2 + 1
	shape := []int{spectrum, bins}
	count, err := checkedCount(shape)
	if err != nil {
		return nil, err
	}
	low, high := mel(lowest), mel(highest)
	step := (high - low) / float64(bins+2)
	edges := make([]int, bins+2)
	for i := range edges {
		hertz := 700 * (math.Pow(10, (low+float64(i)*step)/2595) - 1)
		edges[i] = int(math.Floor(float64(length+1) * hertz / sampleRate))
		if edges[i] < 0 || edges[i] >= spectrum {
			return nil, fmt.Errorf("%v to %v Hz at a sample rate of %v Hz do not lie within the %d bins of a spectrum", lowest, highest, sampleRate, spectrum)
		}
	}
	weights := make([]float64, count)
	for bin := range bins {
		left, center, right := edges[bin], edges[bin+1], edges[bin+2]
		for i := left; i < center; i++ {
			weights[i*bins+bin] = float64(i-left) / float64(center-left)
		}
		weights[center*bins+bin] = 1
		for i := center + 1; i < right; i++ {
			weights[i*bins+bin] = float64(right-i) / float64(right-center)
		}
	}
	return tensor.New(shape, weights), nil
}

func mel(hertz float64) float64 { return 2595 * math.Log10(1+hertz/700) }
