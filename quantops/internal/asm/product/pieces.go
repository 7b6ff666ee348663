package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of quantops.pieceRow lie.
const (
	pieceDst   = 0
	pieceSrc   = 8
	pieceCount = 16
	pieceOdd   = 24
)

// Where the fields of quantops.pieceTile lie.
const (
	pieceSums          = 0
	pieceLeft          = 8
	pieceBlock         = 16
	pieceRight         = 24
	pieceSource        = 32
	pieceZeros         = 40
	pieceSteps         = 48
	pieceConfiguration = 56
)

const (
	// amxSize is how many bytes a register holds.
	amxSize = amxRows * amxRowBytes
	// leftPieces is into how many numbers in bfloat16 those of a left operand are
	// divided.
	leftPieces = 3
)

// pieces makes the products of float32 as sums of products of bfloat16.
func pieces() *part {
	p := newPart("product_pieces")
	p.splitRow()
	for _, blocks := range []int{1, 2} {
		for _, w := range []widening{
			{},
			{name: "Int8", doc: "int8", load: p.widenInt8},
			{name: "ShiftedInt8", doc: "int8 with zero points", load: p.widenInt8, zeros: true},
		} {
			p.pieceTile(blocks, w)
		}
	}
	return p
}

// splitRow makes what divides a row of float32 into pieces.
func (p *part) splitRow() {
	name := "splitRowAVX512"
	p.function(name, "pieceRow", name+" divides k float32 into three bfloat16 each, and fills the last line up with zeros.")
	z := avx512.vectors
	argument, dst, src, count := reg.RAX, reg.RDI, reg.RSI, reg.RCX
	odd, isOdd, finite, low, high := reg.K1, reg.K2, reg.K3, reg.K4, reg.K5
	mask := z[31]
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, pieceDst), dst)
	p.MOVQ(at(argument, pieceSrc), src)
	p.MOVQ(at(argument, pieceCount), count)
	p.constant(0xffff0000, mask)
	p.KXORW(odd, odd, odd)
	split := func() {
		for i := range 2 {
			x, piece := z[i], z[2+leftPieces*i:]
			const infiniteOrNaN = 0x99
			p.VFPCLASSPSZ(operand.U8(infiniteOrNaN), x, isOdd)
			p.KORW(isOdd, odd, odd)
			p.KNOTW(isOdd, finite)
			// What is no number is quiet then, and stays so in 16 bits.
			p.VADDPS(x, x, isOdd, x)
			p.VPANDD(mask, x, piece[0])
			p.VSUBPS_Z(piece[0], x, finite, x)
			p.VPANDD(mask, x, piece[1])
			p.VSUBPS(piece[1], x, piece[2])
		}
		// What is left has 8 bits, unless it is subnormal.
		p.VPANDD(mask, z[2+2*leftPieces-1], z[2+2*leftPieces-1])
		for i := range leftPieces {
			p.VPSRLD(operand.U8(16), z[2+i], z[2+i])
			p.VPORD(z[2+i], z[2+leftPieces+i], z[2+i])
			p.VMOVDQU32(z[2+i], at(dst, i*amxSize))
		}
	}
	p.SUBQ(operand.Imm(32), count)
	p.JL(operand.LabelRef("rest"))
	p.Label("next")
	p.VMOVUPS(at(src, 0), z[0])
	p.VMOVUPS(at(src, 64), z[1])
	split()
	p.ADDQ(operand.U32(128), src)
	p.ADDQ(operand.U32(leftPieces*amxSize), dst)
	p.SUBQ(operand.Imm(32), count)
	p.JGE(operand.LabelRef("next"))
	p.Label("rest")
	p.ADDQ(operand.Imm(32), count)
	p.JZ(operand.LabelRef("done"))
	p.MOVQ(operand.U32(1), reg.RDX)
	p.SHLQ(reg.CL, reg.RDX)
	p.DECQ(reg.RDX)
	p.KMOVW(reg.EDX, low)
	p.SHRQ(operand.Imm(16), reg.RDX)
	p.KMOVW(reg.EDX, high)
	p.VMOVUPS_Z(at(src, 0), low, z[0])
	p.VMOVUPS_Z(at(src, 64), high, z[1])
	split()
	p.Label("done")
	p.KMOVW(odd, reg.EDX)
	p.MOVQ(reg.RDX, at(argument, pieceOdd))
	p.VZEROUPPER()
	p.RET()
}

// widening is what makes pairs of bfloat16 of a panel of the right operand, on
// the way. Without one they are there.
type widening struct {
	name, doc string
	zeros     bool
	// load brings half a row of pairs, 16 columns of k and of k+16, to two vectors
	// as float32.
	load func(w widening, source reg.Register, row, half int, first, second reg.VecPhysical)
}

const widenStep = 32 * panelColumns // bytes of a panel of int8 in a step

