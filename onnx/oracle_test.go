package onnx

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// edit is one change, made to this package's view and to the oracle's.
type edit struct {
	name   string
	ours   func(m *Model)
	theirs func(m protoreflect.Message)
}

// within applies a change at the end of a path of fields; a list is entered at
// its first element.
func within(path string, change func(m protoreflect.Message)) func(m protoreflect.Message) {
	return func(m protoreflect.Message) {
		for _, name := range strings.Fields(path) {
			fd := m.Descriptor().Fields().ByName(protoreflect.Name(name))
			if fd.IsList() {
				m = m.Mutable(fd).List().Get(0).Message()
			} else {
				m = m.Mutable(fd).Message()
			}
		}
		change(m)
	}
}

func set(field string, v any) func(m protoreflect.Message) {
	return func(m protoreflect.Message) {
		m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(field)), protoreflect.ValueOf(v))
	}
}

func clear(fields ...string) func(m protoreflect.Message) {
	return func(m protoreflect.Message) {
		for _, field := range fields {
			m.Clear(m.Descriptor().Fields().ByName(protoreflect.Name(field)))
		}
	}
}

func edits() []edit {
	node := func(m *Model) *Node { return m.Graph.Nodes[0] }
	attr := func(m *Model) *Attr { return node(m).Attrs[0] }
	return []edit{
		{"nothing", func(*Model) {}, func(protoreflect.Message) {}},
		{"model: producer", func(m *Model) { m.ProducerName = "other" }, set("producer_name", "other")},
		{"model: field cleared", func(m *Model) { m.Domain, m.IRVersion = "", 0 }, clear("domain", "ir_version")},
		{"model: first opset dropped", func(m *Model) { m.Opsets = m.Opsets[1:] }, func(m protoreflect.Message) {
			list := m.Mutable(m.Descriptor().Fields().ByName("opset_import")).List()
			list.Set(0, list.Get(1))
			list.Truncate(1)
		}},
		{"model: metadata added", func(m *Model) { m.Metadata = append(m.Metadata, Property{"k", "v"}) }, func(m protoreflect.Message) {
			e := m.Mutable(m.Descriptor().Fields().ByName("metadata_props")).List().AppendMutable().Message()
			set("key", "k")(e)
			set("value", "v")(e)
		}},
		{"model: functions dropped", func(m *Model) { m.Functions = nil }, clear("functions")},
		{"graph: name", func(m *Model) { m.Graph.Name = "other" }, within("graph", set("name", "other"))},
		{"graph: annotations dropped", func(m *Model) { m.Graph.Quantization = nil }, within("graph", clear("quantization_annotation"))},
		{"graph: node added", func(m *Model) {
			m.Graph.Nodes = append(m.Graph.Nodes, &Node{OpType: "Relu", Inputs: []string{"a"}, Outputs: []string{"b"}})
		}, within("graph", func(m protoreflect.Message) {
			n := m.Mutable(m.Descriptor().Fields().ByName("node")).List().AppendMutable().Message()
			set("op_type", "Relu")(n)
			for field, v := range map[protoreflect.Name]string{"input": "a", "output": "b"} {
				n.Mutable(n.Descriptor().Fields().ByName(field)).List().Append(protoreflect.ValueOfString(v))
			}
		})},
		{"node: input", func(m *Model) { node(m).Inputs[1] = "other" }, within("graph node", func(m protoreflect.Message) {
			m.Mutable(m.Descriptor().Fields().ByName("input")).List().Set(1, protoreflect.ValueOfString("other"))
		})},
		{"node: operator and attributes", func(m *Model) { node(m).OpType, node(m).Attrs = "Other", nil },
			within("graph node", func(m protoreflect.Message) { set("op_type", "Other")(m); clear("attribute")(m) })},
		{"attribute: float", func(m *Model) { attr(m).F = 0.25 }, within("graph node attribute", set("f", float32(0.25)))},
		{"attribute: ints", func(m *Model) { attr(m).Ints = []int64{1, -1} }, within("graph node attribute", func(m protoreflect.Message) {
			fd := m.Descriptor().Fields().ByName("ints")
			m.Clear(fd)
			m.Mutable(fd).List().Append(protoreflect.ValueOfInt64(1))
			m.Mutable(fd).List().Append(protoreflect.ValueOfInt64(-1))
		})},
		{"attribute: graph's name", func(m *Model) { attr(m).G.Name = "other" }, within("graph node attribute g", set("name", "other"))},
		{"attribute: values dropped", func(m *Model) {
			a := attr(m)
			a.S, a.T, a.Floats, a.Strings, a.Tensors, a.TypeProtos, a.SparseTensors = nil, nil, nil, nil, nil, nil, nil
		}, within("graph node attribute", clear("s", "t", "floats", "strings", "tensors", "type_protos", "sparse_tensors"))},
		{"value: doc", func(m *Model) { m.Graph.Inputs[0].Doc = "other" }, within("graph input", set("doc_string", "other"))},
		{"value: type dropped", func(m *Model) { m.Graph.Inputs[0].Type = nil }, within("graph input", clear("type"))},
		{"tensor: doc", func(m *Model) { m.Graph.Initializers[0].Doc = "other" }, within("graph initializer", set("doc_string", "other"))},
		{"tensor: dims", func(m *Model) { m.Graph.Initializers[0].Dims = nil }, within("graph initializer", clear("dims"))},
		{"tensor: data", func(m *Model) { m.Graph.Initializers[0].Data = Bytes{1, 2, 3, 4} }, within("graph initializer", func(m protoreflect.Message) {
			set("raw_data", []byte{1, 2, 3, 4})(m)
			clear("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "external_data", "data_location")(m)
		})},
		{"sparse tensor: dims", func(m *Model) { m.Graph.SparseInitializers[0].Dims = []int64{7} }, within("graph sparse_initializer", func(m protoreflect.Message) {
			fd := m.Descriptor().Fields().ByName("dims")
			m.Clear(fd)
			m.Mutable(fd).List().Append(protoreflect.ValueOfInt64(7))
		})},
		{"annotation: tensor", func(m *Model) { m.Graph.Quantization[0].TensorName = "other" }, within("graph quantization_annotation", set("tensor_name", "other"))},
		{"function: inputs", func(m *Model) { m.Functions[0].Inputs = nil }, within("functions", clear("input"))},
		{"function: node's name", func(m *Model) { m.Functions[0].Nodes[0].Name = "other" }, within("functions node", set("name", "other"))},
	}
}

func TestEditsAgainstOracle(t *testing.T) {
	of := oracleModel(t)
	full := fullModel(of, 7)
	data, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(full.Interface())
	if err != nil {
		t.Fatal(err)
	}
	m := mustDecode(t, data)
	if got := encoded(t, deepClone(m)); !bytes.Equal(got, data) {
		t.Errorf("cloned throughout, %d bytes became %d, or others", len(data), len(got))
	}
	for _, e := range edits() {
		t.Run(e.name, func(t *testing.T) {
			// Every view is cloned: what is not edited must come through even so.
			c := deepClone(m)
			e.ours(c)
			want := oracleRead(t, of, data)
			e.theirs(want)
			got := oracleRead(t, of, encoded(t, c))
			if !proto.Equal(want.Interface(), got.Interface()) {
				t.Errorf("the oracle reads something else:\n%s", difference(want, got, "model"))
			}
			if !bytes.Equal(encoded(t, m), data) {
				t.Error("the original changed")
			}
		})
	}
}

// difference names the first field that differs.
func difference(a, b protoreflect.Message, path string) string {
	if !bytes.Equal(a.GetUnknown(), b.GetUnknown()) {
		return path + ": unknown fields"
	}
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		at := path + "." + string(fd.Name())
		if a.Has(fd) != b.Has(fd) {
			return fmt.Sprintf("%s: present %v, %v", at, a.Has(fd), b.Has(fd))
		}
		if !a.Has(fd) || a.Get(fd).Equal(b.Get(fd)) {
			continue
		}
		switch {
		case fd.IsList() && a.Get(fd).List().Len() == b.Get(fd).List().Len() && fd.Message() != nil:
			for j := range a.Get(fd).List().Len() {
				if text := difference(a.Get(fd).List().Get(j).Message(), b.Get(fd).List().Get(j).Message(), fmt.Sprintf("%s[%d]", at, j)); text != "" {
					return text
				}
			}
		case fd.IsList():
			return fmt.Sprintf("%s: %d and %d elements, or others", at, a.Get(fd).List().Len(), b.Get(fd).List().Len())
		case fd.Message() != nil:
			return difference(a.Get(fd).Message(), b.Get(fd).Message(), at)
		default:
			return fmt.Sprintf("%s: %v and %v", at, a.Get(fd), b.Get(fd))
		}
	}
	return ""
}

