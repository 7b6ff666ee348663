package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// field is a length-delimited record of a message.
func field(number protowire.Number, content ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bytes.Join(content, nil))
}

func varint(number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v)
}

// nested puts content n times into fields of the numbers given.
func nested(n int, content []byte, numbers ...protowire.Number) []byte {
	for range n {
		for _, number := range numbers {
			content = field(number, content)
		}
	}
	return content
}

// The fields of ONNX's messages that the hostile files are made of.
const (
	modelGraph       = 7
	graphNode        = 1
	graphInitializer = 5
	graphInput       = 11
	nodeInput        = 1
	nodeOutput       = 2
	nodeOperator     = 4
	nodeAttribute    = 5
	attributeGraph   = 6
	attributeInts    = 8
	valueType        = 2
)

// preamble is what a sound model has beside its graph: IR version 8, opset 17.
func preamble() []byte { return append(varint(1, 8), field(8, varint(2, 17))...) }

func million(record []byte) []byte { return bytes.Repeat(record, 1<<20) }

// hostileWire are files whose messages are broken, nested or repeated.
func hostileWire() []hostileFile {
	graph := func(content ...[]byte) []byte { return append(preamble(), field(modelGraph, content...)...) }
	node := func(content ...[]byte) []byte { return graph(field(graphNode, content...)) }
	sound := encodedModel(smallModel(17))
	identities := func(n int) []byte { // a chain
		name := func(i int) []byte { return fmt.Appendf(nil, "v%d", i) }
		var nodes [][]byte
		for i := range n {
			nodes = append(nodes, field(graphNode, field(nodeInput, name(i)), field(nodeOutput, name(i+1)), field(nodeOperator, []byte("Identity"))))
		}
		return graph(bytes.Join(nodes, nil), field(graphInput, field(1, name(0)), field(valueType, field(1, varint(1, 1), field(2, field(1, varint(1, 4)))))), field(12, field(1, name(n))))
	}
	return []hostileFile{
		{name: "nothing", class: "broken", says: "no graph"},
		{name: "text", class: "broken", data: []byte("this is no model"), says: "onnx: model at byte"},
		{name: "zeros", class: "broken", data: make([]byte, 1024), says: "field number"},
		{name: "half a tag", class: "broken", data: []byte{0x80}, says: "EOF"},
		{name: "number without end", class: "broken", data: append([]byte{0x08}, bytes.Repeat([]byte{0xff}, 100)...), says: "model at byte 0"},
		{name: "length beyond the end", class: "broken", data: []byte{0x3a, 0x7f, 0x00}, says: "EOF"},
		{name: "length near 2^63", class: "broken", data: append([]byte{0x3a}, protowire.AppendVarint(nil, 1<<63-1)...), says: "model at byte 0"},
		{name: "length near 2^64", class: "broken", data: append([]byte{0x3a}, protowire.AppendVarint(nil, 1<<64-1)...), says: "model at byte 0"},
		{name: "length within a node", class: "broken", data: node([]byte{0x0a, 0x05}), says: "graph.node[0]"},
		{name: "group without end", class: "broken", data: graph([]byte{0x1b}), says: "graph"},
		{name: "a model cut in half", class: "broken", data: sound[:len(sound)/2], says: "EOF"},
		{name: "packed numbers cut off", class: "broken", data: node(field(nodeAttribute, field(attributeInts, []byte{1, 0x80}))), says: "EOF"},
		{name: "fields of other types", class: "broken", data: node(varint(nodeOperator, 7), varint(nodeInput, 7)), says: "no operator type"},

		{name: "groups in groups", class: "nesting", data: append(bytes.Repeat([]byte{0x0b}, 100_000), bytes.Repeat([]byte{0x0c}, 100_000)...), says: "parse error"},
		{name: "graphs in graphs", class: "nesting", data: graph(nested(40, nil, attributeGraph, nodeAttribute, graphNode)), says: "nested more than 100 deep"},
		{name: "graphs in graphs without end", class: "nesting", data: graph(nested(2000, nil, attributeGraph, nodeAttribute, graphNode)), says: "nested more than 100 deep"},
		{name: "types in types", class: "nesting", data: graph(field(graphInput, field(valueType, nested(60, nil, 1, 4)))), says: "nested more than 100 deep"},
		{name: "If in If, as deep as may be", class: "nesting", data: encodedModel(nestedIf(30)), says: ""},

		{name: "a million empty nodes", class: "repetition", data: graph(million(field(graphNode))), says: "most of them are empty"},
		{name: "a million empty attributes", class: "repetition", data: node(million(field(nodeAttribute))), says: "most of them are empty"},
		{name: "a million empty initializers", class: "repetition", data: graph(million(field(graphInitializer))), says: "most of them are empty"},
		{name: "a million empty inputs", class: "repetition", data: graph(million(field(graphInput))), says: "most of them are empty"},
		{name: "a million empty functions", class: "repetition", data: append(graph(), million(field(25))...), says: "most of them are empty"},
		{name: "a quarter of a million opsets", class: "repetition", data: append(graph(), bytes.Repeat(field(8), 1<<18)...), says: "imported in versions 17 and 0"},
		{name: "a quarter of a million properties", class: "repetition", data: append(graph(), bytes.Repeat(field(14), 1<<18)...), says: ""},
		{name: "a quarter of a million operands", class: "repetition", data: node(field(nodeOperator, []byte("Sum")), bytes.Repeat(field(nodeInput), 1<<18)), says: "operand 0 is missing"},
		{name: "a quarter of a million dimensions", class: "repetition", data: graph(field(graphInput, field(1, []byte("x")), field(valueType, field(1, varint(1, 1), field(2, bytes.Repeat(field(1, varint(1, 1)), 1<<18)))))), says: "262144 dimensions"},
		{name: "a million numbers", class: "repetition", data: node(field(nodeOperator, []byte("Relu")), field(nodeAttribute, field(attributeInts, make([]byte, 1<<20)))), says: "onnx"},
		{name: "a graph twenty times", class: "repetition", data: append(preamble(), bytes.Repeat(field(modelGraph, field(graphNode)), 20)...), says: "more than 16 times"},
		{name: "twenty thousand nodes", class: "repetition", data: identities(20_000), says: ""},
		{name: "a quarter of a million unknown fields", class: "repetition", data: append(sound, bytes.Repeat(varint(999, 1), 1<<18)...), says: ""},
	}
}

