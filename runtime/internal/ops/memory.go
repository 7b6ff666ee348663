package ops

import "github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"

// buffer is room for n elements of a result, or for a kernel's own use while it
// runs. What it holds is undefined: the kernel writes every element.
func buffer[T tensor.Element](_ *Call, n int) []T { return make([]T, n) }
