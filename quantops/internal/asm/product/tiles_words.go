package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	// wordStepBytes is how many bytes of a panel a step takes, of two k, and
	// wordLeftBytes how many of a row of the left operand.
	wordStepBytes = 2 * panelColumns
	wordLeftBytes = 4
	// wordSteps is of how many steps the loops take a multiple, and
	// wordBlockSteps how many a block of fixed point has.
	wordSteps      = 4
	wordFetches    = fetchDepth * panelColumns / 64 // a panel for each
	wordBlockSteps = 128
)

// wordLevel is an instruction set with which 16-bit integers are multiplied.
type wordLevel struct {
	level
	fused bool // a product of pairs and its addition are one instruction
}

var wordLevels = []wordLevel{{avx2, false}, {avxVNNI, true}, {avx512, false}}

// tilesWords makes the inner loops for left operands of 16 bits, for processors
// whose products of bytes, if they have them in vectors as long, have sums of 16
// bits, which may overflow.
func tilesWords() *part {
	p := newPart("product_tiles_words")
	for _, l := range wordLevels {
		for _, fixed := range []bool{false, true} {
			if l.fused && !fixed {
				continue // such processors multiply bytes as they are
			}
			kind, doc := "Words", "16-bit integers"
			if fixed {
				kind, doc = "FixedWords", "fixed point"
			}
			kind += l.name
			fmt.Fprintf(&p.tables, "// tiles%s are the tiles of rows in %s, and weights in int8, two k at a time.\nvar tiles%s = []tileKernel{\n", kind, doc, kind)
			for rows := 1; rows <= l.mostRows(); rows++ {
				name := fmt.Sprintf("tile%dx%d%s", rows, panelColumns, kind)
				p.function(name, "tile", fmt.Sprintf("%s sums %d rows in %s times %d columns of int8.", name, rows, doc, panelColumns))
				p.tileWords(l, rows, fixed)
				fmt.Fprintf(&p.tables, "{rows: %d, panels: 1, fetches: %d, run: %s},\n", rows, wordFetches, name)
			}
			fmt.Fprintf(&p.tables, "}\n\n")
		}
	}
	return p
}

// addPairs adds to each int32 of sum the products of two 16-bit integers of a and
// two of b; product is for what lies between.
func (p *part) addPairs(l wordLevel, a, b, product, sum reg.VecPhysical) {
	if l.fused {
		p.Comment("VPDPWSSD")
		p.code(vexVectors(implies66, opcodeAddPairs, sum, a, b))
		return
	}
	p.VPMADDWD(a, b, product)
	p.VPADDD(product, sum, sum)
}

