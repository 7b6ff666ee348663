package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

var (
	zmm = []VecPhysical{
		Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
		Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
	}
	ymm = []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15}
)

func loadArgument(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }

// argument is a parameter where it lies in the caller's frame.
func argument(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// maskOf sets k to the low count bits; count is from 0 to 16.
func maskOf(count GPVirtual, k Register) {
	bits := GP32()
	MOVL(U32(0xffffffff), bits)
	BZHIL(count.As32(), bits, bits)
	KMOVW(bits, k)
}

// lanes are the numbers 0 to 23: of lanes in three AVX2 registers.
func lanes() Mem {
	table := GLOBL("lanes", RODATA|NOPTR)
	for i := range 24 {
		DATA(4*i, U32(i))
	}
	return table
}

var laneTable *Mem

// laneMask sets mask to ones in the lanes first, first+1, … that are below count;
// the mask register serves as scratch on the way.
func laneMask(count GPVirtual, first int, mask VecPhysical) {
	if laneTable == nil {
		t := lanes()
		laneTable = &t
	}
	VMOVD(count.As32(), mask.AsX())
	VPBROADCASTD(mask.AsX(), mask)
	VPCMPGTD(laneTable.Offset(4*first), mask, mask)
}

func label(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// storeLanes stores the lanes of v that are below count, which is more than 0. It
// changes v.
func storeLanes(name string, v VecPhysical, count GPVirtual, to Mem) {
	CMPQ(count, U8(8))
	JL(LabelRef(name + "Part"))
	VMOVUPS(v, to)
	JMP(LabelRef(name + "Stored"))
	Label(name + "Part")
	storeRest(name, v, count, to)
	Label(name + "Stored")
}

// storeRest stores the lanes of v that are below count modulo 8, by whole stores of
// 4, 2 and 1: processors that have no AVX-512 take many times as long to store under
// a mask. It changes v.
func storeRest(name string, v VecPhysical, count GPVirtual, to Mem) {
	// Stores end where the lanes do, so each goes to what is left of the count.
	for _, lanes := range []int{4, 2, 1} {
		skip := label("%sRest%d", name, lanes)
		TESTL(U32(uint32(lanes)), count.As32())
		JZ(LabelRef(skip))
		switch lanes {
		case 4:
			VMOVUPS(v.AsX(), to)
			VEXTRACTF128(U8(1), v, v.AsX())
		case 2:
			VMOVLPS(v.AsX(), restAt(count, 4, to))
			VPERMILPS(U8(0b1110), v.AsX(), v.AsX())
		case 1:
			VMOVSS(v.AsX(), restAt(count, 6, to))
		}
		Label(skip)
	}
}

// restAt is to, moved on by the lanes that the bits of a count stand for.
func restAt(count GPVirtual, bits int, to Mem) Mem {
	at := GP64()
	MOVQ(count, at)
	ANDQ(I8(int8(bits)), at)
	to.Index, to.Scale = at, 4
	return to
}
