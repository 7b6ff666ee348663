package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var regionFamily = []Kernel{
	{Op: "MaxRoiPool", Since: 1, Build: needs(2, Single(buildMaxRoiPool))},
	{Op: "RoiAlign", Since: 10, Build: needs(3, Single(buildRoiAlign))},
	{Op: "NonMaxSuppression", Since: 10, Build: needs(2, Single(buildNonMaxSuppression))},
}

// roiAlign is what a RoiAlign node states.
type roiAlign struct {
	height, width int // of the output
	samples       int // along each side of a bin; 0: as many as its elements
	scale         float64
	maximum       bool // mode max, not avg
	halfPixel     bool // whether coordinates are of pixels' centers
}

func buildRoiAlign(n *Node) (single, error) {
	r := roiAlign{
		height:  n.Int("output_height", 1),
		width:   n.Int("output_width", 1),
		samples: n.Int("sampling_ratio", 0),
		scale:   float64(n.Float("spatial_scale", 1)),
	}
	mode := "half_pixel"
	if n.Opset < 16 {
		mode = "output_half_pixel"
	}
	switch mode = n.Text("coordinate_transformation_mode", mode); mode {
	case "half_pixel":
		r.halfPixel = true
	case "output_half_pixel":
	default:
		return nil, fmt.Errorf("coordinate_transformation_mode is %q: want half_pixel or output_half_pixel", mode)
	}
	switch mode = n.Text("mode", "avg"); mode {
	case "max":
		r.maximum = true
	case "avg":
	default:
		return nil, fmt.Errorf("mode is %q: want avg or max", mode)
	}
	if r.height < 1 || r.width < 1 || max(r.height, r.width) > maxRoiSamples || r.samples < 0 {
		return nil, fmt.Errorf("output of %d by %d with sampling ratio %d is out of range", r.height, r.width, r.samples)
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if in[0].DType() == onnx.Double {
			return runRoiAlign[float64](c, r, in[0], in[1], in[2])
		}
		return runRoiAlign[float32](c, r, in[0], in[1], in[2])
	}, nil
}

// roiSample is where, on one axis, a sample lies between two elements.
type roiSample struct {
	low, high int
	share     float64 // of high
	inside    bool
}

// maxRoiSamples bounds the samples, and the bins, of a region along one axis.
const maxRoiSamples = 1 << 20