func TestLiteralsAgainstOracle(t *testing.T) {
	of := oracleModel(t)
	for _, m := range []*Model{soundModel(), bigModel()} {
		data := encoded(t, m)
		theirs := oracleRead(t, of, data)
		if len(theirs.GetUnknown()) > 0 {
			t.Error("fields that the oracle does not know were written")
		}
		again, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(theirs.Interface())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, again) {
			t.Error("the oracle writes other bytes")
		}
	}
}

func TestSharedCasesAgainstOracle(t *testing.T) {
	of := oracleModel(t)
	for _, path := range sharedModels(t) {
		m := openModel(t, path)
		want := oracleRead(t, of, m.raw)
		c := deepClone(m)
		c.ProducerName = "edited"
		set("producer_name", "edited")(want)
		for i, n := range c.Graph.Nodes {
			n.Name = fmt.Sprint("node ", i)
		}
		nodes := want.Get(want.Descriptor().Fields().ByName("graph")).Message()
		list := nodes.Get(nodes.Descriptor().Fields().ByName("node")).List()
		for i := range list.Len() {
			set("name", fmt.Sprint("node ", i))(list.Get(i).Message())
		}
		got := oracleRead(t, of, encoded(t, c))
		if !proto.Equal(want.Interface(), got.Interface()) {
			t.Errorf("%s: the oracle reads something else: %s", path, difference(want, got, "model"))
		}
	}
}
