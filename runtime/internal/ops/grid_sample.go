package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var gridFamily = []Kernel{
	{Op: "GridSample", Since: 16, Build: needs(2, Single(buildGridSample))},
	{Op: "AffineGrid", Since: 20, Build: needs(2, Single(buildAffineGrid))},
}

// gridSample is what a GridSample node states.
type gridSample struct {
	taps         int // along each axis: 1 for nearest, 2 for linear, 4 for cubic
	padding      string
	alignCorners bool
}

func buildGridSample(n *Node) (single, error) {
	g := gridSample{padding: n.Text("padding_mode", "zeros"), alignCorners: n.Int("align_corners", 0) != 0}
	// Version 16 has other names for the modes.
	switch mode := n.Text("mode", "linear"); mode {
	case "nearest":
		g.taps = 1
	case "linear", "bilinear":
		g.taps = 2
	case "cubic", "bicubic":
		g.taps = 4
	default:
		return nil, fmt.Errorf("mode is %q: want nearest, linear or cubic", mode)
	}
	switch g.padding {
	case "zeros", "border", "reflection":
	default:
		return nil, fmt.Errorf("padding_mode is %q: want zeros, border or reflection", g.padding)
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) { return g.run(c, in[0], in[1]) }, nil
}

// run samples x (N, C, D1, ..., Dr) at the points of grid (N, O1, ..., Or, r),
// whose coordinates run from -1 to 1, the innermost axis first. Integers are
// interpolated in floating point and truncated.
func (g gridSample) run(c *Call, x, grid *tensor.Tensor) (*tensor.Tensor, error) {
	xs, gs := x.Shape(), grid.Shape()
	rank := len(xs) - 2
	if rank < 1 || rank > maxInterpolated || len(gs) != rank+2 || gs[0] != xs[0] || gs[rank+1] != rank {
		return nil, fmt.Errorf("input %v and grid %v: want (N, C, D1, ..., Dr) and (N, O1, ..., Or, r), r up to %d", xs, gs, maxInterpolated)
	}
	shape := append([]int{xs[0], xs[1]}, gs[1:rank+1]...)
	if _, err := checkedCount(shape); err != nil {
		return nil, err
	}
	if tensor.Count(shape) > 0 && tensor.Count(xs[2:]) == 0 {
		return nil, fmt.Errorf("input %v has no elements to sample", xs)
	}
	points, err := reals[float64](grid)
	if err != nil {
		return nil, fmt.Errorf("grid: %w", err)
	}
	if g.taps == 1 {
		return g.nearest(x, shape, points)
	}
	if x.DType() == onnx.Float || x.DType() == onnx.Float16 || x.DType() == onnx.BFloat16 {
		return sampleBetween[float32](c, g, x, shape, points)
	}
	return sampleBetween[float64](c, g, x, shape, points)
}

// place turns a normalized coordinate into one of an axis of the given size,
// in float32 as the reference computes it, and brings it into the axis as the
// padding mode asks.
func (g gridSample) place(normalized float64, size int) float64 {
	n, length := float32(normalized), float32(size)
	x := ((n+1)*length - 1) / 2
	if g.alignCorners {
		x = (n + 1) / 2 * (length - 1)
	}
	at := float64(x)
	if g.taps == 1 {
		at = math.RoundToEven(at)
	}
	least, most := g.border(size)
	if at >= least && at <= most {
		return at
	}
	switch {
	case g.padding == "reflection":
		return mirror(at, least, most)
	case g.padding == "border" && g.taps < 4:
		return min(max(at, 0), float64(size-1))
	}
	// A cubic reads on beyond the border, where each element is the outermost
	// one: so runtimes do, whose curve has no step there.
	return at
}

// border is where an axis begins and ends: at the centers of its outermost
// elements, or half an element further out.
func (g gridSample) border(size int) (least, most float64) {
	if g.alignCorners {
		return 0, float64(size - 1)
	}
	return -0.5, float64(size) - 0.5
}

// mirror reflects x at both ends of a range until it lies inside.
func mirror(x, least, most float64) float64 {
	width := most - least
	if width <= 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return least
	}
	distance := least - x
	if x > most {
		distance = x - most
	} else if x >= least {
		return x
	}
	rest := math.Mod(distance, width)
	fromLeast := (x < least) == (math.Mod(math.Floor(distance/width), 2) == 0)
	if fromLeast {
		return least + rest
	}
	return most - rest
}

// element is the element that stands at a whole coordinate of an axis, or -1
// for one that is zero.
func (g gridSample) element(at float64, size int) int {
	if at >= 0 && at < float64(size) {
		return int(at)
	}
	switch {
	case math.IsNaN(at):
		return -1
	case g.padding == "border":
		return int(min(max(at, 0), float64(size-1)))
	case g.padding == "reflection":
		least, most := g.border(size)
		return min(max(int(mirror(at, least, most)), 0), size-1)
	}
	return -1
}

