package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func text(name, v string) *onnx.Attr { return onnx.StringAttr(name, v) }

func TestResizeOneAxis(t *testing.T) {
	four := list[float32](10, 20, 30, 40)
	scale := func(v float32) tensor.Value { return list(v) }
	size := func(v int64) tensor.Value { return list(v) }
	type attrs = []*onnx.Attr
	linear, cubic := text("mode", "linear"), text("mode", "cubic")
	coordinates := func(name string) *onnx.Attr { return text("coordinate_transformation_mode", name) }
	nearest := func(name string) *onnx.Attr { return text("nearest_mode", name) }
	scaled := func(name string, a attrs, by float32, want ...float32) nodeTest {
		return nodeTest{op: "Resize", opset: 19, name: name, attrs: a, in: values(four, nil, scale(by)), want: values(list(want...))}
	}
	sized := func(name string, a attrs, to int64, want ...float32) nodeTest {
		return nodeTest{op: "Resize", opset: 19, name: name, attrs: a, in: values(four, nil, nil, size(to)), want: values(list(want...))}
	}
	crop := func(name string, start, end float32, a attrs, to int64, want ...float32) nodeTest {
		return nodeTest{op: "Resize", opset: 11, name: name, attrs: append(a, coordinates("tf_crop_and_resize"), onnx.FloatAttr("extrapolation_value", -1)),
			in: values(four, list(start, end), list[float32](), size(to)), want: values(list(want...))}
	}
	runNodeTests(t, []nodeTest{
		scaled("nearest", nil, 2, 10, 10, 20, 20, 30, 30, 40, 40),
		scaled("nearest, down", nil, 0.5, 10, 30), // at 0.5 and 2.5: halves round down
		scaled("round_prefer_ceil", attrs{nearest("round_prefer_ceil")}, 0.5, 20, 40),
		scaled("floor", attrs{nearest("floor"), coordinates("asymmetric")}, 1.5, 10, 10, 20, 30, 30, 40),
		scaled("ceil", attrs{nearest("ceil"), coordinates("asymmetric")}, 1.5, 10, 20, 30, 30, 40, 40),
		scaled("linear", attrs{linear}, 2, 10, 12.5, 17.5, 22.5, 27.5, 32.5, 37.5, 40),
		scaled("asymmetric", attrs{linear, coordinates("asymmetric")}, 2, 10, 15, 20, 25, 30, 35, 40, 40),
		sized("align_corners", attrs{linear, coordinates("align_corners")}, 7, 10, 15, 20, 25, 30, 35, 40),
		sized("pytorch_half_pixel of one", attrs{linear, coordinates("pytorch_half_pixel")}, 1, 10),
		sized("half_pixel of one", attrs{linear}, 1, 25),
		scaled("half_pixel_symmetric", attrs{linear, coordinates("half_pixel_symmetric")}, 0.625, 17, 33),
		{op: "Resize", opset: 11, name: "tf_half_pixel_for_nn", attrs: attrs{nearest("floor"), coordinates("tf_half_pixel_for_nn")}, in: values(four, nil, scale(0.5)), want: values(list[float32](20, 40))},
		crop("inside", 1.0/3, 1, attrs{linear}, 3, 20, 30, 40),
		crop("half outside", -1.0/3, 1.0/3, attrs{linear}, 3, -1, 10, 20),
		crop("nearest", 0.5, 1.5, nil, 3, 20, 40, -1),
		crop("the middle", 0, 1, attrs{linear}, 1, 25),
		scaled("antialias", attrs{linear, onnx.IntAttr("antialias", 1)}, 0.5, 16.25/1.0, 33.75),
		// Keys' kernel a quarter behind the left neighbour, a = -0.75.
		sized("cubic", attrs{cubic, coordinates("align_corners")}, 4, 10, 20, 30, 40),
		{op: "Resize", opset: 10, name: "up", in: values(four, scale(1.5)), want: values(list[float32](10, 10, 20, 30, 30, 40))},
		{op: "Resize", opset: 10, name: "down", in: values(four, scale(0.75)), want: values(list[float32](10, 30, 40))},
		{op: "Resize", opset: 10, name: "linear", attrs: attrs{linear}, in: values(four, scale(2)), want: values(list[float32](10, 15, 20, 25, 30, 35, 40, 40))},
		{op: "Upsample", opset: 9, in: values(list("a", "b"), scale(2)), want: values(list("a", "a", "b", "b"))},
		{op: "Upsample", opset: 7, attrs: attrs{onnx.FloatsAttr("scales", []float32{2})}, in: values(four), want: values(list[float32](10, 10, 20, 20, 30, 30, 40, 40))},
		{op: "Upsample", opset: 1, attrs: attrs{text("mode", "bilinear"), onnx.FloatAttr("height_scale", 1), onnx.FloatAttr("width_scale", 2)},
			in: values(shaped[float32]([]int{1, 1, 1, 2}, 1, 2)), want: values(shaped[float32]([]int{1, 1, 1, 4}, 1, 1.5, 2, 2))},
		{op: "Resize", opset: 13, name: "integers round to even and saturate", attrs: attrs{linear}, in: values(list[uint8](0, 1, 255), nil, scale(2)), want: values(list[uint8](0, 0, 1, 64, 192, 255))},
		{op: "Resize", opset: 13, name: "of text between elements", attrs: attrs{linear}, in: values(list("a", "b"), nil, scale(2)), err: "number"},
		{op: "Resize", opset: 13, name: "neither", in: values(four), err: "neither scales nor sizes"},
		{op: "Resize", opset: 13, name: "too many scales", in: values(four, nil, list[float32](1, 1)), err: "2 scales for 1 axes"},
		{op: "Resize", opset: 13, name: "no scale", in: values(four, nil, scale(0)), err: "out of range"},
		{op: "Resize", opset: 13, name: "a huge scale", in: values(four, nil, scale(1e30)), err: "out of range"},
		{op: "Resize", opset: 13, name: "no crop", attrs: attrs{coordinates("tf_crop_and_resize")}, in: values(four, nil, scale(2)), err: "roi"},
		{op: "Resize", opset: 13, name: "mode", attrs: attrs{text("mode", "quintic")}, in: values(four, nil, scale(2)), err: "quintic"},
		{op: "Resize", opset: 13, name: "coordinates", attrs: attrs{coordinates("polar")}, in: values(four, nil, scale(2)), err: "polar"},
		{op: "Resize", opset: 13, name: "nearest mode", attrs: attrs{nearest("up")}, in: values(four, nil, scale(2)), err: "nearest_mode"},
		{op: "Resize", opset: 13, name: "of nothing", in: values(list[float32](), nil, nil, size(2)), err: "cannot be enlarged"},
	})
}

