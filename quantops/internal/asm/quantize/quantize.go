package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// group is how many floats are quantized at a time, unless some of them must be
// divided; what is left of a sweep is divided, a step at a time.
const group = 32

// Registers of a sweep that quantizes.
var (
	quantizeData   = reg.RSI
	quantizeDst    = reg.RDI
	quantizeScales = reg.R8
	quantizeOver   = reg.R10
	quantizeUnder  = reg.R12
	quantizeZeros  = reg.R9
	quantizeLeft   = reg.RCX // floats
	quantizeAhead  = reg.R11 // bytes
	quantizePast   = reg.R13 // not 0: past the caches
	quantizeSteps  = reg.RBX // to divide
)

// Vectors that hold what all groups of a sweep share.
const (
	groupMagic  = iota // 1.5·2²³
	groupLeast         // bytes
	groupMost          // bytes
	groupOrder         // of the fours of bytes that packing has interleaved
	groupOver          // of the one scale
	groupUnder         // of the one scale
	groupZero          // of the one scale, or a temporary
	groupDiffer        // where quotients differ
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
// A weight x is to become the integer nearest to the float nearest to x/s. That
// float lies between the products of x with a number that is a little more than
// 1/s and with one that is a little less: where both are nearest to one integer,
// this is it. A fused multiplication rounds each product to an integer, as the
// sum with 1.5·2²³ has no bits for a fraction. In one of some hundred groups two
// products are nearest to different integers: those groups are divided. So are
// those with a weight that is NaN or beyond 2²⁰ scales, where products lie at
// least an integer apart.
func (k *kernels) quantize(l level, t float, name string, each bool) string {
	doc := " quantizes floats with one scale and zero point."
	if each {
		doc = " quantizes floats with a scale and zero point for each."
	}
	k.function(name, name+doc)
	k.arguments(map[int]reg.Register{
		sweepData: quantizeData, sweepDst: quantizeDst, sweepScales: quantizeScales, sweepOver: quantizeOver, sweepUnder: quantizeUnder,
		sweepZeros: quantizeZeros, sweepCount: quantizeLeft, sweepAhead: quantizeAhead, sweepPast: quantizePast,
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

	k.Label(label("constants"))
	k.groupConstants(l, each, shifted)
	k.Label(label("groups"))
	k.CMPQ(quantizeLeft, operand.Imm(group))
	k.JB(jump("rest"))
	k.group(l, t, each, shifted)
	k.JNZ(jump("divide"))
	k.TESTQ(quantizePast, quantizePast)
	k.JNZ(jump("past"))
	k.VMOVDQU(half(groupFree), at(quantizeDst, 0))
	k.advanceQuantize(t, each, shifted, group)
	k.JMP(jump("groups"))
	k.Label(label("past"))
	k.VMOVNTDQ(half(groupFree), at(quantizeDst, 0))
	k.advanceQuantize(t, each, shifted, group)
	k.JMP(jump("groups"))

	k.Label(label("divide"))
	k.MOVQ(operand.U64(group/step), quantizeSteps)
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

// groupConstants fills the vectors that all groups share.
func (k *kernels) groupConstants(l level, each, shifted bool) {
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	k.constant(l, 0x4b400000, groupMagic)
	k.VPBROADCASTB(at(reg.RAX, sweepLeast), half(groupLeast))
	k.VPBROADCASTB(at(reg.RAX, sweepMost), half(groupMost))
	k.packedOrder(l)
	if each {
		return
	}
	k.VBROADCASTSS(at(quantizeOver, 0), v(groupOver))
	k.VBROADCASTSS(at(quantizeUnder, 0), v(groupUnder))
	if shifted {
		k.sharedZero(l, groupZero)
	}
}

// group quantizes a group to the first free register; the flags say whether some
// of it must be divided.
func (k *kernels) group(l level, t float, each, shifted bool) {
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	parts := group / l.lanes
	x, under, spare := groupFree+parts, groupFree+parts+1, groupFree+parts+2
	k.prefetch(t, quantizeData, quantizeAhead, group)
	for part := range parts {
		over := groupFree + part
		k.load(l, t, quantizeData, part, x, spare)
		if each {
			k.VMOVUPS(at(quantizeOver, part*l.lanes*4), v(over))
			k.VMOVUPS(at(quantizeUnder, part*l.lanes*4), v(under))
		} else {
			k.VMOVAPS(v(groupOver), v(over))
			k.VMOVAPS(v(groupUnder), v(under))
		}
		k.VFMADD213PS(v(groupMagic), v(x), v(over))
		k.VFMADD213PS(v(groupMagic), v(x), v(under))
		k.differ(l, part, over, under)
		// The bits' difference is the integer, and of infinities one of their sign.
		k.VPSUBD(v(groupMagic), v(over), v(over))
		if !shifted {
			continue
		}
		if each {
			k.VPMOVSXBD(at(quantizeZeros, part*l.lanes), v(groupZero))
		}
		k.VPADDD(v(groupZero), v(over), v(over))
	}
	k.pack(l)
	if l.lanes == 16 {
		k.KORTESTW(reg.K1, reg.K2)
	} else {
		k.VPTEST(v(groupDiffer), v(groupDiffer))
	}
}

// differ notes where the floats of a part differ, or are NaN.
func (k *kernels) differ(l level, part, over, under int) {
	const unequal = 4
	v := func(i int) reg.VecPhysical { return l.vectors[i] }
	switch {
	case l.lanes == 16:
		k.VCMPPS(operand.U8(unequal), v(under), v(over), []reg.Register{reg.K1, reg.K2}[part])
	case part == 0:
		k.VCMPPS(operand.U8(unequal), v(under), v(over), v(groupDiffer))
	default:
		k.VCMPPS(operand.U8(unequal), v(under), v(over), v(under))
		k.VORPS(v(under), v(groupDiffer), v(groupDiffer))
	}
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
		k.ADDQ(operand.U32(floats*4), quantizeOver)
		k.ADDQ(operand.U32(floats*4), quantizeUnder)
		if shifted {
			k.ADDQ(operand.Imm(uint64(floats)), quantizeZeros)
		}
	}
	k.SUBQ(operand.Imm(uint64(floats)), quantizeLeft)
}
