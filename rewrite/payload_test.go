package rewrite

import (
	"fmt"
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestPayloads holds the stored integers, times their scales, to be the weights
// that the original node reads, to half a scale, whatever the layout, the type
// and the nodes between.
func TestPayloads(t *testing.T) {
	transB := onnx.IntAttr("transB", 1)
	transA := onnx.IntAttr("transA", 1)
	for _, dtype := range []onnx.DType{onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16} {
		w := ramp("w", dtype, 5, 7)
		batch := ramp("w", dtype, 2, 5, 7)
		for name, test := range map[string]struct {
			weight     *onnx.Tensor
			nodes      []*onnx.Node
			transposed bool // the int8 weight is stored the other way round
		}{
			"right":               {w, []*onnx.Node{op("MatMul", "y", "x", "w")}, false},
			"left":                {w, []*onnx.Node{op("MatMul", "y", "w", "x")}, false},
			"batch right":         {batch, []*onnx.Node{op("MatMul", "y", "x", "w")}, false},
			"batch left":          {batch, []*onnx.Node{op("MatMul", "y", "w", "x")}, false},
			"gemm transB":         {w, []*onnx.Node{with(op("Gemm", "y", "x", "w"), transB)}, true},
			"gemm left transA":    {w, []*onnx.Node{with(op("Gemm", "y", "w", "x"), transA)}, true},
			"transpose":           {w, []*onnx.Node{op("Transpose", "i", "w"), op("MatMul", "y", "x", "i")}, true},
			"transpose, transB":   {w, []*onnx.Node{op("Transpose", "i", "w"), with(op("Gemm", "y", "x", "i"), transB)}, false},
			"transposed batch":    {batch, []*onnx.Node{with(op("Transpose", "i", "w"), onnx.IntsAttr("perm", []int64{0, 2, 1})), op("MatMul", "y", "x", "i")}, true},
			"constant node":       {nil, []*onnx.Node{with(op("Constant", "w"), onnx.TensorAttr("value", w)), op("MatMul", "y", "x", "w")}, false},
			"conv":                {ramp("w", dtype, 4, 2, 3), []*onnx.Node{op("Conv", "y", "x", "w")}, false},
			"transposed conv":     {ramp("w", dtype, 2, 4, 3), []*onnx.Node{op("ConvTranspose", "y", "x", "w")}, false},
			"recurrent":           {batch, []*onnx.Node{op("RNN", "y", "x", "w", "x")}, false},
			"vector":              {ramp("w", dtype, 9), []*onnx.Node{op("MatMul", "y", "x", "w")}, false},
			"attention":           {w, []*onnx.Node{{Domain: microsoft, OpType: "Attention", Inputs: []string{"x", "w"}, Outputs: []string{"y"}}}, false},
			"fused, transposed B": {w, []*onnx.Node{{Domain: microsoft, OpType: "FusedMatMul", Inputs: []string{"x", "w"}, Outputs: []string{"y"}, Attrs: []*onnx.Attr{transB}}}, true},
			"a fused batch":       {batch, []*onnx.Node{{Domain: microsoft, OpType: "FusedMatMul", Inputs: []string{"x", "w"}, Outputs: []string{"y"}, Attrs: []*onnx.Attr{transB}}}, false},
		} {
			for _, granularity := range []Granularity{PerChannel, PerTensor} {
				t.Run(fmt.Sprintf("%v/%s/%s", dtype, name, granularity), func(t *testing.T) {
					s := sketch{input: dtype, nodes: test.nodes}
					original := test.weight
					if original != nil {
						s.weights = []*onnx.Tensor{original}
					} else {
						original = w
					}
					result := apply(t, s.model(t), Recipe{Ops: Operators(), Granularity: granularity, Target: Fold})
					if len(result.Sites) != 1 {
						t.Fatalf("%d sites; skips %v", len(result.Sites), result.Skips)
					}
					comparePayload(t, result, original, test.transposed)
				})
			}
		}
	}
}

// comparePayload dequantizes the stored weight and compares it with the floats.
func comparePayload(t *testing.T, result *Result, original *onnx.Tensor, transposed bool) {
	t.Helper()
	want, err := original.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	var q []int64
	var dims, scaleDims []int64
	var scales []float32
	for _, tensor := range result.Model.Graph.Initializers {
		switch tensor.Name {
		case "w_quantized":
			if q, err = tensor.Int64s(); err != nil {
				t.Fatal(err)
			}
			dims = tensor.Dims
		case "w_scale":
			if scales, err = tensor.Float32s(); err != nil {
				t.Fatal(err)
			}
			scaleDims = tensor.Dims
		}
	}
	if len(q) != len(want) {
		t.Fatalf("%d integers for %d floats", len(q), len(want))
	}
	// The scales broadcast onto the weight from the right, as Mul has it.
	for i := range q {
		scaleAt, rest, stride := 0, i, 1
		index := make([]int, len(dims))
		for axis := len(dims) - 1; axis >= 0; axis-- {
			at := rest % int(dims[axis])
			rest /= int(dims[axis])
			index[axis] = at
			if k := axis - (len(dims) - len(scaleDims)); k >= 0 && scaleDims[k] != 1 {
				scaleAt += at * stride
				stride *= int(scaleDims[k])
			}
		}
		from := i
		if transposed {
			last := len(dims) - 1
			index[last], index[last-1] = index[last-1], index[last]
			from = 0
			for axis, at := range index {
				from = from*int(original.Dims[axis]) + at
			}
		}
		scale := float64(scales[scaleAt])
		if off := math.Abs(float64(q[i])*scale - float64(want[from])); off > scale/2*1.001 {
			t.Fatalf("element %d: %d × %g is not %g", i, q[i], scale, want[from])
		}
	}
}
