package tensor

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// MaxElements is the most elements that one tensor may have. It is beyond what
// a tensor of a real model has; a larger one is a mistake or an attack, which is
// better told than allocated.
const MaxElements = math.MaxInt32

// CheckedCount is Count of a shape that comes from a model, an input or a
// computation: a negative dimension and more than MaxElements are errors. A
// kernel asks it before it allocates.
func CheckedCount(shape []int) (int, error) {
	count, empty := 1, false
	for _, d := range shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		case d == 0:
			empty = true
		}
	}
	if empty {
		return 0, nil
	}
	for _, d := range shape {
		if d > MaxElements/count {
			return 0, fmt.Errorf("shape %v is too large: a tensor may have %d elements", shape, MaxElements)
		}
		count *= d
	}
	return count, nil
}

// Zeros makes a tensor of zeros (false, empty strings) of a type that is known
// only at run time.
func Zeros(t onnx.DType, shape []int) (*Tensor, error) {
	count, err := CheckedCount(shape)
	if err != nil {
		return nil, err
	}
	if t == onnx.String {
		return New(shape, make([]string, count)), nil
	}
	bits := t.Bits()
	if bits == 0 {
		return nil, fmt.Errorf("there is no element type %v", t)
	}
	return fromBytes(t, shape, make([]byte, (count*bits+7)/8)), nil
}
