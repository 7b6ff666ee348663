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
		return math.Float32frombits(uint32(h&0x8000)<<16 | magnitude | infinityBits)
	}
	v := math.Float32frombits(magnitude) * 0x1p112
	return math.Float32frombits(uint32(h&0x8000)<<16 | math.Float32bits(v))
}

// WidenBFloat16 is Widen for whole tensors of bfloat16, without a call per element.
func WidenBFloat16(dst []float32, src []BFloat16) {
	dst = dst[:len(src)]
	for i, b := range src {
		dst[i] = math.Float32frombits(uint32(b) << 16)
	}
}

// NarrowFloat16 rounds src half to even into dst, which is at least as long.
func NarrowFloat16(dst []Float16, src []float32) {
	dst = dst[:len(src)]
	for i, f := range src {
		dst[i] = Float16FromFloat32(f)
	}
}

// NarrowBFloat16 rounds src half to even into dst, which is at least as long.
func NarrowBFloat16(dst []BFloat16, src []float32) {
	dst = dst[:len(src)]
	for i, f := range src {
		dst[i] = BFloat16FromFloat32(f)
	}
}
