package runtime

import (
	"fmt"
	"math"
	"math/cmplx"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// Tolerance says how far a number a may be from the expected b:
// |a-b| <= Absolute + Relative·|b|.
//
// An expected float32 tensor holds the rounding of the float32 arithmetic that
// made it: where large terms cancel, what should be zero is some part of
// 2⁻²⁴ times the largest element. Differences below that say nothing, and are
// allowed too.
type Tolerance struct{ Relative, Absolute float64 }

// Equal compares a value with the expected one: kinds, types and shapes must be
// equal and numbers within the tolerance. NaN equals NaN, and an infinity equals
// itself alone. The error names the first element that differs.
func (o Tolerance) Equal(got, want tensor.Value) error {
	switch want := want.(type) {
	case *tensor.Tensor:
		got, ok := got.(*tensor.Tensor)
		if !ok {
			break
		}
		return o.equalTensors(got, want)
	case *tensor.Sequence:
		got, ok := got.(*tensor.Sequence)
		if !ok {
			break
		}
		if len(got.Values) != len(want.Values) {
			return fmt.Errorf("a sequence of %d, expected %d", len(got.Values), len(want.Values))
		}
		for i := range want.Values {
			if err := o.Equal(got.Values[i], want.Values[i]); err != nil {
				return fmt.Errorf("element %d of the sequence: %w", i, err)
			}
		}
		return nil
	case *tensor.Optional:
		if want.Value == nil {
			if got, ok := got.(*tensor.Optional); ok && got.Value == nil {
				return nil
			}
			break
		}
		if got, ok := got.(*tensor.Optional); ok {
			return o.Equal(got.Value, want.Value)
		}
		return o.Equal(got, want.Value)
	case *tensor.Map:
		got, ok := got.(*tensor.Map)
		if !ok {
			break
		}
		if err := o.equalTensors(got.Keys, want.Keys); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		return o.equalTensors(got.Values, want.Values)
	}
	return fmt.Errorf("%s, expected %s", describe(got), describe(want))
}

func (o Tolerance) equalTensors(got, want *tensor.Tensor) error {
	if g, w := describe(got), describe(want); g != w {
		return fmt.Errorf("%s, expected %s", g, w)
	}
	switch w := want.Any().(type) {
	case []string:
		return firstUnequal(got, w, func(a, b string) bool { return a == b })
	case []bool:
		return firstUnequal(got, w, func(a, b bool) bool { return a == b })
	case []float32:
		o.Absolute += noise(w)
		return firstUnequal(got, w, func(a, b float32) bool { return o.near(float64(a), float64(b)) })
	case []int64:
		return firstUnequal(got, w, func(a, b int64) bool { return a == b || o.near(float64(a), float64(b)) })
	case []uint64:
		return firstUnequal(got, w, func(a, b uint64) bool { return a == b || o.near(float64(a), float64(b)) })
	case []complex64:
		return firstUnequal(got, w, func(a, b complex64) bool { return o.nearComplex(complex128(a), complex128(b)) })
	case []complex128:
		return firstUnequal(got, w, o.nearComplex)
	}
	a, err := got.Float64s()
	if err != nil {
		return err
	}
	b, err := want.Float64s()
	if err != nil {
		return err
	}
	return firstOf(want.Shape(), a, b, o.near)
}

// noise is the unit roundoff of float32 at a tensor's largest finite element.
func noise(values []float32) float64 {
	largest := 0.0
	for _, v := range values {
		if a := math.Abs(float64(v)); a > largest && !math.IsInf(a, 0) {
			largest = a
		}
	}
	return largest * 0x1p-24
}

func firstUnequal[T tensor.Element](got *tensor.Tensor, want []T, equal func(a, b T) bool) error {
	have, _ := tensor.Data[T](got)
	return firstOf(got.Shape(), have, want, equal)
}

// firstOf names the first element that is not equal, and how many there are.
func firstOf[T any](shape []int, got, want []T, equal func(a, b T) bool) error {
	count, first := 0, 0
	for i := range want {
		if !equal(got[i], want[i]) {
			if count == 0 {
				first = i
			}
			count++
		}
	}
	if count == 0 {
		return nil
	}
	return fmt.Errorf("element %v is %v, expected %v (%d of %d differ)", coordinate(shape, first), got[first], want[first], count, len(want))
}

// coordinate is where an element lies, by axis.
func coordinate(shape []int, at int) []int {
	place := make([]int, len(shape))
	for axis := len(shape) - 1; axis >= 0; axis-- {
		place[axis] = at % shape[axis]
		at /= shape[axis]
	}
	return place
}

func (o Tolerance) near(a, b float64) bool {
	switch {
	case a == b || math.IsNaN(a) && math.IsNaN(b):
		return true
	case math.IsInf(a, 0) || math.IsInf(b, 0):
		return false
	}
	return math.Abs(a-b) <= o.Absolute+o.Relative*math.Abs(b)
}

func (o Tolerance) nearComplex(a, b complex128) bool {
	return a == b || cmplx.Abs(a-b) <= o.Absolute+o.Relative*cmplx.Abs(b) ||
		o.near(real(a), real(b)) && o.near(imag(a), imag(b))
}
