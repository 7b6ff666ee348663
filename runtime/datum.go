package runtime

import (
	"errors"
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// decodeValue reads a value of a declared type as test data files hold it: a
// TensorProto, SequenceProto, OptionalProto or MapProto.
func decodeValue(data []byte, t *onnx.Type) (tensor.Value, error) {
	kind := onnx.TensorKind
	if t != nil {
		kind = t.Kind
	}
	switch kind {
	case onnx.SequenceKind:
		s, err := onnx.DecodeSequence(data)
		if err != nil {
			return nil, err
		}
		return sequenceValue(s, t)
	case onnx.OptionalKind:
		o, err := onnx.DecodeOptional(data)
		if err != nil {
			return nil, err
		}
		if elem := elementType(t); o.Tensor != nil && elem != nil && elem.Kind == onnx.SequenceKind {
			// Some writers leave the optional around a sequence out; the two
			// messages number their tensors alike.
			v, err := decodeValue(data, elem)
			return &tensor.Optional{Value: v}, err
		}
		return optionalValue(o, t)
	case onnx.MapKind:
		m, err := onnx.DecodeMap(data)
		if err != nil {
			return nil, err
		}
		return mapValue(m)
	}
	stored, err := onnx.DecodeTensor(data)
	if err != nil {
		return nil, err
	}
	return tensorValue(stored)
}

func tensorValue(stored *onnx.Tensor) (tensor.Value, error) {
	t, err := tensor.FromONNX(stored)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// elementType is the type of a sequence's or optional's elements, nil if it is not stated.
func elementType(t *onnx.Type) *onnx.Type {
	if t == nil {
		return nil
	}
	return t.Elem
}

func sequenceValue(s *onnx.Sequence, t *onnx.Type) (tensor.Value, error) {
	if len(s.Sparse) > 0 {
		return nil, errors.New("a sequence of sparse tensors cannot be computed with")
	}
	list := &tensor.Sequence{}
	if elem := elementType(t); elem != nil {
		list.Elem = elem.DType
	}
	add := func(v tensor.Value, err error) error {
		if err != nil {
			return fmt.Errorf("element %d: %w", len(list.Values), err)
		}
		list.Values = append(list.Values, v)
		return nil
	}
	for _, item := range s.Tensors {
		if err := add(tensorValue(item)); err != nil {
			return nil, err
		}
		list.Elem = item.Type
	}
	for _, item := range s.Sequences {
		if err := add(sequenceValue(item, elementType(t))); err != nil {
			return nil, err
		}
	}
	for _, item := range s.Maps {
		if err := add(mapValue(item)); err != nil {
			return nil, err
		}
	}
	for _, item := range s.Optionals {
		if err := add(optionalValue(item, elementType(t))); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func optionalValue(o *onnx.Optional, t *onnx.Type) (tensor.Value, error) {
	var v tensor.Value
	var err error
	switch {
	case o.Tensor != nil:
		v, err = tensorValue(o.Tensor)
	case o.Sequence != nil:
		v, err = sequenceValue(o.Sequence, elementType(t))
	case o.Map != nil:
		v, err = mapValue(o.Map)
	case o.Optional != nil:
		v, err = optionalValue(o.Optional, elementType(t))
	case o.Sparse != nil:
		err = errors.New("an optional sparse tensor cannot be computed with")
	}
	if err != nil {
		return nil, err
	}
	return &tensor.Optional{Value: v}, nil
}

// mapValue reads a map whose values are single numbers or strings.
func mapValue(m *onnx.Map) (tensor.Value, error) {
	if m.Values == nil || m.KeyType != onnx.Int64 && m.KeyType != onnx.String {
		return nil, fmt.Errorf("a map with keys of type %v cannot be computed with: want int64 or string", m.KeyType)
	}
	values := make([]*tensor.Tensor, len(m.Values.Tensors))
	for i, stored := range m.Values.Tensors {
		t, err := tensor.FromONNX(stored)
		if err != nil {
			return nil, err
		}
		values[i] = t
	}
	if m.KeyType == onnx.String {
		keys := make([]string, len(m.StringKeys))
		for i, key := range m.StringKeys {
			keys[i] = string(key)
		}
		return tensor.NewMap(keys, values)
	}
	return tensor.NewMap(m.Keys, values)
}
