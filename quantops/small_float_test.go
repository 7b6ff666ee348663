package quantops

import (
	"math"
	"math/rand/v2"
	"testing"
)

// smallType drives one of the narrow float types through its exported functions.
type smallType struct {
	name    string
	bits    int
	value   func(code uint8) float32
	of      func(f float32, saturate bool) uint8
	formula func(code int) float64 // by the definition; NaN and infinities included
}

// ieeeLike is the value of sign, exponent and mantissa bits without any codes set aside.
func ieeeLike(exponentBits, mantissaBits, bias int) func(int) float64 {
	return func(code int) float64 {
		mantissa := code & (1<<mantissaBits - 1)
		exponent := code >> mantissaBits & (1<<exponentBits - 1)
		v := math.Ldexp(1+float64(mantissa)/float64(int(1)<<mantissaBits), exponent-bias)
		if exponent == 0 {
			v = math.Ldexp(float64(mantissa)/float64(int(1)<<mantissaBits), 1-bias)
		}
		if code>>(exponentBits+mantissaBits)&1 == 1 {
			v = -v
		}
		return v
	}
}

func setAside(formula func(int) float64, special map[int]float64) func(int) float64 {
	return func(code int) float64 {
		if v, ok := special[code]; ok {
			return v
		}
		return formula(code)
	}
}

var (
	nan      = math.NaN()
	infinite = math.Inf(1)
)

var smallTypes = []smallType{
	{"float8e4m3fn", 8,
		func(c uint8) float32 { return Float8E4M3FN(c).Float32() },
		func(f float32, s bool) uint8 { return uint8(Float8E4M3FNFromFloat32(f, s)) },
		setAside(ieeeLike(4, 3, 7), map[int]float64{0x7f: nan, 0xff: nan})},
	{"float8e4m3fnuz", 8,
		func(c uint8) float32 { return Float8E4M3FNUZ(c).Float32() },
		func(f float32, s bool) uint8 { return uint8(Float8E4M3FNUZFromFloat32(f, s)) },
		setAside(ieeeLike(4, 3, 8), map[int]float64{0x80: nan})},
	{"float8e5m2", 8,
		func(c uint8) float32 { return Float8E5M2(c).Float32() },
		func(f float32, s bool) uint8 { return uint8(Float8E5M2FromFloat32(f, s)) },
		setAside(ieeeLike(5, 2, 15), map[int]float64{
			0x7c: infinite, 0x7d: nan, 0x7e: nan, 0x7f: nan, 0xfc: -infinite, 0xfd: nan, 0xfe: nan, 0xff: nan})},
	{"float8e5m2fnuz", 8,
		func(c uint8) float32 { return Float8E5M2FNUZ(c).Float32() },
		func(f float32, s bool) uint8 { return uint8(Float8E5M2FNUZFromFloat32(f, s)) },
		setAside(ieeeLike(5, 2, 16), map[int]float64{0x80: nan})},
	{"float4e2m1", 4,
		func(c uint8) float32 { return Float4E2M1(c).Float32() },
		func(f float32, _ bool) uint8 { return uint8(Float4E2M1FromFloat32(f)) },
		ieeeLike(2, 1, 1)},
	{"float6e2m3", 6,
		func(c uint8) float32 { return Float6E2M3(c).Float32() },
		func(f float32, _ bool) uint8 { return uint8(Float6E2M3FromFloat32(f)) },
		ieeeLike(2, 3, 1)},
	{"float6e3m2", 6,
		func(c uint8) float32 { return Float6E3M2(c).Float32() },
		func(f float32, _ bool) uint8 { return uint8(Float6E3M2FromFloat32(f)) },
		ieeeLike(3, 2, 3)},
}

func TestSmallFloatValues(t *testing.T) {
	for _, s := range smallTypes {
		for code := range 1 << s.bits {
			if got, want := s.value(uint8(code)), float32(s.formula(code)); !sameFloat(got, want) {
				t.Errorf("%s: %#02x is %v, want %v", s.name, code, got, want)
			}
		}
	}
}

