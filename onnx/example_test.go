package onnx_test

import (
	"bytes"
	"fmt"
	"log"
	"os"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// small makes the bytes of a model: y = x · wᵀ, with w behind a Transpose.
func small() []byte {
	matrix := func(name string, rows, columns int64) *onnx.Value {
		return &onnx.Value{Name: name, Type: &onnx.Type{
			Kind: onnx.TensorKind, DType: onnx.Float, HasShape: true,
			Shape: []onnx.Dim{{Known: true, Size: rows}, {Known: true, Size: columns}},
		}}
	}
	m := &onnx.Model{
		IRVersion: 8,
		Opsets:    []onnx.OpsetImport{{Version: 13}},
		Graph: &onnx.Graph{
			Name:         "small",
			Inputs:       []*onnx.Value{matrix("x", 1, 3)},
			Outputs:      []*onnx.Value{matrix("y", 1, 2)},
			Initializers: []*onnx.Tensor{onnx.FloatTensor("w", []int64{2, 3}, []float32{1, 2, 3, 4, 5, 6})},
			Nodes: []*onnx.Node{
				{OpType: "Transpose", Inputs: []string{"w"}, Outputs: []string{"wt"}},
				{OpType: "MatMul", Inputs: []string{"x", "wt"}, Outputs: []string{"y"}},
			},
		},
	}
	var b bytes.Buffer
	if err := onnx.Encode(&b, m); err != nil {
		log.Fatal(err)
	}
	return b.Bytes()
}

func Example() {
	m, err := onnx.Decode(small()) // or Open, for a file
	if err != nil {
		log.Fatal(err)
	}
	// An edit clones the way down to what it changes.
	edited := m.Clone()
	edited.Graph = m.Graph.Clone()
	relu := &onnx.Node{OpType: "Relu", Inputs: []string{"product"}, Outputs: []string{"y"}}
	product := m.Graph.Nodes[1].Clone()
	product.Outputs[0] = "product"
	edited.Graph.Nodes[1] = product
	edited.Graph.Nodes = append(edited.Graph.Nodes, relu)

	if _, err := onnx.Check(edited); err != nil {
		log.Fatal(err)
	}
	if err := onnx.Format(os.Stdout, edited); err != nil {
		log.Fatal(err)
	}
	// Output:
	// <ir_version: 8, opset_import: ["": 13]>
	// small (float[1,3] x) => (float[1,2] y)
	// <
	//   float[2,3] w = {1, 2, 3, 4, 5, 6}
	// >
	// {
	//   wt = Transpose (w)
	//   product = MatMul (x, wt)
	//   y = Relu (product)
	// }
}

func ExampleScope_Constant() {
	m, err := onnx.Decode(small())
	if err != nil {
		log.Fatal(err)
	}
	ix, err := onnx.NewIndex(m)
	if err != nil {
		log.Fatal(err)
	}
	// The second operand of the MatMul is known, though a node is in between.
	c := ix.Main().Constant("wt")
	fmt.Println(c.Type, c.Dims, "from", c.Root, "through", c.Path[0].OpType)
	v, err := c.Tensor("copy").Float32s() // only now the weight is read
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v)
	// Output:
	// float [3 2] from w through Transpose
	// [1 4 2 5 3 6]
}

func ExampleCheck() {
	m, err := onnx.Decode(small())
	if err != nil {
		log.Fatal(err)
	}
	broken := m.Clone()
	broken.Graph = m.Graph.Clone()
	broken.Graph.Initializers = nil
	_, err = onnx.Check(broken)
	fmt.Println(err)
	// Output:
	// onnx: graph: node "wt" (Transpose): input 0, "w", is defined nowhere
}
