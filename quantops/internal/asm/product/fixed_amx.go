package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of quantops.fixedTiles lie.
const (
	fixedTilesDst              = 0
	fixedTilesA                = 8
	fixedTilesB                = 16
	fixedTilesCorrection       = 24
	fixedTilesScales           = 32
	fixedTilesSums             = 40
	fixedTilesConfiguration    = 48
	fixedTilesAStride          = 56
	fixedTilesCorrectionStride = 64
	fixedTilesScaleStride      = 72
	fixedTilesSteps            = 80
	fixedTilesRows             = 88
	fixedTilesCount            = 96
	fixedTilesDstMoved         = 104
	fixedTilesAMoved           = 112
	fixedTilesScalesMoved      = 120
)

// fixedTiles makes the product of 16-bit block fixed point and a panel: for each
// tile of up to 16 rows, block by block along k, the sums of high and of low
// bytes, which addFixedRow then adds to the sums in float32.
func (p *part) fixedTiles() {
	const name = "fixedTilesAMX"
	p.function(name, "fixedTiles", name+" adds the products of tiles of rows in fixed point and a panel to sums in float32.")
	const stepsOfBlock = 4
	high, low := amxLeft, amxLeft+1
	z := avx512.vectors
	argument, a, aLow, b, stride, twoLines := reg.RAX, reg.RSI, reg.R8, reg.R10, reg.RBX, reg.R12
	sums, wide, steps, left, correction, scales := reg.R9, reg.R11, reg.RCX, reg.R13, reg.R14, reg.R15
	dst, scale, sum, row := reg.RDI, reg.R11, reg.RDX, reg.RCX
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, fixedTilesConfiguration), reg.RDX)
	p.configureTiles(reg.RDX)
	p.MOVQ(at(argument, fixedTilesSums), sums)
	p.MOVQ(at(argument, fixedTilesAStride), stride)
	p.SHLQ(operand.U8(1), stride)
	p.MOVQ(operand.U32(2*4*panelColumns), twoLines)

	p.Label("tile")
	p.MOVQ(at(argument, fixedTilesA), a)
	p.ADDQ(at(argument, fixedTilesAMoved), a)
	p.MOVQ(a, aLow)
	p.ADDQ(at(argument, fixedTilesAStride), aLow)
	p.MOVQ(at(argument, fixedTilesB), b)
	p.MOVQ(at(argument, fixedTilesCorrection), correction)
	p.MOVQ(at(argument, fixedTilesScales), scales)
	p.ADDQ(at(argument, fixedTilesScalesMoved), scales)
	p.MOVQ(at(argument, fixedTilesSteps), left)

	p.Label("block")
	p.MOVQ(operand.U32(4*panelColumns), wide)
	for i := range 4 {
		p.zeroTile(amxSums + tileRegister(i))
	}
	p.MOVQ(operand.U32(stepsOfBlock), steps)
	p.CMPQ(left, steps)
	p.CMOVQLT(left, steps)
	p.SUBQ(steps, left)
	p.Label("next")
	p.loadTile(amxRight, b, wide, 0)
	p.loadTile(high, a, stride, 0)
	p.dotBytes(amxSums, high, amxRight)
	p.loadTile(amxRight+1, b, wide, amxRowBytes)
	p.dotBytes(amxSums+1, high, amxRight+1)
	p.loadTile(low, aLow, stride, 0)
	p.dotBytes(amxSums+2, low, amxRight)
	p.dotBytes(amxSums+3, low, amxRight+1)
	p.ADDQ(operand.Imm(amxRowBytes), a)
	p.ADDQ(operand.Imm(amxRowBytes), aLow)
	p.ADDQ(operand.U32(amxStepBytes), b)
	p.DECQ(steps)
	p.JNZ(operand.LabelRef("next"))
	for i := range 4 {
		p.storeTile(amxSums+tileRegister(i), sums, twoLines, int32(i*amxRowBytes))
	}
	p.MOVQ(at(argument, fixedTilesDst), dst)
	p.ADDQ(at(argument, fixedTilesDstMoved), dst)
	p.MOVQ(at(argument, fixedTilesRows), row)
	p.MOVQ(sums, sum)
	p.MOVQ(scales, scale)
	p.VMOVDQU32(at(correction, 0), z[6])
	p.VMOVDQU32(at(correction, 64), z[7])
	p.Label("row")
	p.VBROADCASTSS(at(scale, 0), z[5])
	p.addFixedRow(dst, sum)
	p.ADDQ(operand.U32(2*panelColumns*4), sum)
	p.ADDQ(operand.U32(panelColumns*4), dst)
	p.ADDQ(at(argument, fixedTilesScaleStride), scale)
	p.DECQ(row)
	p.JNZ(operand.LabelRef("row"))
	p.ADDQ(at(argument, fixedTilesCorrectionStride), correction)
	p.ADDQ(operand.Imm(4), scales)
	p.TESTQ(left, left)
	p.JNZ(operand.LabelRef("block"))

	p.MOVQ(stride, a)
	p.SHLQ(operand.U8(4), a)
	p.ADDQ(a, at(argument, fixedTilesAMoved))
	p.ADDQ(operand.U32(amxRows*4*panelColumns), at(argument, fixedTilesDstMoved))
	p.MOVQ(at(argument, fixedTilesScaleStride), scale)
	p.SHLQ(operand.U8(4), scale)
	p.ADDQ(scale, at(argument, fixedTilesScalesMoved))
	p.DECQ(at(argument, fixedTilesCount))
	p.JNZ(operand.LabelRef("tile"))
	p.VZEROUPPER()
	p.releaseTiles()
	p.RET()
}
