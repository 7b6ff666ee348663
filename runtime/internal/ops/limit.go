package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// LimitError says that a run would need more memory than it may have.
type LimitError struct {
	Wanted, Left int64 // bytes
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%d bytes are asked for, and the values of this run may take %d more: "+
		"if the model is to be trusted, raise the limit of its memory", e.Wanted, e.Left)
}

// fits is an error if so many elements of a width in bytes are more than the run
// may still take. Kernels ask it before they make room other than by buffer.
func (c *Call) fits(count, width int) error {
	if c == nil || c.Left == nil || int64(count) <= *c.Left/int64(width) {
		return nil
	}
	return &LimitError{Wanted: int64(count) * int64(width), Left: *c.Left}
}

// mustFit is fits for buffer, which has no error to give: it ends the kernel,
// and Fallen makes an error of it again.
func (c *Call) mustFit(count, width int) {
	if err := c.fits(count, width); err != nil {
		panic(err)
	}
}

// bytesEach is how many bytes an element of a tensor takes in memory, at least.
func bytesEach(t *tensor.Tensor) int { return max(8, t.DType().Bits()) / 8 }
