package quantops

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestUnpackKnown(t *testing.T) {
	fours := make([]Int4, 3)
	Unpack(fours, []byte{0x8f, 0x07}, 4)
	if !slices.Equal(fours, []Int4{-1, -8, 7}) {
		t.Errorf("int4: %v", fours)
	}
	unsigned := make([]Uint4, 3)
	Unpack(unsigned, []byte{0x8f, 0x07}, 4)
	if !slices.Equal(unsigned, []Uint4{15, 8, 7}) {
		t.Errorf("uint4: %v", unsigned)
	}
	twos := make([]Int2, 5)
	Unpack(twos, []byte{0b11_10_01_00, 0b10}, 2)
	if !slices.Equal(twos, []Int2{0, 1, -2, -1, -2}) {
		t.Errorf("int2: %v", twos)
	}
	sixes := make([]Float6E2M3, 4)
	Unpack(sixes, []byte{0b10_000001, 0b0011_0000, 0b111111_00}, 6)
	if !slices.Equal(sixes, []Float6E2M3{1, 2, 3, 63}) {
		t.Errorf("6 bits: %v", sixes)
	}
}

func TestPackIsTheInverse(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for bits := 1; bits <= 8; bits++ {
		for count := range 20 {
			packed := make([]byte, PackedLen(count, bits))
			for i := range packed {
				packed[i] = byte(random.Uint32())
			}
			if rest := count * bits % 8; rest > 0 {
				packed[len(packed)-1] &= 1<<rest - 1
			}
			signed, unsigned := make([]int8, count), make([]uint8, count)
			Unpack(signed, packed, bits)
			Unpack(unsigned, packed, bits)
			for i := range signed {
				if uint8(signed[i])<<(8-bits) != unsigned[i]<<(8-bits) {
					t.Fatalf("%d bits: element %d is %d and %d", bits, i, signed[i], unsigned[i])
				}
				if low, high := int8(-1)<<(bits-1), int8(uint8(1)<<(bits-1)-1); signed[i] < low || signed[i] > high {
					t.Fatalf("%d bits: element %d is %d", bits, i, signed[i])
				}
			}
			for _, again := range [][]byte{packElements(signed, bits), packElements(unsigned, bits)} {
				if !bytes.Equal(again, packed) {
					t.Fatalf("%d bits, %d elements: %x comes back as %x", bits, count, packed, again)
				}
			}
		}
	}
}

func packElements[T ~int8 | ~uint8](elements []T, bits int) []byte {
	packed := make([]byte, PackedLen(len(elements), bits))
	Pack(packed, elements, bits)
	return packed
}

func TestIntegerValues(t *testing.T) {
	if Int4(-8).Float32() != -8 || Uint4(15).Float32() != 15 || Int2(-2).Float32() != -2 || Uint2(3).Float32() != 3 {
		t.Error("small integers are not themselves")
	}
}