// runRoiAlign gives (regions, C, height, width) of x (N, C, H, W): rois
// (regions, 4) are x1, y1, x2, y2 in the image of each region's batch index.
func runRoiAlign[T real](c *Call, r roiAlign, x, rois, batch *tensor.Tensor) (*tensor.Tensor, error) {
	s := x.Shape()
	if len(s) != 4 || rois.Rank() != 2 || rois.Shape()[1] != 4 || batch.Len() != rois.Shape()[0] {
		return nil, fmt.Errorf("input %v, regions %v and batch indices %v: want (N, C, H, W), (regions, 4) and (regions)",
			s, rois.Shape(), batch.Shape())
	}
	images, err := integers(batch)
	if err != nil {
		return nil, fmt.Errorf("batch indices: %w", err)
	}
	data, err := reals[T](x)
	if err != nil {
		return nil, err
	}
	corners, err := reals[float64](rois)
	if err != nil {
		return nil, fmt.Errorf("regions: %w", err)
	}
	shape := []int{len(images), s[1], r.height, r.width}
	count, err := checkedCount(shape)
	if err != nil {
		return nil, err
	}
	plans := make([][2][]roiSample, len(images))
	for i, image := range images {
		if image < 0 || image >= s[0] {
			return nil, fmt.Errorf("batch index %d of region %d: the batch has %d images", image, i, s[0])
		}
		box := corners[4*i:][:4]
		if plans[i][0], err = r.place(box[1], box[3], r.height, s[2]); err != nil {
			return nil, fmt.Errorf("region %d: %w", i, err)
		}
		if plans[i][1], err = r.place(box[0], box[2], r.width, s[3]); err != nil {
			return nil, fmt.Errorf("region %d: %w", i, err)
		}
	}
	y := make([]T, count)
	each, bins := s[2]*s[3], r.height*r.width
	err = parallel(c, len(images)*s[1], 4*bins, func(from, to int) {
		for i := from; i < to; i++ {
			region, channel := i/s[1], i%s[1]
			rows, columns := plans[region][0], plans[region][1]
			plane := data[(images[region]*s[1]+channel)*each:][:each]
			down, across := len(rows)/r.height, len(columns)/r.width
			for bin := range bins {
				y[i*bins+bin] = poolSamples(plane, s[3], rows[bin/r.width*down:][:down], columns[bin%r.width*across:][:across], r.maximum)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return ofReals(x.DType(), shape, y)
}

// place lays the samples of all bins along one axis, of the given size.
func (r roiAlign) place(start, end float64, bins, size int) ([]roiSample, error) {
	start, end = start*r.scale, end*r.scale
	length := end - start
	if r.halfPixel {
		start -= 0.5
	} else {
		// Without the half pixel a malformed region counts as one element.
		length = max(length, 1)
	}
	bin := length / float64(bins)
	samples := float64(r.samples)
	if r.samples == 0 {
		samples = max(0, math.Ceil(bin))
	}
	if !(samples*float64(bins) <= maxRoiSamples) {
		return nil, fmt.Errorf("%v samples for each of %d bins are too many", samples, bins)
	}
	list := make([]roiSample, 0, int(samples)*bins)
	for b := range bins {
		for i := range int(samples) {
			list = append(list, sampleAt(start+float64(b)*bin+(float64(i)+0.5)*bin/samples, size))
		}
	}
	return list, nil
}

func sampleAt(x float64, size int) roiSample {
	if !(x >= -1 && x <= float64(size)) || size == 0 {
		return roiSample{}
	}
	x = max(x, 0)
	low := int(x)
	if low >= size-1 {
		return roiSample{low: size - 1, high: size - 1, inside: true}
	}
	return roiSample{low: low, high: low + 1, share: x - float64(low), inside: true}
}

// poolSamples is the mean of the interpolated samples of a bin, a sample
// outside the image being 0, or the largest weighted element of any of them,
// which is what the reference takes the maximum of.
func poolSamples[T real](plane []T, width int, rows, columns []roiSample, maximum bool) T {
	var sum, most float64
	first := true
	for _, row := range rows {
		for _, column := range columns {
			var parts [4]float64
			if row.inside && column.inside {
				parts = [4]float64{
					(1 - row.share) * (1 - column.share) * float64(plane[row.low*width+column.low]),
					(1 - row.share) * column.share * float64(plane[row.low*width+column.high]),
					row.share * (1 - column.share) * float64(plane[row.high*width+column.low]),
					row.share * column.share * float64(plane[row.high*width+column.high]),
				}
			}
			sum += parts[0] + parts[1] + parts[2] + parts[3]
			best := max(parts[0], parts[1], parts[2], parts[3])
			if first || best > most {
				most, first = best, false
			}
		}
	}
	if maximum {
		return T(most)
	}
	return T(sum / float64(max(1, len(rows)*len(columns))))
}

func buildMaxRoiPool(n *Node) (single, error) {
	size := n.Ints("pooled_shape")
	scale := float64(n.Float("spatial_scale", 1))
	if len(size) != 2 || min(size[0], size[1]) < 1 || max(size[0], size[1]) > maxRoiSamples {
		return nil, fmt.Errorf("pooled_shape is %v: want a height and a width", size)
	}
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if in[0].DType() == onnx.Double {
			return maxRoiPool[float64](in[0], in[1], size[0], size[1], scale)
		}
		return maxRoiPool[float32](in[0], in[1], size[0], size[1], scale)
	}, nil
}

// maxRoiPool gives (regions, C, height, width) of x (N, C, H, W): rois
// (regions, 5) are a batch index and x1, y1, x2, y2, both corners included. A
// bin that lies outside the image is 0.
func maxRoiPool[T real](x, rois *tensor.Tensor, height, width int, scale float64) (*tensor.Tensor, error) {
	s := x.Shape()
	if len(s) != 4 || rois.Rank() != 2 || rois.Shape()[1] != 5 {
		return nil, fmt.Errorf("input %v and regions %v: want (N, C, H, W) and (regions, 5)", s, rois.Shape())
	}
	data, err := reals[T](x)
	if err != nil {
		return nil, err
	}
	regions, err := reals[float64](rois)
	if err != nil {
		return nil, fmt.Errorf("regions: %w", err)
	}
	shape := []int{rois.Shape()[0], s[1], height, width}
	count, err := checkedCount(shape)
	if err != nil {
		return nil, err
	}
	y := make([]T, count)
	for i := range shape[0] {
		region := regions[5*i:][:5]
		image := int(region[0])
		if image < 0 || image >= s[0] {
			return nil, fmt.Errorf("batch index %v of region %d: the batch has %d images", region[0], i, s[0])
		}
		rows := roiBins(region[2]*scale, region[4]*scale, height, s[2])
		columns := roiBins(region[1]*scale, region[3]*scale, width, s[3])
		for channel := range s[1] {
			plane := data[(image*s[1]+channel)*s[2]*s[3]:]
			out := y[(i*s[1]+channel)*height*width:]
			for bin := range height * width {
				out[bin] = maxOfBox(plane, s[3], rows[bin/width], columns[bin%width])
			}
		}
	}
	return ofReals(x.DType(), shape, y)
}

// roiBins divides a region along one axis into bins, which may overlap, and
// cuts them to the axis: each is a first element and the one behind its last.
func roiBins(start, end float64, bins, size int) [][2]int {
	first := math.Round(start)
	bin := max(math.Round(end)-first+1, 1) / float64(bins)
	list := make([][2]int, bins)
	for b := range list {
		low := first + math.Floor(float64(b)*bin)
		high := first + math.Ceil(float64(b+1)*bin)
		list[b] = [2]int{int(min(max(low, 0), float64(size))), int(min(max(high, 0), float64(size)))}
	}
	return list
}

func maxOfBox[T real](plane []T, width int, rows, columns [2]int) T {
	var most T
	first := true
	for row := rows[0]; row < rows[1]; row++ {
		for column := columns[0]; column < columns[1]; column++ {
			if v := plane[row*width+column]; first || v > most {
				most, first = v, false
			}
		}
	}
	return most
}
