package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// checkReduction says early whether the operator at hand knows a reduction.
func checkReduction(n *Node, name string) error {
	switch {
	case name == "none", n.Opset >= 16 && (name == "add" || name == "mul"), n.Opset >= 18 && (name == "max" || name == "min"):
		return nil
	}
	return fmt.Errorf("reduction %q is none of opset %d", name, n.Opset)
}

// reduceBlocks combines block i of updates with block index[i] of a copy of t
// by the named reduction. 16-bit floats are combined in float32 and rounded once.
func reduceBlocks(t *tensor.Tensor, index []int, size int, updates *tensor.Tensor, reduction string) (*tensor.Tensor, error) {
	switch data := numeric(t).Any().(type) {
	case []float32:
		combined := combine(data, index, size, numeric(updates), reduction)
		return ofReals(t.DType(), t.Shape(), combined)
	case []float64:
		return tensor.New(t.Shape(), combine(data, index, size, updates, reduction)), nil
	case []int8:
		return tensor.New(t.Shape(), combine(data, index, size, updates, reduction)), nil
	case []int16:
		return tensor.New(t.Shape(), combine(data, index, size, updates, reduction)), nil
	case []int32:
		return tensor.New(t.Shape(), combine(data, index, size, updates, reduction)), nil
	case []int64:
		return tensor.New(t.Shape(), combine(data, index, size, updates, reduction)), nil
	case []uint8:
		return tensor.New(t.Shape(), combine(data, index, size, updates, reduction)), nil
	case []uint16:
		return tensor.New(t.Shape(), combine(data, index, size, updates, reduction)), nil
	case []uint32:
		return tensor.New(t.Shape(), combine(data, index, size, updates, reduction)), nil
	case []uint64:
		return tensor.New(t.Shape(), combine(data, index, size, updates, reduction)), nil
	}
	return nil, fmt.Errorf("elements of type %v have no reduction %q", t.DType(), reduction)
}

func combine[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | real](data []T, index []int, size int, updates *tensor.Tensor, reduction string) []T {
	result := append([]T(nil), data...)
	source, _ := tensor.Data[T](updates)
	for i, block := range index {
		to, from := result[block*size:(block+1)*size], source[i*size:(i+1)*size]
		for j, v := range from {
			switch reduction {
			case "add":
				to[j] += v
			case "mul":
				to[j] *= v
			case "max":
				to[j] = max(to[j], v)
			case "min":
				to[j] = min(to[j], v)
			}
		}
	}
	return result
}
