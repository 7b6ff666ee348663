package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const tapsSignature = "func(dst *float32, dstStride int, src *float32, srcStride int, rows int, n int, weights *float32, offsets *int, taps int, bias float32)"

// tapsAVX512 keeps up to six vectors of a row in registers while all taps are
// added to them; the last one is masked at the end of a row.
func tapsAVX512() {
	const most = 6
	TEXT("tapsAVX512", NOSPLIT, tapsSignature)
	Doc("tapsAVX512 is tapsGeneric in AVX-512.")
	Pragma("noescape")
	dst, src, rows := loadArgument("dst"), loadArgument("src"), loadArgument("rows")
	weights, offsets, taps := loadArgument("weights"), loadArgument("offsets"), loadArgument("taps")
	VBROADCASTSS(argument("bias"), Z30)
	to, from, left, tap, at := GP64(), GP64(), GP64(), GP64(), GP64()
	Label("row")
	MOVQ(dst, to)
	MOVQ(src, from)
	MOVQ(argument("n"), left)
	Label("block")
	for vectors := most; vectors > 1; vectors-- {
		CMPQ(left, U8(16*(vectors-1)))
		JG(LabelRef(label("block%d", vectors)))
	}
	for vectors := 1; vectors <= most; vectors++ {
		if vectors > 1 {
			Label(label("block%d", vectors))
		}
		MOVQ(left, at)
		SUBQ(U8(16*(vectors-1)), at)
		if vectors == most {
			sixteen := GP64()
			MOVQ(U32(16), sixteen)
			CMPQ(at, sixteen)
			CMOVQGT(sixteen, at)
		}
		maskOf(at, K1)
		for vector := range vectors {
			VMOVAPS(Z30, zmm[vector])
		}
		XORQ(tap, tap)
		Label(label("tap%d", vectors))
		MOVQ(Mem{Base: offsets, Index: tap, Scale: 8}, at)
		VBROADCASTSS(Mem{Base: weights, Index: tap, Scale: 4}, Z31)
		for vector := range vectors {
			x := Mem{Base: from, Index: at, Scale: 4, Disp: 64 * vector}
			if vector == vectors-1 {
				VFMADD231PS(x, Z31, K1, zmm[vector])
			} else {
				VFMADD231PS(x, Z31, zmm[vector])
			}
		}
		INCQ(tap)
		CMPQ(tap, taps)
		JL(LabelRef(label("tap%d", vectors)))
		for vector := range vectors {
			if vector == vectors-1 {
				VMOVUPS(zmm[vector], K1, Mem{Base: to, Disp: 64 * vector})
			} else {
				VMOVUPS(zmm[vector], Mem{Base: to, Disp: 64 * vector})
			}
		}
		if vectors < most {
			JMP(LabelRef("next"))
			continue
		}
		ADDQ(U32(64*most), to)
		ADDQ(U32(64*most), from)
		SUBQ(U8(16*most), left)
		JG(LabelRef("block"))
	}
	Label("next")
	step := GP64()
	MOVQ(argument("dstStride"), step)
	LEAQ(Mem{Base: dst, Index: step, Scale: 4}, dst)
	MOVQ(argument("srcStride"), step)
	LEAQ(Mem{Base: src, Index: step, Scale: 4}, src)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// tapsAVX2 takes as many whole vectors at a time as there are, up to six, so that
// their sums need not wait for each other; then lanes of one.
func tapsAVX2() {
	const most = 6
	TEXT("tapsAVX2", NOSPLIT, tapsSignature)
	Doc("tapsAVX2 is tapsGeneric in AVX2 and FMA.")
	Pragma("noescape")
	dst, src, rows := loadArgument("dst"), loadArgument("src"), loadArgument("rows")
	weights, offsets, taps := loadArgument("weights"), loadArgument("offsets"), loadArgument("taps")
	VBROADCASTSS(argument("bias"), Y14)
	to, from, left, tap, at := GP64(), GP64(), GP64(), GP64(), GP64()
	Label("row")
	MOVQ(dst, to)
	MOVQ(src, from)
	MOVQ(argument("n"), left)
	Label("block")
	for vectors := most; vectors >= 1; vectors-- {
		CMPQ(left, U8(8*vectors))
		JGE(LabelRef(label("block%d", vectors)))
	}
	TESTQ(left, left)
	JLE(LabelRef("next"))

	laneMask(left, 0, Y13)
	VMOVAPS(Y14, Y0)
	XORQ(tap, tap)
	Label("restTap")
	MOVQ(Mem{Base: offsets, Index: tap, Scale: 8}, at)
	VBROADCASTSS(Mem{Base: weights, Index: tap, Scale: 4}, Y15)
	VMASKMOVPS(Mem{Base: from, Index: at, Scale: 4}, Y13, Y1)
	VFMADD231PS(Y1, Y15, Y0)
	INCQ(tap)
	CMPQ(tap, taps)
	JL(LabelRef("restTap"))
	storeRest("rest", Y0, left, Mem{Base: to})

	Label("next")
	step := GP64()
	MOVQ(argument("dstStride"), step)
	LEAQ(Mem{Base: dst, Index: step, Scale: 4}, dst)
	MOVQ(argument("srcStride"), step)
	LEAQ(Mem{Base: src, Index: step, Scale: 4}, src)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()

	for vectors := most; vectors >= 1; vectors-- {
		Label(label("block%d", vectors))
		for vector := range vectors {
			VMOVAPS(Y14, ymm[vector])
		}
		XORQ(tap, tap)
		Label(label("tap%d", vectors))
		MOVQ(Mem{Base: offsets, Index: tap, Scale: 8}, at)
		VBROADCASTSS(Mem{Base: weights, Index: tap, Scale: 4}, Y15)
		for vector := range vectors {
			VFMADD231PS(Mem{Base: from, Index: at, Scale: 4, Disp: 32 * vector}, Y15, ymm[vector])
		}
		INCQ(tap)
		CMPQ(tap, taps)
		JL(LabelRef(label("tap%d", vectors)))
		for vector := range vectors {
			VMOVUPS(ymm[vector], Mem{Base: to, Disp: 32 * vector})
		}
		ADDQ(U32(32*vectors), to)
		ADDQ(U32(32*vectors), from)
		SUBQ(U8(8*vectors), left)
		JMP(LabelRef("block"))
	}
}
