package quantops

import "math"

// RoundMode says how a number becomes a power of two.
type RoundMode uint8

// The modes of ONNX's Cast.
const (
	RoundUp      RoundMode = iota // to the next larger power
	RoundDown                     // to the next smaller power
	RoundNearest                  // to the nearer power, up from the middle
)

const (
	e8m0NaN     = 0xff
	e8m0Largest = 0xfe // 2¹²⁷
)

// Float8E8M0FromFloat32 rounds a magnitude to a power of two from 2⁻¹²⁷ to
// 2¹²⁷; the sign is dropped (ONNX leaves negative numbers open). What is beyond
// that range becomes its nearer end if it is to saturate, else NaN: so zero
// becomes 2⁻¹²⁷ or NaN, an infinity 2¹²⁷ or NaN. A NaN is NaN.
// (ONNX Cast, the table of float8e8m0 conversions.)
func Float8E8M0FromFloat32(f float32, saturate bool, mode RoundMode) Float8E8M0 {
	_, magnitude := split(f)
	switch {
	case magnitude > infinityBits:
		return e8m0NaN
	case magnitude == infinityBits && saturate:
		return e8m0Largest
	case magnitude == infinityBits:
		return e8m0NaN
	}
	fraction, exponent := math.Frexp(float64(math.Float32frombits(magnitude))) // fraction in [½, 1)
	code := exponent + 126
	if mode == RoundUp && fraction > 0.5 || mode == RoundNearest && fraction >= 0.75 {
		code++
	}
	switch {
	case code >= 0 && code <= e8m0Largest && magnitude != 0:
		return Float8E8M0(code)
	case !saturate:
		return e8m0NaN
	case code > e8m0Largest:
		return e8m0Largest
	}
	return 0
}

// Float32 is the exact value, a power of two or NaN.
func (v Float8E8M0) Float32() float32 {
	if v == e8m0NaN {
		return float32(math.NaN())
	}
	if v == 0 {
		return 0x1p-127
	}
	return math.Float32frombits(uint32(v) << 23)
}
