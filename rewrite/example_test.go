package rewrite_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
)

// fuseGemm makes one Gemm of a MatMul of matrices and the Add of a vector.
type fuseGemm struct{}

func (fuseGemm) Name() string { return "fuse-gemm" }

func (fuseGemm) Match(at rewrite.At) (*rewrite.Match, *rewrite.Skip) {
	if at.Node.OpType != "MatMul" {
		return nil, nil
	}
	product := at.Node.Outputs[0]
	users := at.Scope.Users(product)
	if len(users) != 1 || users[0].Node.OpType != "Add" || at.Scope.IsOutput(product) {
		return nil, &rewrite.Skip{Reason: "no Add is its only reader"}
	}
	add := users[0].Node
	bias := add.Inputs[1-users[0].Input]
	weight := at.Scope.Constant(at.Node.Inputs[1])
	if c := at.Scope.Constant(bias); weight == nil || c == nil || len(weight.Dims) != 2 || len(c.Dims) != 1 {
		return nil, &rewrite.Skip{Reason: "the weight is no matrix or the bias no vector"}
	}
	return &rewrite.Match{
		Replaces: []*onnx.Node{at.Node, add},
		Build: func(b *rewrite.Builder) error {
			b.Define(add.Outputs[0], "Gemm", []string{at.Node.Inputs[0], at.Node.Inputs[1], bias})
			return nil
		},
	}, nil
}

// A transform of one's own that has nothing to do with quantization: a rule
// looks at nodes, says why it leaves one alone, and builds what replaces others.
func ExampleRules() {
	model := &onnx.Model{
		IRVersion: 8,
		Opsets:    []onnx.OpsetImport{{Version: 17}},
		Graph: &onnx.Graph{
			Name:    "two layers",
			Inputs:  []*onnx.Value{floats("x", 4, 3)},
			Outputs: []*onnx.Value{floats("y", 4, 2)},
			Initializers: []*onnx.Tensor{
				onnx.FloatTensor("w1", []int64{3, 2}, []float32{1, 2, 3, 4, 5, 6}),
				onnx.FloatTensor("b1", []int64{2}, []float32{7, 8}),
				onnx.FloatTensor("w2", []int64{2, 2}, []float32{1, 0, 0, 1}),
			},
			Nodes: []*onnx.Node{
				{OpType: "MatMul", Inputs: []string{"x", "w1"}, Outputs: []string{"p"}},
				{OpType: "Add", Inputs: []string{"p", "b1"}, Outputs: []string{"s"}},
				{OpType: "MatMul", Inputs: []string{"s", "w2"}, Outputs: []string{"y"}},
			},
		},
	}
	plan, err := rewrite.Find(model, fuseGemm{})
	if err != nil {
		log.Fatal(err)
	}
	for _, skip := range plan.Skips {
		fmt.Println(&skip)
	}
	fused, err := rewrite.Rules(fuseGemm{})(model)
	if err != nil {
		log.Fatal(err)
	}
	for _, node := range fused.Graph.Nodes {
		fmt.Println(node.OpType, node.Inputs, node.Outputs)
	}
	// Output:
	// MatMul y: left alone: no Add is its only reader
	// Gemm [x w1 b1] [s]
	// MatMul [s w2] [y]
}

// A plan says what a recipe would do, and reads no weights for it.
func ExampleNew() {
	model, err := onnx.Open("../testdata/models/digits_vit/model.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	plan, err := rewrite.New(model, rewrite.Recipe{
		Activations: rewrite.W8A32,
		Include:     []string{"Gemm"},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, site := range plan.Sites {
		fmt.Printf("%s %s %v: %d bytes become %d\n", site.Op, site.Weight, site.Dims, site.BytesBefore, site.BytesAfter)
	}
	// Output:
	// Gemm f.weight [10 64]: 2560 bytes become 690
}

// Applying a plan gives a new model; its int8 weights are computed while it is
// written.
func ExamplePlan_Apply() {
	model, err := onnx.Open("../testdata/models/digits_vit/model.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	plan, err := rewrite.New(model, rewrite.Recipe{MinBytes: 1024})
	if err != nil {
		log.Fatal(err)
	}
	result, err := plan.Apply(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	if err := onnx.WriteFile(filepath.Join(folder, "model.w8a32.onnx"), result.Model, onnx.WriteOptions{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(result.Sites), "weights are int8 now,", len(result.Skips), "nodes were left alone")
	// Output:
	// 10 weights are int8 now, 4 nodes were left alone
}

// floats is a float tensor's name and shape.
func floats(name string, dims ...int64) *onnx.Value {
	shape := make([]onnx.Dim, len(dims))
	for i, d := range dims {
		shape[i] = onnx.Dim{Known: true, Size: d}
	}
	return &onnx.Value{Name: name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float, HasShape: true, Shape: shape}}
}
