package runtime

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// storedTensors are the model's large initializers. They are read several at a
// time, before anybody asks for one of them, as the memory that they are copied
// to is most of what a session costs to make. Weights of 8 bits that are only made
// floats are not copied at all: products that are fused with that pack them, and
// what is left is copied in the end, so that the session keeps nothing of the
// model's file. Floats are not copied either where the session does not outlive
// the file; see judged.
type storedTensors struct {
	done   map[*onnx.Tensor]storedTensor
	shared map[*tensor.Tensor]bool // share the file's bytes
}

type storedTensor struct {
	value *tensor.Tensor
	err   error
}

// largeTensor is from how many bytes on an initializer is read ahead, and
// viewedTensor from how many on one that need not be copied.
const (
	largeTensor  = 64 << 10
	viewedTensor = 64
)

// read reads the large ones of a graph's initializers.
func (r *storedTensors) read(s *scope, initializers []*onnx.Tensor) {
	if r.done == nil {
		r.done, r.shared = map[*onnx.Tensor]storedTensor{}, map[*tensor.Tensor]bool{}
	}
	var large []*onnx.Tensor
	for _, t := range initializers {
		if t.Data == nil || s.index != nil && len(s.index.Users(t.Name)) == 0 {
			continue
		}
		if size := t.Data.Len(); size >= largeTensor || size >= viewedTensor && s.onlyMadeFloats(t) {
			large = append(large, t)
		}
	}
	results := make([]storedTensor, len(large))
	shared := make([]bool, len(large))
	s.compiler.workers.Each(len(large), func(i int) {
		shared[i] = s.onlyMadeFloats(large[i])
		if shared[i] || s.compiler.view && large[i].Type == onnx.Float {
			results[i].value, results[i].err = tensor.ViewOfONNX(large[i])
		} else {
			results[i].value, results[i].err = tensor.FromONNX(large[i])
		}
	})
	for i, t := range large {
		r.done[t] = results[i]
		if shared[i] && results[i].err == nil {
			r.shared[results[i].value] = true
		}
	}
}

// onlyMadeFloats says whether an initializer holds integers that nothing but
// DequantizeLinear reads, or a Cast to floats.
func (s *scope) onlyMadeFloats(t *onnx.Tensor) bool {
	if t.Type != onnx.Int8 && t.Type != onnx.Uint8 || s.index == nil || s.index.IsOutput(t.Name) || s.index.IsInput(t.Name) {
		return false
	}
	for _, use := range s.index.Users(t.Name) {
		if use.Node == nil || use.Input != 0 || !isOperator(use.Node, "DequantizeLinear") && !(isOperator(use.Node, "Cast") && narrowFloat(castTarget(use.Node))) {
			return false
		}
	}
	return true
}

// value is the value of an initializer.
func (r *storedTensors) value(t *onnx.Tensor) (*tensor.Tensor, error) {
	if known, ok := r.done[t]; ok {
		return known.value, known.err
	}
	return tensor.FromONNX(t)
}

// keep is a constant as the session may keep it.
func (r *storedTensors) keep(v tensor.Value) tensor.Value {
	t, ok := v.(*tensor.Tensor)
	if !ok || !r.shared[t] {
		return v
	}
	if data, ok := tensor.Data[int8](t); ok {
		return tensor.New(t.Shape(), slices.Clone(data))
	}
	data, _ := tensor.Data[uint8](t)
	return tensor.New(t.Shape(), slices.Clone(data))
}
