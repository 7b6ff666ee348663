package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Vectors that hold what all steps share that divide.
const (
	far      = iota // 2²²: beyond it only the sign counts
	negative        // −far
	least
	most
	scale
	zero
	firstFree
)

// divisionConstants fills those vectors.
func (k *kernels) divisionConstants(l level, each, shifted bool) {
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	k.constant(l, 0x4a800000, far)
	k.constant(l, 0xca800000, negative)
	k.VPBROADCASTD(at(reg.RAX, sweepLeast), v(least))
	k.VPBROADCASTD(at(reg.RAX, sweepMost), v(most))
	if each {
		return
	}
	k.VBROADCASTSS(at(quantizeScales, 0), v(scale))
	if shifted {
		k.sharedZero(l, zero)
	}
}

// divide quantizes a step by divisions.
func (k *kernels) divide(l level, t float, each, shifted bool) {
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	for part := range l.parts() {
		q, spare := firstFree+part, firstFree+2 // q of the first part stays
		k.load(l, t, quantizeData, part, q, spare)
		divisor := operand.Op(v(scale))
		if each {
			divisor = at(quantizeScales, part*l.lanes*4)
		}
		k.VDIVPS(divisor, v(q), v(q))
		k.VMINPS(v(far), v(q), v(q)) // far, if it is NaN
		k.VMAXPS(v(negative), v(q), v(q))
		k.VCVTPS2DQ(v(q), v(q))
		if shifted {
			if each {
				k.VPMOVSXBD(at(quantizeZeros, part*l.lanes), v(zero))
			}
			k.VPADDD(v(zero), v(q), v(q))
		}
		k.VPMAXSD(v(least), v(q), v(q))
		k.VPMINSD(v(most), v(q), v(q))
	}
	if l.lanes == 16 {
		k.VPMOVDB(v(firstFree), at(quantizeDst, 0))
		return
	}
	first, second := firstFree, firstFree+1
	k.VPACKSSDW(half(second), half(first), half(first))
	k.VPERMQ(operand.U8(0xd8), half(first), half(first))
	k.VEXTRACTI128(operand.Imm(1), half(first), quarter(second))
	k.VPACKSSWB(quarter(second), quarter(first), quarter(first))
	k.VMOVDQU(quarter(first), at(quantizeDst, 0))
}
