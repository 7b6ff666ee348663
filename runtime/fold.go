package runtime

import (
	"context"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// foldable is how many bytes the operands and the results of a node may have
// that is computed when the model is compiled, unless it only moves elements:
// shapes, masks and biases are below it, weights that would be dequantized are not.
const foldable = 256 << 10

const (
	// foldedMost is how many bytes may be computed altogether, beside twice what
	// the model stores: constants can be made of constants without end.
	foldedMost = 16 << 20
	// foldedRoom is how many times the bytes of its largest result a kernel may
	// use while it computes a constant.
	foldedRoom = 8
)

// fold computes a node whose operands are all constant, once and for all. It
// reports whether it did: what is random, large or fails is left for the run.
func (s *scope) fold(st *step, constants []tensor.Value) bool {
	if !deterministic(st.node) || len(st.node.Bodies()) > 0 {
		return false
	}
	size := 0
	for i, slot := range st.in {
		if slot != absent && constants[i] == nil {
			return false
		}
		size += bytesOf(constants[i])
	}
	if size > foldable && !movesOnly(st.node) || makesWeight(st.node, constants) {
		return false
	}
	c := s.compiler
	most := max(size, foldable)
	if len(st.in) > 0 && c.folded+most > foldedMost+2*c.read {
		return false
	}
	room := int64(foldedRoom * most) // kernels also need some for themselves
	call := &ops.Call{Context: context.Background(), Workers: c.workers}
	if len(st.in) > 0 {
		call.Left = &room
	}
	results, err := st.call(call, constants)
	if err != nil {
		return false
	}
	total := 0
	for _, v := range results {
		total += bytesOf(v)
	}
	switch {
	case len(st.in) == 0:
		c.read += total
	case total > most:
		return false
	default:
		c.folded += total
	}
	for i, name := range st.node.Outputs {
		if name != "" {
			s.constant(name, results[i])
		}
	}
	return true
}

// deterministic says whether an operator gives the same results in every run.
func deterministic(n *onnx.Node) bool {
	switch n.OpType {
	case "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli", "Dropout":
		return false
	}
	return true
}

// smallestWeight is how many elements a quantized weight has at least: fewer are
// scales and zero points.
const smallestWeight = 64

// makesWeight says whether a node makes floats of a quantized weight: they are
// made when they are used, if at all.
func makesWeight(n *onnx.Node, constants []tensor.Value) bool {
	if n.OpType != "DequantizeLinear" && n.OpType != "Cast" || len(constants) == 0 {
		return false
	}
	t, ok := constants[0].(*tensor.Tensor)
	return ok && t.DType().Bits() <= 8 && t.DType() != onnx.Bool && t.DType() != onnx.String && t.Len() >= smallestWeight
}

// movesOnly says whether an operator gives its operands' elements and no others.
func movesOnly(n *onnx.Node) bool {
	switch n.OpType {
	case "Constant", "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Concat":
		return n.Domain == "" || n.Domain == "ai.onnx"
	}
	return false
}

// bytesOf is about how much memory a value takes.
func bytesOf(v tensor.Value) int {
	switch v := v.(type) {
	case *tensor.Tensor:
		return v.Len() * max(8, v.DType().Bits()) / 8
	case *tensor.Sequence:
		total := 0
		for _, item := range v.Values {
			total += bytesOf(item)
		}
		return total
	case *tensor.Optional:
		return bytesOf(v.Value)
	case *tensor.Map:
		return bytesOf(v.Keys) + bytesOf(v.Values)
	}
	return 0
}
