package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// What AMX's registers hold, in all its products: sums of up to 32 rows and 32
// columns, or of 16 rows and 64 columns, rows of the left operand, and a panel of
// the right one.
const (
	amxSums  tileRegister = 0 // to 3
	amxLeft  tileRegister = 4 // and 5
	amxRight tileRegister = 6 // and 7
)

const (
	amxRows     = 16 // of a register
	amxRowBytes = 64
)

// amx makes the products in AMX's tiles.
func amx() *part {
	p := newPart("product_amx")
	for _, s := range []shape{{rows: 1, panels: 1}, {rows: 1, panels: 2}, {rows: 2, panels: 1}} {
		p.dotTiles(s)
	}
	p.fixedTiles()
	return p
}

// Where the fields of quantops.tile that only AMX's loops read lie.
const (
	tileConfiguration = 104
	tileStart         = 112
	tileStartStride   = 120
	tileStartPanel    = 128
	tileCount         = 136
)

// amxStepBytes is what a step of k takes of a panel of bytes.
const amxStepBytes = amxRows * 4 * panelColumns

// dotTiles makes the loop over k for bytes: shape counts in sixteens of rows, and
// in panels. A configuration says how many rows there really are. With 32 rows
// there may be several tiles below each other, for each of which the panel is gone
// through: to configure takes as long as some steps of k.
func (p *part) dotTiles(s shape) {
	name := fmt.Sprintf("tile%dx%dDotAMX", s.rows*amxRows, s.panels*panelColumns)
	p.function(name, "tile", fmt.Sprintf("%s sums up to %d rows times %d columns of int8, for a left operand of uint8; k is a multiple of 16 fours.", name, s.rows*amxRows, s.panels*panelColumns))
	argument, sums, a, a16, b, k, stride, wide := reg.RAX, reg.RDI, reg.RSI, reg.R8, reg.R10, reg.RCX, reg.RBX, reg.R11
	start, startStride, panel, sums2, lines, count := reg.R12, reg.R13, reg.R14, reg.R9, reg.R15, reg.RDX
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, tileConfiguration), reg.RDX)
	p.configureTiles(reg.RDX)
	p.MOVQ(at(argument, tileSums), sums)
	p.MOVQ(at(argument, tileA), a)
	p.MOVQ(at(argument, tileAStride), stride)
	p.MOVQ(at(argument, tileStart), start)
	p.MOVQ(at(argument, tileStartStride), startStride)
	p.MOVQ(operand.U32(4*panelColumns), wide)
	if s.rows == 2 {
		p.MOVQ(a, lines)
		p.MOVQ(at(argument, tileCount), count)
		p.Label("tile")
		p.MOVQ(lines, a)
		p.MOVQ(stride, a16)
		p.SHLQ(operand.U8(4), a16)
		p.ADDQ(a, a16)
	}
	p.MOVQ(at(argument, tileB), b)
	p.MOVQ(at(argument, tileK), k)
	for i := range 2 {
		p.loadTile(amxSums+tileRegister(i), start, startStride, int32(i*amxRowBytes))
	}
	switch {
	case s.panels == 2:
		p.MOVQ(at(argument, tileBPanel), panel)
		p.ADDQ(b, panel)
		p.MOVQ(at(argument, tileSumsPanel), sums2)
		p.ADDQ(sums, sums2)
		p.ADDQ(at(argument, tileStartPanel), start)
	case s.rows == 2:
		p.MOVQ(sums, sums2)
		p.ADDQ(operand.U32(amxRows*4*panelColumns), sums2)
		p.MOVQ(startStride, panel)
		p.SHLQ(operand.U8(4), panel)
		p.ADDQ(panel, start)
	}
	if s.panels == 2 || s.rows == 2 {
		for i := range 2 {
			p.loadTile(amxSums+2+tileRegister(i), start, startStride, int32(i*amxRowBytes))
		}
	}
	p.SHRQ(operand.U8(4), k)
	p.JZ(operand.LabelRef("store"))
	p.Label("next")
	p.loadTile(amxRight, b, wide, 0)
	p.loadTile(amxLeft, a, stride, 0)
	p.dotBytes(amxSums, amxLeft, amxRight)
	p.loadTile(amxRight+1, b, wide, amxRowBytes)
	p.dotBytes(amxSums+1, amxLeft, amxRight+1)
	if s.rows == 2 {
		p.loadTile(amxLeft+1, a16, stride, 0)
		p.dotBytes(amxSums+2, amxLeft+1, amxRight)
		p.dotBytes(amxSums+3, amxLeft+1, amxRight+1)
		p.ADDQ(operand.Imm(amxRowBytes), a16)
	}
	if s.panels == 2 {
		p.loadTile(amxRight, panel, wide, 0)
		p.dotBytes(amxSums+2, amxLeft, amxRight)
		p.loadTile(amxRight+1, panel, wide, amxRowBytes)
		p.dotBytes(amxSums+3, amxLeft, amxRight+1)
		p.ADDQ(operand.U32(amxStepBytes), panel)
	}
	p.ADDQ(operand.Imm(amxRowBytes), a)
	p.ADDQ(operand.U32(amxStepBytes), b)
	p.DECQ(k)
	p.JNZ(operand.LabelRef("next"))
	p.Label("store")
	for i := range 2 {
		p.storeTile(amxSums+tileRegister(i), sums, wide, int32(i*amxRowBytes))
		if s.panels == 2 || s.rows == 2 {
			p.storeTile(amxSums+2+tileRegister(i), sums2, wide, int32(i*amxRowBytes))
		}
	}
	if s.rows == 2 {
		p.ADDQ(operand.U32(2*amxRows*4*panelColumns), sums)
		p.ADDQ(panel, start) // the other sixteen rows
		p.MOVQ(stride, a)
		p.SHLQ(operand.U8(5), a)
		p.ADDQ(a, lines)
		p.DECQ(count)
		p.JNZ(operand.LabelRef("tile"))
	}
	p.releaseTiles()
	p.RET()
}
