package main

import "github.com/mmcloughlin/avo/reg"

// tileRegister is one of the eight registers of a matrix that AMX has.
type tileRegister byte

const (
	opcodeConfigure = 0x49 // LDTILECFG, TILERELEASE, TILEZERO
	opcodeMove      = 0x4b // TILELOADD, TILESTORED
	opcodeDotBF16   = 0x5c
	opcodeDotInt8   = 0x5e
)

// registers encodes an instruction whose operands are all registers.
func registers(implied mandatory, opcode byte, to, a, b tileRegister) []byte {
	return append(vex(implied, 0, byte(b), 0, 0), opcode, 0xc0|byte(to)<<3|byte(a))
}

// memory encodes an instruction that reads or writes a tile at base, rows index
// bytes apart.
func memory(implied mandatory, opcode byte, tile tileRegister, base, index reg.Register, offset int32) []byte {
	b, i := number(base), number(index)
	const sib, offset32 = 4, 0x80
	code := append(vex(implied, 0, 0, i, b), opcode, offset32|byte(tile)<<3|sib, i&7<<3|b&7)
	return append(code, byte(offset), byte(offset>>8), byte(offset>>16), byte(offset>>24))
}

// configuration encodes the reading of a configuration at base.
func configuration(base reg.Register) []byte {
	b := number(base)
	if b&7 == 4 || b&7 == 5 {
		panic("these registers have other encodings")
	}
	return append(vex(implies00, 0, 0, 0, b), opcodeConfigure, b&7)
}

// configureTiles gives the tile registers the shapes at base, and zeros.
func (p *part) configureTiles(base reg.Register) {
	p.Comment("LDTILECFG")
	p.code(configuration(base))
}

// releaseTiles leaves the tile registers unused, so that nobody has to save them.
func (p *part) releaseTiles() {
	p.Comment("TILERELEASE")
	p.code(registers(implies00, opcodeConfigure, 0, 0, 0))
}

func (p *part) zeroTile(t tileRegister) {
	p.Comment("TILEZERO")
	p.code(registers(impliesF2, opcodeConfigure, t, 0, 0))
}

// loadTile reads rows that are index bytes apart.
func (p *part) loadTile(t tileRegister, base, index reg.Register, offset int32) {
	p.Comment("TILELOADD")
	p.code(memory(impliesF2, opcodeMove, t, base, index, offset))
}

func (p *part) storeTile(t tileRegister, base, index reg.Register, offset int32) {
	p.Comment("TILESTORED")
	p.code(memory(impliesF3, opcodeMove, t, base, index, offset))
}

// dotBytes adds the products of rows of uint8 and columns of int8, four at a time,
// to int32.
func (p *part) dotBytes(sums, left, right tileRegister) {
	p.Comment("TDPBUSD")
	p.code(registers(implies66, opcodeDotInt8, sums, left, right))
}

// dotBFloat16 adds the products of rows and columns of bfloat16, two at a time, to
// float32.
func (p *part) dotBFloat16(sums, left, right tileRegister) {
	p.Comment("TDPBF16PS")
	p.code(registers(impliesF3, opcodeDotBF16, sums, left, right))
}
