package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Vectors that hold what all steps share that divide.
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

// divisionConstants fills those vectors.
func (k *kernels) divisionConstants(l level, each, shifted bool) {
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	k.constant(l, 0x4a800000, far)
	k.constant(l, 0x80000000, sign)
	k.VPBROADCASTD(at(reg.RAX, sweepLeast), v(least))
	k.VPBROADCASTD(at(reg.RAX, sweepMost), v(most))
	if each {
		return
	}
	k.VBROADCASTSS(at(quantizeScales, 0), v(scale))
	k.VBROADCASTSS(at(quantizeReciprocals, 0), v(reciprocal))
	k.divisionBounds(l)
	if shifted {
		k.sharedZero(l, zero)
	}
}

func (k *kernels) divisionBounds(l level) {
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	k.VMULPS(v(far), v(scale), v(bound))
	if l.lanes == 16 {
		k.VPXORD(v(sign), v(bound), v(negative))
	} else {
		k.VXORPS(v(sign), v(bound), v(negative))
	}
}

// divide quantizes a step. Its quotient is that of a division, rounded correctly:
// from the correctly rounded reciprocal y of the scale s, a first quotient x·y is
// corrected twice by its remainder x − q·s, which a fused multiplication gives
// without a rounding that would matter. After the first time q is one of the two
// floats around x/s, after the second the nearer one (P. Markstein, Computation
// of elementary functions on the IBM RISC System/6000 processor, theorem 8). That
// takes a third of the time of a division instruction.
func (k *kernels) divide(l level, t float, each, shifted bool) {
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	k.prefetch(t, quantizeData, quantizeAhead, step)
	for part := range l.parts() {
		x, q, remainder := firstFree, firstFree+1, firstFree+3 // q of the first part stays
		if part == 1 {
			q = firstFree + 2
		}
		k.load(l, t, quantizeData, part, x, remainder)
		if each {
			k.VMOVUPS(at(quantizeScales, part*l.lanes*4), v(scale))
			k.VMOVUPS(at(quantizeReciprocals, part*l.lanes*4), v(reciprocal))
			k.divisionBounds(l)
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
		k.VPMOVDB(v(firstFree+1), at(quantizeDst, 0))
		return
	}
	first, second := firstFree+1, firstFree+2
	k.VPACKSSDW(half(second), half(first), half(first))
	k.VPERMQ(operand.U8(0xd8), half(first), half(first))
	k.VEXTRACTI128(operand.Imm(1), half(first), quarter(second))
	k.VPACKSSWB(quarter(second), quarter(first), quarter(first))
	k.VMOVDQU(quarter(first), at(quantizeDst, 0))
}
