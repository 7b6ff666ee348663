package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// decoder is a GPT-2 that makes one more token, as exporters write it: it is
// fed the keys and values of past tokens and gives those of all, its layers are
// Gemms on matrices, Gelu is spelled out with Tanh, and the head's weight is
// the word embedding's transposed copy.
func (t transformer) decoder(past int64) *onnx.Model {
	g := newGraph("decoder")
	ids := g.input("input_ids", onnx.Int64, 1, 1)
	mask := g.input("attention_mask", onnx.Int64, 1, past+1)
	size := t.width / t.heads

	place := g.node("ReduceSum", []string{mask, g.ints("axes", 1)}, onnx.IntAttr("keepdims", 1))
	place = g.node("Sub", []string{place, g.ints("one", 1)})
	words := g.node("Gather", []string{g.weight("wte", t.vocabulary, t.width), ids})
	places := g.node("Gather", []string{g.weight("wpe", t.positions, t.width), place})
	x := g.node("Add", []string{words, places})

	seen := g.node("Unsqueeze", []string{mask, g.ints("axes", 1, 2)})
	seen = g.node("Cast", []string{seen}, onnx.IntAttr("to", int64(onnx.Float)))
	unseen := g.node("Sub", []string{g.scalar("one", 1), seen})
	unseen = g.node("Mul", []string{unseen, g.scalar("lowest", -math.MaxFloat32)})

	for layer := range t.layers {
		all := g.affineGemm(g.layerNorm(x, t.width), t.width, 3*t.width)
		parts := []string{g.name("query"), g.name("key"), g.name("value")}
		g.model.Graph.Nodes = append(g.model.Graph.Nodes, &onnx.Node{
			Name: g.name("split"), OpType: "Split", Inputs: []string{all, g.ints("sizes", t.width, t.width, t.width)},
			Outputs: slices.Clone(parts), Attrs: []*onnx.Attr{onnx.IntAttr("axis", 2)},
		})
		for i := range parts {
			parts[i] = g.heads(parts[i], t, 0, 2, 1, 3)
		}
		for i, kind := range []string{"key", "value"} {
			before := g.input(fmt.Sprintf("past_key_values.%d.%s", layer, kind), onnx.Float, 1, t.heads, past, size)
			present := fmt.Sprintf("present.%d.%s", layer, kind)
			g.define(present, "Concat", []string{before, parts[i+1]}, onnx.IntAttr("axis", -2))
			parts[i+1] = present
		}
		key := g.node("Transpose", []string{parts[1]}, onnx.IntsAttr("perm", []int64{0, 1, 3, 2}))
		context := g.attention(parts[0], key, parts[2], unseen, t)
		x = g.node("Add", []string{g.affineGemm(context, t.width, t.width), x})
		inner := g.geluTanh(g.affineGemm(g.layerNorm(x, t.width), t.width, t.inner))
		x = g.node("Add", []string{x, g.affineGemm(inner, t.inner, t.width)})
	}
	g.define("logits", "MatMul", []string{g.layerNorm(x, t.width), g.weight("lm_head", t.width, t.vocabulary)})
	g.output("logits", 1, 1, t.vocabulary)
	for layer := range t.layers {
		for _, kind := range []string{"key", "value"} {
			g.output(fmt.Sprintf("present.%d.%s", layer, kind), 1, t.heads, past+1, size)
		}
	}
	return g.model
}

// affineGemm is a Gemm on the matrix of all tokens of [1,length,k].
func (g *graph) affineGemm(x string, k, n int64) string {
	matrix := g.node("Reshape", []string{x, g.ints("shape", -1, k)})
	matrix = g.node("Gemm", []string{matrix, g.weight("weight", k, n), g.vector("bias", n, 0, 0.1)},
		onnx.FloatAttr("alpha", 1), onnx.FloatAttr("beta", 1))
	return g.node("Reshape", []string{matrix, g.ints("shape", 1, -1, n)})
}

// geluTanh is x/2·(1+tanh(√(2/π)·(x+0.044715·x³))).
func (g *graph) geluTanh(x string) string {
	half := g.node("Mul", []string{x, g.scalar("half", 0.5)})
	cube := g.node("Pow", []string{x, g.scalar("three", 3)})
	e := g.node("Mul", []string{cube, g.scalar("cubic", 0.044715)})
	e = g.node("Add", []string{x, e})
	e = g.node("Mul", []string{e, g.scalar("factor", float32(math.Sqrt(2/math.Pi)))})
	e = g.node("Tanh", []string{e})
	e = g.node("Add", []string{e, g.scalar("one", 1)})
	return g.node("Mul", []string{half, e})
}
