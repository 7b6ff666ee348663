package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// graph builds a model node by node. Its weights are random, but the same in
// every run.
type graph struct {
	model  *onnx.Model
	random *rand.Rand
	fresh  int
}

func newGraph(name string) *graph {
	return &graph{
		model: &onnx.Model{
			IRVersion: 8, ProducerName: "peerbench",
			Opsets: []onnx.OpsetImport{{Version: 17}},
			Graph:  &onnx.Graph{Name: name},
		},
		random: rand.New(rand.NewPCG(1, 2)),
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
	return g.keep(onnx.FloatTensor(g.name(stem), shape, normal(g.random, int(n), 1/math.Sqrt(float64(summed)))))
}

// vector adds an initializer of values around a mean.
func (g *graph) vector(stem string, n int64, mean, deviation float64) string {
	v := normal(g.random, int(n), deviation)
	for i := range v {
		v[i] += float32(mean)
	}
	return g.keep(onnx.FloatTensor(g.name(stem), []int64{n}, v))
}

func (g *graph) scalar(stem string, v float32) string {
	return g.keep(onnx.FloatTensor(g.name(stem), []int64{}, []float32{v}))
}

func (g *graph) ints(stem string, v ...int64) string {
	return g.keep(onnx.Int64Tensor(g.name(stem), []int64{int64(len(v))}, v))
}

// normal makes normally distributed values. One table of them serves over and
// over from changing places: making a large model must not take minutes.
func normal(random *rand.Rand, n int, deviation float64) []float32 {
	table := make([]float32, 1<<16+1) // an odd length, so that columns differ
	for i := range table {
		table[i] = float32(random.NormFloat64() * deviation)
	}
	v := make([]float32, n)
	for at := 0; at < n; {
		at += copy(v[at:], table[random.IntN(len(table)/2):])
	}
	return v
}
