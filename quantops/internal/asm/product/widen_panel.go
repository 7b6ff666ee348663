package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// widenPanel makes what converts a panel of int8 for the tiles of float32.
func (p *part) widenPanel() {
	name := "widenPanelAVX512"
	p.function(name, "tile", name+" converts k rows of a panel of int8 to float32.")
	dst, src, k := reg.RDI, reg.RSI, reg.RCX
	p.MOVQ(operand.NewParamAddr("t", 0), reg.RAX)
	p.MOVQ(at(reg.RAX, tileSums), dst)
	p.MOVQ(at(reg.RAX, tileB), src)
	p.MOVQ(at(reg.RAX, tileK), k)
	p.TESTQ(k, k)
	p.JZ(operand.LabelRef("done"))
	p.Label("next")
	for i, z := range avx512.vectors[:2] {
		p.VPMOVSXBD(at(src, 16*i), z)
		p.VCVTDQ2PS(z, z)
		p.VMOVUPS(z, at(dst, 64*i))
	}
	p.ADDQ(operand.Imm(panelColumns), src)
	p.ADDQ(operand.U32(4*panelColumns), dst)
	p.DECQ(k)
	p.JNZ(operand.LabelRef("next"))
	p.Label("done")
	p.VZEROUPPER()
	p.RET()
}
