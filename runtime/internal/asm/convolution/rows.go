package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const gatherSignature = "func(panel *float32, src *float32, offsets *int, depth int, n int)"

func gatherAVX512() {
	TEXT("gatherAVX512", NOSPLIT, gatherSignature)
	Doc("gatherAVX512 is gatherGeneric in AVX-512.")
	Pragma("noescape")
	panel, src, offsets := loadArgument("panel"), loadArgument("src"), loadArgument("offsets")
	depth, n := loadArgument("depth"), loadArgument("n")
	CMPQ(n, U8(32))
	JG(LabelRef("depth3"))
	CMPQ(n, U8(16))
	JG(LabelRef("depth2"))
	JMP(LabelRef("depth1"))
	at := GP64()
	for vectors := 3; vectors >= 1; vectors-- {
		Label(label("depth%d", vectors))
		SUBQ(U8(16*(vectors-1)), n)
		maskOf(n, K1)
		Label(label("row%d", vectors))
		MOVQ(Mem{Base: offsets}, at)
		for vector := range vectors {
			from, to := Mem{Base: src, Index: at, Scale: 4, Disp: 64 * vector}, Mem{Base: panel, Disp: 64 * vector}
			if vector == vectors-1 {
				VMOVUPS_Z(from, K1, zmm[vector])
				VMOVUPS(zmm[vector], K1, to)
			} else {
				VMOVUPS(from, zmm[vector])
				VMOVUPS(zmm[vector], to)
			}
		}
		ADDQ(U8(8), offsets)
		ADDQ(U32(4*tileColumns), panel)
		DECQ(depth)
		JNZ(LabelRef(label("row%d", vectors)))
		VZEROUPPER()
		RET()
	}
}

func gatherAVX2() {
	const most = tileColumns / 8
	TEXT("gatherAVX2", NOSPLIT, gatherSignature)
	Doc("gatherAVX2 is gatherGeneric in AVX2.")
	Pragma("noescape")
	panel, src, offsets := loadArgument("panel"), loadArgument("src"), loadArgument("offsets")
	depth, left := loadArgument("depth"), loadArgument("n")
	for vectors := 1; vectors < most; vectors++ {
		CMPQ(left, U8(8*vectors))
		JLE(LabelRef(label("depth%d", vectors)))
	}
	at := GP64()
	for vectors := most; vectors >= 1; vectors-- {
		last := vectors - 1
		Label(label("depth%d", vectors))
		SUBQ(U8(8*last), left)
		laneMask(left, 0, Y15)
		Label(label("row%d", vectors))
		MOVQ(Mem{Base: offsets}, at)
		for vector := range vectors {
			from, to := Mem{Base: src, Index: at, Scale: 4, Disp: 32 * vector}, Mem{Base: panel, Disp: 32 * vector}
			if vector == last {
				VMASKMOVPS(from, Y15, ymm[vector])
				storeLanes(label("row%d", vectors), ymm[vector], left, to)
			} else {
				VMOVUPS(from, ymm[vector])
				VMOVUPS(ymm[vector], to)
			}
		}
		ADDQ(U8(8), offsets)
		ADDQ(U32(4*tileColumns), panel)
		DECQ(depth)
		JNZ(LabelRef(label("row%d", vectors)))
		VZEROUPPER()
		RET()
	}
}

