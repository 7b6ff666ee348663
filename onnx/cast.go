package onnx

import (
	"encoding/binary"
	"math"
)

// castable reports whether Cast is worked out for a type: those whose
// conversion has one right answer and is the same at every opset.
func castable(t DType) bool {
	switch t {
	case Float, Double, Float16, BFloat16, Bool,
		Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64:
		return true
	}
	return false
}

// number is an element on its way from one type to another: a float, or an
// integer with its bits as two's complement.
type number struct {
	float   float64
	integer int64
	isFloat bool
	wide    bool // the integer is a uint64
}

// castBytes converts elements as ONNX's Cast does: floats are rounded to the
// nearest, half to even, and overflow to infinity; a float becomes an integer by
// dropping its fraction; integers keep their low bits; anything but zero is
// true. What ONNX leaves open, a float beyond the integer's range, becomes the
// nearest end of it, and NaN becomes 0.
func castBytes(b []byte, from, to DType) []byte {
	le := binary.LittleEndian
	width := from.Bits() / 8
	out := make([]byte, 0, len(b)/width*(to.Bits()/8))
	for ; len(b) >= width; b = b[width:] {
		n := readNumber(b, from)
		switch to {
		case Bool:
			v := byte(0)
			if n.isFloat && n.float != 0 || !n.isFloat && n.integer != 0 {
				v = 1
			}
			out = append(out, v)
		case Double:
			out = le.AppendUint64(out, math.Float64bits(n.asFloat64()))
		case Float:
			out = le.AppendUint32(out, math.Float32bits(n.asFloat32()))
		case Float16:
			out = le.AppendUint16(out, narrow(n.asFloat64(), 5, 10))
		case BFloat16:
			out = le.AppendUint16(out, narrow(n.asFloat64(), 8, 7))
		default:
			v := n.asInteger(to)
			switch to.Bits() {
			case 8:
				out = append(out, byte(v))
			case 16:
				out = le.AppendUint16(out, uint16(v))
			case 32:
				out = le.AppendUint32(out, uint32(v))
			default:
				out = le.AppendUint64(out, uint64(v))
			}
		}
	}
	return out
}

func readNumber(b []byte, t DType) number {
	le := binary.LittleEndian
	switch t {
	case Float:
		return number{isFloat: true, float: float64(math.Float32frombits(le.Uint32(b)))}
	case Double:
		return number{isFloat: true, float: math.Float64frombits(le.Uint64(b))}
	case Float16:
		return number{isFloat: true, float: float64(float16Format.decode(le.Uint16(b)))}
	case BFloat16:
		return number{isFloat: true, float: float64(math.Float32frombits(uint32(le.Uint16(b)) << 16))}
	case Bool:
		if b[0] != 0 {
			return number{integer: 1}
		}
		return number{}
	case Int8:
		return number{integer: int64(int8(b[0]))}
	case Uint8:
		return number{integer: int64(b[0])}
	case Int16:
		return number{integer: int64(int16(le.Uint16(b)))}
	case Uint16:
		return number{integer: int64(le.Uint16(b))}
	case Int32:
		return number{integer: int64(int32(le.Uint32(b)))}
	case Uint32:
		return number{integer: int64(le.Uint32(b))}
	}
	return number{integer: int64(le.Uint64(b)), wide: t == Uint64}
}

func (n number) asFloat64() float64 {
	switch {
	case n.isFloat:
		return n.float
	case n.wide:
		return float64(uint64(n.integer))
	}
	return float64(n.integer)
}

// asFloat32 rounds once, straight from the integer.
func (n number) asFloat32() float32 {
	switch {
	case n.isFloat:
		return float32(n.float)
	case n.wide:
		return float32(uint64(n.integer))
	}
	return float32(n.integer)
}

func (n number) asInteger(to DType) int64 {
	if !n.isFloat {
		return n.integer
	}
	bits := to.Bits()
	switch v := math.Trunc(n.float); {
	case v != v:
		return 0
	case to == Uint8 || to == Uint16 || to == Uint32 || to == Uint64:
		if v <= 0 {
			return 0
		}
		if v >= math.Ldexp(1, bits) {
			return -1 // all bits set
		}
		return int64(uint64(v))
	case v >= math.Ldexp(1, bits-1):
		return math.MaxInt64 >> (64 - bits)
	case v <= -math.Ldexp(1, bits-1):
		return math.MinInt64 >> (64 - bits)
	default:
		return int64(v)
	}
}

// narrow rounds a number to a 16-bit float format with IEEE 754's infinity and
// NaN: to the nearest, half to even, in one step.
func narrow(v float64, exponentBits, mantissaBits int) uint16 {
	sign := uint16(0)
	if math.Signbit(v) {
		sign = 0x8000
		v = -v
	}
	infinity := uint16(1<<exponentBits-1) << mantissaBits
	bias := 1<<(exponentBits-1) - 1
	switch {
	case v != v:
		return sign | infinity | 1<<(mantissaBits-1)
	case math.IsInf(v, 0):
		return sign | infinity
	case v == 0:
		return sign
	}
	_, exponent := math.Frexp(v) // v is in [2^(exponent-1), 2^exponent)
	exponent = max(exponent-1, 1-bias)
	// In units of the last place, which subnormal numbers share with the
	// smallest normal ones. A carry out of the mantissa is right as it is: the
	// code of the next power of two follows, and infinity follows the last.
	units := math.RoundToEven(math.Ldexp(v, mantissaBits-exponent))
	if exponent > bias {
		return sign | infinity
	}
	code := uint32(units) + uint32(exponent+bias-1)<<mantissaBits
	return sign | uint16(min(code, uint32(infinity)))
}
