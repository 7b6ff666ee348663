package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// sketch is a graph that a test makes up: nodes, random weights, inputs.
type sketch struct {
	g      *onnx.Graph
	random *rand.Rand
	opset  int64 // 17 if zero
	ms     bool  // it has operators of com.microsoft

	functions []*onnx.Function
}

func newSketch() *sketch {
	return &sketch{g: &onnx.Graph{Name: "made up"}, random: rand.New(rand.NewPCG(7, 9))}
}

// in declares a float input.
func (s *sketch) in(name string, dims ...int64) string {
	s.g.Inputs = append(s.g.Inputs, matrixValue(name, dims...))
	return name
}

// out declares a float output of a rank.
func (s *sketch) out(name string, rank int) {
	s.g.Outputs = append(s.g.Outputs, tensorValue(name, onnx.Float, rank))
}

// weight adds random floats, about as large as lets values keep their size.
func (s *sketch) weight(name string, dims ...int64) string {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(s.random.NormFloat64()) / 6
	}
	return s.floats(name, values, dims...)
}

func (s *sketch) floats(name string, values []float32, dims ...int64) string {
	s.g.Initializers = append(s.g.Initializers, onnx.FloatTensor(name, dims, values))
	return name
}

func (s *sketch) integers(name string, values ...int64) string {
	s.g.Initializers = append(s.g.Initializers, onnx.Int64Tensor(name, []int64{int64(len(values))}, values))
	return name
}

// node adds a node with one output, whose name it returns.
func (s *sketch) node(op, output string, inputs []string, attrs ...*onnx.Attr) string {
	s.g.Nodes = append(s.g.Nodes, &onnx.Node{Name: "node " + output, OpType: op, Inputs: inputs, Outputs: []string{output}, Attrs: attrs})
	return output
}

// microsoft is node for an operator of that domain.
func (s *sketch) microsoft(op, output string, inputs []string, attrs ...*onnx.Attr) string {
	s.ms = true
	s.node(op, output, inputs, attrs...)
	s.g.Nodes[len(s.g.Nodes)-1].Domain = "com.microsoft"
	return output
}

// model is the sketch as a model.
func (s *sketch) model() *onnx.Model {
	if s.opset == 0 {
		s.opset = 17
	}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetImport{{Version: s.opset}}, Graph: s.g, Functions: s.functions}
	if s.ms {
		m.Opsets = append(m.Opsets, onnx.OpsetImport{Domain: "com.microsoft", Version: 1})
	}
	if len(s.functions) > 0 {
		m.Opsets = append(m.Opsets, onnx.OpsetImport{Domain: local, Version: 1})
	}
	return m
}

