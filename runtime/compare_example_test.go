package runtime_test

import (
	"context"
	"fmt"
	"log"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// A layer whose weight became int8 is compared with the original on inputs that
// are made up.
func ExampleCompare() {
	layer := func(nodes []*onnx.Node, initializers ...*onnx.Tensor) *onnx.Model {
		x := &onnx.Value{Name: "x", Type: &onnx.Type{
			Kind: onnx.TensorKind, DType: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Param: "batch"}, {Known: true, Size: 2}}}}
		return &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetImport{{Version: 17}}, Graph: &onnx.Graph{
			Inputs: []*onnx.Value{x}, Outputs: []*onnx.Value{{Name: "y"}}, Nodes: nodes, Initializers: initializers}}
	}
	original := layer([]*onnx.Node{
		{OpType: "MatMul", Inputs: []string{"x", "w"}, Outputs: []string{"y"}},
	}, onnx.FloatTensor("w", []int64{2, 2}, []float32{1.27, 0.5, -0.333, 2.54}))
	rewritten := layer([]*onnx.Node{
		{OpType: "DequantizeLinear", Inputs: []string{"q", "scale"}, Outputs: []string{"w"}, Attrs: []*onnx.Attr{onnx.IntAttr("axis", 1)}},
		{OpType: "MatMul", Inputs: []string{"x", "w"}, Outputs: []string{"y"}},
	}, onnx.Int8Tensor("q", []int64{2, 2}, []int8{127, 25, -33, 127}), onnx.FloatTensor("scale", []int64{2}, []float32{0.01, 0.02}))

	feeds, err := runtime.MakeFeeds(original, runtime.FeedOptions{Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	report, err := runtime.Compare(context.Background(), original, rewritten, runtime.CompareOptions{Feeds: []map[string]tensor.Value{feeds}})
	if err != nil {
		log.Fatal(err)
	}
	site := report.Sites[0]
	fmt.Printf("%s of layer %s, %d products for each of %d channels\n", site.Op, site.Node, site.K, site.N)
	fmt.Println("within what is proven:", *site.BoundHeld, "and in all:", report.Within)
	// Output:
	// MatMul of layer y, 2 products for each of 2 channels
	// within what is proven: true and in all: true
}
