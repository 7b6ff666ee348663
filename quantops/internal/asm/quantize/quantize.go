package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// group is how many floats are quantized at a time where no quotient needs more
// care; what is left of a sweep is divided, a step at a time.
const group = 32

// Registers of a sweep that quantizes.
var (
	quantizeData        = reg.RSI
	quantizeDst         = reg.RDI
	quantizeScales      = reg.R8
	quantizeReciprocals = reg.R10
	quantizeZeros       = reg.R9
	quantizeLeft        = reg.RCX // floats
	quantizeAhead       = reg.R11 // bytes
	quantizeSteps       = reg.RBX // to divide
)

// Vectors that hold what all groups of a sweep share.
const (
	groupFar        = iota // 2²²: beyond it only the sign counts
	groupNear              // ½ − 2⁻¹⁴
	groupSign              // the bit of negative floats, or −2²² where there are zero points
	groupLeast             // bytes
	groupMost              // bytes
	groupOrder             // of the fours of bytes that packing has interleaved
	groupReciprocal        // or a temporary, if each float has its own
	groupZero              // or a temporary
	groupFree
)

// quantizeEach makes the sweep over neighbours with scales of their own.
func (k *kernels) quantizeEach(l level, t float) string {
	return k.quantize(l, t, "quantizeEach"+t.name+l.name, true)
}

// quantizeShared makes the sweep over neighbours that share a scale.
func (k *kernels) quantizeShared(l level, t float) string {
	return k.quantize(l, t, "quantizeShared"+t.name+l.name, false)
}

// quantize makes either, once with zero points and once without.
//
// A weight x is to become the integer nearest to the float nearest to x/s. With
// the correctly rounded reciprocal y of the scale s, the product x·y is off x/s
// by 2⁻²³ of it. A quotient beyond ±256 is clamped whatever zero point it gets, so
// the product is off by at most 2⁻¹⁵, and rounding x/s by 2⁻¹⁷. So wherever the
// product is no more than ½ − 2⁻¹⁴ away from an integer, that is the one. Of a
// thousand groups a few have a product that is further away: those are divided.
func (k *kernels) quantize(l level, t float, name string, each bool) string {
	doc := " quantizes floats with one scale and zero point."
	if each {
		doc = " quantizes floats with a scale and zero point for each."
	}
	k.function(name, name+doc)
	k.arguments(map[int]reg.Register{
		sweepData: quantizeData, sweepDst: quantizeDst, sweepScales: quantizeScales,
		sweepReciprocals: quantizeReciprocals, sweepZeros: quantizeZeros, sweepCount: quantizeLeft, sweepAhead: quantizeAhead,
	})
	k.TESTQ(quantizeZeros, quantizeZeros)
	k.JNZ(operand.LabelRef("shifted"))
	k.quantizeGroups(l, t, each, false)
	k.Label("shifted")
	k.quantizeGroups(l, t, each, true)
	return name
}

// quantizeGroups makes the loop over groups, and the one that divides.
func (k *kernels) quantizeGroups(l level, t float, each, shifted bool) {
	label := func(name string) string {
		if shifted {
			name = "shifted" + name
		}
		return name
	}
	jump := func(name string) operand.LabelRef { return operand.LabelRef(label(name)) }
	v := func(i int) reg.VecPhysical { return l.vectors[i] }

	k.Label(label("constants"))
	k.constant(l, 0x4a800000, groupFar)
	k.constant(l, 0x3efff800, groupNear)
	if shifted {
		k.constant(l, 0xca800000, groupSign)
	} else {
		k.constant(l, 0x80000000, groupSign)
	}
	k.VPBROADCASTB(at(reg.RAX, sweepLeast), half(groupLeast))
	k.VPBROADCASTB(at(reg.RAX, sweepMost), half(groupMost))
	k.packedOrder(l)
	if !each {
		k.VBROADCASTSS(at(quantizeReciprocals, 0), v(groupReciprocal))
		if shifted {
			k.sharedZero(l, groupZero)
		}
	}

	k.Label(label("groups"))
	k.CMPQ(quantizeLeft, operand.Imm(group))
	k.JB(jump("rest"))
	k.group(l, t, each, shifted)
	k.JNZ(jump("divide"))
	k.VMOVDQU(half(groupFree), at(quantizeDst, 0))
	k.advanceQuantize(t, each, shifted, group)
	k.JMP(jump("groups"))

	k.Label(label("divide"))
	k.MOVQ(operand.U32(group/step), quantizeSteps)
	k.JMP(jump("divided"))
	k.Label(label("rest"))
	k.MOVQ(quantizeLeft, quantizeSteps)
	k.SHRQ(operand.Imm(4), quantizeSteps)
	k.JZ(jump("end"))
	k.Label(label("divided"))
	k.divisionConstants(l, each, shifted)
	k.Label(label("steps"))
	k.divide(l, t, each, shifted)
	k.advanceQuantize(t, each, shifted, step)
	k.DECQ(quantizeSteps)
	k.JNZ(jump("steps"))
	k.JMP(jump("constants"))

	k.Label(label("end"))
	k.VZEROUPPER()
	k.RET()
}