// gatherPatternAVX512 reads 32 neighbours and stores those of them that the
// pattern names.
func gatherPatternAVX512() {
	TEXT("gatherPatternAVX512", NOSPLIT, "func(panel *float32, src *float32, offsets *int, depth int, pattern *[16]int32, span int, n int)")
	Doc("gatherPatternAVX512 is gatherPatternGeneric in AVX-512.")
	Pragma("noescape")
	panel, src, offsets := loadArgument("panel"), loadArgument("src"), loadArgument("offsets")
	depth, pattern, span, n := loadArgument("depth"), loadArgument("pattern"), loadArgument("span"), loadArgument("n")
	VMOVDQU32(Mem{Base: pattern}, Z5)
	maskOf(n, K1)
	count := GP64()
	clamped(span, false, 0, 16, count)
	maskOf(count, K2)
	clamped(span, false, 16, 16, count)
	maskOf(count, K3)
	at := GP64()
	Label("row")
	MOVQ(Mem{Base: offsets}, at)
	VMOVUPS_Z(Mem{Base: src, Index: at, Scale: 4}, K2, Z0)
	VMOVUPS_Z(Mem{Base: src, Index: at, Scale: 4, Disp: 64}, K3, Z1)
	VPERMT2PS(Z1, Z5, Z0)
	VMOVUPS(Z0, K1, Mem{Base: panel})
	ADDQ(U8(8), offsets)
	ADDQ(U32(4*tileColumns), panel)
	DECQ(depth)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

const rampSignature = "func(dst *float32, stride int, rows int, n int, numbers *[6]float32, step int, gate int)"

// rampAtOnce is how many vectors of a row a turn of ramp's loop takes.
const rampAtOnce = 4

// ramp writes the loop over rows; the operands of the maximum and the minimum
// stand so that a NaN is kept.
func ramp(registers []VecPhysical, lanes int, masked func(n GPVirtual), load func(m Mem), store func(name string, n GPVirtual, m Mem), whole func()) {
	dst, rows, numbers, gate := loadArgument("dst"), loadArgument("rows"), loadArgument("numbers"), loadArgument("gate")
	stride, step := loadArgument("stride"), loadArgument("step")
	x, y := registers[0], registers[1]
	alpha, beta, low, high, scale, offset := registers[10], registers[11], registers[12], registers[13], registers[14], registers[15]
	apply := func(x, y VecPhysical, gated bool) {
		VMOVAPS(alpha, y)
		VFMADD213PS(beta, x, y)
		VMAXPS(y, low, y)
		VMINPS(y, high, y)
		if gated {
			VMULPS(x, y, y)
		}
		VFMADD213PS(offset, scale, y)
	}
	n, to := GP64(), GP64()
	Label("row")
	for i, r := range []VecPhysical{alpha, beta, low, high, scale, offset} {
		VBROADCASTSS(Mem{Base: numbers, Disp: 4 * i}, r)
	}
	whole()
	MOVQ(argument("n"), n)
	MOVQ(dst, to)
	TESTQ(gate, gate)
	JNZ(LabelRef("gated"))
	for _, gated := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "gated"}[gated]
		Label(name)
		CMPQ(n, U8(rampAtOnce*lanes))
		JL(LabelRef(name + "Rest"))
		for i := range rampAtOnce {
			x, y, m := registers[3+i], append(registers[7:10:10], registers[0])[i], Mem{Base: to, Disp: 4 * lanes * i}
			VMOVUPS(m, x)
			apply(x, y, gated)
			VMOVUPS(y, m)
		}
		ADDQ(U32(4*rampAtOnce*lanes), to)
		SUBQ(U8(rampAtOnce*lanes), n)
		JMP(LabelRef(name))
		Label(name + "Rest")
		CMPQ(n, U8(lanes))
		JGE(LabelRef(name + "Vector"))
		TESTQ(n, n)
		JLE(LabelRef("next"))
		masked(n)
		Label(name + "Vector")
		load(Mem{Base: to})
		apply(x, y, gated)
		store(name, n, Mem{Base: to})
		ADDQ(U8(4*lanes), to)
		SUBQ(U8(lanes), n)
		JMP(LabelRef(name + "Rest"))
	}
	Label("next")
	LEAQ(Mem{Base: dst, Index: stride, Scale: 4}, dst)
	LEAQ(Mem{Base: numbers, Index: step, Scale: 4}, numbers)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

func rampAVX512() {
	TEXT("rampAVX512", NOSPLIT, rampSignature)
	Doc("rampAVX512 is rampGeneric in AVX-512.")
	Pragma("noescape")
	ramp(zmm, 16,
		func(n GPVirtual) { maskOf(n, K1) },
		func(m Mem) { VMOVUPS_Z(m, K1, Z0) },
		func(_ string, _ GPVirtual, m Mem) { VMOVUPS(Z1, K1, m) },
		func() {
			ones := GP32()
			MOVL(U32(0xffffffff), ones)
			KMOVW(ones, K1)
		})
}

func rampAVX2() {
	TEXT("rampAVX2", NOSPLIT, rampSignature)
	Doc("rampAVX2 is rampGeneric in AVX2 and FMA.")
	Pragma("noescape")
	ramp(ymm, 8,
		func(n GPVirtual) { laneMask(n, 0, Y2) },
		func(m Mem) { VMASKMOVPS(m, Y2, Y0) },
		func(name string, n GPVirtual, m Mem) { storeLanes(name, Y1, n, m) },
		func() { VPCMPEQD(Y2, Y2, Y2) })
}

func widenAVX2() {
	TEXT("widenAVX2", NOSPLIT, "func(dst *float32, q *int8, depth int, scales *float32, zeros *float32)")
	Doc("widenAVX2 is widenGeneric in AVX2.")
	Pragma("noescape")
	dst, q, depth, scales, zeros := loadArgument("dst"), loadArgument("q"), loadArgument("depth"), loadArgument("scales"), loadArgument("zeros")
	VMOVUPS(Mem{Base: scales}, Y14)
	VMOVUPS(Mem{Base: zeros}, Y15)
	TESTQ(depth, depth)
	JZ(LabelRef("done"))
	Label("step")
	VPMOVSXBD(Mem{Base: q}, Y0)
	VCVTDQ2PS(Y0, Y0)
	VSUBPS(Y15, Y0, Y0)
	VMULPS(Y14, Y0, Y0)
	VMOVUPS(Y0, Mem{Base: dst})
	ADDQ(U8(8), q)
	ADDQ(U8(32), dst)
	DECQ(depth)
	JNZ(LabelRef("step"))
	Label("done")
	VZEROUPPER()
	RET()
}
