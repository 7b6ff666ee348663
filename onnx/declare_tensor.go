package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

func (t *Tensor) fields(f *fields) {
	f.ints(1, "dims", &t.Dims)
	integer(f, 2, "data_type", &t.Type, false)
	f.dataList(6, "string_data", &t.Strings)
	f.string(8, "name", &t.Name)
	t.dataFields(f)
	f.string(12, "doc_string", &t.Doc)
	list(f, 16, "metadata_props", &t.Metadata)
}

func (s *SparseTensor) fields(f *fields) {
	one(f, 1, "values", &s.Values)
	one(f, 2, "indices", &s.Indices)
	f.ints(3, "dims", &s.Dims)
}

// The fields of a TensorProto that can hold its elements, and those that say
// they lie elsewhere.
const (
	floatData    protowire.Number = 4
	int32Data    protowire.Number = 5
	int64Data    protowire.Number = 7
	rawData      protowire.Number = 9
	doubleData   protowire.Number = 10
	uint64Data   protowire.Number = 11
	externalData protowire.Number = 13
	dataLocation protowire.Number = 14
)

// dataFields has the data written as it was if nobody replaced it, else as
// raw_data. Reading is left to settle: which field counts depends on the
// element type, which may come after it.
func (t *Tensor) dataFields(f *fields) {
	w := f.writer
	if w == nil {
		return
	}
	if s, ok := t.Data.(*stored); ok && s.isOf(t) {
		for _, number := range []protowire.Number{floatData, int32Data, int64Data, rawData, doubleData, uint64Data, externalData, dataLocation} {
			w.keep(number, protowire.BytesType, protowire.VarintType, protowire.Fixed32Type, protowire.Fixed64Type)
		}
		return
	}
	// The numeric fields give way to raw_data.
	for _, number := range []protowire.Number{floatData, int32Data, int64Data, doubleData, uint64Data} {
		w.field(number, protowire.BytesType, protowire.VarintType, protowire.Fixed32Type, protowire.Fixed64Type)
	}
	external := t.External
	switch data := t.Data.(type) {
	case nil:
	case *stored:
		if external = data.external; external == nil {
			w.payload(rawData, t.Name, data)
		}
	default:
		external = nil
		w.payload(rawData, t.Name, data)
	}
	if t.Data == nil || external != nil {
		w.field(rawData, protowire.BytesType)
	}
	entries := external.entries()
	list(f, externalData, "external_data", &entries)
	var location int64
	if external != nil {
		location = 1
	}
	integer(f, dataLocation, "data_location", &location, false)
}

// tensorData is what a TensorProto says of its elements.
type tensorData struct {
	raw        []byte
	hasRaw     bool
	isExternal bool
	external   []Property
	typed      []record // of the field that the element type is kept in
}

// settle finds the tensor's elements once its type is known.
func (t *Tensor) settle(d *decoder, _ uint64) error {
	data, err := t.findData()
	if err != nil {
		return err
	}
	t.External, t.Data = nil, nil
	s := &stored{origin: t.raw, dtype: t.Type}
	switch {
	case data.isExternal:
		t.External, s.err = parseExternal(data.external)
		s.external, s.source, s.claim = t.External, d.source, t.claim()
		if d.source.locations != nil {
			d.source.locations[t.External.Location] = true
		}
	case data.hasRaw:
		s.inline, s.twice = data.raw, len(data.typed) > 0 || len(t.Strings) > 0
	case t.Type == String:
		return nil
	case len(data.typed) > 0:
		number, element := typedField(t.Type)
		s.number, s.element = number, element
		if s.count, err = countTyped(element, data.typed); err != nil {
			return fmt.Errorf("elements of type %v: %w", t.Type, err)
		}
	}
	t.Data = s
	return nil
}

func (t *Tensor) findData() (tensorData, error) {
	var data tensorData
	number, element := typedField(t.Type)
	var f fields
	for b := t.raw; len(b) > 0; {
		n, err := f.next(b)
		if err != nil {
			return data, err
		}
		switch {
		case f.number == number && (f.wire == element || f.wire == protowire.BytesType):
			data.typed = append(data.typed, record{wire: f.wire, scalar: f.scalar, bytes: f.bytes})
		case f.number == rawData && f.wire == protowire.BytesType:
			data.raw, data.hasRaw = f.bytes[:len(f.bytes):len(f.bytes)], true
		case f.number == dataLocation && f.wire == protowire.VarintType:
			data.isExternal = f.scalar == 1
		case f.number == externalData && f.wire == protowire.BytesType:
			var entry Property
			d := &decoder{}
			if _, err := d.message(f.bytes, 0, 0, &entry); err != nil {
				return data, fmt.Errorf("external_data[%d]: %w", len(data.external), err)
			}
			data.external = append(data.external, entry)
		}
		b = b[n:]
	}
	return data, nil
}

// claim is the length that dims and type ask for, 0 if they make no sense.
func (t *Tensor) claim() int64 {
	n, err := t.byteLen()
	if err != nil {
		return 0
	}
	return n
}