func encodedModel(m *onnx.Model) []byte {
	var b bytes.Buffer
	if err := onnx.Encode(&b, m); err != nil {
		return nil // which is a model that is not as its case says
	}
	return b.Bytes()
}

// nestedIf is an If in a branch of an If, and so on.
func nestedIf(depth int) *onnx.Model {
	branch := func(name string, n *onnx.Node) *onnx.Graph {
		return &onnx.Graph{Name: name, Nodes: []*onnx.Node{n}, Outputs: []*onnx.Value{{Name: n.Outputs[0]}}}
	}
	name := func(prefix string, i int) string { return prefix + grouped(int64(i)) }
	inner := &onnx.Node{OpType: "Relu", Inputs: []string{"x"}, Outputs: []string{"innermost"}}
	for i := range depth {
		other := &onnx.Node{OpType: "Neg", Inputs: []string{"x"}, Outputs: []string{name("other", i)}}
		inner = &onnx.Node{OpType: "If", Inputs: []string{"go"}, Outputs: []string{name("chosen", i)}, Attrs: []*onnx.Attr{
			onnx.GraphAttr("then_branch", branch("then", inner)), onnx.GraphAttr("else_branch", branch("else", other)),
		}}
	}
	m := smallModel(17)
	m.Graph.Nodes = []*onnx.Node{inner}
	m.Graph.Initializers = []*onnx.Tensor{onnx.NewTensor("go", onnx.Bool, nil, onnx.Bytes{1})}
	m.Graph.Outputs = []*onnx.Value{{Name: inner.Outputs[0]}}
	return m
}

