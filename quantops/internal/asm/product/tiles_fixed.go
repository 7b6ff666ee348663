package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of quantops.tile lie that only tiles of fixed point read.
const (
	tileCorrection       = 144
	tileCorrectionStride = 152
	tileScales           = 160
	tileScaleStride      = 168
	tileBlocksDone       = 176
	tileScalesMoved      = 184
)

// fixedStep is how many k a step takes, and fixedStepBytes how many bytes of a panel.
const (
	fixedStep      = 4
	fixedStepBytes = fixedStep * panelColumns
)

// fixedShapes are the tiles of rows in fixed point: rows counts lines, of high and
// of low bytes in turn. Two panels at once give enough chains even to one row;
// more would be more streams out of memory, which are slower than fewer.
func fixedShapes() []shape {
	var list []shape
	for rows := 2; rows <= 12; rows += 2 {
		list = append(list, shape{rows: rows, panels: 1})
		if rows <= 6 {
			list = append(list, shape{rows: rows, panels: 2})
		}
	}
	return list
}

// tilesFixed makes the inner loops for left operands in 16-bit block fixed point.
func tilesFixed() *part {
	p := newPart("product_tiles_fixed")
	fmt.Fprintf(&p.tables, "// tilesFixedVNNI are the tiles of rows in fixed point, and weights in int8, four k at a time.\nvar tilesFixedVNNI = []tileKernel{\n")
	for _, s := range fixedShapes() {
		fetches := 0
		if s.panels == 1 {
			fetches = 2 * fetchDepth / fixedStep
		}
		fmt.Fprintf(&p.tables, "{rows: %d, panels: %d, fetches: %d, run: %s},\n", s.rows, s.panels, fetches, p.tileFixed(s))
	}
	fmt.Fprintf(&p.tables, "}\n")
	return p
}

