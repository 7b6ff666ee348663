package rewrite_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
)

// halfConv is a recipe of one's own, for one operator: it stores the weights of
// Conv as float16, and casts them back where they are read.
type halfConv struct{}

func (halfConv) Name() string { return "half-conv" }

// Match plans a node. It reads no weight: a plan is free.
func (halfConv) Match(at rewrite.At) (*rewrite.Match, *rewrite.Skip) {
	if at.Node.OpType != "Conv" {
		return nil, nil // none of its business
	}
	weight := at.Scope.Constant(at.Node.Inputs[1])
	if weight == nil || weight.Type != onnx.Float {
		return nil, &rewrite.Skip{Reason: "its weight is no float constant"}
	}
	bytes, err := weight.Source.ByteLen()
	if err != nil {
		return nil, &rewrite.Skip{Reason: err.Error()}
	}
	name := weight.Root + "_half"
	var half onnx.Bytes
	return &rewrite.Match{
		Sites: []rewrite.Site{{
			Weight: weight.Root, Dims: weight.Dims, DType: weight.Type, Axis: -1, Form: "float16, cast back",
			BytesBefore: bytes, BytesAfter: bytes / 2,
		}},
		// Prepare does the long work; those of several nodes run at once.
		Prepare: func(context.Context) error {
			values, err := weight.Tensor(name).Float32s()
			if err != nil {
				return err
			}
			half = nil // a plan may be applied more than once
			for _, v := range values {
				half = binary.LittleEndian.AppendUint16(half, uint16(quantops.Float16FromFloat32(v)))
			}
			return nil
		},
		// Build adds nodes that give what the replaced ones gave, by the same names.
		Build: func(b *rewrite.Builder) error {
			stored := b.Constant(onnx.NewTensor(name, onnx.Float16, weight.Dims, half))
			conv := at.Node.Clone()
			conv.Inputs[1] = b.Op(name+"_float", "Cast", []string{stored}, onnx.IntAttr("to", int64(onnx.Float)))
			b.Add(conv)
			return nil
		},
	}, nil
}

// A recipe of one's own for one operator is a rule whose matches say which weight
// they change, and into what. It is planned, reported and applied like the
// package's own, and may follow them in a chain.
func ExampleFind() {
	kernel := make([]float32, 4*2*3*3)
	for i := range kernel {
		kernel[i] = float32(i) / 8
	}
	model := &onnx.Model{
		IRVersion: 8,
		Opsets:    []onnx.OpsetImport{{Version: 17}},
		Graph: &onnx.Graph{
			Name:         "a convolution",
			Inputs:       []*onnx.Value{floats("x", 1, 2, 8, 8)},
			Outputs:      []*onnx.Value{floats("y", 1, 4, 6, 6)},
			Initializers: []*onnx.Tensor{onnx.FloatTensor("kernel", []int64{4, 2, 3, 3}, kernel)},
			Nodes:        []*onnx.Node{{Name: "conv", OpType: "Conv", Inputs: []string{"x", "kernel"}, Outputs: []string{"y"}}},
		},
	}
	plan, err := rewrite.Find(model, halfConv{})
	if err != nil {
		log.Fatal(err)
	}
	for _, site := range plan.Sites {
		fmt.Printf("%s %s: %s %v, %d bytes become %d: %s\n", site.Rule, site.Node, site.Weight, site.Dims, site.BytesBefore, site.BytesAfter, site.Form)
	}
	result, err := plan.Apply(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, node := range result.Model.Graph.Nodes {
		fmt.Println(node.OpType, node.Inputs, node.Outputs)
	}
	for _, t := range result.Model.Graph.Initializers {
		fmt.Println(t.Name, t.Type, t.Dims)
	}
	// Output:
	// half-conv conv: kernel [4 2 3 3], 288 bytes become 144: float16, cast back
	// Cast [kernel_half] [kernel_half_float]
	// Conv [x kernel_half_float] [y]
	// kernel_half float16 [4 2 3 3]
}