// nearest finds the code of the finite value nearest to f, of two as near the
// one with an even code; beyond says that f rounds past the largest.
func (s smallType) nearest(f float64) (code int, beyond bool) {
	sign := 0
	if math.Signbit(f) {
		sign, f = 1<<(s.bits-1), -f
	}
	largest := 0
	for c := range 1 << (s.bits - 1) {
		v := s.formula(c)
		if v-v != 0 { // NaN or infinite
			break
		}
		largest = c
		distance, best := math.Abs(v-f), math.Abs(s.formula(code)-f)
		if distance < best || distance == best && c%2 == 0 {
			code = c
		}
	}
	// Past the middle between the largest and what would come next.
	step := s.formula(largest) - s.formula(largest-1)
	over := f - s.formula(largest)
	beyond = over > step/2 || over == step/2 && largest%2 == 1
	return sign | code, beyond
}

func TestSmallFloatRounding(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, s := range smallTypes {
		var values []float32
		for a := range 1 << (s.bits - 1) {
			if v := s.formula(a); v-v == 0 {
				values = append(values, float32(v), float32(v+s.formula(a-1))/2, float32(v*1.25), float32(v*1.75))
			}
		}
		for range 2000 {
			values = append(values, float32(math.Ldexp(random.Float64(), random.IntN(60)-35)))
		}
		for _, magnitude := range values {
			if magnitude != magnitude {
				continue
			}
			for _, near := range []float32{magnitude, math.Nextafter32(magnitude, 0), math.Nextafter32(magnitude, 1e9), -magnitude} {
				want, beyond := s.nearest(float64(near))
				if beyond {
					continue // TestSmallFloatSpecials
				}
				if v := s.formula(want); v != v {
					want = 0 // no negative zero
				}
				if got := s.of(near, false); int(got) != want {
					t.Errorf("%s: %v becomes %#02x, want %#02x", s.name, near, got, want)
				}
				if got := s.of(near, true); int(got) != want {
					t.Errorf("%s: %v becomes %#02x when saturating, want %#02x", s.name, near, got, want)
				}
			}
		}
	}
}

// TestSmallFloatSpecials is the two tables of ONNX's Cast.
func TestSmallFloatSpecials(t *testing.T) {
	inputs := []float32{0, float32(math.Copysign(0, -1)), float32(nan), float32(infinite), float32(-infinite), 1e9, -1e9}
	tests := []struct {
		name           string
		saturated, not []float64
	}{
		{"float8e4m3fn", []float64{0, math.Copysign(0, -1), nan, 448, -448, 448, -448}, []float64{0, math.Copysign(0, -1), nan, nan, nan, nan, nan}},
		{"float8e4m3fnuz", []float64{0, 0, nan, 240, -240, 240, -240}, []float64{0, 0, nan, nan, nan, nan, nan}},
		{"float8e5m2", []float64{0, math.Copysign(0, -1), nan, 57344, -57344, 57344, -57344}, []float64{0, math.Copysign(0, -1), nan, infinite, -infinite, infinite, -infinite}},
		{"float8e5m2fnuz", []float64{0, 0, nan, 57344, -57344, 57344, -57344}, []float64{0, 0, nan, nan, nan, nan, nan}},
		{"float4e2m1", []float64{0, math.Copysign(0, -1), math.Copysign(0, -1), 6, -6, 6, -6}, nil},
		{"float6e2m3", []float64{0, math.Copysign(0, -1), math.Copysign(0, -1), 7.5, -7.5, 7.5, -7.5}, nil},
		{"float6e3m2", []float64{0, math.Copysign(0, -1), math.Copysign(0, -1), 28, -28, 28, -28}, nil},
	}
	for i, test := range tests {
		s := smallTypes[i]
		if s.name != test.name {
			t.Fatalf("row %d is %s", i, s.name)
		}
		for j, f := range inputs {
			if got := s.value(s.of(f, true)); !sameFloat(got, float32(test.saturated[j])) {
				t.Errorf("%s: %v saturates to %v, want %v", s.name, f, got, test.saturated[j])
			}
			if test.not == nil {
				continue
			}
			if got := s.value(s.of(f, false)); !sameFloat(got, float32(test.not[j])) {
				t.Errorf("%s: %v becomes %v, want %v", s.name, f, got, test.not[j])
			}
		}
	}
	// The sign of a NaN is kept where the format has one for it.
	negativeNaN := math.Float32frombits(0xffc00000)
	if got := Float8E4M3FNFromFloat32(negativeNaN, true); got != 0xff {
		t.Errorf("-NaN as float8e4m3fn is %#02x", got)
	}
	if got := Float8E4M3FNFromFloat32(float32(-infinite), false); got != 0xff {
		t.Errorf("-infinity as float8e4m3fn is %#02x", got)
	}
	if got := Float8E5M2FromFloat32(negativeNaN, false); got != 0xff {
		t.Errorf("-NaN as float8e5m2 is %#02x", got)
	}
}