// tileFixed makes the loop over k for some lines of the left operand and some
// panels. A block's sums stay in registers, those of high bytes begin with the
// correction; at its end, they become float32, times the block's scale, and are
// added to the sums in memory.
func (p *part) tileFixed(s shape) string {
	name := fmt.Sprintf("tile%dx%dFixedVNNI", s.rows, s.panels*panelColumns)
	p.function(name, "tile", fmt.Sprintf("%s sums %d rows in fixed point times %d columns.", name, s.rows/2, s.panels*panelColumns))
	const vectors, blockSteps = 2, 64
	z := vnni.vectors
	sum := func(line, panel, vector int) reg.VecPhysical { return z[(line*s.panels+panel)*vectors+vector] }
	free := z[s.rows*s.panels*vectors:]
	factors, right := free[:min(s.rows, len(free)-vectors)], free[len(free)-vectors:]
	if s.panels > 1 {
		factors, right = free[:s.rows], free[s.rows:]
	}
	right = right[:len(right)/vectors*vectors]

	argument := reg.RAX
	lines := []reg.Register{reg.RSI, reg.RBX, reg.R8, reg.R9}[:(s.rows+2)/3] // every third one
	stride, b, panel, steps, left, dst, scales, ahead, aheadStride := reg.R12, reg.R10, reg.R13, reg.RCX, reg.R14, reg.RDI, reg.R15, reg.R11, reg.RDX
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, tileB), b)
	p.MOVQ(at(argument, tileAStride), stride)
	p.MOVQ(at(argument, tileK), left)
	p.MOVQ(at(argument, tileA), lines[0])
	for i := 1; i < len(lines); i++ {
		p.LEAQ(indexed(lines[i-1], stride, 2, 0), lines[i])
		p.ADDQ(stride, lines[i])
	}
	if s.panels > 1 {
		p.MOVQ(at(argument, tileBPanel), panel)
	} else {
		p.MOVQ(at(argument, tileAhead), ahead)
		p.MOVQ(at(argument, tileAheadStride), aheadStride)
	}
	line := func(i int) operand.Mem {
		if i%3 == 0 {
			return at(lines[i/3], 0)
		}
		return indexed(lines[i/3], stride, uint8(i%3), 0)
	}
	source := func(i, offset int) operand.Mem {
		if i == 0 {
			return at(b, offset)
		}
		return indexed(b, panel, uint8(i), offset)
	}

	p.Label("block")
	p.MOVQ(operand.U32(blockSteps), steps)
	p.CMPQ(left, steps)
	p.CMOVQLT(left, steps)
	p.SUBQ(steps, left)
	p.MOVQ(at(argument, tileCorrectionStride), dst)
	p.IMULQ(at(argument, tileBlocksDone), dst)
	p.ADDQ(at(argument, tileCorrection), dst)
	for i := range s.rows {
		for j := range s.panels {
			for v := range vectors {
				if r := sum(i, j, v); i == 0 {
					p.VMOVDQU32(at(dst, 4*(j*panelColumns+16*v)), r)
				} else if i%2 == 0 {
					p.VMOVDQA32(sum(0, j, v), r)
				} else {
					p.VPXORD(r, r, r)
				}
			}
		}
	}
	p.TESTQ(steps, steps)
	p.JZ(operand.LabelRef("end"))
	p.Label("next")
	if s.panels > 1 {
		for i := range s.rows {
			p.VPBROADCASTD(line(i), factors[i])
		}
		for j := range s.panels {
			for v := range vectors {
				r := right[(j*vectors+v)%len(right)]
				p.VMOVDQU32(source(j, 64*v), r)
				for i := range s.rows {
					p.addFours(vnni, r, factors[i], sum(i, j, v))
				}
			}
		}
	} else {
		for v := range vectors {
			p.VMOVDQU32(source(0, 64*v), right[v])
		}
		for i := range s.rows {
			factor := factors[i%len(factors)]
			p.VPBROADCASTD(line(i), factor)
			for v := range vectors {
				p.addFours(vnni, right[v], factor, sum(i, 0, v))
			}
		}
		for range 2 {
			p.PREFETCHT1(at(ahead, 0))
			p.ADDQ(aheadStride, ahead)
		}
	}
	for _, r := range lines {
		p.ADDQ(operand.Imm(fixedStep), r)
	}
	p.ADDQ(operand.U32(fixedStepBytes), b)
	p.DECQ(steps)
	p.JNZ(operand.LabelRef("next"))
	p.Label("end")
	p.MOVQ(at(argument, tileScales), scales)
	p.ADDQ(at(argument, tileScalesMoved), scales)
	p.MOVQ(at(argument, tileSums), dst)
	p.CMPQ(at(argument, tileBlocksDone), operand.Imm(0))
	p.JNE(operand.LabelRef("add"))
	p.endFixed(s, sum, free[0], dst, scales, steps, false)
	p.JMP(operand.LabelRef("ended"))
	p.Label("add")
	p.endFixed(s, sum, free[0], dst, scales, steps, true)
	p.Label("ended")
	p.INCQ(at(argument, tileBlocksDone))
	p.ADDQ(operand.Imm(4), at(argument, tileScalesMoved))
	p.TESTQ(left, left)
	p.JNZ(operand.LabelRef("block"))
	p.VZEROUPPER()
	p.RET()
	return name
}

// endFixed writes the sums of a block, or adds them, to those in float32. It
// moves dst and scales.
func (p *part) endFixed(s shape, sum func(line, panel, vector int) reg.VecPhysical, scale reg.VecPhysical, dst, scales, row reg.Register, add bool) {
	for i := 0; i < s.rows; i += 2 {
		p.VBROADCASTSS(at(scales, 0), scale)
		p.MOVQ(dst, row)
		for j := range s.panels {
			for v := range 2 {
				high, low, m := sum(i, j, v), sum(i+1, j, v), at(row, 64*v)
				p.VPSLLD(operand.U8(8), high, high)
				p.VPADDD(low, high, high)
				p.VCVTDQ2PS(high, high)
				p.VMULPS(scale, high, high)
				if add {
					p.VADDPS(m, high, high)
				}
				p.VMOVUPS(high, m)
			}
			if j+1 < s.panels {
				p.ADDQ(at(reg.RAX, tileSumsPanel), row)
			}
		}
		if i+2 < s.rows {
			p.ADDQ(operand.U32(4*panelColumns), dst)
			p.ADDQ(at(reg.RAX, tileScaleStride), scales)
		}
	}
}
