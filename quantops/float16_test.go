package quantops

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/x448/float16"
)

func sameFloat(a, b float32) bool {
	return a == b && math.Signbit(float64(a)) == math.Signbit(float64(b)) || a != a && b != b
}

// TestFloat16AgainstAnotherImplementation visits every code, and all float32
// values beside those that codes stand for and beside the middles between them.
func TestFloat16AgainstAnotherImplementation(t *testing.T) {
	all := make([]Float16, 1<<16)
	for i := range all {
		all[i] = Float16(i)
	}
	widened := make([]float32, len(all))
	WidenFloat16(widened, all)
	for i, h := range all {
		want := float16.Frombits(uint16(i)).Float32()
		if got := h.Float32(); !sameFloat(got, want) || math.Float32bits(widened[i]) != math.Float32bits(got) {
			t.Fatalf("%#04x is %v, in bulk %v, want %v", i, got, widened[i], want)
		}
		middle := math.Float32bits(want) + 1<<12
		for near := uint32(0); near < 5; near++ {
			for _, bits := range []uint32{math.Float32bits(want) + near - 2, middle + near - 2} {
				f := math.Float32frombits(bits)
				want := uint16(float16.Fromfloat32(f))
				if got := uint16(Float16FromFloat32(f)); got != want && f == f {
					t.Fatalf("%v (%#08x) becomes %#04x, want %#04x", f, bits, got, want)
				}
			}
		}
	}
}

func TestFloat16OfAnyFloat32(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1 << 20 {
		f := math.Float32frombits(random.Uint32())
		want := float16.Fromfloat32(f)
		got := Float16FromFloat32(f)
		if f != f {
			if got&0x7fff <= 0x7c00 {
				t.Fatalf("a NaN becomes %#04x", got)
			}
		} else if uint16(got) != uint16(want) {
			t.Fatalf("%v becomes %#04x, want %#04x", f, got, want)
		}
	}
}

// nearest16 is the code of the nearer of the two neighbours of f, found by
// comparing distances in float64; the even one if both are as near.
func nearest16(f float64, value func(uint16) float64, infinity uint16) uint16 {
	sign := uint16(0)
	if math.Signbit(f) {
		sign, f = 0x8000, -f
	}
	low, high := uint16(0), infinity
	for high-low > 1 {
		if middle := (low + high) / 2; value(middle) <= f {
			low = middle
		} else {
			high = middle
		}
	}
	if high == infinity && math.IsInf(f, 1) {
		return sign | infinity
	}
	// The number that would follow the largest stands for infinity.
	above := value(high)
	if high == infinity {
		above = 2*value(low) - value(low-1)
	}
	below := f - value(low)
	if rest := above - f; below > rest || below == rest && low&1 == 1 {
		return sign | high
	}
	return sign | low
}

func TestFloat64RoundsOnce(t *testing.T) {
	float16Value := func(c uint16) float64 { return float64(Float16(c).Float32()) }
	bfloat16Value := func(c uint16) float64 { return float64(BFloat16(c).Float32()) }
	random := rand.New(rand.NewPCG(3, 4))
	values := []float64{0, math.Copysign(0, -1), 1e300, -1e300, 1e-300, math.Inf(1), math.MaxFloat32, 1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-8 - 0x1p-50}
	for range 100000 {
		// Near a middle between two codes, where rounding twice goes wrong.
		middle := float16Value(uint16(random.UintN(0x7bff))) + float16Value(uint16(random.UintN(0x7bff)))
		values = append(values, middle*(1+(random.Float64()-0.5)*0x1p-28), math.Ldexp(random.Float64()-0.5, random.IntN(300)-150))
	}
	for _, f := range values {
		if got, want := uint16(Float16FromFloat64(f)), nearest16(f, float16Value, 0x7c00); got != want {
			t.Errorf("%v as float16 is %#04x, want %#04x", f, got, want)
		}
		if got, want := uint16(BFloat16FromFloat64(f)), nearest16(f, bfloat16Value, 0x7f80); got != want {
			t.Errorf("%v as bfloat16 is %#04x, want %#04x", f, got, want)
		}
		if got, want := uint16(BFloat16FromFloat32(float32(f))), nearest16(float64(float32(f)), bfloat16Value, 0x7f80); got != want {
			t.Errorf("%v as bfloat16 is %#04x, want %#04x", float32(f), got, want)
		}
	}
	if h := Float16FromFloat64(math.NaN()); h.Float32() == h.Float32() {
		t.Errorf("NaN becomes %#04x", h)
	}
	if b := BFloat16FromFloat32(math.Float32frombits(0x7f800001)); b.Float32() == b.Float32() {
		t.Errorf("a NaN whose upper bits are those of infinity becomes %#04x", b)
	}
}

func TestBulkConversions(t *testing.T) {
	values := []float32{1, -2.5, 65520, 0x1p-25, float32(math.Inf(-1)), 3.14159}
	halves, brains := make([]Float16, len(values)), make([]BFloat16, len(values))
	NarrowFloat16(halves, values)
	NarrowBFloat16(brains, values)
	back, backBrains, generic := make([]float32, len(values)), make([]float32, len(values)), make([]float32, len(values))
	WidenFloat16(back, halves)
	WidenBFloat16(backBrains, brains)
	Widen(generic, halves)
	for i, v := range values {
		if want := Float16FromFloat32(v).Float32(); back[i] != want || generic[i] != want {
			t.Errorf("%v comes back from float16 as %v and %v, want %v", v, back[i], generic[i], want)
		}
		if want := BFloat16FromFloat32(v).Float32(); backBrains[i] != want {
			t.Errorf("%v comes back from bfloat16 as %v, want %v", v, backBrains[i], want)
		}
	}
}
