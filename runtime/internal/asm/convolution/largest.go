package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const largestSignature = "func(dst *float32, dstStride int, src *float32, srcStride int, rows int, n int, offsets *int, taps int, step int)"

// largest writes the loops over rows, vectors and taps, once for neighbours and
// once for every second element.
func largest(lanes int, prepare func(left GPVirtual), read, readSecond func(from Mem, second Mem), first, next func(), store func(name string, left GPVirtual, to Mem)) {
	dst, src, rows := loadArgument("dst"), loadArgument("src"), loadArgument("rows")
	offsets, taps, step := loadArgument("offsets"), loadArgument("taps"), loadArgument("step")
	to, from, left, tap, at := GP64(), GP64(), GP64(), GP64(), GP64()
	MOVQ(argument("n"), left)
	prepare(left)
	Label("row")
	MOVQ(dst, to)
	MOVQ(src, from)
	MOVQ(argument("n"), left)
	CMPQ(step, U8(2))
	JEQ(LabelRef("second"))
	for _, second := range []bool{false, true} {
		name := "neighbour"
		if second {
			name = "second"
		}
		Label(name)
		// Short rows have one vector each, and the same masks.
		CMPQ(argument("n"), U8(lanes))
		JLE(LabelRef(name + "Prepared"))
		prepare(left)
		Label(name + "Prepared")
		load := func() {
			MOVQ(Mem{Base: offsets, Index: tap, Scale: 8}, at)
			x := Mem{Base: from, Index: at, Scale: 4}
			if second {
				readSecond(x, x.Offset(4*lanes))
			} else {
				read(x, x)
			}
		}
		XORQ(tap, tap)
		load()
		first()
		Label(name + "Tap")
		INCQ(tap)
		CMPQ(tap, taps)
		JGE(LabelRef(name + "Store"))
		load()
		next()
		JMP(LabelRef(name + "Tap"))
		Label(name + "Store")
		store(name+"Lanes", left, Mem{Base: to})
		ADDQ(U8(4*lanes), to)
		if second {
			ADDQ(U32(8*lanes), from)
		} else {
			ADDQ(U8(4*lanes), from)
		}
		SUBQ(U8(lanes), left)
		JG(LabelRef(name))
		if !second {
			JMP(LabelRef("next"))
		}
	}
	Label("next")
	stride := GP64()
	MOVQ(argument("dstStride"), stride)
	LEAQ(Mem{Base: dst, Index: stride, Scale: 4}, dst)
	MOVQ(argument("srcStride"), stride)
	LEAQ(Mem{Base: src, Index: stride, Scale: 4}, src)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// clamped sets count to min(max(twice·left − less, 0), most).
func clamped(left GPVirtual, twice bool, less, most int, count GPVirtual) {
	bound := GP64()
	MOVQ(left, count)
	if twice {
		ADDQ(left, count)
	}
	if less > 0 {
		SUBQ(U8(less), count)
	}
	XORQ(bound, bound)
	CMPQ(count, bound)
	CMOVQLT(bound, count)
	MOVQ(U32(uint32(most)), bound)
	CMPQ(count, bound)
	CMOVQGT(bound, count)
}

// largestAVX512: of the operands of the maximum, the second is kept if one is
// a NaN.
func largestAVX512() {
	TEXT("largestAVX512", NOSPLIT, largestSignature)
	Doc("largestAVX512 is largestGeneric in AVX-512.")
	Pragma("noescape")
	even := GLOBL("even16", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(2*i))
	}
	VMOVUPS(even, Z5)
	largest(16,
		func(left GPVirtual) {
			count := GP64()
			clamped(left, false, 0, 16, count)
			maskOf(count, K1)
			clamped(left, true, 1, 16, count)
			maskOf(count, K2)
			clamped(left, true, 17, 15, count)
			maskOf(count, K3)
		},
		func(x, _ Mem) { VMOVUPS_Z(x, K1, Z1) },
		func(x, second Mem) {
			VMOVUPS_Z(x, K2, Z1)
			VMOVUPS_Z(second, K3, Z2)
			VPERMT2PS(Z2, Z5, Z1)
		},
		func() { VMOVAPS(Z1, Z0) },
		func() { VMAXPS(Z0, Z1, Z0) },
		func(_ string, _ GPVirtual, to Mem) { VMOVUPS(Z0, K1, to) })
}

func largestAVX2() {
	TEXT("largestAVX2", NOSPLIT, largestSignature)
	Doc("largestAVX2 is largestGeneric in AVX2.")
	Pragma("noescape")
	largest(8,
		func(left GPVirtual) {
			count := GP64()
			laneMask(left, 0, Y5)
			clamped(left, true, 1, 64, count)
			laneMask(count, 0, Y6)
			laneMask(count, 8, Y7)
		},
		func(x, _ Mem) { VMASKMOVPS(x, Y5, Y1) },
		func(x, second Mem) {
			VMASKMOVPS(x, Y6, Y1)
			VMASKMOVPS(second, Y7, Y2)
			VSHUFPS(U8(0x88), Y2, Y1, Y1)
			VPERMPD(U8(0xd8), Y1, Y1)
		},
		func() { VMOVAPS(Y1, Y0) },
		func() { VMAXPS(Y0, Y1, Y0) },
		func(name string, left GPVirtual, to Mem) { storeLanes(name, Y0, left, to) })
}