// tileWords makes the loop over k for some rows and a panel. All sums stay in
// registers: those of integers begin with what the tile says; those of fixed point
// are of one block at a time, become float32 at its end, times the block's scale,
// and are added to the sums in memory.
func (p *part) tileWords(l wordLevel, rows int, fixed bool) {
	passes := shape{rows: rows, panels: 1}.passes(l.level)
	vectors := panelColumns / l.lanes / passes // of a panel's row that are in hand at once
	vectorBytes := 4 * l.lanes
	sum := func(row, vector int) reg.VecPhysical { return l.vectors[row*vectors+vector] }
	free := l.vectors[rows*vectors:]
	right, product, factors := free[:vectors], free[vectors], free[vectors+1:]
	factors = factors[:min(len(factors), max(4, rows))]

	argument := reg.RAX
	lines := []reg.Register{reg.RSI, reg.RBX, reg.R8, reg.R9}[:(rows+2)/3] // every third row
	stride, b, steps, left, sums, source, ahead, aheadStride := reg.R12, reg.R10, reg.RCX, reg.R14, reg.RDI, reg.R15, reg.R11, reg.RDX
	line := func(row, step int) operand.Mem {
		if row%3 == 0 {
			return at(lines[row/3], step*wordLeftBytes)
		}
		return indexed(lines[row/3], stride, uint8(row%3), step*wordLeftBytes)
	}
	// place is where a sum lies in memory.
	place := func(row, vector int) operand.Mem {
		return at(sums, row*panelColumns*4+vector*vectorBytes)
	}
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, tileSums), sums)
	p.MOVQ(at(argument, tileAStride), stride)
	p.MOVQ(at(argument, tileAhead), ahead)
	p.MOVQ(at(argument, tileAheadStride), aheadStride)
	for pass := range passes {
		label := func(kind string) string { return fmt.Sprintf("%s%d", kind, pass) }
		p.MOVQ(at(argument, tileB), b)
		if pass > 0 {
			p.ADDQ(operand.Imm(wordStepBytes/2), b)
			p.ADDQ(operand.Imm(panelColumns/2*4), sums)
		}
		p.MOVQ(at(argument, tileA), lines[0])
		for i := 1; i < len(lines); i++ {
			p.LEAQ(indexed(lines[i-1], stride, 2, 0), lines[i])
			p.ADDQ(stride, lines[i])
		}
		p.MOVQ(at(argument, tileK), left)
		if fixed {
			p.MOVQ(operand.U32(0), at(argument, tileScalesMoved))
			p.Label(label("block"))
			p.MOVQ(operand.U32(wordBlockSteps), steps)
			p.CMPQ(left, steps)
			p.CMOVQLT(left, steps)
			p.SUBQ(steps, left)
			for row := range rows {
				for v := range vectors {
					p.VXORPS(sum(row, v), sum(row, v), sum(row, v))
				}
			}
		} else {
			p.MOVQ(left, steps)
			p.MOVQ(at(argument, tileStart), source)
			for row := range rows {
				for v := range vectors {
					p.VMOVUPS(at(source, pass*panelColumns/2*4+v*vectorBytes), sum(row, v))
				}
				p.ADDQ(at(argument, tileStartStride), source)
			}
		}
		p.TESTQ(steps, steps)
		p.JZ(operand.LabelRef(label("end")))
		p.Label(label("next"))
		for step := range wordSteps {
			for v := range vectors {
				p.VPMOVSXBW(at(b, step*wordStepBytes+v*vectorBytes/2), right[v])
			}
			for row := range rows {
				factor := factors[row%len(factors)]
				p.VPBROADCASTD(line(row, step), factor)
				for v := range vectors {
					p.addPairs(l, right[v], factor, product, sum(row, v))
				}
			}
		}
		for range wordFetches / passes {
			p.PREFETCHT1(at(ahead, 0))
			p.ADDQ(aheadStride, ahead)
		}
		for _, r := range lines {
			p.ADDQ(operand.Imm(wordSteps*wordLeftBytes), r)
		}
		p.ADDQ(operand.U32(wordSteps*wordStepBytes), b)
		p.SUBQ(operand.Imm(wordSteps), steps)
		p.JNZ(operand.LabelRef(label("next")))
		p.Label(label("end"))
		if !fixed {
			for row := range rows {
				for v := range vectors {
					p.VMOVUPS(sum(row, v), place(row, v))
				}
			}
			continue
		}
		p.MOVQ(at(argument, tileScales), source)
		p.ADDQ(at(argument, tileScalesMoved), source)
		for row := range rows {
			p.VBROADCASTSS(at(source, 0), product)
			for v := range vectors {
				p.VCVTDQ2PS(sum(row, v), sum(row, v))
				p.VMULPS(product, sum(row, v), sum(row, v))
			}
			if row+1 < rows {
				p.ADDQ(at(argument, tileScaleStride), source)
			}
		}
		p.CMPQ(at(argument, tileScalesMoved), operand.Imm(0))
		p.JEQ(operand.LabelRef(label("store")))
		for row := range rows {
			for v := range vectors {
				p.VADDPS(place(row, v), sum(row, v), sum(row, v))
			}
		}
		p.Label(label("store"))
		for row := range rows {
			for v := range vectors {
				p.VMOVUPS(sum(row, v), place(row, v))
			}
		}
		p.ADDQ(operand.Imm(4), at(argument, tileScalesMoved))
		p.TESTQ(left, left)
		p.JNZ(operand.LabelRef(label("block")))
	}
	p.VZEROUPPER()
	p.RET()
}
