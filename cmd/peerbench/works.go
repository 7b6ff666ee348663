package main

import "github.com/onnx-tinyq/onnx-tinyq/onnx"

// The marks are what this project sets itself; a work without one is shown for
// what it tells.

// works lists everything that the executors are compared in.
func works() []work {
	var list []work
	for _, p := range []struct {
		product
		exact, exactInt8, v16, v16Int8 float64
	}{
		{product{12, 1, 4096, 4096}, 3.0, 0.95, 4.0, 1.2},
		{product{1, 1, 1024, 4096}, 3.0, 0.95, 4.0, 1.2},
		{product{1, 8, 1024, 4096}, 1.4, 0, 2.7, 0},
		{product{1, 32, 1024, 4096}, 1.1, 0, 2.1, 0},
		{product{1, 128, 768, 3072}, 0.97, 0, 1.8, 0},
		{product{1, 512, 768, 768}, 0.97, 0, 1.8, 0},
	} {
		list = append(list, work{
			name: "layer " + p.product.String(), model: made(p.product.model),
			ways: []string{peerFloat, peerFolded, peerInt8, oursExact, oursV16},
			marks: []mark{
				{oursExact, peerFloat, p.exact}, {oursExact, peerInt8, p.exactInt8},
				{oursV16, peerFloat, p.v16}, {oursV16, peerInt8, p.v16Int8},
			},
		})
	}
	for _, p := range []product{{1, 512, 768, 768}, {1, 128, 768, 3072}} {
		list = append(list, work{
			name: "float32 " + p.String(), model: made(p.model),
			ways: []string{peerFloat, oursFloat}, marks: []mark{{oursFloat, peerFloat, 0.95}},
		})
	}
	for _, p := range []struct {
		product
		least float64
	}{
		{product{12, 1, 4096, 4096}, 0.95}, {product{1, 1, 1024, 4096}, 0.95},
		{product{1, 32, 1024, 4096}, 0.8}, {product{1, 128, 768, 3072}, 0.8}, {product{1, 512, 768, 768}, 0.8},
	} {
		list = append(list, work{
			name: "W8A8 " + p.product.String(), model: made(p.product.model),
			ways: []string{peerW8A8, oursW8A8}, marks: []mark{{oursW8A8, peerW8A8, p.least}},
		})
	}
	return list
}

func made(model func() *onnx.Model) func() (*onnx.Model, error) {
	return func() (*onnx.Model, error) { return model(), nil }
}
