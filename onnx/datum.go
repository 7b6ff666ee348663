package onnx

// Sequence is a view of a SequenceProto, as test data files hold one: a list of
// values of one kind, so one of the lists is in use.
type Sequence struct {
	Name      string
	Elem      int32 // which list, numbered as SequenceProto.DataType; 1 is Tensors
	Tensors   []*Tensor
	Sparse    []*SparseTensor
	Sequences []*Sequence
	Maps      []*Map
	Optionals []*Optional

	message
}

// Map is a view of a MapProto: values by keys, which are strings where KeyType
// is String.
type Map struct {
	Name       string
	KeyType    DType
	Keys       []int64
	StringKeys [][]byte
	Values     *Sequence

	message
}

// Optional is a view of an OptionalProto: a value, or where all of its fields
// are nil none.
type Optional struct {
	Name     string
	Elem     int32 // which field, numbered as OptionalProto.DataType; 1 is Tensor
	Tensor   *Tensor
	Sparse   *SparseTensor
	Sequence *Sequence
	Map      *Map
	Optional *Optional

	message
}

func (s *Sequence) fields(f *fields) {
	f.string(1, "name", &s.Name)
	integer(f, 2, "elem_type", &s.Elem, false)
	many(f, 3, "tensor_values", &s.Tensors)
	many(f, 4, "sparse_tensor_values", &s.Sparse)
	many(f, 5, "sequence_values", &s.Sequences)
	many(f, 6, "map_values", &s.Maps)
	many(f, 7, "optional_values", &s.Optionals)
}

func (m *Map) fields(f *fields) {
	f.string(1, "name", &m.Name)
	integer(f, 2, "key_type", &m.KeyType, false)
	f.ints(3, "keys", &m.Keys)
	f.dataList(4, "string_keys", &m.StringKeys)
	one(f, 5, "values", &m.Values)
}

func (o *Optional) fields(f *fields) {
	f.string(1, "name", &o.Name)
	integer(f, 2, "elem_type", &o.Elem, false)
	one(f, 3, "tensor_value", &o.Tensor)
	one(f, 4, "sparse_tensor_value", &o.Sparse)
	one(f, 5, "sequence_value", &o.Sequence)
	one(f, 6, "map_value", &o.Map)
	one(f, 7, "optional_value", &o.Optional)
}

// DecodeSequence reads a SequenceProto from memory, which must not change while
// its tensors are in use.
func DecodeSequence(data []byte) (*Sequence, error) {
	s := &Sequence{}
	return s, decodeDatum(data, "sequence", s)
}

// DecodeMap reads a MapProto from memory, which must not change while its
// tensors are in use.
func DecodeMap(data []byte) (*Map, error) {
	m := &Map{}
	return m, decodeDatum(data, "map", m)
}

// DecodeOptional reads an OptionalProto from memory, which must not change while
// its tensors are in use.
func DecodeOptional(data []byte) (*Optional, error) {
	o := &Optional{}
	return o, decodeDatum(data, "optional", o)
}

func decodeDatum[V any, P viewOf[V]](data []byte, name string, v P) error {
	d := &decoder{source: &source{}}
	v.meta().raw = data[:len(data):len(data)]
	if _, err := d.message(data, 0, 0, v); err != nil {
		return under(name, err)
	}
	return nil
}
