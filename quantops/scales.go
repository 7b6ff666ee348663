package quantops

import (
	"fmt"
	"math"
)

// Scales are the scales of Weights, one for each channel and block. They lie
// as the quantized weights do: blocks are [blocks][channels] where the channels
// are the columns of the stored result (after Flip), else [channels][blocks].
type Scales struct {
	Scheme   Scheme
	Channels int // columns, rows, or 1
	Blocks   int // along the other axis; 1 without blocks
	// Values are the scales as stored, all positive and normal: what a reader
	// of the stored type sees. Zeros are the zero points, nil if symmetric.
	Values []float32
	Zeros  []int8
	// Substituted counts the channels (or blocks) of zeros and those whose
	// scale would be subnormal in float32: their scale is 1 and their weights
	// become 0.
	Substituted int
	// Underflow counts those whose scale float32 holds and the narrower stored
	// type does not (it would be subnormal or zero); Overflow those with a
	// weight beyond the largest number of the stored type, or so near it that no
	// scale of the type reaches it without an integer that stands for infinity.
	// Either way Values are of no use: measure with Float32Type instead, which
	// has neither. (There, where an integer stands for a number within a hundredth of
	// the largest float32, ends may be off by a whole scale instead of its half.)
	Underflow, Overflow int

	over []float32 // a little more than the reciprocals of Values, for the assembly; nil: it is not for these
}

// NonfiniteError is a weight that is NaN or infinite, or a float64 weight that
// is beyond float32's range.
type NonfiniteError struct {
	Value   float64 // as stored
	Channel int     // along the scales' axis
	Index   int     // among the stored floats, in their order
}

func (e *NonfiniteError) Error() string {
	return fmt.Sprintf("element %d (channel %d) is %v", e.Index, e.Channel, e.Value)
}

// set computes one scale, and its zero point, from the range of its weights,
// which holds 0.
func (s *Scales) set(i int, low, high float32) {
	scheme := s.Scheme
	least, most := scheme.Range()
	var exact float32
	if scheme.Asymmetric {
		// Halves first: the range of two large floats may be beyond float32.
		exact = (high/2 - low/2) / (float32(most-least) / 2)
	} else {
		exact = max(-low, high) / float32(most)
	}
	if exact < Float32Type.smallestNormal() {
		s.Values[i] = 1
		s.Substituted++
		return
	}
	if !scheme.Asymmetric && scheme.Scale == Float32Type && exact < 0x1p120 {
		s.Values[i] = exact // as most are: far from all that is looked at below
		return
	}
	stored := scheme.Scale.Round(exact)
	if scheme.Asymmetric && stored < exact {
		stored = scheme.Scale.next(stored, 1)
	}
	if stored < scheme.Scale.smallestNormal() {
		s.Values[i] = stored
		s.Underflow++
		return
	}
	if max(-low, high) > scheme.Scale.largest() {
		s.Values[i] = stored
		s.Overflow++
		return
	}
	zero := s.zero(stored, low)
	if steps := max(float32(most)-zero, zero-float32(least)); scheme.Scale.Round(stored*steps) > math.MaxFloat32 {
		// An end would be dequantized to infinity. What a smaller scale no longer
		// reaches is less than its half, but in two cases.
		if scheme.Scale == Float32Type {
			for stored = min(stored, math.MaxFloat32/steps); stored*steps > math.MaxFloat32; {
				stored = scheme.Scale.next(stored, -1)
			}
		} else {
			stored = scheme.Scale.next(stored, -1)
			zero = s.zero(stored, low)
			if scheme.Scale.beyond(-low, stored, zero-float32(least)) || scheme.Scale.beyond(high, stored, float32(most)-zero) {
				s.Values[i] = stored
				s.Overflow++
				return
			}
		}
	}
	s.Values[i] = stored
	if scheme.Asymmetric {
		s.Zeros[i] = int8(zero)
	}
}

// beyond says whether so many steps of the scale stand for a number that is
// infinite in the type, or farther from this magnitude than quantization may be off (doc.go).
func (t FloatType) beyond(magnitude, scale, steps float32) bool {
	reached := float64(steps) * float64(scale)
	return t.Round(steps*scale) > math.MaxFloat32 || float64(magnitude)-reached > 0.5*float64(scale)+0x1p-24*float64(magnitude)
}

// zero is the zero point: the integer that stands for 0 if the least one stands
// for low.
func (s *Scales) zero(scale, low float32) float32 {
	if !s.Scheme.Asymmetric {
		return 0
	}
	least, most := s.Scheme.Range()
	zero := int(roundHalfEven(float32(least) - low/scale))
	return float32(max(least, min(most, zero)))
}
