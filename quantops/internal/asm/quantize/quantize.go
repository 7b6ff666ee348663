package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Registers that hold what all floats of a sweep share.
const (
	far  = iota // 2²²: beyond it only the sign counts
	sign        // the bit of negative floats
	least
	most
	scale
	reciprocal
	bound    // far·scale
	negative // −bound
	zero
	firstFree
)

// quantizeEach makes the sweep over neighbours with scales of their own.
func (k *kernels) quantizeEach(l level, t float) string {
	return k.quantize(l, t, "quantizeEach"+t.name+l.name, true)
}

// quantizeShared makes the sweep over neighbours that share a scale.
func (k *kernels) quantizeShared(l level, t float) string {
	return k.quantize(l, t, "quantizeShared"+t.name+l.name, false)
}

// quantize makes either. Its quotient is that of a division, rounded correctly:
// from the correctly rounded reciprocal y of the scale s, a first quotient x·y is
// corrected twice by its remainder x − q·s, which a fused multiplication gives
// without a rounding that would matter. After the first time q is one of the two
// floats around x/s, after the second the nearer one (P. Markstein, Computation
// of elementary functions on the IBM RISC System/6000 processor, theorem 8). That
// takes a third of the time of a division instruction.
func (k *kernels) quantize(l level, t float, name string, each bool) string {
	doc := " quantizes floats with one scale and zero point."
	if each {
		doc = " quantizes floats with a scale and zero point for each."
	}
	k.function(name, name+doc)
	data, dst, scales, reciprocals, zeros, count := reg.RSI, reg.RDI, reg.R8, reg.R10, reg.R9, reg.RCX
	k.constant(l, 0x4a800000, far)
	k.constant(l, 0x80000000, sign)
	k.arguments(map[int]reg.Register{
		sweepData: data, sweepDst: dst, sweepScales: scales, sweepReciprocals: reciprocals, sweepZeros: zeros, sweepCount: count,
	})
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	k.VPBROADCASTD(at(reg.RAX, sweepLeast), v(least))
	k.VPBROADCASTD(at(reg.RAX, sweepMost), v(most))
	bounds := func() {
		k.VMULPS(v(far), v(scale), v(bound))
		if l.lanes == 16 {
			k.VPXORD(v(sign), v(bound), v(negative))
		} else {
			k.VXORPS(v(sign), v(bound), v(negative))
		}
	}
	if !each {
		k.VBROADCASTSS(at(scales, 0), v(scale))
		k.VBROADCASTSS(at(reciprocals, 0), v(reciprocal))
		k.MOVBLSX(at(zeros, 0), reg.EAX)
		k.VMOVD(reg.EAX, quarter(zero))
		k.VPBROADCASTD(quarter(zero), v(zero))
		bounds()
	}
	k.Label("next")
	k.prefetch(t, data)
	for part := range l.parts() {
		x, q, remainder := firstFree, firstFree+1, firstFree+3 // q of the first part stays
		if part == 1 {
			q = firstFree + 2
		}
		k.load(l, t, data, part, x, remainder)
		if each {
			k.VMOVUPS(at(scales, part*l.lanes*4), v(scale))
			k.VMOVUPS(at(reciprocals, part*l.lanes*4), v(reciprocal))
			bounds()
			k.VPMOVSXBD(at(zeros, part*l.lanes), v(zero))
		}
		k.VMINPS(v(bound), v(x), v(x)) // the bound, if x is NaN
		k.VMAXPS(v(negative), v(x), v(x))
		k.VMULPS(v(reciprocal), v(x), v(q))
		for range 2 {
			k.VMOVAPS(v(x), v(remainder))
			k.VFNMADD231PS(v(scale), v(q), v(remainder))
			k.VFMADD231PS(v(reciprocal), v(remainder), v(q))
		}
		k.VCVTPS2DQ(v(q), v(q))
		k.VPADDD(v(zero), v(q), v(q))
		k.VPMAXSD(v(least), v(q), v(q))
		k.VPMINSD(v(most), v(q), v(q))
	}
	if l.lanes == 16 {
		k.VPMOVDB(v(firstFree+1), at(dst, 0))
	} else {
		first, second := firstFree+1, firstFree+2
		k.VPACKSSDW(half(second), half(first), half(first))
		k.VPERMQ(operand.U8(0xd8), half(first), half(first))
		k.VEXTRACTI128(operand.Imm(1), half(first), quarter(second))
		k.VPACKSSWB(quarter(second), quarter(first), quarter(first))
		k.VMOVDQU(quarter(first), at(dst, 0))
	}
	k.ADDQ(operand.U32(step*t.size), data)
	k.ADDQ(operand.Imm(step), dst)
	if each {
		k.ADDQ(operand.Imm(step*4), scales)
		k.ADDQ(operand.Imm(step*4), reciprocals)
		k.ADDQ(operand.Imm(step), zeros)
	}
	k.SUBQ(operand.Imm(step), count)
	k.JNZ(operand.LabelRef("next"))
	k.VZEROUPPER()
	k.RET()
	return name
}

// transpose makes the transposition of bytes: eight rows at a time become
// columns, sixteen bytes of each in a turn. To interleave row i with row i+4 is
// to rotate the bits of each byte's address (row, then column) by one place;
// after three times the row's bits are the lowest.
func (k *kernels) transpose() {
	name := "transposeSweepAVX2"
	k.function(name, name+" writes eight rows of bytes as columns.")
	data, dst, stride, dstStride, count, row := reg.RSI, reg.RDI, reg.R8, reg.R9, reg.RCX, reg.RDX
	k.arguments(map[int]reg.Register{sweepData: data, sweepDst: dst, sweepStride: stride, sweepDstStride: dstStride, sweepCount: count})
	k.Label("next")
	k.MOVQ(data, row)
	rows := make([]int, 8) // the registers that hold them
	for i := range rows {
		rows[i] = i
		k.VMOVDQU(at(row, 0), quarter(i))
		k.ADDQ(stride, row)
	}
	free := 8
	for range 3 {
		next := make([]int, 8)
		for i := range 4 {
			a, b := rows[i], rows[i+4]
			k.VPUNPCKLBW(quarter(b), quarter(a), quarter(free))
			k.VPUNPCKHBW(quarter(b), quarter(a), quarter(b))
			next[2*i], next[2*i+1] = free, b
			free = a
		}
		rows = next
	}
	for _, r := range rows {
		k.VMOVQ(quarter(r), at(dst, 0))
		k.VMOVHPS(quarter(r), operand.Mem{Base: dst, Index: dstStride, Scale: 1})
		k.LEAQ(operand.Mem{Base: dst, Index: dstStride, Scale: 2}, dst)
	}
	k.ADDQ(operand.Imm(16), data)
	k.SUBQ(operand.Imm(16), count)
	k.JNZ(operand.LabelRef("next"))
	k.VZEROUPPER()
	k.RET()
}
