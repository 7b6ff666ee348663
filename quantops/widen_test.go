package quantops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// converted runs a conversion into a slice with guards around, after an offset.
func converted[To ~uint16 | float32, From any](t *testing.T, convert func(dst []To, src []From), src []From, offset int, guard To) []To {
	t.Helper()
	all := make([]To, offset+len(src)+40)
	for i := range all {
		all[i] = guard
	}
	convert(all[offset:], src)
	for i, v := range all {
		if (i < offset || i >= offset+len(src)) && v != guard {
			t.Fatalf("%d elements at offset %d: element %d is written", len(src), offset, i-offset)
		}
	}
	return all[offset:][:len(src)]
}

// TestConversionsBitForBit compares the conversions in bulk with those of one
// element at a time, for all codes and for float32 with any bits, at odd lengths
// and offsets.
func TestConversionsBitForBit(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	codes := make([]Float16, 1<<16)
	for i := range codes {
		codes[i] = Float16(i)
	}
	floats := make([]float32, 1<<16)
	for i := range floats {
		floats[i] = math.Float32frombits(random.Uint32())
		switch i % 4 {
		case 0: // in float16's range
			floats[i] = float32(random.NormFloat64() * math.Exp2(float64(random.IntN(40)-26)))
		case 1: // half way between two codes, or beside that
			floats[i] = math.Float32frombits(math.Float32bits(Float16(random.Uint32()).Float32()) + 1<<12 + uint32(random.IntN(3)) - 1)
		}
	}
	for n := range 70 {
		compareConversions(t, codes[n*100:][:n], floats[n*100:][:n], n%5)
	}
	compareConversions(t, codes, floats, 3)
}

func compareConversions(t *testing.T, codes []Float16, floats []float32, offset int) {
	t.Helper()
	brains := make([]BFloat16, len(codes))
	for i, c := range codes {
		brains[i] = BFloat16(c)
	}
	widened, widenedBrains := converted(t, WidenFloat16, codes, offset, 7), converted(t, WidenBFloat16, brains, offset, 7)
	for i, c := range codes {
		if got, want := math.Float32bits(widened[i]), math.Float32bits(c.Float32()); got != want {
			t.Fatalf("float16 %#04x is %#08x, want %#08x", uint16(c), got, want)
		}
		if got, want := math.Float32bits(widenedBrains[i]), uint32(c)<<16; got != want {
			t.Fatalf("bfloat16 %#04x is %#08x, want %#08x", uint16(c), got, want)
		}
	}
	narrowed, narrowedBrains := converted(t, NarrowFloat16, floats, offset, 7), converted(t, NarrowBFloat16, floats, offset, 7)
	rounded := converted(t, RoundFloat16, floats, offset, 7)
	addend := slices.Clone(floats)
	slices.Reverse(addend)
	summed := converted(t, func(dst, src []float32) { RoundFloat16AndAdd(dst, src, addend) }, floats, offset, 7)
	for i, f := range floats {
		if got, want := narrowed[i], Float16FromFloat32(f); got != want {
			t.Fatalf("%v (%#08x) becomes float16 %#04x, want %#04x", f, math.Float32bits(f), uint16(got), uint16(want))
		}
		if got, want := math.Float32bits(rounded[i]), math.Float32bits(Float16FromFloat32(f).Float32()); got != want {
			t.Fatalf("%v (%#08x) is rounded to %#08x, want %#08x", f, math.Float32bits(f), got, want)
		}
		if got, want := math.Float32bits(summed[i]), math.Float32bits(Float16FromFloat32(f).Float32()+floats[len(floats)-1-i]); got != want && summed[i] == summed[i] {
			t.Fatalf("%v (%#08x) is rounded and added to, and becomes %#08x, want %#08x", f, math.Float32bits(f), got, want)
		}
		if got, want := narrowedBrains[i], BFloat16FromFloat32(f); got != want {
			t.Fatalf("%v (%#08x) becomes bfloat16 %#04x, want %#04x", f, math.Float32bits(f), uint16(got), uint16(want))
		}
	}
}

func BenchmarkConversions(b *testing.B) {
	const n = 16 << 10
	halves, brains, floats := make([]Float16, n), make([]BFloat16, n), make([]float32, n)
	for i := range floats {
		floats[i] = float32(i)
	}
	for name, convert := range map[string]func(){
		"WidenFloat16/generic":   func() { widenFloat16Generic(floats, halves) },
		"WidenFloat16":           func() { WidenFloat16(floats, halves) },
		"NarrowFloat16/generic":  func() { narrowFloat16Generic(halves, floats) },
		"NarrowFloat16":          func() { NarrowFloat16(halves, floats) },
		"WidenBFloat16/generic":  func() { widenBFloat16Generic(floats, brains) },
		"WidenBFloat16":          func() { WidenBFloat16(floats, brains) },
		"NarrowBFloat16/generic": func() { narrowBFloat16Generic(brains, floats) },
		"NarrowBFloat16":         func() { NarrowBFloat16(brains, floats) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(6 * n)
			for b.Loop() {
				convert()
			}
		})
	}
}