// folder writes the sketch as a test case without outputs.
func (s *sketch) folder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	m := s.model()
	if err := onnx.WriteFile(filepath.Join(folder, "model.onnx"), m, onnx.WriteOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	feeds, err := runtime.MakeFeeds(m, runtime.FeedOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(folder, "test_data_set_0")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, input := range m.Graph.Inputs {
		stored, err := tensor.ToONNX(input.Name, feeds[input.Name].(*tensor.Tensor))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := onnx.EncodeTensor(&b, stored); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(data, fmt.Sprintf("input_%d.pb", i)), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func ints(name string, values ...int64) *onnx.Attr { return onnx.IntsAttr(name, values) }

// madeModels has the places of weights that the shared cases do not have, each
// with how many weights are quantized in it.
func madeModels() map[string]struct {
	sketch *sketch
	sites  int
} {
	models := map[string]struct {
		sketch *sketch
		sites  int
	}{}
	add := func(name string, sites int, build func(s *sketch)) {
		s := newSketch()
		build(s)
		models[name] = struct {
			sketch *sketch
			sites  int
		}{s, sites}
	}
	add("conv 1-D", 1, func(s *sketch) {
		s.node("Conv", "y", []string{s.in("x", 2, 16, 20), s.weight("w", 24, 16, 3), s.weight("b", 24)}, ints("pads", 1, 2), ints("strides", 2), ints("dilations", 2))
		s.out("y", 3)
	})
	add("conv 3-D in groups", 1, func(s *sketch) {
		s.node("Conv", "y", []string{s.in("x", 1, 8, 5, 6, 7), s.weight("w", 12, 4, 3, 3, 3)}, onnx.IntAttr("group", 2), ints("pads", 1, 1, 1, 1, 1, 1))
		s.out("y", 5)
	})
	add("conv depthwise", 1, func(s *sketch) {
		s.node("Conv", "y", []string{s.in("x", 1, 48, 9, 8), s.weight("w", 48, 1, 3, 3), s.weight("b", 48)}, onnx.IntAttr("group", 48), onnx.StringAttr("auto_pad", "SAME_UPPER"), ints("strides", 2, 2))
		s.out("y", 4)
	})
	add("conv transpose in groups", 1, func(s *sketch) {
		s.node("ConvTranspose", "y", []string{s.in("x", 1, 8, 5, 6), s.weight("w", 8, 6, 3, 3), s.weight("b", 12)}, onnx.IntAttr("group", 2), ints("strides", 2, 2), ints("output_padding", 1, 1))
		s.out("y", 4)
	})
	add("conv transpose, depthwise", 1, func(s *sketch) {
		s.node("ConvTranspose", "y", []string{s.in("x", 1, 32, 5, 6), s.weight("w", 32, 1, 3, 3), s.weight("b", 32)}, onnx.IntAttr("group", 32), ints("strides", 2, 2))
		s.out("y", 4)
	})
	add("conv transpose 1-D", 1, func(s *sketch) {
		s.node("ConvTranspose", "y", []string{s.in("x", 2, 16, 9), s.weight("w", 16, 12, 4)}, ints("strides", 2), ints("pads", 1, 1))
		s.out("y", 3)
	})
	add("gather along the second axis", 1, func(s *sketch) {
		s.node("Cast", "i", []string{s.in("x", 4)}, onnx.IntAttr("to", int64(onnx.Int64))) // -2 to 2
		s.node("Gather", "y", []string{s.weight("w", 16, 40), "i"}, onnx.IntAttr("axis", 1))
		s.out("y", 2)
	})
	add("gather elements", 1, func(s *sketch) {
		s.node("Cast", "i", []string{s.node("Abs", "a", []string{s.in("x", 40, 8)})}, onnx.IntAttr("to", int64(onnx.Int64)))
		s.node("GatherElements", "y", []string{s.weight("w", 40, 8), "i"})
		s.out("y", 2)
	})
	add("lstm both ways", 2, func(s *sketch) {
		s.node("LSTM", "y", []string{s.in("x", 7, 2, 12), s.weight("w", 2, 64, 12), s.weight("r", 2, 64, 16), s.weight("b", 2, 128)}, onnx.IntAttr("hidden_size", 16), onnx.StringAttr("direction", "bidirectional"))
		s.out("y", 4)
	})
	add("gru", 2, func(s *sketch) {
		s.node("GRU", "y", []string{s.in("x", 7, 2, 12), s.weight("w", 1, 48, 12), s.weight("r", 1, 48, 16), s.weight("b", 1, 96)}, onnx.IntAttr("hidden_size", 16), onnx.IntAttr("linear_before_reset", 1))
		s.out("y", 4)
	})
	add("rnn backwards", 2, func(s *sketch) {
		s.node("RNN", "y", []string{s.in("x", 7, 2, 24), s.weight("w", 1, 20, 24), s.weight("r", 1, 20, 20)}, onnx.IntAttr("hidden_size", 20), onnx.StringAttr("direction", "reverse"))
		s.out("y", 4)
	})
	add("einsum of experts", 1, func(s *sketch) {
		s.node("Einsum", "y", []string{s.in("x", 5, 24), s.weight("w", 4, 24, 16)}, onnx.StringAttr("equation", "td,edf->tef"))
		s.out("y", 3)
	})
	add("einsum on the left", 1, func(s *sketch) {
		s.node("Einsum", "y", []string{s.weight("w", 24, 16), s.in("x", 2, 5, 24)}, onnx.StringAttr("equation", "dn, btd -> btn"))
		s.out("y", 3)
	})
	add("matmul of experts", 2, func(s *sketch) {
		h := s.node("Relu", "r", []string{s.node("MatMul", "h", []string{s.in("x", 4, 6, 24), s.weight("w", 4, 24, 16)})})
		s.node("MatMul", "y", []string{h, s.weight("v", 4, 16, 24)})
		s.out("y", 3)
	})
	add("experts of opset 21", 4, func(s *sketch) {
		s.opset = 21
		h := s.node("Relu", "r", []string{s.node("MatMul", "h", []string{s.in("x", 4, 6, 24), s.weight("w", 4, 24, 16)})})
		k := s.node("MatMul", "k", []string{s.weight("v", 4, 16, 6), h})
		e := s.node("Einsum", "e", []string{k, s.weight("u", 4, 24, 16)}, onnx.StringAttr("equation", "etd,efd->etf"))
		s.node("Einsum", "y", []string{e, s.weight("t", 4, 24, 8)}, onnx.StringAttr("equation", "etd,edf->etf"))
		s.out("y", 3)
	})
	add("fused matmul", 1, func(s *sketch) {
		s.microsoft("FusedMatMul", "y", []string{s.in("x", 24, 6), s.weight("w", 24, 16)}, onnx.IntAttr("transA", 1), onnx.FloatAttr("alpha", 0.5))
		s.out("y", 2)
	})
	add("com.microsoft FusedMatMul of a batch", 1, func(s *sketch) {
		s.microsoft("FusedMatMul", "y", []string{s.in("x", 3, 5, 24), s.weight("w", 3, 16, 24)}, onnx.IntAttr("transB", 1))
		s.out("y", 3)
	})
	add("fused gemm", 1, func(s *sketch) {
		s.microsoft("FusedGemm", "y", []string{s.in("x", 6, 24), s.weight("w", 16, 24), s.weight("b", 16)}, onnx.IntAttr("transB", 1), onnx.StringAttr("activation", "Relu"))
		s.out("y", 2)
	})
	add("attention", 1, func(s *sketch) {
		s.microsoft("Attention", "y", []string{s.in("x", 2, 6, 24), s.weight("w", 24, 72), s.weight("b", 72)}, onnx.IntAttr("num_heads", 4))
		s.out("y", 3)
	})
	add("multi-head attention of projections", 4, func(s *sketch) {
		x := s.in("x", 2, 6, 24)
		var projected []string
		for _, part := range []string{"q", "k", "v"} {
			projected = append(projected, s.node("MatMul", part, []string{x, s.weight(part+"_weight", 24, 24)}))
		}
		h := s.microsoft("MultiHeadAttention", "h", append(projected, s.weight("b", 72)), onnx.IntAttr("num_heads", 4))
		s.node("MatMul", "y", []string{h, s.weight("o_weight", 24, 24)})
		s.out("y", 3)
	})
	add("one weight stored twice, once transposed", 2, func(s *sketch) {
		w, turned := make([]float32, 24*24), make([]float32, 24*24)
		for i := range w {
			w[i] = float32(s.random.NormFloat64()) / 6
			turned[i%24*24+i/24] = w[i]
		}
		h := s.node("MatMul", "h", []string{s.in("x", 6, 24), s.floats("w", w, 24, 24)})
		s.node("Gemm", "y", []string{h, s.floats("v", turned, 24, 24)}, onnx.IntAttr("transB", 1))
		s.out("y", 2)
	})
	addBodies(add)
	addFunctions(add)
	addBranches(add)
	return models
}
