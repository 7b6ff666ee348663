package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Registers that hold what all floats of a sweep share.
const (
	farthest = iota // 2²²: beyond it only the sign counts
	nearest         // −2²²
	least
	most
	sharedScale
	sharedZero
	firstFree
)

// quantizeEach makes the sweep over neighbours with scales of their own.
func (k *kernels) quantizeEach(l level, t float) string {
	return k.quantize(l, t, "quantizeEach"+t.name+l.name, true)
}

// quantizeShared makes the sweep over neighbours that share a scale.
func (k *kernels) quantizeShared(l level, t float) string {
	return k.quantize(l, t, "quantizeShared"+t.name+l.name, false)
}

func (k *kernels) quantize(l level, t float, name string, each bool) string {
	doc := " quantizes floats with one scale and zero point."
	if each {
		doc = " quantizes floats with a scale and zero point for each."
	}
	k.function(name, name+doc)
	data, dst, scales, zeros, count := reg.RSI, reg.RDI, reg.R8, reg.R9, reg.RCX
	k.constant(l, 0x4a800000, farthest)
	k.constant(l, 0xca800000, nearest)
	k.arguments(map[int]reg.Register{sweepData: data, sweepDst: dst, sweepScales: scales, sweepZeros: zeros, sweepCount: count})
	k.VPBROADCASTD(at(reg.RAX, sweepLeast), l.vectors[least])
	k.VPBROADCASTD(at(reg.RAX, sweepMost), l.vectors[most])
	if !each {
		k.VBROADCASTSS(at(scales, 0), l.vectors[sharedScale])
		k.MOVBLSX(at(zeros, 0), reg.EAX)
		k.VMOVD(reg.EAX, quarter(sharedZero))
		k.VPBROADCASTD(quarter(sharedZero), l.vectors[sharedZero])
	}
	k.Label("next")
	for part := range l.parts() {
		value, spare := firstFree+2*part, firstFree+2*part+1
		v := l.vectors[value]
		k.load(l, t, data, part, value, spare)
		if each {
			k.VDIVPS(at(scales, part*l.lanes*4), v, v)
		} else {
			k.VDIVPS(l.vectors[sharedScale], v, v)
		}
		k.VMINPS(l.vectors[farthest], v, v) // the bound, if v is NaN
		k.VMAXPS(l.vectors[nearest], v, v)
		k.VCVTPS2DQ(v, v)
		if each {
			k.VPMOVSXBD(at(zeros, part*l.lanes), l.vectors[spare])
			k.VPADDD(l.vectors[spare], v, v)
		} else {
			k.VPADDD(l.vectors[sharedZero], v, v)
		}
		k.VPMAXSD(l.vectors[least], v, v)
		k.VPMINSD(l.vectors[most], v, v)
	}
	if l.lanes == 16 {
		k.VPMOVDB(l.vectors[firstFree], at(dst, 0))
	} else {
		first, second := firstFree, firstFree+2
		k.VPACKSSDW(half(second), half(first), half(first))
		k.VPERMQ(operand.U8(0xd8), half(first), half(first))
		k.VEXTRACTI128(operand.Imm(1), half(first), quarter(second))
		k.VPACKSSWB(quarter(second), quarter(first), quarter(first))
		k.VMOVDQU(quarter(first), at(dst, 0))
	}
	k.ADDQ(operand.U32(step*t.size), data)
	k.ADDQ(operand.Imm(step), dst)
	if each {
		k.ADDQ(operand.Imm(step*4), scales)
		k.ADDQ(operand.Imm(step), zeros)
	}
	k.SUBQ(operand.Imm(step), count)
	k.JNZ(operand.LabelRef("next"))
	k.VZEROUPPER()
	k.RET()
	return name
}

// transpose makes the transposition of bytes: eight rows at a time become
// columns, sixteen bytes of each in a turn. To interleave row i with row i+4 is
// to rotate the bits of each byte's address (row, then column) by one place;
// after three times the row's bits are the lowest.
func (k *kernels) transpose() {
	name := "transposeSweepAVX2"
	k.function(name, name+" writes eight rows of bytes as columns.")
	data, dst, stride, dstStride, count, row := reg.RSI, reg.RDI, reg.R8, reg.R9, reg.RCX, reg.RDX
	k.arguments(map[int]reg.Register{sweepData: data, sweepDst: dst, sweepStride: stride, sweepDstStride: dstStride, sweepCount: count})
	k.Label("next")
	k.MOVQ(data, row)
	rows := make([]int, 8) // the registers that hold them
	for i := range rows {
		rows[i] = i
		k.VMOVDQU(at(row, 0), quarter(i))
		k.ADDQ(stride, row)
	}
	free := 8
	for range 3 {
		next := make([]int, 8)
		for i := range 4 {
			a, b := rows[i], rows[i+4]
			k.VPUNPCKLBW(quarter(b), quarter(a), quarter(free))
			k.VPUNPCKHBW(quarter(b), quarter(a), quarter(b))
			next[2*i], next[2*i+1] = free, b
			free = a
		}
		rows = next
	}
	for _, r := range rows {
		k.VMOVQ(quarter(r), at(dst, 0))
		k.VMOVHPS(quarter(r), operand.Mem{Base: dst, Index: dstStride, Scale: 1})
		k.LEAQ(operand.Mem{Base: dst, Index: dstStride, Scale: 2}, dst)
	}
	k.ADDQ(operand.Imm(16), data)
	k.SUBQ(operand.Imm(16), count)
	k.JNZ(operand.LabelRef("next"))
	k.VZEROUPPER()
	k.RET()
}
