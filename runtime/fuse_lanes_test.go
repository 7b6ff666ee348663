package runtime

import (
	"fmt"
	goruntime "runtime"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestLanes runs convolutions and pools on batches of small images, and on each
// image alone, which goes another way: the results are the same.
func TestLanes(t *testing.T) {
	conv := func(in, out string, attrs ...*onnx.Attr) *onnx.Node { return node("Conv", in, out, attrs...) }
	pads := func(p ...int64) *onnx.Attr { return onnx.IntsAttr("pads", p) }
	kernel, strides := onnx.IntsAttr("kernel_shape", []int64{2, 2}), onnx.IntsAttr("strides", []int64{2, 2})
	tests := map[string]struct {
		nodes   []*onnx.Node
		weights map[string]*tensor.Tensor
		image   []int
		steps   string
	}{
		"digits": {
			nodes: []*onnx.Node{
				conv("x,a,ab", "1", pads(1, 1, 1, 1)), node("Relu", "1", "2"), node("MaxPool", "2", "3", kernel, strides),
				conv("3,b", "4", pads(1, 1, 1, 1)), node("HardSwish", "4", "5"), node("MaxPool", "5", "y", kernel, strides),
			},
			weights: map[string]*tensor.Tensor{"a": ramp(10, 1, 3, 3), "ab": ramp(10), "b": ramp(19, 10, 3, 3)}, image: []int{1, 8, 8}, steps: "[MaxPool]",
		},
		"integers": {
			nodes: []*onnx.Node{
				node("DequantizeLinear", "q,s", "w", onnx.IntAttr("axis", 0)), conv("x,w,ab", "1", pads(0, 1, 2, 0)), node("Clip", "1,low", "y"),
			},
			weights: map[string]*tensor.Tensor{"q": quantized(12, 3, 3, 2), "s": scalesOf(12), "ab": ramp(12), "low": tensor.Scalar(float32(-1))}, image: []int{3, 5, 7}, steps: "[Clip]",
		},
		"far taps": {
			nodes: []*onnx.Node{
				conv("x,a", "1", pads(3, 3, 3, 3), onnx.IntsAttr("dilations", []int64{3, 2}), onnx.IntsAttr("strides", []int64{2, 3})), conv("1,b", "y"),
			},
			weights: map[string]*tensor.Tensor{"a": ramp(8, 2, 3, 3), "b": ramp(9, 8, 1, 1)}, image: []int{2, 9, 10}, steps: "[Conv]",
		},
		"padding alone": {
			nodes:   []*onnx.Node{conv("x,a,ab", "y", pads(5, 5, 5, 5))},
			weights: map[string]*tensor.Tensor{"a": ramp(5, 4, 2, 2), "ab": ramp(5)}, image: []int{4, 2, 2}, steps: "[Conv]",
		},
		"a kernel as large as the image": {
			nodes:   []*onnx.Node{conv("x,a", "y", pads(7, 7, 7, 7))},
			weights: map[string]*tensor.Tensor{"a": ramp(3, 16, 15, 15)}, image: []int{16, 15, 15}, steps: "[Conv]",
		},
		"one axis": {
			nodes:   []*onnx.Node{conv("x,a", "1", pads(1, 1)), node("MaxPool", "1", "y", onnx.IntsAttr("kernel_shape", []int64{3}), onnx.IntsAttr("strides", []int64{3}))},
			weights: map[string]*tensor.Tensor{"a": ramp(11, 4, 3)}, image: []int{4, 12}, steps: "[MaxPool]",
		},
		"three axes": {
			nodes:   []*onnx.Node{conv("x,a", "y", pads(1, 0, 1, 1, 0, 1))},
			weights: map[string]*tensor.Tensor{"a": ramp(6, 2, 3, 2, 3)}, image: []int{2, 3, 4, 5}, steps: "[Conv]",
		},
		"a padded pool": {
			nodes:   []*onnx.Node{conv("x,a", "1"), node("MaxPool", "1", "2", kernel, pads(1, 1, 0, 0)), conv("2,b", "y")},
			weights: map[string]*tensor.Tensor{"a": ramp(8, 3, 2, 2), "b": ramp(8, 8, 3, 3)}, image: []int{3, 8, 8}, steps: "[Conv]",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := graphOf([]*onnx.Value{value("x", nil)}, "y", test.nodes)
			for name, v := range test.weights {
				g.Initializers = append(g.Initializers, stored(t, name, v))
			}
			m := modelOf(22, g)
			compareFused(t, m, feeds{"x": ramp(append([]int{18}, test.image...)...)}, test.steps, 0)
			s := overwriting(t, m)
			for _, batch := range []int{1, 16, 35, 15, 64} {
				whole := ramp(append([]int{batch}, test.image...)...)
				data, _ := tensor.Data[float32](whole)
				got, err := s.Run(t.Context(), feeds{"x": whole})
				if err != nil {
					t.Fatal(err)
				}
				y, _ := tensor.Data[float32](got["y"].(*tensor.Tensor))
				size := len(data) / batch
				for i := range batch {
					alone, err := s.Run(t.Context(), feeds{"x": tensor.New(append([]int{1}, test.image...), data[i*size:][:size])})
					if err != nil {
						t.Fatal(err)
					}
					want := alone["y"].(*tensor.Tensor)
					n := want.Len()
					same(t, fmt.Sprintf("image %d of %d", i, batch), tensor.New(want.Shape(), y[i*n:][:n]), want)
				}
			}
		})
	}
}

// TestLanesOneByOne: stages that run one by one use each other's memory again.
func TestLanesOneByOne(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector pools let go of what they hold")
	}
	const width = 64
	used := func(layers int) int64 {
		g := graphOf([]*onnx.Value{value("x", nil)}, "y", nil, stored(t, "w", ramp(4, 4, 3, 3)))
		before := "x"
		for i := range layers {
			after := fmt.Sprint(i)
			if i == layers-1 {
				after = "y"
			}
			g.Nodes = append(g.Nodes, node("Conv", before+",w", after, onnx.IntsAttr("pads", []int64{1, 1, 1, 1})))
			before = after
		}
		s, err := Compile(modelOf(17, g), Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.plan.steps) != 1 {
			t.Fatalf("%d steps, want one", len(s.plan.steps))
		}
		var begin, end goruntime.MemStats
		goruntime.ReadMemStats(&begin)
		if _, err := s.Run(t.Context(), feeds{"x": ramp(1, 4, width, width)}); err != nil {
			t.Fatal(err)
		}
		goruntime.ReadMemStats(&end)
		return int64(end.TotalAlloc - begin.TotalAlloc)
	}
	if few, many := used(6), used(26); many-few > 5*4*4*width*width {
		t.Errorf("26 layers take %d bytes, 6 %d: each has memory of its own", many, few)
	}
}
