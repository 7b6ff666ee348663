package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// work is a model of nodes that turn constants into y.
func work(constants []*onnx.Tensor, nodes ...*onnx.Node) []byte {
	return encodedModel(&onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetImport{{Version: 17}, {Domain: "local", Version: 1}}, Graph: &onnx.Graph{
		Name: "work", Initializers: constants, Nodes: nodes, Outputs: []*onnx.Value{{Name: "y"}},
	}})
}

func op(operator, inputs, outputs string, attrs ...*onnx.Attr) *onnx.Node {
	return &onnx.Node{OpType: operator, Inputs: strings.Split(inputs, ","), Outputs: strings.Split(outputs, ","), Attrs: attrs}
}

func list64(name string, list ...int64) *onnx.Tensor {
	return onnx.Int64Tensor(name, []int64{int64(len(list))}, list)
}
func number64(name string, v int64) *onnx.Tensor { return onnx.Int64Tensor(name, nil, []int64{v}) }
func floats(name string, dims ...int64) *onnx.Tensor {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return onnx.FloatTensor(name, dims, make([]float32, n))
}

// hostileWork are small files that ask for much work or much memory.
func hostileWork() []hostileFile {
	tensors := func(list ...*onnx.Tensor) []*onnx.Tensor { return list }
	doubling := func(operator string, times int, attrs ...*onnx.Attr) []byte {
		var nodes []*onnx.Node
		for i := range times {
			nodes = append(nodes, op(operator, fmt.Sprintf("v%d,v%d", i, i), fmt.Sprintf("v%d", i+1), attrs...))
		}
		nodes[times-1].Outputs[0] = "y"
		return work(tensors(floats("v0", 1024)), nodes...)
	}
	loop := func(trips int64, body ...*onnx.Node) []byte {
		g := &onnx.Graph{Name: "body", Nodes: body,
			Inputs:  []*onnx.Value{{Name: "i"}, {Name: "c"}, {Name: "a"}},
			Outputs: []*onnx.Value{{Name: "c"}, {Name: "b"}}}
		return work(tensors(number64("trips", trips), floats("zero", 4)), op("Loop", "trips,,zero", "y", onnx.GraphAttr("body", g)))
	}
	files := []hostileFile{
		{name: "functions that call functions, 2^30 times", data: functions(30), says: "inline to more than"},
		{name: "functions that call functions, 2^90 times", data: functions(90), says: "inline to more than"},
		{name: "a function that calls itself", data: recursive(1), says: "calls itself"},
		{name: "functions that call each other", data: recursive(50), says: "calls itself"},
		{name: "a shape of 2^31 elements", data: work(tensors(list64("n", 1<<31-1)), op("ConstantOfShape", "n", "y")), says: "bytes are asked for"},
		{name: "a shape of 2^40 elements", data: work(tensors(list64("n", 1<<20, 1<<20)), op("ConstantOfShape", "n", "y")), says: "too large"},
		{name: "a shape below 0", data: work(tensors(list64("n", -5)), op("ConstantOfShape", "n", "y")), says: "negative"},
		{name: "an element expanded to 2^30", data: work(tensors(floats("v", 1), list64("n", 1<<15, 1<<15)), op("Expand", "v,n", "y")), says: "bytes are asked for"},
		{name: "an element expanded to 2^60", data: work(tensors(floats("v", 1), list64("n", 1<<30, 1<<30)), op("Expand", "v,n", "y")), says: "too large"},
		{name: "a tile of 2^30", data: work(tensors(floats("v", 1), list64("n", 1<<30)), op("Tile", "v,n", "y")), says: "bytes are asked for"},
		{name: "a tile of 2^62", data: work(tensors(floats("v", 2), list64("n", 1<<62)), op("Tile", "v,n", "y")), says: "too large"},
		{name: "a range of 2^62", data: work(tensors(number64("a", 0), number64("n", 1<<62), number64("s", 1)), op("Range", "a,n,s", "y")), says: "too long"},
		{name: "a range of 2^30", data: work(tensors(number64("a", 0), number64("n", 1<<30), number64("s", 1)), op("Range", "a,n,s", "y")), says: "bytes are asked for"},
		{name: "a range without steps", data: work(tensors(number64("a", 0), number64("n", 1), number64("s", 0)), op("Range", "a,n,s", "y")), says: "delta is 0"},
		{name: "a broadcast of 2^30", data: work(tensors(floats("a", 1<<15, 1), floats("b", 1, 1<<15)), op("Add", "a,b", "y")), says: "bytes are asked for"},
		{name: "an outer product of 2^28", data: work(tensors(floats("a", 1<<14, 1), floats("b", 1, 1<<14)), op("MatMul", "a,b", "y")), says: "bytes are asked for"},
		{name: "joined with itself 40 times", data: doubling("Concat", 40, onnx.IntAttr("axis", 0)), says: "bytes are asked for"},
		{name: "added to itself 10,000 times", data: doubling("Add", 10_000), says: ""},
		{name: "a hot vector of 2^40", data: work(tensors(list64("i", 0, 1), number64("n", 1<<40), onnx.FloatTensor("v", []int64{2}, []float32{0, 1})), op("OneHot", "i,n,v", "y")), says: "too large"},
		{name: "a hot vector of 2^28", data: work(tensors(list64("i", 0, 1), number64("n", 1<<28), onnx.FloatTensor("v", []int64{2}, []float32{0, 1})), op("OneHot", "i,n,v", "y")), says: "bytes are asked for"},
		{name: "padding of 2^40", data: work(tensors(floats("v", 1), list64("n", 1<<40, 0)), op("Pad", "v,n", "y")), says: "do not fit"},
		{name: "padding of 2^28", data: work(tensors(floats("v", 1), list64("n", 1<<28, 0)), op("Pad", "v,n", "y")), says: "bytes are asked for"},
		{name: "padding whose sum overflows", data: work(tensors(floats("v", 1), list64("n", math.MaxInt64, math.MaxInt64)), op("Pad", "v,n", "y")), says: "do not fit"},
		{name: "a size of 2^28", data: work(tensors(floats("v", 1, 1, 1, 1), list64("n", 1, 1, 1<<14, 1<<14)), op("Resize", "v,,,n", "y")), says: "bytes are asked for"},
		{name: "a window of 2^40", data: work(tensors(number64("n", 1<<40)), op("HannWindow", "n", "y")), says: "too large"},
		{name: "a window of 2^28", data: work(tensors(number64("n", 1<<28)), op("HannWindow", "n", "y")), says: "bytes are asked for"},
		{name: "a unit matrix of 2^25", data: work(tensors(floats("v", 1<<12, 1), floats("w", 1, 1<<13)), op("MatMul", "v,w", "m"), op("EyeLike", "m", "y")), says: "bytes are asked for"},
		{name: "random numbers, 2^28", data: work(nil, &onnx.Node{OpType: "RandomNormal", Outputs: []string{"y"}, Attrs: []*onnx.Attr{onnx.IntsAttr("shape", []int64{1 << 28})}}), says: "bytes are asked for"},
		{name: "rows picked again and again", data: work(tensors(floats("v", 2, 1<<14), list64("n", 1<<14)), op("ConstantOfShape", "n", "i", onnx.TensorAttr("value", list64("", 0))), op("Gather", "v,i", "y")), says: "bytes are asked for"},
		{name: "a thousand vectors of 256 KB", data: work(tensors(list64("n", 1<<16)), thousandVectors()...), says: "bytes are asked for"},
		{name: "a loop of 2^62 trips", data: loop(1<<62, op("Identity", "a", "b")), endless: true, says: "interrupted"},
		{name: "a loop that doubles what it carries", data: loop(60, op("Concat", "a,a", "b", onnx.IntAttr("axis", 0))), says: "bytes are asked for"},
		{name: "a loop of less than no trips", data: loop(math.MinInt64, op("Identity", "a", "b")), says: ""},
	}
	for i := range files {
		files[i].class = "work"
	}
	return files
}

