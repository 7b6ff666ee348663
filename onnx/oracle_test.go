package onnx

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The oracle is Protocol Buffers' own reading of the format, by a descriptor
// that is written down here: name, number and type of the fields, * for a list,
// + for a packed one. What is left out of it (device configurations, segments)
// is as unknown to the oracle as it is to this package.
var oracleMessages = map[string]string{
	"ModelProto": `ir_version 1 int64, producer_name 2 string, producer_version 3 string, domain 4 string,
		model_version 5 int64, doc_string 6 string, graph 7 GraphProto, opset_import 8 *OperatorSetIdProto,
		metadata_props 14 *StringStringEntryProto, training_info 20 *TrainingInfoProto, functions 25 *FunctionProto`,
	"TrainingInfoProto": `initialization 1 GraphProto, algorithm 2 GraphProto,
		initialization_binding 3 *StringStringEntryProto, update_binding 4 *StringStringEntryProto`,
	"OperatorSetIdProto":     `domain 1 string, version 2 int64`,
	"StringStringEntryProto": `key 1 string, value 2 string`,
	"GraphProto": `node 1 *NodeProto, name 2 string, initializer 5 *TensorProto, doc_string 10 string,
		input 11 *ValueInfoProto, output 12 *ValueInfoProto, value_info 13 *ValueInfoProto,
		quantization_annotation 14 *TensorAnnotation, sparse_initializer 15 *SparseTensorProto,
		metadata_props 16 *StringStringEntryProto`,
	"TensorAnnotation": `tensor_name 1 string, quant_parameter_tensor_names 2 *StringStringEntryProto`,
	"FunctionProto": `name 1 string, input 4 *string, output 5 *string, attribute 6 *string, node 7 *NodeProto,
		doc_string 8 string, opset_import 9 *OperatorSetIdProto, domain 10 string, attribute_proto 11 *AttributeProto,
		value_info 12 *ValueInfoProto, overload 13 string, metadata_props 14 *StringStringEntryProto`,
	"NodeProto": `input 1 *string, output 2 *string, name 3 string, op_type 4 string, attribute 5 *AttributeProto,
		doc_string 6 string, domain 7 string, overload 8 string, metadata_props 9 *StringStringEntryProto`,
	"AttributeProto": `name 1 string, f 2 float, i 3 int64, s 4 bytes, t 5 TensorProto, g 6 GraphProto,
		floats 7 *float, ints 8 *int64, strings 9 *bytes, tensors 10 *TensorProto, graphs 11 *GraphProto,
		doc_string 13 string, tp 14 TypeProto, type_protos 15 *TypeProto, type 20 int32, ref_attr_name 21 string,
		sparse_tensor 22 SparseTensorProto, sparse_tensors 23 *SparseTensorProto`,
	"ValueInfoProto":    `name 1 string, type 2 TypeProto, doc_string 3 string, metadata_props 4 *StringStringEntryProto`,
	"SparseTensorProto": `values 1 TensorProto, indices 2 TensorProto, dims 3 *int64`,
	"TensorProto": `dims 1 *int64, data_type 2 int32, float_data 4 +float, int32_data 5 +int32, string_data 6 *bytes,
		int64_data 7 +int64, name 8 string, raw_data 9 bytes, double_data 10 +double, uint64_data 11 +uint64,
		doc_string 12 string, external_data 13 *StringStringEntryProto, data_location 14 int32,
		metadata_props 16 *StringStringEntryProto`,
	"TypeProto": `tensor_type 1 TensorTypeProto, sequence_type 4 ElemTypeProto, map_type 5 MapTypeProto,
		denotation 6 string, opaque_type 7 OpaqueTypeProto, sparse_tensor_type 8 TensorTypeProto, optional_type 9 ElemTypeProto`,
	"TensorTypeProto":  `elem_type 1 int32, shape 2 TensorShapeProto`,
	"ElemTypeProto":    `elem_type 1 TypeProto`,
	"MapTypeProto":     `key_type 1 int32, value_type 2 TypeProto`,
	"OpaqueTypeProto":  `domain 1 string, name 2 string`,
	"TensorShapeProto": `dim 1 *DimensionProto`,
	"DimensionProto":   `dim_value 1 int64, dim_param 2 string, denotation 3 string`,
}

