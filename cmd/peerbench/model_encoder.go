package main

import (
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// transformer is the size of a transformer.
type transformer struct {
	layers, width, heads, inner int64
	vocabulary, positions       int64
}

// The public sizes of BERT-base and of the small GPT-2.
var (
	bertBase  = transformer{12, 768, 12, 3072, 30522, 512}
	gpt2Small = transformer{12, 768, 12, 3072, 50257, 1024}
)

// encoder is a BERT, as PyTorch's exporter writes it: products and biases are
// nodes of their own, Gelu is spelled out with Erf, LayerNormalization is one
// node. It reads length tokens of one text.
func (t transformer) encoder(length int64) *onnx.Model {
	g := newGraph("encoder")
	ids := g.input("input_ids", onnx.Int64, 1, length)
	mask := g.input("attention_mask", onnx.Int64, 1, length)
	types := g.input("token_type_ids", onnx.Int64, 1, length)

	words := g.node("Gather", []string{g.weight("word_embeddings", t.vocabulary, t.width), ids})
	kinds := g.node("Gather", []string{g.weight("token_type_embeddings", 2, t.width), types})
	places := g.node("Gather", []string{g.weight("position_embeddings", t.positions, t.width), g.counting(length)})
	x := g.node("Add", []string{words, kinds})
	x = g.layerNorm(g.node("Add", []string{x, places}), t.width)

	seen := g.node("Unsqueeze", []string{mask, g.ints("axes", 1, 2)})
	seen = g.node("Cast", []string{seen}, onnx.IntAttr("to", int64(onnx.Float)))
	unseen := g.node("Sub", []string{g.scalar("one", 1), seen})
	unseen = g.node("Mul", []string{unseen, g.scalar("lowest", -math.MaxFloat32)})

	for range t.layers {
		query := g.heads(g.affine(x, t.width, t.width), t, 0, 2, 1, 3)
		key := g.heads(g.affine(x, t.width, t.width), t, 0, 2, 3, 1)
		value := g.heads(g.affine(x, t.width, t.width), t, 0, 2, 1, 3)
		context := g.attention(query, key, value, unseen, t)
		x = g.layerNorm(g.node("Add", []string{g.affine(context, t.width, t.width), x}), t.width)
		inner := g.geluErf(g.affine(x, t.width, t.inner))
		x = g.layerNorm(g.node("Add", []string{g.affine(inner, t.inner, t.width), x}), t.width)
	}
	g.define("last_hidden_state", "Identity", []string{x})
	g.output("last_hidden_state", 1, length, t.width)
	return g.model
}

// counting is a constant [1,n] of 0, 1, 2 and so on.
func (g *graph) counting(n int64) string {
	v := make([]int64, n)
	for i := range v {
		v[i] = int64(i)
	}
	return g.keep(onnx.Int64Tensor(g.name("positions"), []int64{1, n}, v))
}

func (g *graph) layerNorm(x string, width int64) string {
	scale, bias := g.vector("norm_weight", width, 1, 0.1), g.vector("norm_bias", width, 0, 0.1)
	return g.node("LayerNormalization", []string{x, scale, bias}, onnx.IntAttr("axis", -1), onnx.FloatAttr("epsilon", 1e-5))
}

// affine multiplies by a weight [k,n] and adds a bias.
func (g *graph) affine(x string, k, n int64) string {
	product := g.node("MatMul", []string{x, g.weight("weight", k, n)})
	return g.node("Add", []string{g.vector("bias", n, 0, 0.1), product})
}

// heads splits the last axis of [1,length,width] into heads and moves the axes
// of [1,length,heads,size].
func (g *graph) heads(x string, t transformer, permutation ...int64) string {
	split := g.node("Reshape", []string{x, g.ints("shape", 0, -1, t.heads, t.width/t.heads)})
	return g.node("Transpose", []string{split}, onnx.IntsAttr("perm", permutation))
}

// attention is softmax(query·key/√size + bias)·value, with the heads put beside
// each other again: key comes transposed. No bias if it is "".
func (g *graph) attention(query, key, value, bias string, t transformer) string {
	scores := g.node("MatMul", []string{query, key})
	scores = g.node("Div", []string{scores, g.scalar("root", float32(math.Sqrt(float64(t.width/t.heads))))})
	if bias != "" {
		scores = g.node("Add", []string{scores, bias})
	}
	shares := g.node("Softmax", []string{scores}, onnx.IntAttr("axis", -1))
	context := g.node("MatMul", []string{shares, value})
	context = g.node("Transpose", []string{context}, onnx.IntsAttr("perm", []int64{0, 2, 1, 3}))
	return g.node("Reshape", []string{context, g.ints("shape", 0, -1, t.width)})
}

// geluErf is x/2·(1+erf(x/√2)).
func (g *graph) geluErf(x string) string {
	e := g.node("Div", []string{x, g.scalar("root", math.Sqrt2)})
	e = g.node("Erf", []string{e})
	e = g.node("Add", []string{e, g.scalar("one", 1)})
	e = g.node("Mul", []string{x, e})
	return g.node("Mul", []string{e, g.scalar("half", 0.5)})
}
