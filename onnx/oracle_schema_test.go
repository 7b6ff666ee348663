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

// fullModel fills every field of every message down to a depth, lists with two,
// and puts unknown fields of all wire types into each message.
func fullModel(of protoreflect.MessageType, depth int) protoreflect.Message {
	m := of.New()
	serial := 0
	fill(m, &serial, depth)
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
		if fd.Kind() == protoreflect.MessageKind && depth == 0 {
			continue
		}
		if form := slices.Index(forms, fd.Name()); form >= 0 && form != turn%len(forms) {
			continue
		}
		if fd.Message() != nil && depth < 4 && (fd.Name() == "g" || fd.Name() == "graphs") {
			continue
		}
		if fd.IsList() {
			list := m.Mutable(fd).List()
			for range 2 {
				if fd.Kind() == protoreflect.MessageKind {
					if depth < 4 && list.Len() == 1 {
						continue
					}
					fill(list.AppendMutable().Message(), serial, depth-1)
				} else {
					list.Append(scalar(fd, serial))
				}
			}
			continue
		}
		if fd.Kind() == protoreflect.MessageKind {
			fill(m.Mutable(fd).Message(), serial, depth-1)
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