// hostileExternal are models that ask for bytes which are not theirs to read.
func hostileExternal() []hostileFile {
	claim := func(location string, entries ...string) []byte {
		if len(entries) == 0 {
			entries = []string{"length", "288"}
		}
		entry := func(key, value string) []byte { return field(13, field(1, []byte(key)), field(2, []byte(value))) }
		w := [][]byte{varint(1, 18), varint(1, 4), varint(2, 1), field(8, []byte("w")), entry("location", location), entry(entries[0], entries[1]), varint(14, 1)}
		m := smallModel(17)
		m.Graph.Initializers = m.Graph.Initializers[1:]
		return append(encodedModel(m), field(modelGraph, field(graphInitializer, w...))...)
	}
	secret := func(folder string) error {
		return os.WriteFile(filepath.Join(filepath.Dir(folder), "secret"), make([]byte, 288), 0o644)
	}
	link := func(to string) func(string) error {
		return func(folder string) error {
			if err := secret(folder); err != nil {
				return err
			}
			return os.Symlink(to, filepath.Join(folder, "data"))
		}
	}
	plain := func(folder string) error {
		return os.WriteFile(filepath.Join(folder, "data"), make([]byte, 288), 0o644)
	}
	files := []hostileFile{
		{name: "up and out", data: claim("../secret"), beside: secret, says: "not a path inside the model's folder"},
		{name: "out and back", data: claim("out/../data"), beside: plain, says: "not a path inside the model's folder"},
		{name: "an absolute path", data: claim("/etc/passwd"), says: "not a path inside the model's folder"},
		{name: "a device by its path", data: claim("/dev/zero"), says: "not a path inside the model's folder"},
		{name: "a link out", data: claim("data"), beside: link("../secret"), says: "escapes"},
		{name: "an absolute link", data: claim("data"), beside: link("/etc/passwd"), says: "escapes"},
		{name: "a link to a folder above", data: claim("data/secret"), beside: link(".."), says: "escapes"},
		{name: "a link to itself", data: claim("data"), beside: link("data"), says: "external data"},
		{name: "a link to nothing", data: claim("data"), beside: link("none"), says: "external data"},
		{name: "a link to a device", data: claim("data"), beside: link("/dev/zero"), says: "external data"},
		{name: "a folder as data", data: claim("out"), says: "not a regular file"},
		{name: "a pipe as data", data: claim("data"), beside: makePipe, says: "not a regular file"},
		{name: "data that are missing", data: claim("data"), says: "external data"},
		{name: "a zero byte in a path", data: claim("da\x00ta"), beside: plain, says: "not a path inside the model's folder"},
		{name: "an empty path", data: claim(""), says: "no location"},
		{name: "a path of a hundred kilobytes", data: claim(string(bytes.Repeat([]byte("a/"), 50_000))), says: "external data"},
		{name: "data that are too short", data: claim("data"), beside: func(folder string) error {
			return os.WriteFile(filepath.Join(folder, "data"), make([]byte, 287), 0o644)
		}, says: "beyond the end"},
		{name: "an offset beyond the end", data: claim("data", "offset", "289"), beside: plain, says: "beyond the end"},
		{name: "an offset near 2^63", data: claim("data", "offset", "9223372036854775807"), beside: plain, says: "beyond the end"},
		{name: "an offset beyond 2^63", data: claim("data", "offset", "9223372036854775808"), beside: plain, says: "not a number of bytes"},
		{name: "an offset below 0", data: claim("data", "offset", "-1"), beside: plain, says: "not a number of bytes"},
		{name: "a length near 2^63", data: claim("data", "length", "9223372036854775807"), beside: plain, says: "ask for 288 bytes"},
		{name: "a length that is none", data: claim("data", "length", "288 or so"), beside: plain, says: "not a number of bytes"},
	}
	for i := range files {
		files[i].class = "external data"
	}
	return files
}
