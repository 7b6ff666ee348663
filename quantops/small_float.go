package quantops

import "math"

// smallFloat is a float format of at most 8 bits with a sign: its codes count
// up with the magnitude, through the subnormal numbers into the normal ones, up
// to largest. What the codes above that mean is for the types to say.
type smallFloat struct {
	mantissa int // bits
	bias     int // of the exponent
	largest  uint32
}

// The formats. Open Compute Project, "OCP 8-bit Floating Point Specification
// (OFP8)" and "OCP Microscaling Formats (MX) Specification"; the FNUZ ones as
// ONNX's operator Cast lists them.
var (
	e4m3fn   = smallFloat{mantissa: 3, bias: 7, largest: 0x7e}
	e4m3fnuz = smallFloat{mantissa: 3, bias: 8, largest: 0x7f}
	e5m2     = smallFloat{mantissa: 2, bias: 15, largest: 0x7b}
	e5m2fnuz = smallFloat{mantissa: 2, bias: 16, largest: 0x7f}
	e2m1     = smallFloat{mantissa: 1, bias: 1, largest: 0x7}
	e2m3     = smallFloat{mantissa: 3, bias: 1, largest: 0x1f}
	e3m2     = smallFloat{mantissa: 2, bias: 3, largest: 0x1f}
)

// decode is the value of a code without its sign bit.
func (s smallFloat) decode(code uint32) float32 {
	if code>>s.mantissa == 0 {
		// Subnormal: a multiple of the smallest one.
		return float32(code) * math.Float32frombits(uint32(128-s.bias-s.mantissa)<<23)
	}
	return math.Float32frombits(code<<(23-s.mantissa) + uint32(127-s.bias)<<23)
}

// encode rounds a positive float, given by its bits, half to even. The code is
// the one that a format without a largest number would have: the caller compares.
func (s smallFloat) encode(bits uint32) uint32 {
	exponent := int(bits>>23) - 127
	drop := 23 - s.mantissa
	if smallestNormal := 1 - s.bias; exponent < smallestNormal {
		drop += smallestNormal - exponent
		if drop > 24 {
			return 0
		}
		return roundShift(bits&0x7fffff|0x800000, uint(drop))
	}
	// A carry out of the mantissa runs on into the exponent.
	return roundShift(bits&0x7fffff|uint32(exponent+s.bias)<<23, uint(drop))
}

// signed puts a magnitude's sign back.
func signed(negative bool, magnitude float32) float32 {
	if negative {
		return -magnitude
	}
	return magnitude
}

// split separates a float32 into its sign, as bit 7 of a byte, and its magnitude's bits.
func split(f float32) (sign uint8, magnitude uint32) {
	bits := math.Float32bits(f)
	return uint8(bits >> 24 & 0x80), bits & 0x7fffffff
}

const infinityBits = 0x7f800000

// Float8E4M3FNFromFloat32 rounds half to even. What is beyond ±448 after
// rounding, an infinity included, becomes ±448 if it is to saturate, else NaN.
// (ONNX Cast, the tables of float8 conversions.)
func Float8E4M3FNFromFloat32(f float32, saturate bool) Float8E4M3FN {
	sign, magnitude := split(f)
	if magnitude > infinityBits {
		return Float8E4M3FN(sign | 0x7f)
	}
	code := e4m3fn.encode(magnitude)
	if code > e4m3fn.largest {
		code = e4m3fn.largest
		if !saturate {
			code = 0x7f
		}
	}
	return Float8E4M3FN(sign | uint8(code))
}

// Float32 is the exact value; there is a NaN of each sign and no infinity.
func (v Float8E4M3FN) Float32() float32 {
	if v&0x7f == 0x7f {
		return float32(math.NaN())
	}
	return signed(v&0x80 != 0, e4m3fn.decode(uint32(v&0x7f)))
}

// Float8E4M3FNUZFromFloat32 rounds half to even. What is beyond ±240 after
// rounding, an infinity included, becomes ±240 if it is to saturate, else NaN;
// there is one NaN and one zero. (ONNX Cast, the tables of float8 conversions.)
func Float8E4M3FNUZFromFloat32(f float32, saturate bool) Float8E4M3FNUZ {
	return Float8E4M3FNUZ(e4m3fnuz.encodeUnsignedZero(f, saturate))
}

// Float32 is the exact value; there is one NaN and no infinity.
func (v Float8E4M3FNUZ) Float32() float32 { return e4m3fnuz.decodeUnsignedZero(uint8(v)) }

// Float8E5M2FromFloat32 rounds half to even. What is beyond ±57344 after
// rounding, an infinity included, becomes ±57344 if it is to saturate, else an
// infinity. (ONNX Cast, the tables of float8 conversions.)
func Float8E5M2FromFloat32(f float32, saturate bool) Float8E5M2 {
	sign, magnitude := split(f)
	if magnitude > infinityBits {
		return Float8E5M2(sign | 0x7f)
	}
	code := e5m2.encode(magnitude)
	if code > e5m2.largest {
		code = e5m2.largest
		if !saturate {
			code = 0x7c
		}
	}
	return Float8E5M2(sign | uint8(code))
}

// Float32 is the exact value.
func (v Float8E5M2) Float32() float32 {
	magnitude := e5m2.decode(uint32(v & 0x7f))
	switch code := v & 0x7f; {
	case code > 0x7c:
		return float32(math.NaN())
	case code == 0x7c:
		magnitude = float32(math.Inf(1))
	}
	return signed(v&0x80 != 0, magnitude)
}

// Float8E5M2FNUZFromFloat32 rounds half to even. What is beyond ±57344 after
// rounding, an infinity included, becomes ±57344 if it is to saturate, else NaN;
// there is one NaN and one zero. (ONNX Cast, the tables of float8 conversions.)
func Float8E5M2FNUZFromFloat32(f float32, saturate bool) Float8E5M2FNUZ {
	return Float8E5M2FNUZ(e5m2fnuz.encodeUnsignedZero(f, saturate))
}

// Float32 is the exact value; there is one NaN and no infinity.
func (v Float8E5M2FNUZ) Float32() float32 { return e5m2fnuz.decodeUnsignedZero(uint8(v)) }

// nanUnsignedZero is where other formats have their negative zero.
const nanUnsignedZero = 0x80

// encodeUnsignedZero encodes for the formats in which the code of a negative
// zero is the only NaN.
func (s smallFloat) encodeUnsignedZero(f float32, saturate bool) uint8 {
	sign, magnitude := split(f)
	code := s.encode(magnitude)
	switch {
	case magnitude > infinityBits || code > s.largest && !saturate:
		return nanUnsignedZero
	case code == 0:
		return 0
	}
	return sign | uint8(min(code, s.largest))
}

func (s smallFloat) decodeUnsignedZero(code uint8) float32 {
	if code == nanUnsignedZero {
		return float32(math.NaN())
	}
	return signed(code&0x80 != 0, s.decode(uint32(code&0x7f)))
}

// Float4E2M1FromFloat32 rounds half to even. The format has neither infinity
// nor NaN: what is beyond ±6 becomes ±6, and a NaN −0, as in ONNX's own tests.
func Float4E2M1FromFloat32(f float32) Float4E2M1 { return Float4E2M1(e2m1.encodeFinite(f, 3)) }

// Float32 is the exact value.
func (v Float4E2M1) Float32() float32 { return signed(v&8 != 0, e2m1.decode(uint32(v&7))) }

// Float6E2M3FromFloat32 rounds half to even. The format has neither infinity
// nor NaN: what is beyond ±7.5 becomes ±7.5, and a NaN −0, as for Float4E2M1.
func Float6E2M3FromFloat32(f float32) Float6E2M3 { return Float6E2M3(e2m3.encodeFinite(f, 5)) }

// Float32 is the exact value.
func (v Float6E2M3) Float32() float32 { return signed(v&0x20 != 0, e2m3.decode(uint32(v&0x1f))) }

// Float6E3M2FromFloat32 rounds half to even. The format has neither infinity
// nor NaN: what is beyond ±28 becomes ±28, and a NaN −0, as for Float4E2M1.
func Float6E3M2FromFloat32(f float32) Float6E3M2 { return Float6E3M2(e3m2.encodeFinite(f, 5)) }

// Float32 is the exact value.
func (v Float6E3M2) Float32() float32 { return signed(v&0x20 != 0, e3m2.decode(uint32(v&0x1f))) }

// encodeFinite encodes for the formats whose codes are all numbers; signBit is
// the place of the sign.
func (s smallFloat) encodeFinite(f float32, signBit int) uint8 {
	sign, magnitude := split(f)
	if magnitude > infinityBits {
		return 1 << signBit
	}
	return sign>>7<<signBit | uint8(min(s.encode(magnitude), s.largest))
}
