package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of quantops.finish lie.
const (
	finishDst       = 0
	finishDstStride = 8
	finishSums      = 16
	finishRows      = 24
	finishColumns   = 32
	finishScale     = 40
	finishBias      = 48
	finishAdd       = 56
	finishAddStride = 64
	finishRowBias   = 72
	finishLow       = 80
	finishHigh      = 84
	finishIntegers  = 88
)

// finishes makes what turns a tile of sums into rows of the result.
func finishes() *part {
	p := newPart("product_finish")
	p.finish(avx512)
	p.finish(avx2)
	return p
}

// finish makes the loop over a tile's rows: scale, biases, addend and bounds.
// With AVX-512 the columns may be fewer than a panel's: masks leave out the
// rest. With AVX2 they are a whole panel.
func (p *part) finish(l level) {
	name := "finish" + l.name
	p.function(name, "finish", name+" writes rows of up to 32 columns: sums times scale, plus what is added, within bounds.")
	vectors := panelColumns / l.lanes
	masked := l.lanes == 16
	masks := []reg.OpmaskPhysical{reg.K1, reg.K2}

	argument, dst, dstStride, sums, rows, add, addStride, rowBias := reg.RAX, reg.RDI, reg.R8, reg.RSI, reg.RCX, reg.R9, reg.R10, reg.R11
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, finishDst), dst)
	p.MOVQ(at(argument, finishDstStride), dstStride)
	p.MOVQ(at(argument, finishSums), sums)
	if masked {
		p.MOVQ(at(argument, finishColumns), reg.RCX)
		p.MOVQ(operand.U32(1), reg.RDX)
		p.SHLQ(reg.CL, reg.RDX)
		p.DECQ(reg.RDX)
		p.KMOVW(reg.EDX, masks[0])
		p.SHRQ(operand.Imm(16), reg.RDX)
		p.KMOVW(reg.EDX, masks[1])
	}
	load := func(m operand.Mem, vector int, to reg.VecPhysical) {
		if masked {
			p.VMOVUPS_Z(m, masks[vector], to)
		} else {
			p.VMOVUPS(m, to)
		}
	}
	value := func(i int) reg.VecPhysical { return l.vectors[i] }
	scale := func(i int) reg.VecPhysical { return l.vectors[vectors+i] }
	bias := func(i int) reg.VecPhysical { return l.vectors[2*vectors+i] }
	least, most, row := l.vectors[3*vectors], l.vectors[3*vectors+1], l.vectors[3*vectors+2]
	p.MOVQ(at(argument, finishScale), reg.RDX)
	for i := range vectors {
		load(at(reg.RDX, i*l.lanes*4), i, scale(i))
	}
	p.MOVQ(at(argument, finishBias), reg.RDX)
	for i := range vectors {
		load(at(reg.RDX, i*l.lanes*4), i, bias(i))
	}
	p.VBROADCASTSS(at(argument, finishLow), least)
	p.VBROADCASTSS(at(argument, finishHigh), most)
	p.MOVQ(at(argument, finishRows), rows)
	p.MOVQ(at(argument, finishAdd), add)
	p.MOVQ(at(argument, finishAddStride), addStride)
	p.MOVQ(at(argument, finishRowBias), rowBias)

	p.Label("next")
	for i := range vectors {
		p.VMOVUPS(at(sums, i*l.lanes*4), value(i))
	}
	p.CMPQ(at(argument, finishIntegers), operand.Imm(0))
	p.JE(operand.LabelRef("floats"))
	for i := range vectors {
		p.VCVTDQ2PS(value(i), value(i))
	}
	p.Label("floats")
	for i := range vectors {
		p.VFMADD213PS(bias(i), scale(i), value(i))
	}
	p.TESTQ(rowBias, rowBias)
	p.JZ(operand.LabelRef("biased"))
	p.VBROADCASTSS(at(rowBias, 0), row)
	p.ADDQ(operand.Imm(4), rowBias)
	for i := range vectors {
		p.VADDPS(row, value(i), value(i))
	}
	p.Label("biased")
	p.TESTQ(add, add)
	p.JZ(operand.LabelRef("added"))
	for i := range vectors {
		load(at(add, i*l.lanes*4), i, row)
		p.VADDPS(row, value(i), value(i))
	}
	p.ADDQ(addStride, add)
	p.Label("added")
	for i := range vectors {
		// Of two operands one of which is no number, the first written here is taken.
		p.VMAXPS(value(i), least, value(i))
		p.VMINPS(value(i), most, value(i))
		if masked {
			p.VMOVUPS(value(i), masks[i], at(dst, i*l.lanes*4))
		} else {
			p.VMOVUPS(value(i), at(dst, i*l.lanes*4))
		}
	}
	p.ADDQ(dstStride, dst)
	p.ADDQ(operand.U32(panelColumns*4), sums)
	p.DECQ(rows)
	p.JNZ(operand.LabelRef("next"))
	p.VZEROUPPER()
	p.RET()

	p.scaleSums(l)
}

// scaleSums makes the loop that adds sums of one block, scaled, to those of the
// blocks before. It uses the same structure: dst is another tile.
func (p *part) scaleSums(l level) {
	name := "addScaled" + l.name
	p.function(name, "finish", name+" adds rows of a tile, times the scales of 32 columns, to those of another tile.")
	vectors := panelColumns / l.lanes
	argument, dst, sums, rows := reg.RAX, reg.RDI, reg.RSI, reg.RCX
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, finishDst), dst)
	p.MOVQ(at(argument, finishSums), sums)
	p.MOVQ(at(argument, finishRows), rows)
	p.MOVQ(at(argument, finishScale), reg.RDX)
	for i := range vectors {
		p.VMOVUPS(at(reg.RDX, i*l.lanes*4), l.vectors[vectors+i])
	}
	p.Label("next")
	for i := range vectors {
		p.VMOVUPS(at(dst, i*l.lanes*4), l.vectors[i])
		p.VFMADD231PS(at(sums, i*l.lanes*4), l.vectors[vectors+i], l.vectors[i])
		p.VMOVUPS(l.vectors[i], at(dst, i*l.lanes*4))
	}
	p.ADDQ(operand.U32(panelColumns*4), dst)
	p.ADDQ(operand.U32(panelColumns*4), sums)
	p.DECQ(rows)
	p.JNZ(operand.LabelRef("next"))
	p.VZEROUPPER()
	p.RET()
}
