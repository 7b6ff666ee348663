package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// On an image that is its own column number, every bin is its middle.
func TestRoiAlignOnARamp(t *testing.T) {
	ramp := tensor.New([]int{2, 1, 8, 16}, make([]float32, 256))
	data, _ := tensor.Data[float32](ramp)
	for i := range data {
		data[i] = float32(i%16) + float32(i/128)*100
	}
	rois, images := shaped[float32]([]int{2, 4}, 2, 2, 10, 6, 4, 0, 6, 4), list[int64](0, 1)
	size := []*onnx.Attr{onnx.IntAttr("output_height", 1), onnx.IntAttr("output_width", 2)}
	with := func(extra ...*onnx.Attr) []*onnx.Attr { return append(extra, size...) }
	result := func(v ...float32) []tensor.Value { return values(shaped([]int{2, 1, 1, 2}, v...)) }
	runNodeTests(t, []nodeTest{
		{op: "RoiAlign", opset: 10, attrs: size, in: values(ramp, rois, images), want: result(4, 8, 104.5, 105.5)},
		{op: "RoiAlign", opset: 16, name: "half a pixel", attrs: size, in: values(ramp, rois, images), want: result(3.5, 7.5, 104, 105)},
		{op: "RoiAlign", opset: 16, name: "output_half_pixel", attrs: with(text("coordinate_transformation_mode", "output_half_pixel"), onnx.IntAttr("sampling_ratio", 3)),
			in: values(ramp, rois, images), want: result(4, 8, 104.5, 105.5)},
		{op: "RoiAlign", opset: 10, name: "scale", attrs: with(onnx.FloatAttr("spatial_scale", 0.5)), in: values(ramp, rois, images), want: result(2, 4, 102.25, 102.75)},
		{op: "RoiAlign", opset: 16, name: "another image", attrs: size, in: values(ramp, rois, list[int64](0, 2)), err: "2 images"},
		{op: "RoiAlign", opset: 16, name: "too many samples", attrs: size, in: values(ramp, shaped[float32]([]int{1, 4}, 0, 0, 1e30, 1), list[int64](0)), err: "too many"},
		{op: "RoiAlign", opset: 16, name: "mode", attrs: []*onnx.Attr{text("mode", "min")}, in: values(ramp, rois, images), err: "avg or max"},
		{op: "RoiAlign", opset: 16, name: "coordinates", attrs: []*onnx.Attr{text("coordinate_transformation_mode", "pixel")}, in: values(ramp, rois, images), err: "half_pixel"},
		{op: "RoiAlign", opset: 16, name: "regions", in: values(ramp, counting(2, 5), images), err: "regions"},
		{op: "RoiAlign", opset: 16, name: "outside is zero", attrs: size, in: values(ramp, shaped[float32]([]int{2, 4}, -9, 0, -5, 1, 20, 0, 24, 1), images), want: result(0, 0, 0, 0)},
		{op: "RoiAlign", opset: 10, name: "the largest", attrs: with(text("mode", "max"), onnx.IntAttr("sampling_ratio", 1)), in: values(ramp, rois, images), want: result(4, 8, 52.5, 53)},
	})
}

