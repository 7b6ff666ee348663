package onnx

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// field makes one length-delimited record.
func field(number protowire.Number, content ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bytes.Join(content, nil))
}

func varintField(number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v)
}

// nest puts content n times into fields of the numbers given.
func nest(n int, content []byte, numbers ...protowire.Number) []byte {
	for range n {
		for _, number := range numbers {
			content = field(number, content)
		}
	}
	return content
}

func TestMalformedModels(t *testing.T) {
	node := func(content ...[]byte) []byte { return field(7, field(1), field(1, content...)) }
	tests := []struct {
		name   string
		data   []byte
		path   string
		offset int64
		err    string
	}{
		{"nothing", nil, "", 0, "no graph"},
		{"text", []byte("this is no model"), "", 0, ""},
		{"no graph", varintField(1, 8), "", 0, "no graph"},
		{"half a tag", []byte{0x80}, "", 0, "EOF"},
		{"field number 0", []byte{0x00, 0x00}, "", 0, "field number"},
		{"varint without end", append([]byte{0x08}, bytes.Repeat([]byte{0xff}, 11)...), "", 0, ""},
		{"length beyond the end", []byte{0x08, 0x08, 0x3a, 0x05, 0x00}, "", 2, "EOF"},
		{"length near 2^63", append([]byte{0x3a}, protowire.AppendVarint(nil, 1<<63-1)...), "", 0, ""},
		{"length in a graph", field(7, []byte{0x0a, 0x05}), "graph", 2, "EOF"},
		{"length in a node", node([]byte{0x0a, 0x05}), "graph.node[1]", 6, "EOF"},
		{"length in an attribute", node(field(5), field(5, []byte{0x0a, 0x05})), "graph.node[1].attribute[1]", 10, "EOF"},
		{"length in a shape", field(7, field(11, field(2, field(1, field(2, field(1, []byte{0x08})))))), "graph.input[0].type.tensor_type.shape.dim[0]", 12, "EOF"},
		{"group without end", field(7, field(1), []byte{0x1b}), "graph", 4, ""},
		{"packed floats of 3 bytes", field(7, field(5, varintField(2, 1), field(4, []byte{1, 2, 3}))), "graph.initializer[0]", 4, "inside a number"},
		{"packed integers cut off", field(7, field(5, varintField(2, 6), field(5, []byte{0x80}))), "graph.initializer[0]", 4, "inside a number"},
		{"packed ints of an attribute cut off", node(field(5, field(8, []byte{1, 0x80}))), "graph.node[1].attribute[0].ints", 8, "EOF"},
		{"graphs in graphs", field(7, nest(40, nil, 6, 5, 1)), "", -1, "nested more than 100 deep"},
		{"types in types", field(7, field(11, field(2, nest(60, nil, 1, 4)))), "", -1, "nested more than 100 deep"},
		{"one graph many times", bytes.Repeat(field(7, field(1)), 20), "graph", -1, "more than 16 times"},
	}
	for _, test := range tests {
		m, err := Decode(test.data)
		if err == nil {
			t.Errorf("%s: it is a model: %+v", test.name, m)
			continue
		}
		var format *FormatError
		if !errors.As(err, &format) {
			t.Errorf("%s: error %v is no FormatError", test.name, err)
			continue
		}
		if test.offset >= 0 && (format.Path != test.path || format.Offset != test.offset) {
			t.Errorf("%s: at %q byte %d, want %q byte %d (%v)", test.name, format.Path, format.Offset, test.path, test.offset, err)
		}
		if !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: error %q, want %q", test.name, err, test.err)
		}
	}
}