// nearest moves elements of any type; what lies outside is the type's zero.
func (g gridSample) nearest(x *tensor.Tensor, shape []int, points []float64) (*tensor.Tensor, error) {
	image := x.Shape()[2:]
	rank, each, outputs := len(image), tensor.Count(image), tensor.Count(shape[2:])
	var from, to []int
	for i := range shape[0] * outputs {
		position := 0
		for axis, size := range image {
			at := g.element(g.place(points[i*rank+rank-1-axis], size), size)
			if at < 0 {
				position = -1
				break
			}
			position = position*size + at
		}
		if position < 0 {
			continue
		}
		for channel := range shape[1] {
			plane := i/outputs*shape[1] + channel
			from = append(from, plane*each+position)
			to = append(to, plane*outputs+i%outputs)
		}
	}
	source := elementsIn(x)
	result := source.like(tensor.Count(shape))
	result.put(to, 1, source.take(nil, 1, x.Len(), from, 1))
	return result.tensor(shape), nil
}

// sampleBetween weighs, for each point, the elements around it along every
// axis; all channels share the weights.
func sampleBetween[T real](c *Call, g gridSample, x *tensor.Tensor, shape []int, points []float64) (*tensor.Tensor, error) {
	data, err := numbersAsReals[T](x)
	if err != nil {
		return nil, err
	}
	image := x.Shape()[2:]
	rank, each, outputs := len(image), tensor.Count(image), tensor.Count(shape[2:])
	y := make([]T, tensor.Count(shape))
	err = parallel(c, shape[0]*outputs, shape[1]<<(rank*g.taps/2), func(from, to int) {
		around := newNeighbourhood(g, image)
		for i := from; i < to; i++ {
			around.locate(points[i*rank:][:rank])
			for channel := range shape[1] {
				plane := i/outputs*shape[1] + channel
				source := data[plane*each:][:each]
				var sum float64
				for k, at := range around.position {
					sum += float64(source[at]) * around.weight[k]
				}
				y[plane*outputs+i%outputs] = T(sum)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if !x.DType().IsFloat() {
		for i, v := range y {
			y[i] = T(math.Trunc(float64(v)))
		}
	}
	return ofNumbers(x.DType(), shape, y)
}

// neighbourhood is the elements around a point that are not zero, as positions
// in the image, and their weights.
type neighbourhood struct {
	gridSample
	image    []int
	position []int
	weight   []float64
}

func newNeighbourhood(g gridSample, image []int) *neighbourhood {
	return &neighbourhood{gridSample: g, image: image}
}

// locate finds the neighbourhood of a point, whose innermost coordinate comes first.
func (n *neighbourhood) locate(point []float64) {
	n.position, n.weight = append(n.position[:0], 0), append(n.weight[:0], 1)
	cubic := resampleMode{cubic: -0.75}
	for axis, size := range n.image {
		x := n.place(point[len(n.image)-1-axis], size)
		base := math.Floor(x)
		positions, weights := slices.Clone(n.position), slices.Clone(n.weight)
		n.position, n.weight = n.position[:0], n.weight[:0]
		for i, position := range positions {
			for t := range n.taps {
				offset := float64(t - n.taps/2 + 1)
				at := n.element(base+offset, size)
				if at < 0 {
					continue
				}
				weight := max(0, 1-math.Abs(x-base-offset))
				if n.taps == 4 {
					weight = cubic.cubicKernel(x - base - offset)
				}
				n.position = append(n.position, position*size+at)
				n.weight = append(n.weight, weights[i]*weight)
			}
		}
	}
}

func buildAffineGrid(n *Node) (single, error) {
	alignCorners := n.Int("align_corners", 0) != 0
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		size, err := integers(in[1])
		if err != nil {
			return nil, fmt.Errorf("size: %w", err)
		}
		return affineGrid(in[0], size, alignCorners)
	}, nil
}

// affineGrid maps the points of an image (N, C, D1, ..., Dr), r 2 or 3, by the
// matrices theta (N, r, r+1): the result is (N, D1, ..., Dr, r), coordinates
// from -1 to 1, the innermost axis first.
func affineGrid(theta *tensor.Tensor, size []int, alignCorners bool) (*tensor.Tensor, error) {
	rank := len(size) - 2
	if rank < 2 || rank > 3 || !slices.Equal(theta.Shape(), []int{size[0], rank, rank + 1}) {
		return nil, fmt.Errorf("theta %v and size %v: want (N, r, r+1) and N, C and r sizes, r being 2 or 3", theta.Shape(), size)
	}
	shape := append(append([]int{size[0]}, size[2:]...), rank)
	count, err := checkedCount(shape)
	if err != nil {
		return nil, err
	}
	matrices, err := reals[float64](theta)
	if err != nil {
		return nil, err
	}
	grid := make([]float64, count)
	place, point := make([]int, rank), make([]float64, rank+1)
	point[rank] = 1
	each := tensor.Count(size[2:])
	for i := range count / rank {
		unravel(i%each, size[2:], place)
		for axis, at := range place {
			n := float64(size[2+axis])
			switch {
			case !alignCorners:
				point[rank-1-axis] = (2*float64(at)+1)/n - 1
			case n > 1:
				point[rank-1-axis] = 2*float64(at)/(n-1) - 1
			}
		}
		for row := range rank {
			grid[i*rank+row] = dot(matrices[(i/each*rank+row)*(rank+1):][:rank+1], point)
		}
	}
	return ofReals(theta.DType(), shape, grid)
}