func TestMaxRoiPool(t *testing.T) {
	pooled := func(height, width int64) *onnx.Attr { return onnx.IntsAttr("pooled_shape", []int64{height, width}) }
	x := counting(1, 1, 4, 6)
	roi := func(v ...float32) *tensor.Tensor { return shaped([]int{1, 5}, append([]float32{0}, v...)...) }
	result := func(height, width int, v ...float32) []tensor.Value {
		return values(shaped([]int{1, 1, height, width}, v...))
	}
	runNodeTests(t, []nodeTest{
		{op: "MaxRoiPool", opset: 1, name: "all", attrs: []*onnx.Attr{pooled(1, 1)}, in: values(x, roi(0, 0, 5, 3)), want: result(1, 1, 23)},
		{op: "MaxRoiPool", opset: 1, name: "bins", attrs: []*onnx.Attr{pooled(2, 3)}, in: values(x, roi(0, 0, 5, 3)), want: result(2, 3, 7, 9, 11, 19, 21, 23)},
		{op: "MaxRoiPool", opset: 1, name: "bins that overlap", attrs: []*onnx.Attr{pooled(1, 2)}, in: values(x, roi(1, 1, 3, 1)), want: result(1, 2, 8, 9)},
		{op: "MaxRoiPool", opset: 1, name: "outside", attrs: []*onnx.Attr{pooled(1, 2)}, in: values(x, roi(4, 0, 11, 0)), want: result(1, 2, 5, 0)},
		{op: "MaxRoiPool", opset: 1, name: "scale", attrs: []*onnx.Attr{pooled(1, 1), onnx.FloatAttr("spatial_scale", 0.5)}, in: values(x, roi(0, 0, 4, 2)), want: result(1, 1, 8)},
		{op: "MaxRoiPool", opset: 1, name: "image", attrs: []*onnx.Attr{pooled(1, 1)}, in: values(x, shaped[float32]([]int{1, 5}, 1, 0, 0, 1, 1)), err: "1 images"},
		{op: "MaxRoiPool", opset: 1, name: "no size", in: values(x, roi(0, 0, 1, 1)), err: "pooled_shape"},
		{op: "MaxRoiPool", opset: 1, name: "regions", attrs: []*onnx.Attr{pooled(1, 1)}, in: values(x, counting(1, 4)), err: "regions"},
	})
}

func TestNonMaxSuppression(t *testing.T) {
	// Boxes 0 and 1 overlap by a half of their union, 2 lies apart, 3 is empty.
	boxes := shaped[float32]([]int{1, 4, 4}, 0, 0, 2, 3, 0, 1, 2, 4, 5, 5, 6, 6, 1, 1, 1, 1)
	scores := shaped[float32]([]int{1, 2, 4}, 0.5, 0.9, 0.1, 0.9, 0.4, 0.3, 0.6, 0)
	most, one := tensor.Scalar[int64](9), list[float32]
	picked := func(v ...int64) []tensor.Value { return values(shaped([]int{len(v) / 3, 3}, v...)) }
	centered := shaped[float32]([]int{1, 4, 4}, 1.5, 1, 3, 2, 2.5, 1, 3, 2, 5.5, 5.5, 1, 1, 1, 1, 0, 0)
	runNodeTests(t, []nodeTest{
		{op: "NonMaxSuppression", opset: 11, in: values(boxes, scores, most, one(0.4)), want: picked(0, 0, 1, 0, 0, 3, 0, 0, 2, 0, 1, 2, 0, 1, 0, 0, 1, 3)},
		{op: "NonMaxSuppression", opset: 11, name: "at the threshold", in: values(boxes, scores, most, one(0.5)), want: picked(0, 0, 1, 0, 0, 3, 0, 0, 0, 0, 0, 2, 0, 1, 2, 0, 1, 0, 0, 1, 1, 0, 1, 3)},
		{op: "NonMaxSuppression", opset: 11, name: "score", in: values(boxes, scores, most, one(0.4), one(0.4)), want: picked(0, 0, 1, 0, 0, 3, 0, 1, 2)},
		{op: "NonMaxSuppression", opset: 11, name: "one of each", in: values(boxes, scores, list[int64](1)), want: picked(0, 0, 1, 0, 1, 2)},
		{op: "NonMaxSuppression", opset: 11, name: "none", in: values(boxes, scores), want: picked()},
		{op: "NonMaxSuppression", opset: 10, name: "centers", attrs: []*onnx.Attr{onnx.IntAttr("center_point_box", 1)}, in: values(centered, scores, most, one(0.4)),
			want: picked(0, 0, 1, 0, 0, 3, 0, 0, 2, 0, 1, 2, 0, 1, 0, 0, 1, 3)},
		{op: "NonMaxSuppression", opset: 11, name: "no boxes", in: values(counting(1, 0, 4), counting(1, 2, 0), most), want: picked()},
		{op: "NonMaxSuppression", opset: 11, name: "shapes", in: values(boxes, counting(1, 2, 3)), err: "boxes"},
	})
}
