package onnxgo

import (
	"fmt"
	"slices"

	gorgonia "gorgonia.org/tensor"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// fromGorgonia makes a tensor of Gorgonia's. It shares the elements where they
// lie in row-major order, and copies those of a view or a transposed tensor.
func fromGorgonia(t gorgonia.Tensor) (*tensor.Tensor, error) {
	shape := slices.Clone([]int(t.Shape()))
	switch data := t.Data().(type) {
	case []float32:
		return rowMajor(t, shape, data)
	case []float64:
		return rowMajor(t, shape, data)
	case []int8:
		return rowMajor(t, shape, data)
	case []int16:
		return rowMajor(t, shape, data)
	case []int32:
		return rowMajor(t, shape, data)
	case []int64:
		return rowMajor(t, shape, data)
	case []uint8:
		return rowMajor(t, shape, data)
	case []uint16:
		return rowMajor(t, shape, data)
	case []uint32:
		return rowMajor(t, shape, data)
	case []uint64:
		return rowMajor(t, shape, data)
	case []bool:
		return rowMajor(t, shape, data)
	case []string:
		return rowMajor(t, shape, data)
	case float32:
		return scalar(shape, data)
	case float64:
		return scalar(shape, data)
	case int8:
		return scalar(shape, data)
	case int16:
		return scalar(shape, data)
	case int32:
		return scalar(shape, data)
	case int64:
		return scalar(shape, data)
	case uint8:
		return scalar(shape, data)
	case uint16:
		return scalar(shape, data)
	case uint32:
		return scalar(shape, data)
	case uint64:
		return scalar(shape, data)
	case bool:
		return scalar(shape, data)
	case string:
		return scalar(shape, data)
	}
	return nil, fmt.Errorf("a tensor of %v cannot be computed with", t.Dtype())
}

// scalar keeps the shape, which may be one of ones.
func scalar[T tensor.Element](shape []int, v T) (*tensor.Tensor, error) {
	if tensor.Count(shape) != 1 {
		return nil, fmt.Errorf("a single element has the shape %v", shape)
	}
	return tensor.New(shape, []T{v}), nil
}

func rowMajor[T tensor.Element](t gorgonia.Tensor, shape []int, data []T) (*tensor.Tensor, error) {
	count := tensor.Count(shape)
	if plain(t.Strides(), shape) && len(data) == count {
		return tensor.New(shape, data), nil
	}
	if len(t.Strides()) != len(shape) {
		return nil, fmt.Errorf("%d elements with strides %v have the shape %v", len(data), t.Strides(), shape)
	}
	out := make([]T, 0, count)
	place := make([]int, len(shape))
	for range count {
		from := 0
		for axis, stride := range t.Strides() {
			from += place[axis] * stride
		}
		if from < 0 || from >= len(data) {
			return nil, fmt.Errorf("element %v lies outside of the tensor's %d elements", place, len(data))
		}
		out = append(out, data[from])
		for axis := len(place) - 1; axis >= 0; axis-- {
			if place[axis]++; place[axis] < shape[axis] {
				break
			}
			place[axis] = 0
		}
	}
	return tensor.New(shape, out), nil
}

// plain says whether strides are those of row-major order. A tensor of rank 0
// may come without any.
func plain(strides, shape []int) bool {
	step := 1
	for axis := len(shape) - 1; axis >= 0; axis-- {
		if axis >= len(strides) || shape[axis] > 1 && strides[axis] != step {
			return false
		}
		step *= shape[axis]
	}
	return true
}

// toGorgonia makes a tensor of Gorgonia's with elements of its own.
func toGorgonia(v tensor.Value) (gorgonia.Tensor, error) {
	t, ok := v.(*tensor.Tensor)
	if !ok {
		return nil, fmt.Errorf("the result is a %T: onnx-go has tensors alone", v)
	}
	switch data := t.Any().(type) {
	case []float32:
		return dense(t, data)
	case []float64:
		return dense(t, data)
	case []int8:
		return dense(t, data)
	case []int16:
		return dense(t, data)
	case []int32:
		return dense(t, data)
	case []int64:
		return dense(t, data)
	case []uint8:
		return dense(t, data)
	case []uint16:
		return dense(t, data)
	case []uint32:
		return dense(t, data)
	case []uint64:
		return dense(t, data)
	case []bool:
		return dense(t, data)
	case []string:
		return dense(t, data)
	}
	return nil, fmt.Errorf("the result is of %v, which onnx-go's tensors do not have", t.DType())
}

func dense[T tensor.Element](t *tensor.Tensor, data []T) (gorgonia.Tensor, error) {
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("the result's shape is %v: onnx-go's tensors cannot be empty", t.Shape())
	case t.Rank() == 0:
		return gorgonia.New(gorgonia.FromScalar(data[0])), nil
	}
	return gorgonia.New(gorgonia.WithShape(t.Shape()...), gorgonia.WithBacking(slices.Clone(data))), nil
}

// attribute makes an attribute of what onnx-go's decoder gives for one.
func attribute(name string, v any) (*onnx.Attr, error) {
	switch v := v.(type) {
	case float32:
		return onnx.FloatAttr(name, v), nil
	case int64:
		return onnx.IntAttr(name, v), nil
	case string:
		return onnx.StringAttr(name, v), nil
	case []float32:
		return onnx.FloatsAttr(name, v), nil
	case []int64:
		return onnx.IntsAttr(name, v), nil
	case []string:
		return onnx.StringsAttr(name, v), nil
	case gorgonia.Tensor:
		t, err := fromGorgonia(v)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		stored, err := tensor.ToONNX(name, t)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		return onnx.TensorAttr(name, stored), nil
	}
	return nil, fmt.Errorf("attribute %s: onnx-go gives a %T, which is no attribute's value", name, v)
}
