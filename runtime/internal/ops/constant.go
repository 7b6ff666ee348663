package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// constantFamily holds the operators that give a value as it is.
var constantFamily = []Kernel{
	{Op: "Constant", Since: 1, Build: buildConstant},
	{Op: "Identity", Since: 1, Build: needs(1, buildIdentity)},
}

func buildIdentity(*Node) (Run, error) {
	return func(_ *Call, in []tensor.Value) ([]tensor.Value, error) { return in[:1], nil }, nil
}

func buildConstant(n *Node) (Run, error) {
	var value *tensor.Tensor
	var err error
	count := 0
	for _, a := range n.Attrs {
		v, failure := constantAttribute(a)
		if failure != nil {
			err = fmt.Errorf("attribute %s: %w", a.Name, failure)
		}
		if v != nil || failure != nil {
			value = v
			count++
		}
	}
	if err == nil && count != 1 {
		err = fmt.Errorf("%d attributes give a value: want one", count)
	}
	if err != nil {
		return nil, err
	}
	return func(*Call, []tensor.Value) ([]tensor.Value, error) { return []tensor.Value{value}, nil }, nil
}

// constantAttribute is the value that one attribute of a Constant gives, nil if
// it is not one of those that do.
func constantAttribute(a *onnx.Attr) (*tensor.Tensor, error) {
	switch {
	case a.Name == "value" && a.T != nil:
		return tensor.FromONNX(a.T)
	case a.Name == "sparse_value" && a.Sparse != nil:
		return densify(a.Sparse)
	case a.Name == "value_float" && a.Type == onnx.AttrFloat:
		return tensor.Scalar(a.F), nil
	case a.Name == "value_int" && a.Type == onnx.AttrInt:
		return tensor.Scalar(a.I), nil
	case a.Name == "value_string" && a.Type == onnx.AttrString:
		return tensor.Scalar(string(a.S)), nil
	case a.Name == "value_floats" && a.Type == onnx.AttrFloats:
		return tensor.New([]int{len(a.Floats)}, a.Floats), nil
	case a.Name == "value_ints" && a.Type == onnx.AttrInts:
		return tensor.New([]int{len(a.Ints)}, a.Ints), nil
	case a.Name == "value_strings" && a.Type == onnx.AttrStrings:
		list := make([]string, len(a.Strings))
		for i, s := range a.Strings {
			list[i] = string(s)
		}
		return tensor.New([]int{len(list)}, list), nil
	}
	return nil, nil
}

// densify makes a dense tensor of a sparse one: zeros with its values scattered
// over them, at linear indices or at coordinates.
func densify(s *onnx.SparseTensor) (*tensor.Tensor, error) {
	if s.Values == nil || s.Indices == nil {
		return nil, fmt.Errorf("the sparse tensor lacks its values or its indices")
	}
	values, err := tensor.FromONNX(s.Values)
	if err != nil {
		return nil, err
	}
	indices, err := tensor.FromONNX(s.Indices)
	if err != nil {
		return nil, err
	}
	shape := make([]int, len(s.Dims))
	for i, d := range s.Dims {
		shape[i] = int(d)
	}
	count, err := tensor.CheckedCount(shape)
	if err != nil {
		return nil, err
	}
	places, err := integers(indices)
	if err != nil {
		return nil, fmt.Errorf("indices: %w", err)
	}
	if indices.Rank() == 2 && indices.Shape()[1] == len(shape) {
		coordinates := places
		places = make([]int, indices.Shape()[0])
		for i := range places {
			for axis, size := range shape {
				at := coordinates[i*len(shape)+axis]
				if at < 0 || at >= size {
					return nil, fmt.Errorf("index %d of value %d is outside axis %d of shape %v", at, i, axis, shape)
				}
				places[i] = places[i]*size + at
			}
		}
	}
	if len(places) != values.Len() {
		return nil, fmt.Errorf("there are %d values and indices of shape %v for a tensor of shape %v", values.Len(), indices.Shape(), shape)
	}
	for i, place := range places {
		if place < 0 || place >= count {
			return nil, fmt.Errorf("index %d of value %d is outside a tensor of %d elements", place, i, count)
		}
	}
	result := elementsIn(values).like(count)
	result.put(places, 1, elementsIn(values))
	return result.tensor(shape), nil
}
