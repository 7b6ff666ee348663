package main

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// graph builds a model node by node. Its weights are random, but the same in
// every run.
type graph struct {
	model *onnx.Model
	fresh int // names, each of which also seeds a weight
}

func newGraph(name string) *graph {
	return &graph{
		model: &onnx.Model{
			IRVersion: 8, ProducerName: "peerbench",
			Opsets: []onnx.OpsetImport{{Version: 17}},
			Graph:  &onnx.Graph{Name: name},
		},
	}
}

// tensorOf describes a tensor of a stated shape.
func tensorOf(name string, t onnx.DType, shape ...int64) *onnx.Value {
	v := &onnx.Value{Name: name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: t, HasShape: true}}
	for _, size := range shape {
		v.Type.Shape = append(v.Type.Shape, onnx.Dim{Known: true, Size: size})
	}
	return v
}

func (g *graph) input(name string, t onnx.DType, shape ...int64) string {
	g.model.Graph.Inputs = append(g.model.Graph.Inputs, tensorOf(name, t, shape...))
	return name
}

func (g *graph) output(name string, shape ...int64) {
	g.model.Graph.Outputs = append(g.model.Graph.Outputs, tensorOf(name, onnx.Float, shape...))
}

// name is one that no value has yet.
func (g *graph) name(stem string) string {
	g.fresh++
	return fmt.Sprintf("%s_%d", stem, g.fresh)
}

// node adds a node and gives the name of its only result.
func (g *graph) node(op string, inputs []string, attributes ...*onnx.Attr) string {
	out := g.name(op)
	g.define(out, op, inputs, attributes...)
	return out
}

// define adds a node whose only result has a given name.
func (g *graph) define(out, op string, inputs []string, attributes ...*onnx.Attr) {
	g.model.Graph.Nodes = append(g.model.Graph.Nodes, &onnx.Node{
		Name: "node_" + out, OpType: op, Inputs: inputs, Outputs: []string{out}, Attrs: attributes,
	})
}

func (g *graph) keep(t *onnx.Tensor) string {
	g.model.Graph.Initializers = append(g.model.Graph.Initializers, t)
	return t.Name
}

// weight adds an initializer of normally distributed values, small enough that
// a product with it keeps the size of what it multiplies.
func (g *graph) weight(stem string, shape ...int64) string {
	n, summed := int64(1), int64(1)
	for i, size := range shape {
		n *= size
		if i < len(shape)-1 {
			summed *= size
		}
	}
	return g.drawn(stem, shape, drawn{n: n, deviation: 1 / math.Sqrt(float64(summed))})
}

// vector adds an initializer of values around a mean.
func (g *graph) vector(stem string, n int64, mean, deviation float64) string {
	return g.drawn(stem, []int64{n}, drawn{n: n, mean: mean, deviation: deviation})
}

func (g *graph) drawn(stem string, shape []int64, d drawn) string {
	name := g.name(stem)
	d.seed = uint64(g.fresh)
	return g.keep(onnx.NewTensor(name, onnx.Float, shape, d))
}

func (g *graph) scalar(stem string, v float32) string {
	return g.keep(onnx.FloatTensor(g.name(stem), []int64{}, []float32{v}))
}

func (g *graph) ints(stem string, v ...int64) string {
	return g.keep(onnx.Int64Tensor(g.name(stem), []int64{int64(len(v))}, v))
}
