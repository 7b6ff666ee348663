package rewrite

import (
	"math"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestEachExpertHasItsScales holds an expert whose weights are a thousandth of
// the others' to the precision that it would have alone, in every form.
func TestEachExpertHasItsScales(t *testing.T) {
	const experts, products, channels, quiet = 3, 40, 8, 1
	values := make([]float32, experts*products*channels)
	for i := range values {
		values[i] = float32(math.Sin(float64(i * i)))
		if i/(products*channels) == quiet {
			values[i] /= 1000
		}
	}
	matMul := op("MatMul", "y", "x", "w")
	fused := with(op("FusedMatMul", "y", "x", "w"), onnx.IntAttr("transB", 1))
	fused.Domain = "com.microsoft"
	einsum := with(op("Einsum", "y", "x", "w"), onnx.StringAttr("equation", "td,edf->tef"))
	turned := with(op("Einsum", "y", "x", "w"), onnx.StringAttr("equation", "etd,efd->etf"))
	for _, test := range []struct {
		name      string
		node      *onnx.Node
		dims      []int64
		scaleDims []int64
		opset     int64
		blocked   bool // DequantizeLinear, with a block for each matrix
		recipe    Recipe
	}{
		{"blocked", matMul, []int64{experts, products, channels}, []int64{experts, 1, channels}, 21, true, Recipe{}},
		{"before blocks", matMul, []int64{experts, products, channels}, []int64{experts, 1, channels}, 20, false, Recipe{}},
		{"folded", matMul, []int64{experts, products, channels}, []int64{experts, 1, channels}, 21, false, Recipe{Target: Fold}},
		{"16 bit", matMul, []int64{experts, products, channels}, []int64{experts, 1, channels}, 21, true, Recipe{Activations: W8A16, SixteenBit: onnx.Float16}},
		{"8 bit", matMul, []int64{experts, products, channels}, []int64{experts, 1, channels}, 21, false, Recipe{Activations: W8A8}},
		{"Einsum", einsum, []int64{experts, products, channels}, []int64{experts, 1, channels}, 21, true, Recipe{}},
		{"FusedMatMul, transposed", fused, []int64{experts, channels, products}, []int64{experts, channels, 1}, 21, true, Recipe{}},
		{"Einsum, transposed", turned, []int64{experts, channels, products}, []int64{experts, channels, 1}, 21, true, Recipe{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.recipe.Ops = Operators()
			w := onnx.FloatTensor("w", test.dims, values)
			result := apply(t, sketch{opset: test.opset, ir: 10, weights: []*onnx.Tensor{w}, nodes: []*onnx.Node{test.node}}.model(t), test.recipe)
			if len(result.Sites) != 1 {
				t.Fatalf("%d sites; skips %v", len(result.Sites), result.Skips)
			}
			blocked := slices.ContainsFunc(result.Model.Graph.Nodes, func(n *onnx.Node) bool { return n.Attr("block_size") != nil })
			if blocked != test.blocked {
				t.Errorf("blocked: %v, want %v:\n%s", blocked, test.blocked, outline(result.Model))
			}
			var quantized []int64
			var scales []float32
			for _, stored := range result.Model.Graph.Initializers {
				var err error
				switch stored.Name {
				case "w_quantized":
					quantized, err = stored.Int64s()
				case "w_scale":
					scales, err = stored.Float32s()
					if !slices.Equal(stored.Dims, test.scaleDims) {
						t.Errorf("scales are %v, want %v", stored.Dims, test.scaleDims)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if len(quantized) != len(values) || len(scales) != experts*channels {
				t.Fatalf("%d integers, %d scales", len(quantized), len(scales))
			}
			signal, noise := 0.0, 0.0
			for i := quiet * products * channels; i < (quiet+1)*products*channels; i++ {
				channel := i % channels
				if test.scaleDims[2] == 1 {
					channel = i / products % channels
				}
				want := float64(values[i])
				off := float64(quantized[i])*float64(scales[quiet*channels+channel]) - want
				signal, noise = signal+want*want, noise+off*off
			}
			if got := 10 * math.Log10(signal/noise); got < 40 {
				t.Errorf("the quiet expert has %.1f dB, want 40", got)
			}
		})
	}
}
