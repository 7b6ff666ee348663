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
	for _, s := range []shape{{1, 1}, {1, 2}, {2, 1}} {
		p.dotTiles(s)
	}
	return p
}

// dotTiles makes the loop over k for bytes: shape counts in sixteens of rows, and
// in panels. A configuration says how many rows there really are.
func (p *part) dotTiles(s shape) {
	name := fmt.Sprintf("tile%dx%dDotAMX", s.rows*amxRows, s.panels*panelColumns)
	p.function(name, "tile", fmt.Sprintf("%s sums up to %d rows times %d columns of int8, for a left operand of uint8; k is a multiple of 16 fours.", name, s.rows*amxRows, s.panels*panelColumns))
	argument, sums, a, a16, b, k, stride, panel, wide, sums2 := reg.RAX, reg.RDI, reg.RSI, reg.R8, reg.R10, reg.RCX, reg.RBX, reg.R13, reg.R11, reg.R9
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, tileConfiguration), reg.RDX)
	p.configureTiles(reg.RDX)
	p.MOVQ(at(argument, tileSums), sums)
	p.MOVQ(at(argument, tileA), a)
	p.MOVQ(at(argument, tileAStride), stride)
	p.MOVQ(at(argument, tileB), b)
	p.MOVQ(at(argument, tileK), k)
	p.MOVQ(operand.U32(4*panelColumns), wide)
	if s.rows == 2 {
		p.MOVQ(stride, a16)
		p.SHLQ(operand.U8(4), a16)
		p.ADDQ(a, a16)
	}
	if s.panels == 2 {
		p.MOVQ(at(argument, tileBPanel), panel)
		p.ADDQ(b, panel)
		p.MOVQ(at(argument, tileSumsPanel), sums2)
		p.ADDQ(sums, sums2)
	}
	// place is where a register of sums belongs.
	place := func(i int) (reg.Register, int32) {
		switch column := int32(i % 2 * amxRowBytes); {
		case i < 2:
			return sums, column
		case s.panels == 2:
			return sums2, column
		default:
			return sums, column + amxRows*4*panelColumns
		}
	}
	count := 2 * s.rows * s.panels
	p.CMPQ(at(argument, tileResume), operand.Imm(0))
	p.JEQ(operand.LabelRef("begin")) // the configuration has zeroed them
	for i := range count {
		base, offset := place(i)
		p.loadTile(amxSums+tileRegister(i), base, wide, offset)
	}
	p.Label("begin")
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
		p.ADDQ(operand.U32(amxRows*4*panelColumns), panel)
	}
	p.ADDQ(operand.Imm(amxRowBytes), a)
	p.ADDQ(operand.U32(amxRows*4*panelColumns), b)
	p.DECQ(k)
	p.JNZ(operand.LabelRef("next"))
	p.Label("store")
	for i := range count {
		base, offset := place(i)
		p.storeTile(amxSums+tileRegister(i), base, wide, offset)
	}
	p.releaseTiles()
	p.RET()
}