func TestResizeSizes(t *testing.T) {
	x := counting(1, 2, 4, 8)
	axes := onnx.IntsAttr("axes", []int64{-1, 2})
	for _, test := range []struct {
		policy string
		want   []int
	}{{"stretch", []int{1, 2, 6, 9}}, {"not_larger", []int{1, 2, 5, 9}}, {"not_smaller", []int{1, 2, 6, 12}}} {
		got := compute(t, "Resize", 18, 1, []*onnx.Attr{axes, text("keep_aspect_ratio_policy", test.policy)}, x, nil, nil, list[int64](9, 6))[0]
		if fmt.Sprint(got.Shape()) != fmt.Sprint(test.want) {
			t.Errorf("%s: got %v, want %v", test.policy, got.Shape(), test.want)
		}
	}
	runNodeTests(t, []nodeTest{
		{op: "Resize", opset: 18, name: "policy", attrs: []*onnx.Attr{axes, text("keep_aspect_ratio_policy", "fit")}, in: values(x, nil, nil, list[int64](9, 6)), err: "fit"},
		{op: "Resize", opset: 18, name: "axis", attrs: []*onnx.Attr{onnx.IntsAttr("axes", []int64{4})}, in: values(x, nil, list[float32](2)), err: "axis 4"},
	})
}

// Interpolation leaves a ramp a ramp, inside, whatever the coordinates, and the
// weights of any mode add up to 1.
func TestResampleKeepsWhatIsLinear(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 11))
	for range 300 {
		mode := resampleMode{
			mode: []string{"linear", "cubic"}[random.IntN(2)], nearest: "floor", cubic: -0.5,
			coordinates: []string{"half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"}[random.IntN(4)],
		}
		a := resizedAxis{input: 8 + random.IntN(9), output: 2 + random.IntN(40), end: 1}
		a.scale = float64(a.output) / float64(a.input)
		r, err := mode.resample(a)
		if err != nil {
			t.Fatal(err)
		}
		for o := range a.output {
			x, err := a.original(mode.coordinates, float64(o))
			if err != nil {
				t.Fatal(err)
			}
			sum, at := 0.0, 0.0
			for i, weight := range r.weight[o*r.taps:][:r.taps] {
				sum += weight
				at += weight * float64(r.index[o*r.taps+i])
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Fatalf("%+v %+v: the weights of output %d add up to %v", mode, a, o, sum)
			}
			// a = -0.5 makes the cubic kernel reproduce straight lines.
			if x >= 2 && x <= float64(a.input-3) && math.Abs(at-x) > 1e-9 {
				t.Fatalf("%+v %+v: output %d stands at %v and reads %v", mode, a, o, x, at)
			}
		}
	}
}

func TestAntialiasAveragesAllOfTheInput(t *testing.T) {
	for _, kind := range []string{"linear", "cubic"} {
		mode := resampleMode{mode: kind, coordinates: "half_pixel", cubic: -0.75, antialias: true}
		r, err := mode.resample(resizedAxis{input: 64, output: 8, scale: 0.125, end: 1})
		if err != nil {
			t.Fatal(err)
		}
		share := make([]float64, 64)
		for i, weight := range r.weight {
			share[r.index[i]] += weight
		}
		for i, v := range share[12:52] {
			if math.Abs(v-0.125) > 0.02 {
				t.Errorf("%s: element %d has the share %v, want about 1/8", kind, i+12, v)
			}
		}
	}
}

func TestExcludeOutsideRenormalizes(t *testing.T) {
	mode := resampleMode{mode: "cubic", coordinates: "half_pixel", cubic: -0.75, excludeOutside: true}
	r, err := mode.resample(resizedAxis{input: 5, output: 10, scale: 2, end: 1})
	if err != nil {
		t.Fatal(err)
	}
	// Output 0 stands at -0.25: two of its four neighbours are outside, and the
	// other two have the weights of distances 0.25 and 1.25.
	near, far := mode.cubicKernel(0.25), mode.cubicKernel(1.25)
	want := []float64{0, 0, near / (near + far), far / (near + far)}
	for i, v := range r.weight[:4] {
		if math.Abs(v-want[i]) > 1e-12 {
			t.Fatalf("got the weights %v, want %v", r.weight[:4], want)
		}
	}
}
