package runtime

import (
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// LimitError says that a run would need more memory than Options.Memory lets it have.
type LimitError = ops.LimitError

// allowance is what a run may take, nil if there is no limit.
func (s *Session) allowance() *int64 {
	if s.memory <= 0 {
		return nil
	}
	left := s.memory
	return &left
}

// charge takes the bytes of a value that a step gave from what the run may still
// take. A value that shares the memory of one of the step's operands has been
// paid for.
func (f *frame) charge(left *int64, slot int, v tensor.Value) error {
	t, ok := v.(*tensor.Tensor)
	if left == nil || !ok || t == nil || t.Len() == 0 {
		return nil
	}
	start, _ := t.Span()
	for _, operand := range f.operands {
		if o, ok := operand.(*tensor.Tensor); ok && o != nil {
			if from, to := o.Span(); start >= from && start < to {
				return nil
			}
		}
	}
	size := int64(bytesOf(t))
	if size > *left {
		return &LimitError{Wanted: size, Left: *left}
	}
	if f.charged == nil {
		f.charged = make([]int64, len(f.values))
	}
	f.charged[slot] = size
	*left -= size
	return nil
}

// refund gives back what a slot that is cleared was charged for.
func (f *frame) refund(left *int64, slot int) {
	if left != nil && f.charged != nil {
		*left += f.charged[slot]
		f.charged[slot] = 0
	}
}
