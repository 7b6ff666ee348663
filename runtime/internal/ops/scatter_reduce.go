package ops

import (
	"fmt"
	"slices"

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

// scatter combines block i of updates with block index[i] of a copy of t by the
// named reduction, in order. 16-bit floats are combined in float32 and rounded
// once.
func (n numbersOf[S, C]) scatter(t *tensor.Tensor, index []int, size int, updates *tensor.Tensor, reduction string) (*tensor.Tensor, error) {
	data, err := n.values(t)
	if err != nil {
		return nil, err
	}
	source, err := n.values(updates)
	if err != nil {
		return nil, err
	}
	result := slices.Clone(data)
	for i, block := range index {
		to, from := result[block*size:(block+1)*size], source[i*size:(i+1)*size]
		switch reduction {
		case "add":
			for j, v := range from {
				to[j] += v
			}
		case "mul":
			for j, v := range from {
				to[j] *= v
			}
		case "max":
			for j, v := range from {
				to[j] = max(to[j], v)
			}
		case "min":
			for j, v := range from {
				to[j] = min(to[j], v)
			}
		}
	}
	return n.tensor(t.Shape(), result), nil
}