func TestRepeatedMessagesAreMerged(t *testing.T) {
	first := graphModel(13, &Graph{Name: "first", Nodes: []*Node{node("Relu", "y", names("x"))}, Initializers: []*Tensor{FloatTensor("w", nil, []float32{1})}})
	second := graphModel(13, &Graph{Name: "second", Nodes: []*Node{node("Relu", "z", names("y"))}})
	second.Opsets = nil
	data := append(encoded(t, first), encoded(t, second)...)
	m := mustDecode(t, data)
	if m.Graph.Name != "second" || len(m.Graph.Nodes) != 2 || len(m.Graph.Initializers) != 1 || m.Opset("ai.onnx") != 13 {
		t.Errorf("%+v", m.Graph)
	}
	if !bytes.Equal(encoded(t, m), data) {
		t.Error("unchanged, but not written as it was")
	}
	again := mustDecode(t, encoded(t, deepClone(m)))
	if formatted(t, again) != formatted(t, m) {
		t.Errorf("cloned, it is another model:\n%s", formatted(t, again))
	}
}

func formatted(t testing.TB, m *Model) string {
	t.Helper()
	var b strings.Builder
	if err := Format(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A record whose wire type is not the field's is none of the field's.
func TestWrongWireTypesArePassedOver(t *testing.T) {
	odd := [][]byte{varintField(4, 7), field(4, []byte("Relu")), protowire.AppendFixed64(protowire.AppendTag(nil, 3, protowire.Fixed64Type), 1), field(2, []byte("y"))}
	data := field(7, field(1, odd...))
	m := mustDecode(t, data)
	if n := m.Graph.Nodes[0]; n.OpType != "Relu" || n.Name != "" {
		t.Errorf("%+v", n)
	}
	c := deepClone(m)
	if !bytes.Equal(encoded(t, c), data) {
		t.Error("not written as it was")
	}
	c.Graph.Nodes[0].Name = "n"
	want := field(7, field(1, append(odd, field(3, []byte("n")))...))
	if got := encoded(t, c); !bytes.Equal(got, want) {
		t.Errorf("% x\nwant % x", got, want)
	}
}

func TestAttributesWithoutType(t *testing.T) {
	attr := func(content ...[]byte) *Attr {
		m := mustDecode(t, field(7, field(1, field(5, content...))))
		return m.Graph.Nodes[0].Attrs[0]
	}
	tests := []struct {
		content []byte
		want    AttrType
	}{
		{protowire.AppendFixed32(protowire.AppendTag(nil, 2, protowire.Fixed32Type), 0), AttrFloat},
		{varintField(3, 0), AttrInt},
		{field(4), AttrString},
		{field(5), AttrTensor},
		{field(6), AttrGraph},
		{field(7), AttrFloats},
		{varintField(8, 1), AttrInts},
		{field(8, []byte{1, 2}), AttrInts},
		{field(9), AttrStrings},
		{field(10), AttrTensors},
		{field(11), AttrGraphs},
		{field(14), AttrTypeProto},
		{field(15), AttrTypeProtos},
		{field(22), AttrSparseTensor},
		{field(23), AttrSparseTensors},
		{nil, AttrUndefined},
		{append(varintField(3, 0), varintField(20, uint64(AttrFloat))...), AttrFloat},
	}
	for _, test := range tests {
		if got := attr(test.content).Type; got != test.want {
			t.Errorf("% x is of type %d, want %d", test.content, got, test.want)
		}
	}
}

// Empty messages take two bytes each, but a view takes hundreds.
func TestManyEmptyMessages(t *testing.T) {
	empty := bytes.Repeat(field(1), 1<<20)
	for name, data := range map[string][]byte{
		"nodes":      field(7, empty),
		"attributes": field(7, field(1, bytes.Repeat(field(5), 1<<20))),
		"dimensions": field(7, field(11, field(2, field(1, field(2, empty))))),
		"strings":    field(7, field(1, empty)),
		"numbers":    field(7, field(1, field(5, field(8, make([]byte, 2<<20))))),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Decode(data)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 3*viewFactor*uint64(len(data)) {
			t.Errorf("%s: %d bytes took %d", name, len(data), took)
		}
		if err == nil && m == nil {
			t.Errorf("%s: neither model nor error", name)
		}
	}
}

// claims is a model of a few bytes that promises a tensor of 100 GB.
func TestHugeClaimsCostNothing(t *testing.T) {
	tensor := bytes.Join([][]byte{varintField(1, 25<<30), varintField(2, 1), field(8, []byte("w"))}, nil)
	for name, data := range map[string][]byte{
		"no data":  tensor,
		"raw_data": append(tensor[:len(tensor):len(tensor)], field(9, make([]byte, 8))...),
		"external": append(tensor[:len(tensor):len(tensor)], append(field(13, field(1, []byte("location")), field(2, []byte("w"))), varintField(14, 1)...)...),
	} {
		m := mustDecode(t, field(7, field(5, data), field(1, field(1, []byte("w")), field(2, []byte("v")), field(4, []byte("Transpose")))))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, checkErr := Check(m)
		_, readErr := m.Graph.Initializers[0].Float32s()
		runtime.ReadMemStats(&after)
		if checkErr == nil || readErr == nil {
			t.Errorf("%s: Check %v, Float32s %v", name, checkErr, readErr)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%s: it took %d bytes", name, took)
		}
	}
}

// survey does to a model all that can be done to one that was just read.
func survey(m *Model) error {
	var errs []error
	_, err := Check(m)
	errs = append(errs, err, Format(io.Discard, m), Encode(io.Discard, m))
	if err := Encode(io.Discard, deepClone(m)); err != nil {
		errs = append(errs, err)
	}
	mapTensors(m, func(x *Tensor, _ tensorRole) *Tensor {
		_, err := x.RawBytes()
		errs = append(errs, err)
		if n, err := x.Elements(); err == nil && n < 1000 {
			x.Float32s()
			x.Float64s()
			x.Int64s()
		}
		return x
	})
	ix, err := NewIndex(m)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, s := range ix.Scopes() {
		for _, n := range s.Nodes() {
			for _, name := range append(n.Inputs, n.Outputs...) {
				s.Lookup(name)
				s.Users(name)
				c := s.Constant(name)
				if c == nil {
					continue
				}
				x := c.Tensor("constant")
				if err := x.CheckSize(); err == nil && x.Type != String {
					_, err = x.RawBytes()
					errs = append(errs, err)
				}
			}
		}
	}
	return errors.Join(errs...)
}

func spoiled(t *testing.T, data []byte, cuts, flips int) {
	t.Helper()
	slowest := time.Duration(0)
	try := func(data []byte) {
		start := time.Now()
		if m, err := Decode(data); err == nil {
			// Sound or not, it has to be dealt with; the errors are for people.
			_ = survey(m)
		} else if format := (*FormatError)(nil); !errors.As(err, &format) {
			t.Errorf("error %v is no FormatError", err)
		}
		slowest = max(slowest, time.Since(start))
	}
	for i := range cuts {
		try(data[:len(data)*i/cuts])
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range flips {
		at := random.IntN(len(data))
		copied := bytes.Clone(data)
		copied[at] ^= 1 << random.IntN(8)
		try(copied)
	}
	if slowest > time.Second {
		t.Errorf("the slowest took %v", slowest)
	}
}

func TestSpoiledModels(t *testing.T) {
	for _, m := range []*Model{soundModel(), bigModel()} {
		spoiled(t, encoded(t, m), 200, 1000)
	}
}

func TestSpoiledRealModel(t *testing.T) {
	paths := modelsUnder(t, filepath.Join(folderOf(t, "TINYQ_CASES", "shared/cases"), "real"))
	smallest := paths[0]
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for _, path := range paths {
		if size(path) < size(smallest) {
			smallest = path
		}
	}
	data, err := os.ReadFile(smallest)
	if err != nil {
		t.Fatal(err)
	}
	spoiled(t, data, 100, 200)
}
