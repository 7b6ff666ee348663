package quantops

import "math"

// Float16FromFloat32 rounds half to even. Values of 65520 and above become an
// infinity, those of half the smallest subnormal (2⁻²⁵) and below become zero,
// and a NaN stays a (quiet) NaN.
func Float16FromFloat32(f float32) Float16 {
	bits := math.Float32bits(f)
	sign := uint16(bits>>16) & 0x8000
	exponent := int(bits>>23&0xff) - 127
	fraction := bits & 0x7fffff
	switch {
	case exponent == 128 && fraction != 0:
		return Float16(sign | 0x7e00 | uint16(fraction>>13))
	case exponent > 15:
		return Float16(sign | 0x7c00)
	case exponent >= -14:
		// A carry out of the fraction runs on into the exponent, up to infinity.
		rounded := roundShift(fraction|uint32(exponent+15)<<23, 13)
		return Float16(sign | uint16(rounded))
	case exponent >= -25:
		return Float16(sign | uint16(roundShift(fraction|0x800000, uint(-exponent-1))))
	}
	return Float16(sign)
}

// roundShift is v/2ˢ rounded half to even.
func roundShift(v uint32, s uint) uint32 {
	half := uint32(1)<<(s-1) - 1
	return (v + half + v>>s&1) >> s
}

// Float16FromFloat64 rounds once, half to even.
func Float16FromFloat64(f float64) Float16 { return Float16FromFloat32(RoundToOdd(f)) }

// BFloat16FromFloat64 rounds once, half to even.
func BFloat16FromFloat64(f float64) BFloat16 { return BFloat16FromFloat32(RoundToOdd(f)) }

// RoundToOdd is f in 24 bits, with the last bit set if any were lost: a second
// rounding, to fewer than 23 bits, is then the same as one from f itself. So
// T(RoundToOdd(f)) is how a float64 becomes any of the narrow types T.
// (Boldo and Melquiond, "When double rounding is odd".)
func RoundToOdd(f float64) float32 {
	g := float32(f)
	if float64(g) == f || math.IsNaN(f) || math.IsInf(f, 0) {
		return g
	}
	bits := math.Float32bits(g)
	if math.Abs(float64(g)) > math.Abs(f) {
		bits-- // towards zero
	}
	return math.Float32frombits(bits | 1)
}

// Float32 is the exact value; a NaN keeps its sign and payload, and becomes quiet.
func (h Float16) Float32() float32 { return h.widen() }

// BFloat16FromFloat32 rounds half to even; a NaN stays a (quiet) NaN.
func BFloat16FromFloat32(f float32) BFloat16 {
	bits := math.Float32bits(f)
	if f != f {
		return BFloat16(bits>>16 | 0x40)
	}
	return BFloat16(roundUp16(bits) >> 16)
}

// roundUp16 adds what makes truncation to the upper 16 bits round half to even.
func roundUp16(bits uint32) uint32 { return bits + 0x7fff + bits>>16&1 }

// Float32 is the exact value.
func (b BFloat16) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }
