package onnx

import "math"

// smallFloat describes a float format of at most 16 bits: a sign bit above
// exponent and mantissa bits (none in an unsigned format), and which codes are
// not numbers.
type smallFloat struct {
	exponent, mantissa int
	bias               int
	unsigned           bool
	special            specialCodes
}

type specialCodes int

const (
	ieee        specialCodes = iota // the top exponent is infinity and NaN
	onlyNaN                         // all exponent and mantissa bits set is NaN; no infinity
	negZeroNaN                      // the code of negative zero is NaN; no infinity
	allFinite                       // every code is a number
	topNaNPower                     // a power of two; the top code is NaN
)

// float16Format is half precision as IEEE 754 defines it.
var float16Format = smallFloat{exponent: 5, mantissa: 10, bias: 15, special: ieee}

func smallFloatOf(t DType) (smallFloat, bool) {
	switch t {
	case Float16:
		return float16Format, true
	case Float8E4M3FN:
		return smallFloat{exponent: 4, mantissa: 3, bias: 7, special: onlyNaN}, true
	case Float8E4M3FNUZ:
		return smallFloat{exponent: 4, mantissa: 3, bias: 8, special: negZeroNaN}, true
	case Float8E5M2:
		return smallFloat{exponent: 5, mantissa: 2, bias: 15, special: ieee}, true
	case Float8E5M2FNUZ:
		return smallFloat{exponent: 5, mantissa: 2, bias: 16, special: negZeroNaN}, true
	case Float8E8M0:
		return smallFloat{exponent: 8, mantissa: 0, bias: 127, unsigned: true, special: topNaNPower}, true
	case Float4E2M1:
		return smallFloat{exponent: 2, mantissa: 1, bias: 1, special: allFinite}, true
	case Float6E2M3:
		return smallFloat{exponent: 2, mantissa: 3, bias: 1, special: allFinite}, true
	case Float6E3M2:
		return smallFloat{exponent: 3, mantissa: 2, bias: 3, special: allFinite}, true
	}
	return smallFloat{}, false
}

// decode gives the number that a code stands for; float32 holds them all.
func (s smallFloat) decode(code uint16) float32 {
	exponentMask, mantissaMask := 1<<s.exponent-1, 1<<s.mantissa-1
	exponent := int(code) >> s.mantissa & exponentMask
	mantissa := int(code) & mantissaMask
	negative := !s.unsigned && code>>(s.exponent+s.mantissa)&1 != 0
	nan := float32(math.NaN())
	switch {
	case s.special == topNaNPower:
		if exponent == exponentMask {
			return nan
		}
		return float32(math.Ldexp(1, exponent-s.bias))
	case s.special == onlyNaN && exponent == exponentMask && mantissa == mantissaMask:
		return nan
	case s.special == negZeroNaN && negative && exponent == 0 && mantissa == 0:
		return nan
	case s.special == ieee && exponent == exponentMask:
		if mantissa != 0 {
			return nan
		}
		if negative {
			return float32(math.Inf(-1))
		}
		return float32(math.Inf(1))
	}
	if exponent == 0 {
		exponent = 1 // subnormal: the same scale, without the leading one
	} else {
		mantissa |= 1 << s.mantissa
	}
	v := math.Ldexp(float64(mantissa), exponent-s.bias-s.mantissa)
	if negative {
		v = math.Copysign(v, -1)
	}
	return float32(v)
}