// TestFloat64ToSmallFloats goes through RoundToOdd, where rounding to float32
// first would land on the middle and round the wrong way.
func TestFloat64ToSmallFloats(t *testing.T) {
	justAbove := 1 + 0x1p-4 + 0x1p-40 // beyond the middle of 1 and 1.125, by less than float32 holds
	if got := Float8E4M3FNFromFloat32(RoundToOdd(justAbove), true).Float32(); got != 1.125 {
		t.Errorf("%v becomes %v", justAbove, got)
	}
	if got := Float8E4M3FNFromFloat32(float32(justAbove), true).Float32(); got != 1 {
		t.Errorf("the example does not show what it is meant to: %v", got)
	}
}

func TestPowersOfTwo(t *testing.T) {
	tests := []struct {
		f                 float32
		up, down, nearest float32 // saturating
		strict            float32 // rounded to the nearest, not saturating
	}{
		{1, 1, 1, 1, 1},
		{1.25, 2, 1, 1, 1},
		{1.5, 2, 1, 2, 2},
		{1.75, 2, 1, 2, 2},
		{0.3, 0.5, 0.25, 0.25, 0.25},
		{0, 0x1p-127, 0x1p-127, 0x1p-127, float32(nan)},
		{0x1p-127, 0x1p-127, 0x1p-127, 0x1p-127, 0x1p-127},
		{0x1p-149, 0x1p-127, 0x1p-127, 0x1p-127, float32(nan)},
		{0x1.8p-127, 0x1p-126, 0x1p-127, 0x1p-126, 0x1p-126},
		{0x1.8p-128, 0x1p-127, 0x1p-127, 0x1p-127, 0x1p-127},
		{math.MaxFloat32, 0x1p127, 0x1p127, 0x1p127, float32(nan)},
		{0x1.4p127, 0x1p127, 0x1p127, 0x1p127, 0x1p127},
		{float32(infinite), 0x1p127, 0x1p127, 0x1p127, float32(nan)},
		{float32(nan), float32(nan), float32(nan), float32(nan), float32(nan)},
	}
	for _, test := range tests {
		got := []float32{
			Float8E8M0FromFloat32(test.f, true, RoundUp).Float32(),
			Float8E8M0FromFloat32(test.f, true, RoundDown).Float32(),
			Float8E8M0FromFloat32(test.f, true, RoundNearest).Float32(),
			Float8E8M0FromFloat32(test.f, false, RoundNearest).Float32(),
		}
		for i, want := range []float32{test.up, test.down, test.nearest, test.strict} {
			if !sameFloat(got[i], want) {
				t.Errorf("%v in mode %d is %v, want %v", test.f, i, got[i], want)
			}
		}
	}
	for code := range 255 {
		if got := Float8E8M0(code).Float32(); got != float32(math.Ldexp(1, code-127)) {
			t.Errorf("code %d is %v", code, got)
		}
	}
}
