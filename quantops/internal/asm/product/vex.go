package main

import (
	"encoding/binary"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Neither Go's assembler nor avo know AMX, or AVX-VNNI in its own encoding: these
// instructions are written as bytes. All have a VEX prefix of three bytes, in the
// opcode map 0F38, with W of 0 (Intel 64 and IA-32 Architectures Software
// Developer's Manual, volume 2, section 2.3, and the pages of the instructions).

// mandatory is the prefix that a VEX prefix implies.
type mandatory byte

const (
	implies00 mandatory = iota
	implies66
	impliesF3
	impliesF2
)

const (
	opcodeAddFours = 0x50 // VPDPBUSD
	opcodeAddPairs = 0x52 // VPDPWSSD
)

// vex is the prefix for an instruction whose operands are the register to, the
// second one in vvvv, and memory at an index and a base, or a register as base; 0
// where there is none. All bits of registers are stored inverted.
func vex(implied mandatory, to, second, index, base byte) []byte {
	const map0F38 = 2
	return []byte{0xc4, (^to>>3&1)<<7 | (^index>>3&1)<<6 | (^base>>3&1)<<5 | map0F38, (^second&15)<<3 | byte(implied)}
}

// vexVectors encodes an instruction of three vectors of 256 bits.
func vexVectors(implied mandatory, opcode byte, to, a, b reg.VecPhysical) []byte {
	const long, allRegisters = 1 << 2, 0xc0
	code := vex(implied, number(to), number(a), 0, number(b))
	code[2] |= long
	return append(code, opcode, allRegisters|number(to)&7<<3|number(b)&7)
}

func number(r reg.Register) byte { return byte(r.(reg.Physical).PhysicalIndex()) }

// code adds an instruction by its bytes, in words of four as long as there are as
// many.
func (p *part) code(bytes []byte) {
	for len(bytes) >= 4 {
		p.Instruction(&ir.Instruction{Opcode: "LONG", Operands: []operand.Op{operand.U32(binary.LittleEndian.Uint32(bytes))}})
		bytes = bytes[4:]
	}
	for _, b := range bytes {
		p.Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []operand.Op{operand.U8(b)}})
	}
}
