package onnx

import "google.golang.org/protobuf/encoding/protowire"

func (v *Value) fields(f *fields) {
	f.string(1, "name", &v.Name)
	one(f, 2, "type", &v.Type)
	f.string(3, "doc_string", &v.Doc)
	list(f, 4, "metadata_props", &v.Metadata)
}

func (t *Type) fields(f *fields) {
	t.only(f, 1, TensorKind)
	f.nested(1, "tensor_type", t.Kind == TensorKind, (*tensorType)(t))
	t.only(f, 4, SequenceKind)
	f.nested(4, "sequence_type", t.Kind == SequenceKind, (*elemType)(t))
	t.only(f, 5, MapKind)
	f.nested(5, "map_type", t.Kind == MapKind, (*mapType)(t))
	f.string(6, "denotation", &t.Denotation)
	t.only(f, 7, OpaqueKind)
	f.nested(7, "opaque_type", t.Kind == OpaqueKind, (*opaqueType)(t))
	t.only(f, 8, SparseTensorKind)
	f.nested(8, "sparse_tensor_type", t.Kind == SparseTensorKind, (*tensorType)(t))
	t.only(f, 9, OptionalKind)
	f.nested(9, "optional_type", t.Kind == OptionalKind, (*elemType)(t))
}

// only forgets another kind of type if the record at hand is of this one: of a
// oneof, the last holds.
func (t *Type) only(f *fields, number protowire.Number, kind TypeKind) {
	if f.reading(number) && f.wire == protowire.BytesType && t.Kind != kind {
		*t = Type{Kind: kind, Denotation: t.Denotation, message: t.message}
	}
}

// The messages inside a TypeProto, whose fields Type holds itself.
type (
	tensorType Type
	shapeType  Type
	elemType   Type
	mapType    Type
	opaqueType Type
)

func (t *tensorType) fields(f *fields) {
	integer(f, 1, "elem_type", &t.DType, false)
	if f.reading(2) && f.wire == protowire.BytesType {
		t.HasShape = true
	}
	f.nested(2, "shape", t.HasShape, (*shapeType)(t))
}

func (t *shapeType) fields(f *fields) { list(f, 1, "dim", &t.Shape) }

func (t *elemType) fields(f *fields) { one(f, 1, "elem_type", &t.Elem) }

func (t *mapType) fields(f *fields) {
	integer(f, 1, "key_type", &t.DType, false)
	one(f, 2, "value_type", &t.Elem)
}

// An opaque type's domain and name are carried along unread.
func (*opaqueType) fields(*fields) {}

func (d *Dim) fields(f *fields) {
	switch {
	case f.reading(1) && f.wire == protowire.VarintType:
		d.Known, d.Param = true, ""
	case f.reading(2) && f.wire == protowire.BytesType:
		d.Known, d.Size = false, 0
	}
	integer(f, 1, "dim_value", &d.Size, d.Known)
	f.string(2, "dim_param", &d.Param)
	f.string(3, "denotation", &d.Denotation)
}