// thousandVectors are constants that are made of few bytes, each in use to the end.
func thousandVectors() []*onnx.Node {
	var nodes []*onnx.Node
	sum := op("Sum", "v0", "y")
	for i := range 1000 {
		nodes = append(nodes, op("ConstantOfShape", "n", fmt.Sprintf("v%d", i)))
		if i > 0 {
			sum.Inputs = append(sum.Inputs, fmt.Sprintf("v%d", i))
		}
	}
	return append(nodes, sum)
}

// functions is a model in which each function calls the one before twice.
func functions(depth int) []byte {
	m := smallModel(17)
	m.Opsets = append(m.Opsets, onnx.OpsetImport{Domain: "local", Version: 1})
	for i := range depth {
		f := &onnx.Function{Domain: "local", Name: fmt.Sprintf("F%d", i), Inputs: []string{"a"}, Outputs: []string{"c"}, Opsets: m.Opsets}
		f.Nodes = []*onnx.Node{op("Neg", "a", "b"), op("Neg", "b", "c")}
		if i > 0 {
			for _, n := range f.Nodes {
				n.Domain, n.OpType = "local", fmt.Sprintf("F%d", i-1)
			}
		}
		m.Functions = append(m.Functions, f)
	}
	m.Graph.Nodes[2].Domain, m.Graph.Nodes[2].OpType = "local", fmt.Sprintf("F%d", depth-1)
	return encodedModel(m)
}