func (p *part) widenInt8(w widening, source reg.Register, row, half int, first, second reg.VecPhysical) {
	for i, v := range []reg.VecPhysical{first, second} {
		p.VPMOVSXBD(at(source, (row+amxRows*i)*panelColumns+16*half), v)
		if w.zeros {
			p.VPSUBD(avx512.vectors[30+half], v, v)
		}
		p.VCVTDQ2PS(v, v)
	}
}

// pieceTile makes the loop over k for 16 or 32 rows of the left operand and a
// panel. It goes in steps of 32 k, which are a row of a tile register: k and k+16
// are a pair.
func (p *part) pieceTile(blocks int, w widening) {
	name := fmt.Sprintf("pieceTile%dx%d%sAMX", amxRows*blocks, panelColumns, w.name)
	doc := fmt.Sprintf("%s sums %d rows in pieces times a panel of bfloat16", name, amxRows*blocks)
	if w.load != nil {
		doc += ", which it makes of one of " + w.doc
	}
	p.function(name, "pieceTile", doc+".")
	argument, right, source, steps, sums, line, row := reg.RAX, reg.RDI, reg.RDX, reg.RCX, reg.R9, reg.R8, reg.R10
	left := []reg.Register{reg.RSI, reg.RBX}[:blocks]
	z := avx512.vectors
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, pieceConfiguration), reg.R11)
	p.configureTiles(reg.R11)
	p.MOVQ(at(argument, pieceLeft), left[0])
	if blocks > 1 {
		p.MOVQ(at(argument, pieceBlock), left[1])
		p.ADDQ(left[0], left[1])
	}
	p.MOVQ(at(argument, pieceRight), right)
	p.MOVQ(at(argument, pieceSteps), steps)
	p.MOVQ(at(argument, pieceSums), sums)
	p.MOVQ(operand.U32(amxRowBytes), line)
	p.MOVQ(operand.U32(panelColumns*4), row)
	for i := range 2 * blocks {
		p.zeroTile(amxSums + tileRegister(i))
	}
	if w.zeros {
		p.MOVQ(at(argument, pieceZeros), reg.R11)
		p.VMOVDQU32(at(reg.R11, 0), z[30])
		p.VMOVDQU32(at(reg.R11, 64), z[31])
	}
	// What each step does, and what it does for the next meanwhile: the tiles work
	// beside the vectors.
	var sum, widen []func()
	for half := range 2 {
		sum = append(sum, func() { p.loadTile(amxRight+tileRegister(half), right, line, int32(half*amxSize)) })
	}
	for piece := leftPieces - 1; piece >= 0; piece-- {
		for block := range blocks {
			sum = append(sum, func() { p.loadTile(amxLeft+tileRegister(block), left[block], line, int32(piece*amxSize)) })
			for half := range 2 {
				sum = append(sum, func() {
					p.dotBFloat16(amxSums+tileRegister(2*block+half), amxLeft+tileRegister(block), amxRight+tileRegister(half))
				})
			}
		}
	}
	for pair := range amxRows {
		for half := range 2 {
			first, second := z[4*(pair%4)+2*half], z[4*(pair%4)+2*half+1]
			widen = append(widen, func() {
				w.load(w, source, pair, half, first, second)
				p.VPSRLD(operand.U8(16), first, first)
				p.VPORD(first, second, first)
				p.VMOVDQU32(first, at(right, 2*amxSize+pair*amxRowBytes+half*amxSize))
			})
		}
	}
	advance := func() {
		for _, l := range left {
			p.ADDQ(operand.U32(leftPieces*amxSize), l)
		}
		p.ADDQ(operand.U32(2*amxSize), right)
	}
	if w.load != nil {
		p.MOVQ(at(argument, pieceSource), source)
		p.SUBQ(operand.U32(2*amxSize), right)
		for _, f := range widen {
			f()
		}
		p.ADDQ(operand.U32(2*amxSize), right)
		p.DECQ(steps)
		p.JZ(operand.LabelRef("last"))
		p.Label("next")
		p.ADDQ(operand.U32(widenStep), source)
		for i, f := range sum {
			f()
			for _, g := range widen[i*len(widen)/len(sum) : (i+1)*len(widen)/len(sum)] {
				g()
			}
		}
		advance()
		p.DECQ(steps)
		p.JNZ(operand.LabelRef("next"))
		p.Label("last")
		for _, f := range sum {
			f()
		}
	} else {
		p.Label("next")
		for _, f := range sum {
			f()
		}
		advance()
		p.DECQ(steps)
		p.JNZ(operand.LabelRef("next"))
	}
	for block := range blocks {
		for half := range 2 {
			p.storeTile(amxSums+tileRegister(2*block+half), sums, row, int32(block*amxRows*panelColumns*4+half*amxRowBytes))
		}
	}
	p.releaseTiles()
	p.VZEROUPPER()
	p.RET()
}
