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
	z := avx512.vectors
	argument, dst, src, count := reg.RAX, reg.RDI, reg.RSI, reg.RCX

	p.function("dynamicRangeAVX512", "dynamicRow", "dynamicRangeAVX512 widens the range from low to high to hold a multiple of 16 values.")
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, dynamicSrc), src)
	p.MOVQ(at(argument, dynamicCount), count)
	p.VBROADCASTSS(at(argument, dynamicLow), z[0])
	p.VBROADCASTSS(at(argument, dynamicHigh), z[1])
	p.Label("next")
	p.VMOVUPS(at(src, 0), z[2])
	p.VMINPS(z[2], z[0], z[0])
	p.VMAXPS(z[2], z[1], z[1])
	p.ADDQ(operand.U32(64), src)
	p.SUBQ(operand.U32(16), count)
	p.JNZ(operand.LabelRef("next"))
	for i, combine := range []func(...operand.Op){p.VMINPS, p.VMAXPS} {
		y := []reg.VecPhysical{reg.Y0, reg.Y1}[i]
		p.VEXTRACTF64X4(operand.U8(1), z[i], reg.Y2)
		combine(reg.Y2, y, y)
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

	p.function("dynamicBytesAVX512", "dynamicRow", "dynamicBytesAVX512 quantizes a multiple of 16 values.")
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, dynamicDst), dst)
	p.MOVQ(at(argument, dynamicSrc), src)
	p.MOVQ(at(argument, dynamicCount), count)
	p.VBROADCASTSS(at(argument, dynamicScale), z[0])
	p.VPBROADCASTD(at(argument, dynamicZero), z[1])
	p.VPXORD(z[2], z[2], z[2])
	p.Label("next")
	p.VMOVUPS(at(src, 0), z[3])
	p.VDIVPS(z[0], z[3], z[3])
	p.VCVTPS2DQ(z[3], z[3])
	p.VPADDD(z[1], z[3], z[3])
	p.VPMAXSD(z[2], z[3], z[3])
	p.VPMOVUSDB(z[3], at(dst, 0))
	p.ADDQ(operand.U32(64), src)
	p.ADDQ(operand.U32(16), dst)
	p.SUBQ(operand.U32(16), count)
	p.JNZ(operand.LabelRef("next"))
	p.VZEROUPPER()
	p.RET()
	return p
}
