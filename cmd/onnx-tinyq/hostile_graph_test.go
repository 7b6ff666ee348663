package main

import (
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// changed is the small model with something done to it, as a file.
func changed(change func(m *onnx.Model)) []byte {
	m := smallModel(17)
	change(m)
	return encodedModel(m)
}

// hostileGraphs are files that are well formed, but no graphs.
func hostileGraphs() []hostileFile {
	files := []hostileFile{
		{name: "two nodes in a cycle", data: changed(func(m *onnx.Model) { m.Graph.Nodes[0].Inputs[0] = "y" }), says: `"y", is used before it is defined`},
		{name: "a node that reads itself", data: changed(func(m *onnx.Model) { m.Graph.Nodes[2].Inputs[0] = "r" }), says: `"r", is used before it is defined`},
		{name: "nodes in reverse", data: changed(func(m *onnx.Model) { slices.Reverse(m.Graph.Nodes) }), says: "is used before it is defined"},
		{name: "an operand from nowhere", data: changed(func(m *onnx.Model) { m.Graph.Nodes[0].Inputs[0] = "nowhere" }), says: `"nowhere", is defined nowhere`},
		{name: "one output of two nodes", data: changed(func(m *onnx.Model) { m.Graph.Nodes[1].Outputs[0] = "p" }), says: `output "p" is defined already`},
		{name: "an output that is an input", data: changed(func(m *onnx.Model) { m.Graph.Nodes[3].Outputs[0] = "x" }), says: `output "x" is defined already`},
		{name: "an output that is a weight", data: changed(func(m *onnx.Model) { m.Graph.Nodes[3].Outputs[0] = "w" }), says: `output "w" is defined already`},
		{name: "an input twice", data: changed(func(m *onnx.Model) { m.Graph.Inputs = append(m.Graph.Inputs, m.Graph.Inputs[0]) }), says: `input "x" is defined already`},
		{name: "a weight twice", data: changed(func(m *onnx.Model) { m.Graph.Initializers = append(m.Graph.Initializers, m.Graph.Initializers[0]) }), says: `initializer "w" is there twice`},
		{name: "a weight without a name", data: changed(func(m *onnx.Model) { m.Graph.Initializers[0].Name = "" }), says: "has no name"},
		{name: "an output that nobody makes", data: changed(func(m *onnx.Model) { m.Graph.Outputs[0].Name = "z" }), says: `output "z" is not defined`},
		{name: "an attribute twice", data: changed(func(m *onnx.Model) { n := m.Graph.Nodes[3]; n.Attrs = append(n.Attrs, n.Attrs[0]) }), says: `attribute "transB" is there twice`},
		{name: "an attribute of an unknown type", data: changed(func(m *onnx.Model) { m.Graph.Nodes[3].Attrs[0].Type = 99 }), says: "unknown type 99"},
		{name: "a node without an operator", data: changed(func(m *onnx.Model) { m.Graph.Nodes[0].OpType = "" }), says: "no operator type"},
		{name: "an operator that is not there", data: changed(func(m *onnx.Model) { m.Graph.Nodes[2].OpType = "Frobnicate" }), says: "Frobnicate"},
		{name: "no IR version", data: changed(func(m *onnx.Model) { m.IRVersion = 0 }), says: "no IR version"},
		{name: "an IR version below 0", data: changed(func(m *onnx.Model) { m.IRVersion = math.MinInt64 }), says: "no IR version"},
		{name: "no opset", data: changed(func(m *onnx.Model) { m.Opsets = nil }), says: "imports no operator set"},
		{name: "an opset of the far future", data: changed(func(m *onnx.Model) { m.Opsets[0].Version = math.MaxInt64 }), says: "9223372036854775807"},
		{name: "an opset below 0", data: changed(func(m *onnx.Model) { m.Opsets[0].Version = -1 }), says: "cannot be added"},
		{name: "an If without branches", data: changed(func(m *onnx.Model) { m.Graph.Nodes[2].OpType = "If" }), says: "then_branch"},
		{name: "an axis near 2^63", data: changed(func(m *onnx.Model) {
			m.Graph.Nodes[2] = &onnx.Node{OpType: "Softmax", Inputs: []string{"h"}, Outputs: []string{"r"}, Attrs: []*onnx.Attr{onnx.IntAttr("axis", math.MaxInt64)}}
		}), says: "axis"},
		{name: "a permutation of nothing", data: changed(func(m *onnx.Model) {
			m.Graph.Nodes[2] = &onnx.Node{OpType: "Transpose", Inputs: []string{"w"}, Outputs: []string{"r"}, Attrs: []*onnx.Attr{onnx.IntsAttr("perm", []int64{7, -7})}}
		}), says: "perm"},
		{name: "weights that are NaN", data: changed(func(m *onnx.Model) {
			m.Graph.Initializers[0] = onnx.FloatTensor("w", []int64{18, 4}, slices.Repeat([]float32{float32(math.NaN())}, 72))
		}), says: ""},
	}
	for i := range files {
		files[i].class = "graph"
	}
	return files
}

// hostileTensors are files whose weights are not what their shape asks for.
func hostileTensors() []hostileFile {
	weight := func(change func(w *onnx.Tensor)) []byte {
		return changed(func(m *onnx.Model) { change(m.Graph.Initializers[0]) })
	}
	dims := func(list ...int64) []byte { return weight(func(w *onnx.Tensor) { w.Dims = list }) }
	files := []hostileFile{
		{name: "a claim of 100 GB without data", data: weight(func(w *onnx.Tensor) { w.Dims, w.Data = []int64{25 << 30, 1}, nil }), says: "ask for 107374182400 bytes, there are 0"},
		{name: "a claim of 100 GB with a few bytes", data: dims(25<<30, 1), says: "ask for 107374182400 bytes, there are 288"},
		{name: "dims whose product is beyond 2^63", data: dims(1<<32, 1<<32), says: "beyond 64 bits"},
		{name: "dims whose product is 0 modulo 2^64", data: dims(1<<32, 1<<32, 1<<32), says: "beyond 64 bits"},
		{name: "dims whose product is right modulo 2^64", data: dims(1<<63-1, 2, 37), says: "beyond 64 bits"},
		{name: "a dimension near 2^63", data: dims(math.MaxInt64, 4), says: "beyond 64 bits"},
		{name: "a dimension near 2^63 and one of 0", data: dims(math.MaxInt64, 0), says: "ask for 0 bytes, there are 288"},
		{name: "a dimension below 0", data: dims(-18, 4), says: "negative"},
		{name: "two dimensions below 0", data: dims(-18, -4), says: "negative"},
		{name: "a hundred thousand dimensions", data: dims(slices.Repeat([]int64{1}, 100_000)...), says: "100000 dimensions"},
		{name: "a hundred thousand dimensions that fit", data: changed(func(m *onnx.Model) {
			m.Graph.Initializers[1] = onnx.FloatTensor("b", append(slices.Repeat([]int64{1}, 100_000), 4), make([]float32, 4))
		}), says: "100001 dimensions"},
		{name: "too few bytes", data: weight(func(w *onnx.Tensor) { w.Data = onnx.Bytes(make([]byte, 287)) }), says: "ask for 288 bytes, there are 287"},
		{name: "too many bytes", data: weight(func(w *onnx.Tensor) { w.Data = onnx.Bytes(make([]byte, 1<<20)) }), says: "there are 1048576"},
		{name: "elements of an unknown type", data: weight(func(w *onnx.Tensor) { w.Type = 99 }), says: "dtype(99)"},
		{name: "elements of no type", data: weight(func(w *onnx.Tensor) { w.Type = 0 }), says: "undefined"},
		{name: "elements that are text", data: weight(func(w *onnx.Tensor) { w.Type = onnx.String }), says: "ask for 72 strings, there are 0"},
		{name: "elements of another type", data: weight(func(w *onnx.Tensor) { w.Type, w.Dims = onnx.Double, []int64{18, 2} }), says: "double"},
		{name: "a sparse weight that claims much", data: changed(func(m *onnx.Model) {
			m.Graph.Initializers = m.Graph.Initializers[1:]
			m.Graph.SparseInitializers = []*onnx.SparseTensor{{Values: onnx.FloatTensor("w", []int64{1}, []float32{1}), Indices: onnx.Int64Tensor("", []int64{1}, []int64{0}), Dims: []int64{1 << 20, 1 << 20}}}
		}), says: "w"},
		{name: "a sparse weight with an index outside", data: changed(func(m *onnx.Model) {
			m.Graph.Initializers = m.Graph.Initializers[1:]
			m.Graph.SparseInitializers = []*onnx.SparseTensor{{Values: onnx.FloatTensor("w", []int64{1}, []float32{1}), Indices: onnx.Int64Tensor("", []int64{1}, []int64{72}), Dims: []int64{18, 4}}}
		}), says: "outside the tensor"},
		{name: "a sparse weight without indices", data: changed(func(m *onnx.Model) {
			m.Graph.Initializers = m.Graph.Initializers[1:]
			m.Graph.SparseInitializers = []*onnx.SparseTensor{{Values: onnx.FloatTensor("w", []int64{1}, []float32{1})}}
		}), says: "lacks its values or its indices"},
		{name: "an input that claims much", data: changed(func(m *onnx.Model) {
			m.Graph.Inputs[0].Type.Shape = []onnx.Dim{{Known: true, Size: 1 << 40}, {Known: true, Size: 18}}
		}), says: "too large"},
		{name: "an input with dims below 0", data: changed(func(m *onnx.Model) {
			m.Graph.Inputs[0].Type.Shape = []onnx.Dim{{Known: true, Size: -2}, {Known: true, Size: 18}}
		}), says: ""},
	}
	for i := range files {
		files[i].class = "tensor"
	}
	return files
}