// group quantizes a group to the first free register; the flags say whether a
// quotient needs more care.
func (k *kernels) group(l level, t float, each, shifted bool) {
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	parts := group / l.lanes
	integers := func(part int) int { return groupFree + part }
	q := groupFree + parts
	away := q + 1 // the farthest from an integer
	spare := q + 2
	k.prefetch(t, quantizeData, quantizeAhead, group)
	for part := range parts {
		k.load(l, t, quantizeData, part, q, spare)
		reciprocal := operand.Op(v(groupReciprocal))
		if each {
			reciprocal = at(quantizeReciprocals, part*l.lanes*4)
		}
		k.VMULPS(reciprocal, v(q), v(q))
		k.VMINPS(v(groupFar), v(q), v(q)) // far, if it is NaN
		if shifted {
			k.VMAXPS(v(groupSign), v(q), v(q)) // so that the sum with a zero point is in range
		}
		k.VCVTPS2DQ(v(q), v(integers(part)))
		k.fraction(l, q, integers(part), spare)
		switch {
		case part == 0:
			k.VMOVAPS(v(q), v(away))
		case l.lanes == 16:
			k.VRANGEPS(operand.U8(0x0b), v(q), v(away), v(away)) // of two the larger without its sign
		default:
			k.VMAXPS(v(q), v(away), v(away))
		}
		if !shifted {
			continue
		}
		if each {
			k.VPMOVSXBD(at(quantizeZeros, part*l.lanes), v(groupZero))
		}
		k.VPADDD(v(groupZero), v(integers(part)), v(integers(part)))
	}
	k.pack(l)
	const greater = 0x1e
	if l.lanes == 16 {
		k.VCMPPS(operand.U8(greater), v(groupNear), v(away), reg.K1)
		k.KORTESTW(reg.K1, reg.K1)
	} else {
		k.VCMPPS(operand.U8(greater), v(groupNear), v(away), v(away))
		k.VMOVMSKPS(v(away), reg.EDX)
		k.TESTL(reg.EDX, reg.EDX)
	}
}

// fraction replaces a quotient by how far it is from its integer: with AVX2
// without the sign.
func (k *kernels) fraction(l level, q, integer, spare int) {
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	if l.lanes == 16 {
		k.VREDUCEPS(operand.U8(8), v(q), v(q))
		return
	}
	k.VCVTDQ2PS(v(integer), v(spare))
	k.VSUBPS(v(spare), v(q), v(q))
	k.VPSLLD(operand.Imm(1), v(q), v(q))
	k.VPSRLD(operand.Imm(1), v(q), v(q))
}

// pack narrows the integers of a group to bytes in the first free register,
// within the range.
func (k *kernels) pack(l level) {
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	first := groupFree
	k.VPACKSSDW(v(first+1), v(first), v(first))
	second := first
	if l.lanes == 8 {
		second = first + 2
		k.VPACKSSDW(v(first+3), v(second), v(second))
	}
	k.VPACKSSWB(v(second), v(first), v(first))
	k.VPERMD(v(first), v(groupOrder), v(first))
	k.VPMAXSB(half(groupLeast), half(first), half(first))
	k.VPMINSB(half(groupMost), half(first), half(first))
}

// packedOrder is where the fours of bytes lie that belong side by side: packing
// takes turns between its operands in each 128 bits.
func (k *kernels) packedOrder(l level) {
	order := uint64(0x0703060205010400) // AVX2: two lanes of four parts
	if l.lanes == 16 {
		order = 0x0d0905010c080400 // four lanes of two parts, each twice
	}
	k.MOVQ(operand.U64(order), reg.RDX)
	k.VMOVQ(reg.RDX, quarter(groupOrder))
	k.VPMOVZXBD(quarter(groupOrder), half(groupOrder))
}

// sharedZero brings the one zero point into a register.
func (k *kernels) sharedZero(l level, i int) {
	k.MOVBLSX(at(quantizeZeros, 0), reg.EDX)
	k.VMOVD(reg.EDX, quarter(i))
	k.VPBROADCASTD(quarter(i), l.vectors[i])
}

// advanceQuantize goes on by so many floats.
func (k *kernels) advanceQuantize(t float, each, shifted bool, floats int) {
	k.ADDQ(operand.U32(floats*t.size), quantizeData)
	k.ADDQ(operand.Imm(uint64(floats)), quantizeDst)
	if each {
		k.ADDQ(operand.U32(floats*4), quantizeScales)
		k.ADDQ(operand.U32(floats*4), quantizeReciprocals)
		if shifted {
			k.ADDQ(operand.Imm(uint64(floats)), quantizeZeros)
		}
	}
	k.SUBQ(operand.Imm(uint64(floats)), quantizeLeft)
}