// oracleModel returns the type of the oracle's models, in a registry of its own.
func oracleModel(t testing.TB) protoreflect.MessageType {
	t.Helper()
	scalars := map[string]descriptorpb.FieldDescriptorProto_Type{
		"int32": descriptorpb.FieldDescriptorProto_TYPE_INT32, "int64": descriptorpb.FieldDescriptorProto_TYPE_INT64,
		"uint64": descriptorpb.FieldDescriptorProto_TYPE_UINT64, "float": descriptorpb.FieldDescriptorProto_TYPE_FLOAT,
		"double": descriptorpb.FieldDescriptorProto_TYPE_DOUBLE, "string": descriptorpb.FieldDescriptorProto_TYPE_STRING,
		"bytes": descriptorpb.FieldDescriptorProto_TYPE_BYTES,
	}
	file := &descriptorpb.FileDescriptorProto{Name: proto.String("oracle.proto"), Package: proto.String("oracle"), Syntax: proto.String("proto2")}
	for name, text := range oracleMessages {
		message := &descriptorpb.DescriptorProto{Name: proto.String(name)}
		for _, line := range strings.Split(text, ",") {
			var field, kind string
			var number int32
			if _, err := fmt.Sscan(line, &field, &number, &kind); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			d := &descriptorpb.FieldDescriptorProto{Name: proto.String(field), Number: proto.Int32(number), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
			if list := strings.TrimLeft(kind, "*+"); list != kind {
				d.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
				if kind[0] == '+' {
					d.Options = &descriptorpb.FieldOptions{Packed: proto.Bool(true)}
				}
				kind = list
			}
			if scalar, ok := scalars[kind]; ok {
				d.Type = scalar.Enum()
			} else {
				d.Type, d.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), proto.String(".oracle."+kind)
			}
			message.Field = append(message.Field, d)
		}
		file.MessageType = append(file.MessageType, message)
	}
	descriptor, err := protodesc.NewFile(file, new(protoregistry.Files))
	if err != nil {
		t.Fatal(err)
	}
	return dynamicpb.NewMessageType(descriptor.Messages().ByName("ModelProto"))
}

func oracleRead(t testing.TB, of protoreflect.MessageType, data []byte) protoreflect.Message {
	t.Helper()
	m := of.New()
	if err := (proto.UnmarshalOptions{AllowPartial: true, Resolver: new(protoregistry.Types)}).Unmarshal(data, m.Interface()); err != nil {
		t.Fatal(err)
	}
	return m
}

// fullModel fills every field of every message, lists with two, and puts
// unknown fields of all wire types into each message.
func fullModel(of protoreflect.MessageType) protoreflect.Message {
	m := of.New()
	serial := 0
	fill(m, &serial, 0)
	return m
}

func fill(m protoreflect.Message, serial *int, depth int) {
	fields := m.Descriptor().Fields()
	// Of a type and of a dimension only one form can be there; take them in turn.
	forms := map[protoreflect.Name][]protoreflect.Name{
		"TypeProto":      {"tensor_type", "sequence_type", "map_type", "opaque_type", "sparse_tensor_type", "optional_type"},
		"DimensionProto": {"dim_value", "dim_param"},
	}[m.Descriptor().Name()]
	turn := *serial
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Kind() == protoreflect.MessageKind && depth >= 8 {
			continue
		}
		if form := slices.Index(forms, fd.Name()); form >= 0 && form != turn%len(forms) {
			continue
		}
		if fd.Message() != nil && depth > 3 && (fd.Name() == "g" || fd.Name() == "graphs") {
			continue
		}
		if fd.IsList() {
			list := m.Mutable(fd).List()
			for range 2 {
				if fd.Kind() == protoreflect.MessageKind {
					if depth > 4 && list.Len() == 1 {
						continue
					}
					fill(list.AppendMutable().Message(), serial, depth+1)
				} else {
					list.Append(scalar(fd, serial))
				}
			}
			continue
		}
		if fd.Kind() == protoreflect.MessageKind {
			fill(m.Mutable(fd).Message(), serial, depth+1)
		} else {
			m.Set(fd, scalar(fd, serial))
		}
	}
	*serial++
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), uint64(*serial))
	unknown = protowire.AppendFixed32(protowire.AppendTag(unknown, 1001, protowire.Fixed32Type), uint32(*serial))
	unknown = protowire.AppendFixed64(protowire.AppendTag(unknown, 1002, protowire.Fixed64Type), uint64(*serial))
	unknown = protowire.AppendString(protowire.AppendTag(unknown, 1003, protowire.BytesType), "of the future")
	unknown = protowire.AppendTag(unknown, 1004, protowire.StartGroupType)
	unknown = protowire.AppendVarint(protowire.AppendTag(unknown, 1, protowire.VarintType), 5)
	unknown = protowire.AppendTag(unknown, 1004, protowire.EndGroupType)
	m.SetUnknown(unknown)
}

// scalar gives values that differ, some of them the defaults: their presence
// must survive.
func scalar(fd protoreflect.FieldDescriptor, serial *int) protoreflect.Value {
	*serial++
	n := int64(*serial)
	if n%3 == 0 {
		n = 0
	}
	if fd.Name() == "data_type" || fd.Name() == "type" {
		n = 1
	}
	switch fd.Kind() {
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(-n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-n)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(n))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(n))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(n))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(bytes.Repeat([]byte{byte(n)}, int(n%5)))
	}
	if n == 0 {
		return protoreflect.ValueOfString("")
	}
	return protoreflect.ValueOfString(fmt.Sprint("text ", n))
}

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
	full := fullModel(of)
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
