package rewrite

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestWeightSQNR holds the figure to what the stored tensors say, in every
// layout that a weight may lie in.
func TestWeightSQNR(t *testing.T) {
	values := make([]float32, 64*6)
	for i := range values {
		values[i] = float32(math.Sin(float64(i*i))) * float32(1+i%7)
	}
	at := func(dims ...int64) *onnx.Tensor { return onnx.FloatTensor("w", dims, values) }
	gemm := with(op("Gemm", "y", "x", "w"), onnx.IntAttr("transB", 1))
	for _, test := range []struct {
		name   string
		w      *onnx.Tensor
		node   *onnx.Node
		recipe Recipe
	}{
		{"columns", at(64, 6), op("MatMul", "y", "x", "w"), Recipe{}},
		{"rows", at(6, 64), op("MatMul", "y", "w", "x"), Recipe{}},
		{"transposed", at(6, 64), gemm, Recipe{}},
		{"batches", at(2, 32, 6), op("MatMul", "y", "x", "w"), Recipe{}},
		{"batches, asymmetric", at(2, 32, 6), op("MatMul", "y", "x", "w"), Recipe{Asymmetric: true}},
		{"batches of rows", at(4, 6, 16), op("MatMul", "y", "w", "x"), Recipe{Granularity: PerBlock, Block: 16}},
		{"batches, cast", at(4, 16, 6), op("MatMul", "y", "x", "w"), Recipe{Target: Fold}},
		{"batches of batches", at(2, 2, 16, 6), op("MatMul", "y", "x", "w"), Recipe{}},
		{"tensor", at(64, 6), op("MatMul", "y", "x", "w"), Recipe{Granularity: PerTensor}},
		{"asymmetric", at(64, 6), op("MatMul", "y", "x", "w"), Recipe{Asymmetric: true}},
		{"blocks of columns", at(64, 6), op("MatMul", "y", "x", "w"), Recipe{Granularity: PerBlock, Block: 16}},
		{"blocks of rows", at(6, 64), op("MatMul", "y", "w", "x"), Recipe{Granularity: PerBlock, Block: 16}},
		{"blocks, transposed", at(6, 64), gemm, Recipe{Granularity: PerBlock, Block: 16}},
		{"packed", at(64, 6), op("MatMul", "y", "x", "w"), Recipe{Target: ORT, Block: 16}},
		{"convolution", at(6, 4, 4, 4), op("Conv", "y", "x", "w"), Recipe{Ops: []string{"Conv"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := apply(t, sketch{opset: 21, ir: 10, weights: []*onnx.Tensor{test.w}, nodes: []*onnx.Node{test.node}}.model(t), test.recipe)
			got, err := result.Sites[0].WeightSQNR()
			if err != nil {
				t.Fatal(err)
			}
			if want := storedSQNR(t, result.Model, values, test.node); math.Abs(got-want) > 1e-4 {
				t.Errorf("%g dB, the stored tensors give %g", got, want)
			}
		})
	}
	site := Site{}
	if got, err := site.WeightSQNR(); err != nil || !math.IsNaN(got) {
		t.Errorf("a site without a weight: %g, %v", got, err)
	}
}

// storedSQNR works the figure out from a rewritten model's tensors alone: the
// multiset of dequantized values is compared with the floats in their order.
func storedSQNR(t *testing.T, m *onnx.Model, values []float32, node *onnx.Node) float64 {
	t.Helper()
	var q, zeros []int8
	var scales []float32
	var dims, scaleDims []int64
	packed := false
	for _, tensor := range m.Graph.Initializers {
		data, err := tensor.Data.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case tensor.Type == onnx.Float:
			if scales, err = tensor.Float32s(); err != nil {
				t.Fatal(err)
			}
			scaleDims = tensor.Dims
		case len(data) >= len(values):
			dims, packed = tensor.Dims, tensor.Type == onnx.Uint8
			for _, b := range data {
				if packed {
					b ^= 0x80
				}
				q = append(q, int8(b))
			}
		default:
			for _, b := range data {
				zeros = append(zeros, int8(b))
			}
		}
	}
	if packed { // [N][blocks][block]: rows of K
		dims = []int64{dims[0], dims[1] * dims[2]}
		scaleDims = []int64{dims[0], int64(len(scales)) / dims[0]}
	}
	if len(zeros) != len(scales) {
		zeros = make([]int8, len(scales))
	}
	axis := int64(len(dims) - 1)
	if a := node.Inputs[0]; a == "w" || node.OpType == "Conv" || packed {
		axis = 0
	}
	signal, noise := 0.0, 0.0
	columns := dims[len(dims)-1]
	rows := int64(len(values)) / columns
	for i := range values {
		r, c := int64(i)/columns, int64(i)%columns
		scale := 0
		switch {
		case len(scaleDims) > 2 && scaleDims[len(scaleDims)-1] == 1:
			scale = int(r)
		case len(scaleDims) > 2:
			scale = int(r/dims[len(dims)-2]*columns + c)
		case len(scaleDims) == 2 && axis == 0:
			scale = int(r*scaleDims[1] + c*scaleDims[1]/columns)
		case len(scaleDims) == 2:
			scale = int(r*scaleDims[0]/rows*columns + c)
		case len(scales) > 1 && axis == 0:
			scale = i / (len(values) / int(dims[0]))
		case len(scales) > 1:
			scale = int(c)
		}
		from := i
		if transB := node.Attr("transB"); transB != nil || packed { // the floats lie as [N,K], and int8 as [K,N]; or the other way round
			from = int(c*rows + r)
		}
		want := float64(values[from])
		d := float64(scales[scale])*float64(int(q[i])-int(zeros[scale])) - want
		signal, noise = signal+want*want, noise+d*d
	}
	return 10 * math.Log10(signal/noise)
}
