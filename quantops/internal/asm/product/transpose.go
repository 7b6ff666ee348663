package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of quantops.transposition lie.
const (
	transposeDst       = 0
	transposeSrc       = 8
	transposeSrcStride = 16
	transposeBlocks    = 24
)

// transposes makes what lays rows of a matrix out as columns of a panel.
func transposes() *part {
	p := newPart("product_transpose")
	name := "transpose8AVX2"
	p.function(name, "transposition", name+" writes eight rows as eight columns of a panel, eight elements of each at a time.")
	argument, dst, src, stride, blocks, fourth, triple := reg.RAX, reg.RDI, reg.RSI, reg.R8, reg.RCX, reg.RBX, reg.RDX
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, transposeDst), dst)
	p.MOVQ(at(argument, transposeSrc), src)
	p.MOVQ(at(argument, transposeSrcStride), stride)
	p.MOVQ(at(argument, transposeBlocks), blocks)
	p.LEAQ(indexed(stride, stride, 2, 0), triple)
	p.LEAQ(indexed(src, stride, 4, 0), fourth)
	y := avx2.vectors
	p.Label("next")
	for row := range 8 {
		base := []reg.Register{src, fourth}[row/4]
		m := at(base, 0)
		switch row % 4 {
		case 1, 2:
			m = indexed(base, stride, uint8(row%4), 0)
		case 3:
			m = indexed(base, triple, 1, 0)
		}
		p.VMOVUPS(m, y[row])
	}
	// Pairs of rows, then fours of them, interleaved within each half; then the
	// halves are exchanged.
	for pair := range 4 {
		p.VUNPCKLPS(y[2*pair+1], y[2*pair], y[8+2*pair])
		p.VUNPCKHPS(y[2*pair+1], y[2*pair], y[9+2*pair])
	}
	for four := range 2 {
		from, to := 8+4*four, 4*four
		p.VSHUFPS(operand.U8(0x44), y[from+2], y[from], y[to])
		p.VSHUFPS(operand.U8(0xee), y[from+2], y[from], y[to+1])
		p.VSHUFPS(operand.U8(0x44), y[from+3], y[from+1], y[to+2])
		p.VSHUFPS(operand.U8(0xee), y[from+3], y[from+1], y[to+3])
	}
	for column := range 4 {
		p.VPERM2F128(operand.U8(0x20), y[4+column], y[column], y[8+column])
		p.VPERM2F128(operand.U8(0x31), y[4+column], y[column], y[12+column])
	}
	for column := range 8 {
		p.VMOVUPS(y[8+column], at(dst, column*panelColumns*4))
	}
	p.ADDQ(operand.Imm(32), src)
	p.ADDQ(operand.Imm(32), fourth)
	p.ADDQ(operand.U32(8*panelColumns*4), dst)
	p.DECQ(blocks)
	p.JNZ(operand.LabelRef("next"))
	p.VZEROUPPER()
	p.RET()
	return p
}