// recursive is a model of functions of which each calls the next, and the last the first.
func recursive(count int) []byte {
	m := smallModel(17)
	m.Opsets = append(m.Opsets, onnx.OpsetImport{Domain: "local", Version: 1})
	for i := range count {
		call := op(fmt.Sprintf("F%d", (i+1)%count), "a", "b")
		call.Domain = "local"
		m.Functions = append(m.Functions, &onnx.Function{Domain: "local", Name: fmt.Sprintf("F%d", i), Inputs: []string{"a"}, Outputs: []string{"b"}, Opsets: m.Opsets, Nodes: []*onnx.Node{call}})
	}
	m.Graph.Nodes[2].Domain, m.Graph.Nodes[2].OpType = "local", "F0"
	return encodedModel(m)
}

// hostileTexts are files whose names are made to confuse programs and people.
func hostileTexts() []hostileFile {
	named := func(name string) []byte {
		return changed(func(m *onnx.Model) {
			m.Graph.Initializers[0].Name, m.Graph.Nodes[0].Inputs[1], m.Graph.Nodes[0].Name = name, name, name
			m.Graph.Inputs[0].Name, m.Graph.Nodes[0].Inputs[0] = name+"x", name+"x"
			m.Graph.Outputs[0].Name, m.Graph.Nodes[3].Outputs[0] = name+"y", name+"y"
		})
	}
	files := []hostileFile{
		{name: "names that are no UTF-8", data: named("\xff\xfe\x80")},
		{name: "names with line ends", data: named("a\nonnx-tinyq: all is well\r\n")},
		{name: "names that command a terminal", data: named("\x1b]0;owned\x07\x1b[2J\x9b31m")},
		{name: "names that turn text around", data: named("\u202Exnno\u202C\u2066")},
		{name: "names with zero bytes", data: named("a\x00b")},
		{name: "names that are paths", data: named("../../../../tmp/x")},
		{name: "names of half a megabyte", data: named(strings.Repeat("n", 1<<19))},
		{name: "operators that are no UTF-8", data: changed(func(m *onnx.Model) { m.Graph.Nodes[2].OpType = "\xff\x1b[2J" }), says: "the executor does not have"},
		{name: "ten thousand operators that are not there", data: changed(func(m *onnx.Model) {
			for i := range 10_000 {
				m.Graph.Nodes = append(m.Graph.Nodes, &onnx.Node{OpType: fmt.Sprintf("Op%d", i), Inputs: []string{"x"}, Outputs: []string{fmt.Sprintf("o%d", i)}})
			}
		}), says: "the executor does not have"},
	}
	for i := range files {
		files[i].class = "text"
	}
	return files
}
