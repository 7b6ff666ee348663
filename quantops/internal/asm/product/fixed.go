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
	blockWords   = 32
)

// fixedPoint makes what goes before the products of 16-bit block fixed point.
func fixedPoint() *part {
	p := newPart("product_fixed")
	p.fixBlock()
	p.fixWords()
	p.widenWords()
	return p
}

// addFours adds to each int32 of sum the products of four bytes, signed ones of
// right and unsigned ones of left, by VPDPBUSD, which avo's tables do not have.
func (p *part) addFours(l level, right, left, sum reg.VecPhysical) {
	if l.lanes == 8 {
		p.Comment("VPDPBUSD")
		p.code(vexVectors(implies66, opcodeAddFours, sum, left, right))
		return
	}
	operands := []operand.Op{right, left, sum}
	p.Instruction(&ir.Instruction{
		Opcode: "VPDPBUSD", Operands: operands, Inputs: operands, Outputs: operands[2:], ISA: []string{"AVX512F", "AVX512VNNI"},
	})
}

// constant broadcasts 32 bits to a vector.
func (p *part) constant(bits uint32, to reg.VecPhysical) {
	p.MOVL(operand.U32(bits), reg.EDX)
	if to.Size() == 32 { // AVX2 broadcasts out of vectors alone
		p.VMOVD(reg.EDX, to.AsX())
		p.VPBROADCASTD(to.AsX(), to)
		return
	}
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
	p.largest(low(29), low(30))
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

// largest brings the largest of the four integers of half, and of other, to the
// lowest element of half and to the argument.
func (p *part) largest(other, half reg.VecPhysical) {
	p.VPMAXUD(other, half, half)
	p.VPSHUFD(operand.U8(0x4e), half, other)
	p.VPMAXUD(other, half, half)
	p.VPSHUFD(operand.U8(0xb1), half, other)
	p.VPMAXUD(other, half, half)
	p.VMOVSS(half, at(reg.RAX, blockLargest))
}

// fixWords makes the conversion of 256 float32 to integers of 16 bits, in two
// sweeps: AVX2 has not registers for all of them.
func (p *part) fixWords() {
	name := "fixWordsAVX2"
	p.function(name, "fixedBlock", name+" makes 256 float32 fixed point of 16 bits.")
	y := avx2.vectors
	const values, atOnce = 32, 4
	p.MOVQ(operand.NewParamAddr("t", 0), reg.RAX)
	p.MOVQ(at(reg.RAX, blockWords), reg.RDI)
	p.MOVQ(at(reg.RAX, blockSrc), reg.RSI)
	p.constant(0x7fffffff, y[15])
	for i := range atOnce {
		p.constant(math.Float32bits(0x1p-100), y[i])
	}
	for i := range values {
		p.VPAND(at(reg.RSI, 32*i), y[15], y[14])
		p.VPMAXUD(y[14], y[i%atOnce], y[i%atOnce])
	}
	p.VPMAXUD(y[1], y[0], y[0])
	p.VPMAXUD(y[3], y[2], y[2])
	p.VPMAXUD(y[2], y[0], y[0])
	p.VEXTRACTI128(operand.U8(1), y[0], low(1))
	p.largest(low(1), low(0))
	p.VBROADCASTSS(low(0), y[0])
	p.constant(math.Float32bits(32512), y[1])
	p.VDIVPS(y[0], y[1], y[0])
	for i := 0; i < values; i += 2 {
		q := 2 + i%atOnce
		for j := range 2 {
			p.VMULPS(at(reg.RSI, 32*(i+j)), y[0], y[q+j])
			p.VCVTPS2DQ(y[q+j], y[q+j])
		}
		p.words(y[q], y[q+1])
		p.VMOVDQU(y[q], at(reg.RDI, 16*i))
	}
	p.VZEROUPPER()
	p.RET()
}

// Where the fields of quantops.wordRow lie.
const (
	wordDst   = 0
	wordSrc   = 8
	wordCount = 16
)

// widenWords makes what turns bytes into integers of 16 bits.
func (p *part) widenWords() {
	for _, signed := range []bool{false, true} {
		name, kind, widen := "widenUnsignedAVX2", "unsigned", p.VPMOVZXBW
		if signed {
			name, kind, widen = "widenSignedAVX2", "signed", p.VPMOVSXBW
		}
		p.function(name, "wordRow", name+" makes a multiple of 16 "+kind+" bytes integers of 16 bits.")
		dst, src, count := reg.RDI, reg.RSI, reg.RCX
		p.MOVQ(operand.NewParamAddr("t", 0), reg.RAX)
		p.MOVQ(at(reg.RAX, wordDst), dst)
		p.MOVQ(at(reg.RAX, wordSrc), src)
		p.MOVQ(at(reg.RAX, wordCount), count)
		p.Label("next")
		widen(at(src, 0), reg.Y0)
		p.VMOVDQU(reg.Y0, at(dst, 0))
		p.ADDQ(operand.Imm(16), src)
		p.ADDQ(operand.Imm(32), dst)
		p.SUBQ(operand.Imm(16), count)
		p.JNZ(operand.LabelRef("next"))
		p.VZEROUPPER()
		p.RET()
	}
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
