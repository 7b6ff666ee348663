package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// extremesEach makes the sweep over columns that have extremes of their own: a
// step of columns goes down all rows before the next.
func (k *kernels) extremesEach(l level, t float) string {
	name := "extremesEach" + t.name + l.name
	k.function(name, name+" widens the extremes of each column by the rows of a sweep.")
	data, low, high, stride, rows, count, row, left, below := reg.RSI, reg.R8, reg.R9, reg.R10, reg.R11, reg.RCX, reg.RDI, reg.RDX, reg.RBX
	k.arguments(map[int]reg.Register{sweepData: data, sweepLow: low, sweepHigh: high, sweepStride: stride, sweepRows: rows, sweepCount: count})
	if l.asksAhead {
		k.MOVQ(stride, below)
		k.IMULQ(rows, below)
	}
	parts := l.parts()
	least := func(part int) reg.VecPhysical { return l.vectors[part] }
	most := func(part int) reg.VecPhysical { return l.vectors[parts+part] }
	k.Label("columns")
	for part := range parts {
		k.moveIntegers(l, at(low, part*l.lanes*4), least(part))
		k.moveIntegers(l, at(high, part*l.lanes*4), most(part))
	}
	k.MOVQ(data, row)
	k.MOVQ(rows, left)
	k.Label("rows")
	if l.asksAhead {
		k.prefetchRows(t, row, below)
	}
	for part := range parts {
		value, spare := 2*parts+2*part, 2*parts+2*part+1
		k.load(l, t, row, part, value, spare)
		k.VPMAXUD(l.vectors[value], least(part), least(part))
		k.VPMAXSD(l.vectors[value], most(part), most(part))
	}
	k.ADDQ(stride, row)
	k.DECQ(left)
	k.JNZ(operand.LabelRef("rows"))
	for part := range parts {
		k.moveIntegers(l, least(part), at(low, part*l.lanes*4))
		k.moveIntegers(l, most(part), at(high, part*l.lanes*4))
	}
	k.ADDQ(operand.U32(step*t.size), data)
	k.ADDQ(operand.Imm(step*4), low)
	k.ADDQ(operand.Imm(step*4), high)
	k.SUBQ(operand.Imm(step), count)
	k.JNZ(operand.LabelRef("columns"))
	k.VZEROUPPER()
	k.RET()
	return name
}

// moveIntegers moves a vector of integers.
func (k *kernels) moveIntegers(l level, from, to operand.Op) {
	if l.lanes == 16 {
		k.VMOVDQU32(from, to)
	} else {
		k.VMOVDQU(from, to)
	}
}

// extremesShared makes the sweep over neighbours that share their extremes: one
// stretch, or four that are read side by side.
func (k *kernels) extremesShared(l level, t float) string {
	name := "extremesShared" + t.name + l.name
	k.function(name, name+" widens one pair of extremes by the floats of a sweep.")
	low, high, stride, rows, count := reg.R8, reg.R9, reg.R10, reg.R11, reg.RCX
	stretches := []reg.Register{reg.RSI, reg.RDI, reg.RDX, reg.RBX}
	k.arguments(map[int]reg.Register{sweepData: stretches[0], sweepLow: low, sweepHigh: high, sweepStride: stride, sweepRows: rows, sweepCount: count})
	k.VPBROADCASTD(at(low, 0), l.vectors[1])
	k.VPBROADCASTD(at(high, 0), l.vectors[2])
	k.CMPQ(rows, operand.Imm(sweepStretches))
	k.JNE(operand.LabelRef("next"))
	for i := 1; i < sweepStretches; i++ {
		k.MOVQ(stretches[i-1], stretches[i])
		k.ADDQ(stride, stretches[i])
	}
	k.Label("side")
	k.extremesOf(l, t, stretches)
	k.SUBQ(operand.Imm(step), count)
	k.JNZ(operand.LabelRef("side"))
	k.JMP(operand.LabelRef("fold"))
	k.Label("next")
	if l.asksAhead {
		k.prefetch(t, stretches[0], nil, step)
	}
	k.extremesOf(l, t, stretches[:1])
	k.SUBQ(operand.Imm(step), count)
	k.JNZ(operand.LabelRef("next"))
	k.Label("fold")
	// Halves are folded onto each other until one number is left.
	if l.lanes == 16 {
		k.VEXTRACTI64X4(operand.Imm(1), l.vectors[1], half(3))
		k.VEXTRACTI64X4(operand.Imm(1), l.vectors[2], half(4))
		k.VPMAXUD(half(3), half(1), half(1))
		k.VPMAXSD(half(4), half(2), half(2))
	}
	k.VEXTRACTI128(operand.Imm(1), half(1), quarter(3))
	k.VEXTRACTI128(operand.Imm(1), half(2), quarter(4))
	for fold := range 3 {
		k.VPMAXUD(quarter(3), quarter(1), quarter(1))
		k.VPMAXSD(quarter(4), quarter(2), quarter(2))
		if fold < 2 {
			order := []operand.Op{operand.U8(0x4e), operand.U8(0xb1)}[fold]
			k.VPSHUFD(order, quarter(1), quarter(3))
			k.VPSHUFD(order, quarter(2), quarter(4))
		}
	}
	k.VMOVD(quarter(1), at(low, 0))
	k.VMOVD(quarter(2), at(high, 0))
	k.VZEROUPPER()
	k.RET()
	return name
}

// extremesOf widens the extremes by a step of each stretch.
func (k *kernels) extremesOf(l level, t float, stretches []reg.Register) {
	for _, data := range stretches {
		for part := range l.parts() {
			value, spare := 3+2*part, 4+2*part
			k.load(l, t, data, part, value, spare)
			k.VPMAXUD(l.vectors[value], l.vectors[1], l.vectors[1])
			k.VPMAXSD(l.vectors[value], l.vectors[2], l.vectors[2])
		}
		k.ADDQ(operand.U32(step*t.size), data)
	}
}
