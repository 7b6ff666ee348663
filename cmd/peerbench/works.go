package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
)

// The marks are what this project sets itself; a work without one is shown for
// what it tells.

// works lists everything that the executors are compared in.
func works(cases string) []work {
	return slices.Concat(layers(), goPeers(), wholeModels(cases))
}

func layers() (list []work) {
	for _, p := range []struct {
		product
		exact, exactInt8, v16, v16Int8 float64
	}{
		{product{12, 1, 4096, 4096}, 3.0, 0.95, 4.0, 1.2},
		{product{1, 1, 1024, 4096}, 0, 0, 0, 0}, // in cache: the marks of one row are for weights in memory
		{product{1, 8, 1024, 4096}, 1.4, 0, 2.7, 0},
		{product{1, 32, 1024, 4096}, 1.1, 0, 2.1, 0},
		{product{1, 128, 768, 3072}, 0.97, 0, 1.8, 0},
		{product{1, 512, 768, 768}, 0.97, 0, 1.8, 0},
	} {
		list = append(list, work{
			name: "layer " + p.product.String(), model: made(p.product.model),
			ways: []string{peerFloat, peerFolded, peerInt8, oursExact, oursFast, oursV16},
			marks: []mark{
				{oursExact, peerFloat, p.exact}, {oursExact, peerInt8, p.exactInt8},
				{oursFast, peerFloat, p.v16}, {oursFast, peerInt8, p.v16Int8},
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
			ways: []string{peerFloat, peerW8A8, oursW8A8}, marks: []mark{{oursW8A8, peerW8A8, p.least}},
		})
	}
	return list
}

// goPeers lists what other executors in Go can run.
func goPeers() (list []work) {
	for _, m := range []int64{1, 64} {
		w := work{
			name: fmt.Sprintf("perceptron %d×784-1024-1024-1024-10", m), model: made(func() *onnx.Model { return perceptron(m) }),
			ways: []string{peerFloat, peerFolded, peerGorgonia, peerGomlx, oursFloat, oursExact},
		}
		for _, peer := range []string{peerGorgonia, peerGomlx} {
			w.marks = append(w.marks, mark{oursExact, peer, 8}, mark{oursFloat, peer, 0})
		}
		w.marks = append(w.marks, mark{oursExact, peerFloat, 0}, mark{oursFloat, peerFloat, 0})
		list = append(list, w)
	}
	return list
}

// wholeModels lists models that are run, and then the making of their sessions;
// those that are read lie in a folder of cases.
func wholeModels(cases string) (list []work) {
	read := func(path string) func() (*onnx.Model, error) {
		return func() (*onnx.Model, error) {
			if cases == "" {
				return nil, errors.New("it lies among the cases: name their folder with --cases or in TINYQ_CASES")
			}
			return onnx.Open(filepath.Join(cases, path, "model.onnx"))
		}
	}
	all := rewrite.Operators()
	for _, m := range []struct {
		name       string
		model      func() (*onnx.Model, error)
		shapes     map[string][]int
		ops        []string
		exact, v16 float64
	}{
		{"bytegpt", read("trained/bytegpt_ts17"), map[string][]int{"ids": {1, 128}}, nil, 1.0, 1.5},
		{"BERT-base", made(func() *onnx.Model { return bertBase.encoder(128) }), nil, nil, 1.0, 1.5},
		{"GPT-2-small", made(func() *onnx.Model { return gpt2Small.decoder(128) }), nil, nil, 2.5, 3.5},
		{"ppocrv4_rec", read("real/ppocrv4_rec"), map[string][]int{"x": {1, 3, 48, 320}}, all, 0.8, 0},
		{"ppocr_cls", read("real/ppocr_cls"), map[string][]int{"x": {1, 3, 48, 192}}, all, 0.8, 0},
		{"digits_cnn", read("trained/digits_cnn_ts13"), map[string][]int{"image": {450, 8, 8}}, all, 0.8, 0},
	} {
		w := work{
			name: "model " + m.name, model: m.model, shapes: m.shapes, ops: m.ops,
			ways: []string{peerFloat, peerFolded, peerInt8, oursFloat, oursExact},
			marks: []mark{
				{oursExact, peerFloat, m.exact}, {oursExact, peerFolded, 0}, {oursExact, peerInt8, 0}, {oursFloat, peerFloat, 0},
			},
		}
		if m.v16 > 0 {
			w.ways = append(w.ways, oursFast, oursV16, peerW8A8, oursW8A8)
			w.marks = append(w.marks, mark{oursFast, peerFloat, 0}, mark{oursV16, peerFloat, m.v16}, mark{oursW8A8, peerW8A8, 0})
		}
		list = append(list, w, work{
			name: "creation " + m.name, model: m.model, shapes: m.shapes, ops: m.ops, create: true,
			ways: []string{peerFloat, peerFolded, peerInt8, oursFloat, oursExact},
			marks: []mark{
				{oursExact, peerInt8, 5}, {oursExact, peerFloat, 5}, {oursFloat, peerFloat, 0},
			},
		})
	}
	return list
}

func made(model func() *onnx.Model) func() (*onnx.Model, error) {
	return func() (*onnx.Model, error) { return model(), nil }
}
