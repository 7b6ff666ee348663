package runtime_test

import (
	"context"
	"fmt"
	"log"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// A model is compiled once and run as often as there are inputs. Results that have
// been read are given back, so that the next run writes to the same memory.
func ExampleCompile() {
	any := func(name string) *onnx.Value {
		return &onnx.Value{Name: name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float}}
	}
	model := &onnx.Model{
		IRVersion: 8,
		Opsets:    []onnx.OpsetImport{{Version: 17}},
		Graph: &onnx.Graph{
			Inputs:       []*onnx.Value{any("x")},
			Outputs:      []*onnx.Value{any("y")},
			Initializers: []*onnx.Tensor{onnx.FloatTensor("w", []int64{2, 2}, []float32{1, 2, 3, 4})},
			Nodes: []*onnx.Node{
				{OpType: "MatMul", Inputs: []string{"x", "w"}, Outputs: []string{"p"}},
				{OpType: "Relu", Inputs: []string{"p"}, Outputs: []string{"y"}},
			},
		},
	}
	session, err := runtime.Compile(model, runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, x := range [][]float32{{1, 1}, {1, -1}} {
		out, err := session.Run(context.Background(), map[string]tensor.Value{"x": tensor.New([]int{1, 2}, x)})
		if err != nil {
			log.Fatal(err)
		}
		y, _ := tensor.Data[float32](out["y"].(*tensor.Tensor))
		fmt.Println(y)
		session.Recycle(out)
	}
	// Output:
	// [4 6]
	// [0 0]
}
