package quantops

import "math"

// Widen writes the exact values of src to dst, which is at least as long.
func Widen[T interface{ Float32() float32 }](dst []float32, src []T) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = v.Float32()
	}
}

// WidenFloat16 is Widen for whole tensors of float16, without a call per element.
func WidenFloat16(dst []float32, src []Float16) {
	dst = dst[:len(src)]
	done := fastConversion.widenFloat16(dst, src)
	widenFloat16Generic(dst[done:], src[done:])
}

func widenFloat16Generic(dst []float32, src []Float16) {
	for i, h := range src {
		dst[i] = h.widen()
	}
}

// widen is the exact value. With exponent and fraction moved to where float32
// has them, the value is too small by the difference of the biases; a
// multiplication mends that, and normalizes subnormal numbers on the way.
func (h Float16) widen() float32 {
	magnitude := uint32(h&0x7fff) << 13
	if magnitude >= 0x1f<<23 {
		bits := uint32(h&0x8000)<<16 | magnitude | infinityBits
		if magnitude > 0x1f<<23 {
			bits |= quietBit
		}
		return math.Float32frombits(bits)
	}
	v := math.Float32frombits(magnitude) * 0x1p112
	return math.Float32frombits(uint32(h&0x8000)<<16 | math.Float32bits(v))
}

// quietBit is the bit of a float32 NaN that says that computing with it is no
// event to be told of. A conversion sets it, as processors do.
const quietBit = 1 << 22

// WidenBFloat16 is Widen for whole tensors of bfloat16, without a call per element.
func WidenBFloat16(dst []float32, src []BFloat16) {
	dst = dst[:len(src)]
	done := fastConversion.widenBFloat16(dst, src)
	widenBFloat16Generic(dst[done:], src[done:])
}

func widenBFloat16Generic(dst []float32, src []BFloat16) {
	for i, b := range src {
		dst[i] = math.Float32frombits(uint32(b) << 16)
	}
}

// NarrowFloat16 rounds src half to even into dst, which is at least as long.
func NarrowFloat16(dst []Float16, src []float32) {
	dst = dst[:len(src)]
	done := fastConversion.narrowFloat16(dst, src)
	narrowFloat16Generic(dst[done:], src[done:])
}

func narrowFloat16Generic(dst []Float16, src []float32) {
	for i, f := range src {
		dst[i] = Float16FromFloat32(f)
	}
}

// NarrowBFloat16 rounds src half to even into dst, which is at least as long.
func NarrowBFloat16(dst []BFloat16, src []float32) {
	dst = dst[:len(src)]
	done := fastConversion.narrowBFloat16(dst, src)
	narrowBFloat16Generic(dst[done:], src[done:])
}

func narrowBFloat16Generic(dst []BFloat16, src []float32) {
	for i, f := range src {
		dst[i] = BFloat16FromFloat32(f)
	}
}

// RoundFloat16 writes what is left of src when it is rounded to float16, half to
// even: NarrowFloat16 and then WidenFloat16. dst is as long as src, and may be it.
func RoundFloat16(dst, src []float32) {
	dst = dst[:len(src)]
	done := fastConversion.roundFloat16(dst, src)
	for i, f := range src[done:] {
		dst[done+i] = Float16FromFloat32(f).widen()
	}
}

// RoundFloat16AndAdd is RoundFloat16 and then a sum in float32, with an addend as
// long as src.
func RoundFloat16AndAdd(dst, src, addend []float32) {
	dst, addend = dst[:len(src)], addend[:len(src)]
	done := fastConversion.roundFloat16AndAdd(dst, src, addend)
	for i, f := range src[done:] {
		dst[done+i] = Float16FromFloat32(f).widen() + addend[done+i]
	}
}

// conversion holds loops that convert the first elements of src, and give how
// many they have converted; the rest is the generic loops'. They give the same
// bits.
type conversion struct {
	widenFloat16   func(dst []float32, src []Float16) int
	narrowFloat16  func(dst []Float16, src []float32) int
	widenBFloat16  func(dst []float32, src []BFloat16) int
	narrowBFloat16 func(dst []BFloat16, src []float32) int

	roundFloat16       func(dst, src []float32) int
	roundFloat16AndAdd func(dst, src, addend []float32) int
}

// slowConversion leaves everything to the generic loops.
var slowConversion = conversion{
	func([]float32, []Float16) int { return 0 }, func([]Float16, []float32) int { return 0 },
	func([]float32, []BFloat16) int { return 0 }, func([]BFloat16, []float32) int { return 0 },
	func(_, _ []float32) int { return 0 }, func(_, _, _ []float32) int { return 0 },
}
