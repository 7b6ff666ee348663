package main

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// product is a model of matrix products with constant weights, one after the
// other: [m,k]·[k,n]. From the second on k has to be n.
type product struct{ layers, m, k, n int64 }

func (p product) String() string {
	if p.layers == 1 {
		return fmt.Sprintf("(%d,%d,%d)", p.m, p.k, p.n)
	}
	return fmt.Sprintf("%d×(%d,%d,%d)", p.layers, p.m, p.k, p.n)
}

func (p product) model() *onnx.Model {
	g := newGraph("products")
	x := g.input("x", onnx.Float, p.m, p.k)
	k := p.k
	for layer := range p.layers {
		w := g.weight("weight", k, p.n)
		if layer == p.layers-1 {
			g.define("y", "MatMul", []string{x, w})
		} else {
			x = g.node("MatMul", []string{x, w})
		}
		k = p.n
	}
	g.output("y", p.m, p.n)
	return g.model
}

// perceptron is a multi-layer perceptron on m rows: what every executor in Go
// can run.
func perceptron(m int64) *onnx.Model {
	g := newGraph("perceptron")
	x := g.input("x", onnx.Float, m, 784)
	widths := []int64{784, 1024, 1024, 1024, 10}
	for layer := 1; layer < len(widths); layer++ {
		k, n := widths[layer-1], widths[layer]
		operands := []string{x, g.weight("weight", k, n), g.vector("bias", n, 0, 0.1)}
		if layer == len(widths)-1 {
			g.define("y", "Gemm", operands)
		} else {
			x = g.node("Relu", []string{g.node("Gemm", operands)})
		}
	}
	g.output("y", m, 10)
	return g.model
}
