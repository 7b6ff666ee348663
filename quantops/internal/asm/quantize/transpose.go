package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
