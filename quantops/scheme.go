package quantops

import "math"

// FloatType is the type that floats are stored in.
type FloatType uint8

// The float types of weights and scales.
const (
	Float32Type FloatType = iota
	Float64Type
	Float16Type
	BFloat16Type
)

// Size is an element's size in bytes.
func (t FloatType) Size() int { return [...]int{4, 8, 2, 2}[t] }

func (t FloatType) String() string {
	return [...]string{"float32", "float64", "float16", "bfloat16"}[t]
}

// Round is the value that a float32 has once it is stored in the type.
func (t FloatType) Round(f float32) float32 {
	switch t {
	case Float16Type:
		return Float16FromFloat32(f).Float32()
	case BFloat16Type:
		return BFloat16FromFloat32(f).Float32()
	}
	return f
}

// smallestNormal is the smallest positive value that is not subnormal, in the
// types that scales may have.
func (t FloatType) smallestNormal() float32 {
	if t == Float16Type {
		return 0x1p-14
	}
	return 0x1p-126
}

// largest is the largest finite value, in the types that scales may have.
func (t FloatType) largest() float32 {
	switch t {
	case Float16Type:
		return 65504
	case BFloat16Type:
		return BFloat16(0x7f7f).Float32()
	}
	return math.MaxFloat32
}

// next is the value that follows a positive one of the type, above or below.
func (t FloatType) next(f float32, step int) float32 {
	switch t {
	case Float16Type:
		return Float16(int(Float16FromFloat32(f)) + step).Float32()
	case BFloat16Type:
		return BFloat16(int(BFloat16FromFloat32(f)) + step).Float32()
	}
	return math.Float32frombits(uint32(int64(math.Float32bits(f)) + int64(step)))
}

// Scheme says how weights become signed integers of at most 8 bits. Along which
// axis scales lie, and in what blocks, is said by the Weights.
type Scheme struct {
	// Bits is the integers' width, 2 to 8; 0 stands for 8.
	Bits int
	// Asymmetric gives each scale a zero point: q = round(w/scale) + zero in
	// −128…127 (for 8 bits), with scale = (max−min)/255 over a range that holds
	// 0. Else q = round(w/scale) in −127…127 with scale = absmax/127.
	Asymmetric bool
	// Scale is the type that scales are stored in. q is computed from the scale
	// as stored. Float64Type is not a scale type.
	Scale FloatType
}

// Range is the smallest and largest integer that weights become. A symmetric
// scheme leaves the most negative one out, so that −w becomes −q.
func (s Scheme) Range() (low, high int) {
	bits := s.Bits
	if bits == 0 {
		bits = 8
	}
	high = 1<<(bits-1) - 1
	if s.Asymmetric {
		return -high - 1, high
	}
	return -high, high
}

func (s Scheme) check() {
	if s.Bits != 0 && (s.Bits < 2 || s.Bits > 8) {
		panic("quantops: a scheme has 2 to 8 bits")
	}
	if s.Scale == Float64Type {
		panic("quantops: scales are not stored as float64")
	}
}

// magic, added to a float32 of at most 2²² in magnitude, leaves it no bits for a
// fraction: the sum is rounded half to even, and its low bits are the integer.
const (
	magic     = 3 << 22 // 1.5·2²³
	magicBits = 0x4b400000
)

// roundHalfEven is v as an integer. Beyond ±2²², which is far beyond what any
// of the integers here hold, the sign is what counts, and kept; NaN gives 2²².
func roundHalfEven(v float32) int32 {
	if !(v <= 1<<22) {
		v = 1 << 22
	} else if v < -1<<22 {
		v = -1 << 22
	}
	return int32(math.Float32bits(v+magic)) - magicBits
}
