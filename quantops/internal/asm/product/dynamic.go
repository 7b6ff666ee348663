package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of quantops.dynamicRow lie.
const (
	dynamicDst   = 0
	dynamicSrc   = 8
	dynamicCount = 16
	dynamicLow   = 24
	dynamicHigh  = 28
	dynamicScale = 32
	dynamicZero  = 36
)

// dynamics makes what quantizes activations as a model runs, 16 at a time.
func dynamics() *part {
	p := newPart("product_dynamic")
	for _, l := range []level{avx512, avx2} {
		p.dynamicRange(l)
		p.dynamicBytes(l)
	}
	return p
}

// dynamicStep is how many values a step takes.
const dynamicStep = 16

func (p *part) dynamicRange(l level) {
	name, v := "dynamicRange"+l.name, l.vectors
	argument, src, count := reg.RAX, reg.RSI, reg.RCX
	p.function(name, "dynamicRow", name+" widens the range from low to high to hold a multiple of 16 values.")
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, dynamicSrc), src)
	p.MOVQ(at(argument, dynamicCount), count)
	p.VBROADCASTSS(at(argument, dynamicLow), v[0])
	p.VBROADCASTSS(at(argument, dynamicHigh), v[1])
	p.Label("next")
	for offset := 0; offset < 4*dynamicStep; offset += 4 * l.lanes {
		p.VMOVUPS(at(src, offset), v[2])
		p.VMINPS(v[2], v[0], v[0])
		p.VMAXPS(v[2], v[1], v[1])
	}
	p.ADDQ(operand.Imm(4*dynamicStep), src)
	p.SUBQ(operand.Imm(dynamicStep), count)
	p.JNZ(operand.LabelRef("next"))
	for i, combine := range []func(...operand.Op){p.VMINPS, p.VMAXPS} {
		y := []reg.VecPhysical{reg.Y0, reg.Y1}[i]
		if l.lanes == 16 {
			p.VEXTRACTF64X4(operand.U8(1), v[i], reg.Y2)
			combine(reg.Y2, y, y)
		}
		p.VEXTRACTF128(operand.U8(1), y, low(2))
		combine(low(2), low(i), low(i))
		p.VPSHUFD(operand.U8(0x4e), low(i), low(2))
		combine(low(2), low(i), low(i))
		p.VPSHUFD(operand.U8(0xb1), low(i), low(2))
		combine(low(2), low(i), low(i))
		p.VMOVSS(low(i), at(argument, []int{dynamicLow, dynamicHigh}[i]))
	}
	p.VZEROUPPER()
	p.RET()
}

func (p *part) dynamicBytes(l level) {
	name, v := "dynamicBytes"+l.name, l.vectors
	argument, dst, src, count := reg.RAX, reg.RDI, reg.RSI, reg.RCX
	p.function(name, "dynamicRow", name+" quantizes a multiple of 16 values.")
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, dynamicDst), dst)
	p.MOVQ(at(argument, dynamicSrc), src)
	p.MOVQ(at(argument, dynamicCount), count)
	p.VBROADCASTSS(at(argument, dynamicScale), v[0])
	p.VPBROADCASTD(at(argument, dynamicZero), v[1])
	if l.lanes == 16 {
		p.VPXORD(v[2], v[2], v[2])
	}
	p.Label("next")
	for i := range dynamicStep / l.lanes {
		q := v[3+i]
		p.VMOVUPS(at(src, 4*l.lanes*i), q)
		p.VDIVPS(v[0], q, q)
		p.VCVTPS2DQ(q, q)
		p.VPADDD(v[1], q, q)
	}
	if l.lanes == 16 {
		p.VPMAXSD(v[2], v[3], v[3])
		p.VPMOVUSDB(v[3], at(dst, 0))
	} else {
		p.words(v[3], v[4])
		p.VEXTRACTI128(operand.U8(1), v[3], low(4))
		p.VPACKUSWB(low(4), low(3), low(3))
		p.VMOVDQU(low(3), at(dst, 0))
	}
	p.ADDQ(operand.Imm(4*dynamicStep), src)
	p.ADDQ(operand.Imm(dynamicStep), dst)
	p.SUBQ(operand.Imm(dynamicStep), count)
	p.JNZ(operand.LabelRef("next"))
	p.VZEROUPPER()
	p.RET()
}

// words narrows the integers of two AVX2 vectors to 16 bits, in the first of them;
// those that are beyond become the nearest.
func (p *part) words(first, second reg.VecPhysical) {
	p.VPACKSSDW(second, first, first)
	p.VPERMQ(operand.U8(0xd8), first, first) // packing takes turns between its operands in each 128 bits
}
