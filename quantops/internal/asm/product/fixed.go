package main

import (
	"math"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of quantops.fixedBlock lie.
const (
	blockHigh    = 0
	blockLow     = 8
	blockSrc     = 16
	blockLargest = 24
)

// fixedPoint makes what goes before the products of 16-bit block fixed point.
func fixedPoint() *part {
	p := newPart("product_fixed")
	p.fixBlock()
	return p
}

// VPDPBUSD adds to each int32 of the third operand the products of four bytes,
// signed ones of the first and unsigned ones of the second. avo's tables do not
// have it.
func (p *part) VPDPBUSD(operands ...operand.Op) {
	p.Instruction(&ir.Instruction{
		Opcode: "VPDPBUSD", Operands: operands, Inputs: operands, Outputs: operands[2:], ISA: []string{"AVX512F", "AVX512VNNI"},
	})
}

// constant broadcasts 32 bits to a vector.
func (p *part) constant(bits uint32, to reg.VecPhysical) {
	p.MOVL(operand.U32(bits), reg.EDX)
	p.VPBROADCASTD(reg.EDX, to)
}

// fixBlock makes the conversion of 256 float32, all of which are in registers
// at once.
func (p *part) fixBlock() {
	name := "fixBlockAVX512"
	p.function(name, "fixedBlock", name+" makes 256 float32 fixed point of 16 bits, in two bytes each.")
	const values = 16
	z := avx512.vectors
	p.MOVQ(operand.NewParamAddr("t", 0), reg.RAX)
	p.MOVQ(at(reg.RAX, blockHigh), reg.RDI)
	p.MOVQ(at(reg.RAX, blockLow), reg.RBX)
	p.MOVQ(at(reg.RAX, blockSrc), reg.RSI)
	p.constant(0x7fffffff, z[31])
	p.constant(math.Float32bits(0x1p-100), z[30])
	// Without their signs, floats are in the order of their bits, and what is
	// infinite or no number is above all others.
	for i := range values {
		p.VMOVUPS(at(reg.RSI, 64*i), z[i])
		p.VPANDD(z[i], z[31], z[29])
		p.VPMAXUD(z[29], z[30-i%2*2], z[30-i%2*2])
		if i == 0 {
			p.VMOVDQA32(z[30], z[28])
		}
	}
	p.VPMAXUD(z[28], z[30], z[30])
	p.VEXTRACTI64X4(operand.U8(1), z[30], reg.Y29)
	p.VPMAXUD(reg.Y29, reg.Y30, reg.Y30)
	p.VEXTRACTI32X4(operand.U8(1), reg.Y30, low(29))
	p.VPMAXUD(low(29), low(30), low(30))
	p.VPSHUFD(operand.U8(0x4e), low(30), low(29))
	p.VPMAXUD(low(29), low(30), low(30))
	p.VPSHUFD(operand.U8(0xb1), low(30), low(29))
	p.VPMAXUD(low(29), low(30), low(30))
	p.VMOVSS(low(30), at(reg.RAX, blockLargest))
	p.VBROADCASTSS(low(30), z[30])
	p.constant(math.Float32bits(32512), z[29])
	p.VDIVPS(z[30], z[29], z[30])
	p.constant(32768, z[29])
	for i := range values {
		p.VMULPS(z[30], z[i], z[i])
		p.VCVTPS2DQ(z[i], z[i])
		p.VPADDD(z[29], z[i], z[i])
		p.VPMOVDB(z[i], at(reg.RBX, 16*i))
		p.VPSRLD(operand.U8(8), z[i], z[i])
		p.VPMOVDB(z[i], at(reg.RDI, 16*i))
	}
	p.VZEROUPPER()
	p.RET()
}

// addFixedRow adds the sums of high and low bytes of one row and a panel to dst:
// Z5 holds the scale, Z6 and Z7 the correction.
func (p *part) addFixedRow(dst, sums reg.Register) {
	z := avx512.vectors
	for i := range 2 {
		p.VPADDD(at(sums, 64*i), z[6+i], z[i])
		p.VPSLLD(operand.U8(8), z[i], z[i])
		p.VPADDD(at(sums, panelColumns*4+64*i), z[i], z[i])
		p.VCVTDQ2PS(z[i], z[i])
		p.VMULPS(z[5], z[i], z[i])
		p.VADDPS(at(dst, 64*i), z[i], z[i])
		p.VMOVUPS(z[i], at(dst, 64*i))
	}
}
