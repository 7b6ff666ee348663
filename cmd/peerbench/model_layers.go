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
