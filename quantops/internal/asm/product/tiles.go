package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of quantops.tile lie.
const (
	tileSums        = 0
	tileA           = 8
	tileB           = 16
	tileZeros       = 24
	tileK           = 32
	tileAStride     = 40
	tileBStride     = 48
	tileBPanel      = 56
	tileSumsPanel   = 64
	tileResume      = 72
	tileAhead       = 88
	tileAheadStride = 96
)

// weight is how the right operand of a product is stored.
type weight struct {
	name   string
	size   int // bytes of a column, in one step of k
	zeros  bool
	dot    bool // a step is four k: bytes times bytes, summed in int32
	doc    string
	levels []level
}

var floatWeights = []weight{
	{"Float32", 4, false, false, "float32", []level{avx512, avx2}},
	{"Int8", 1, false, false, "int8", []level{avx512, avx2}},
	{"ShiftedInt8", 1, true, false, "int8 with zero points", []level{avx512, avx2}},
}

var byteWeights = []weight{
	{"Dot", 4, false, true, "int8, four k at a time, for a left operand of uint8", []level{vnni, avxVNNI}},
}

// steps is how many k a step takes.
func (w weight) steps() int {
	if w.dot {
		return 4
	}
	return 1
}

// shape is a tile of sums that are kept in registers.
type shape struct {
	rows, panels int
	tall         bool // for four tiles on a panel or more, which share what is asked for ahead
}

// shapes are the tiles of a level. A sum is one chain of additions; with fewer
// than some ten chains, the processor would wait for each of them, so where
// there are few rows several panels are gone through at once.
func (l level) shapes() []shape {
	var list []shape
	most, wide := l.mostRows(), map[int]int{1: 4, 2: 4, 3: 2, 4: 2, 5: 2, 6: 2}
	if l.lanes == 8 {
		wide = map[int]int{1: 2}
	}
	for rows := 1; rows <= most; rows++ {
		list = append(list, shape{rows: rows, panels: 1})
		if panels := wide[rows]; panels > 0 {
			list = append(list, shape{rows: rows, panels: panels})
		}
	}
	if l.lanes == 8 {
		list = append(list, shape{rows: most, panels: 1, tall: true})
	}
	return list
}

// fetchDepth is for how many k a loop's table says how many lines it asks for.
const fetchDepth = 8

// fetches are how many lines of what is ahead the loop asks for in each turn, by
// pass. With AVX2 they are as many as it reads, so that one tile brings the next
// panels, but in tall tiles; with AVX-512, where the processor itself looks farther,
// a few tiles do.
func (s shape) fetches(l level, w weight) []int {
	switch lines := (s.panels*panelColumns*w.size*s.turn(l) + 63) / 64; {
	case l.lanes == 16 && (w.dot || s.panels > 1):
		return []int{0}
	case l.lanes == 16:
		return []int{1}
	case s.passes(l) == 1 && w.size == 4:
		return []int{0} // all of every line, one after the other: to ask only delays
	case s.passes(l) == 1:
		return []int{lines}
	case s.tall:
		return []int{1, lines / 8}
	default:
		return []int{lines / 2, lines / 2}
	}
}

// turn is how many steps a turn of the loop takes. With AVX2 what else it does than to
// multiply and add would be a fifth of its instructions.
func (s shape) turn(l level) int {
	if l.lanes == 8 && s.panels == 1 {
		return 4
	}
	return 1
}

// passes is how often the loop goes over k: with AVX2 more than two rows take half
// a panel after the other.
func (s shape) passes(l level) int {
	if l.lanes == 8 && s.rows > 2 {
		return 2
	}
	return 1
}

// floatTiles makes the inner loops of the products of floats.
func floatTiles() *part {
	p := newPart("product_tiles")
	p.tiles(floatWeights)
	p.widenPanel()
	return p
}

// byteTiles makes the inner loops of the products of bytes.
func byteTiles() *part {
	p := newPart("product_tiles_bytes")
	p.tiles(byteWeights)
	return p
}

// tiles makes the inner loops of products, and tables of them.
func (p *part) tiles(weights []weight) {
	for _, w := range weights {
		for _, l := range w.levels {
			table := fmt.Sprintf("tiles%s%s", w.name, l.name)
			fmt.Fprintf(&p.tables, "// %s are the tiles of weights in %s.\nvar %s = []tileKernel{\n", table, w.doc, table)
			for _, s := range l.shapes() {
				fetches := 0
				for _, lines := range s.fetches(l, w) {
					fetches += lines
				}
				fetches = fetches * fetchDepth / (s.turn(l) * w.steps())
				fmt.Fprintf(&p.tables, "{rows: %d, panels: %d, tall: %t, fetches: %d, run: %s},\n", s.rows, s.panels, s.tall, fetches, p.tile(l, w, s))
			}
			fmt.Fprintf(&p.tables, "}\n\n")
		}
	}
}

// tile makes the loop over k for some rows of the left operand and some panels
// of the right one. All sums stay in registers; each is added to from the first
// k to the last, so that it depends on no shape.
func (p *part) tile(l level, w weight, s shape) string {
	kind := "tile"
	if s.tall {
		kind = "tallTile"
	}
	name := fmt.Sprintf("%s%dx%d%s%s", kind, s.rows, s.panels*panelColumns, w.name, l.name)
	p.function(name, "tile", fmt.Sprintf("%s sums %d rows times %d columns of %s.", name, s.rows, s.panels*panelColumns, w.doc))

	passes := s.passes(l)
	vectors := panelColumns / l.lanes / passes // of a panel's row that are in hand at once
	sum := func(row, panel, vector int) reg.VecPhysical {
		return l.vectors[(row*s.panels+panel)*vectors+vector]
	}
	next := s.rows * s.panels * vectors
	free := l.vectors[next:]
	var factors, right []reg.VecPhysical // what holds elements of the left, and of the right operand
	if s.panels > 1 {
		factors, right = free[:s.rows], free[s.rows:]
	} else {
		right, factors = free[:vectors], free[vectors:]
	}
	right = right[:len(right)/vectors*vectors]
	factors = factors[:min(len(factors), max(4, s.rows))]

	argument := reg.RAX
	lines := []reg.Register{reg.RSI, reg.RBX, reg.R8, reg.R9}[:(s.rows+2)/3] // every third row of the left operand
	stride, b, bStride, panel, panels3, k, sums, zeros := reg.R12, reg.R10, reg.R11, reg.R13, reg.RDX, reg.RCX, reg.RDI, reg.R14
	p.MOVQ(operand.NewParamAddr("t", 0), argument)
	p.MOVQ(at(argument, tileSums), sums)
	p.MOVQ(at(argument, tileB), b)
	p.MOVQ(at(argument, tileBStride), bStride)
	p.MOVQ(at(argument, tileAStride), stride)
	if s.panels > 1 {
		p.MOVQ(at(argument, tileBPanel), panel)
	}
	if s.panels > 3 {
		p.LEAQ(indexed(panel, panel, 2, 0), panels3)
	}
	turn, bStride3 := s.turn(l), panel // of one panel there is no next
	if turn > 1 {
		p.LEAQ(indexed(bStride, bStride, 2, 0), bStride3)
	}
	if w.zeros {
		p.MOVQ(at(argument, tileZeros), zeros)
	}
	fetches := s.fetches(l, w)
	ahead, aheadStride := reg.R15, panels3
	left := func(row, step int) operand.Mem {
		if row%3 == 0 {
			return at(lines[row/3], 4*step)
		}
		return indexed(lines[row/3], stride, uint8(row%3), 4*step)
	}
	source := func(panelIndex, step, vector int) operand.Mem {
		offset := vector * l.lanes * w.size
		switch {
		case step == 3:
			return indexed(b, bStride3, 1, offset)
		case step > 0:
			return indexed(b, bStride, uint8(step), offset)
		case panelIndex == 0:
			return at(b, offset)
		case panelIndex == 3:
			return indexed(b, panels3, 1, offset)
		}
		return indexed(b, panel, uint8(panelIndex), offset)
	}
	for pass := range passes {
		label := func(kind string) string { return fmt.Sprintf("%s%d", kind, pass) }
		p.MOVQ(at(argument, tileK), k)
		p.MOVQ(at(argument, tileA), lines[0])
		for i := 1; i < len(lines); i++ {
			p.LEAQ(indexed(lines[i-1], stride, 2, 0), lines[i])
			p.ADDQ(stride, lines[i])
		}
		if pass > 0 {
			p.MOVQ(at(argument, tileB), b)
			p.ADDQ(operand.Imm(uint64(vectors*l.lanes*w.size)), b)
			p.ADDQ(operand.Imm(uint64(vectors*l.lanes*4)), sums)
			if w.zeros {
				p.ADDQ(operand.Imm(uint64(vectors*l.lanes*4)), zeros)
			}
		}
		p.CMPQ(at(argument, tileResume), operand.Imm(0))
		p.JNE(operand.LabelRef(label("resume")))
		for row := range s.rows {
			for panelIndex := range s.panels {
				for vector := range vectors {
					p.VXORPS(sum(row, panelIndex, vector), sum(row, panelIndex, vector), sum(row, panelIndex, vector))
				}
			}
		}
		p.JMP(operand.LabelRef(label("begin")))
		p.Label(label("resume"))
		p.eachSum(s, vectors, argument, sums, func(row, panelIndex, vector int, m operand.Mem) {
			p.VMOVUPS(m, sum(row, panelIndex, vector))
		}, l)
		p.Label(label("begin"))
		if pass == 0 && fetches[0] > 0 { // until here, its register served others
			p.MOVQ(at(argument, tileAhead), ahead)
			p.MOVQ(at(argument, tileAheadStride), aheadStride)
		}
		load := func(panelIndex, step, vector int) reg.VecPhysical {
			r := right[(panelIndex*vectors+vector)%len(right)]
			m := source(panelIndex, step, vector)
			switch {
			case w.size == 4:
				p.VMOVUPS(m, r)
				return r
			}
			p.VPMOVSXBD(m, r)
			if w.zeros {
				p.VPSUBD(at(zeros, (panelIndex*panelColumns+vector*l.lanes)*4), r, r)
			}
			p.VCVTDQ2PS(r, r)
			return r
		}
		broadcast := p.VBROADCASTSS
		add := func(right, factor, sum reg.VecPhysical) {
			if w.dot {
				p.addFours(l, right, factor, sum)
			} else {
				p.VFMADD231PS(right, factor, sum)
			}
		}
		step := func(step int) {
			if s.panels > 1 {
				for row := range s.rows {
					broadcast(left(row, step), factors[row])
				}
				for panelIndex := range s.panels {
					for vector := range vectors {
						r := load(panelIndex, step, vector)
						for row := range s.rows {
							add(r, factors[row], sum(row, panelIndex, vector))
						}
					}
				}
				return
			}
			for vector := range vectors {
				load(0, step, vector)
			}
			for row := range s.rows {
				factor := factors[row%len(factors)]
				broadcast(left(row, step), factor)
				for vector := range vectors {
					add(right[vector], factor, sum(row, 0, vector))
				}
			}
		}
		advance := func(steps int) {
			for _, line := range lines {
				p.ADDQ(operand.Imm(uint64(4*steps)), line)
			}
			if steps > 1 {
				p.LEAQ(indexed(b, bStride, uint8(steps), 0), b)
			} else {
				p.ADDQ(bStride, b)
			}
		}
		if turn > 1 {
			p.SUBQ(operand.Imm(uint64(turn)), k)
			p.JL(operand.LabelRef(label("rest")))
		} else {
			p.TESTQ(k, k)
			p.JZ(operand.LabelRef(label("store")))
		}
		p.Label(label("next"))
		for i := range turn {
			step(i)
		}
		for range fetches[pass] {
			p.PREFETCHT1(at(ahead, 0))
			p.ADDQ(aheadStride, ahead)
		}
		advance(turn)
		if turn > 1 {
			p.SUBQ(operand.Imm(uint64(turn)), k)
			p.JGE(operand.LabelRef(label("next")))
			p.Label(label("rest"))
			p.ADDQ(operand.Imm(uint64(turn)), k)
			p.JZ(operand.LabelRef(label("store")))
			p.Label(label("single"))
			step(0)
			advance(1)
		}
		p.DECQ(k)
		if turn > 1 {
			p.JNZ(operand.LabelRef(label("single")))
		} else {
			p.JNZ(operand.LabelRef(label("next")))
		}
		p.Label(label("store"))
		p.eachSum(s, vectors, argument, sums, func(row, panelIndex, vector int, m operand.Mem) {
			p.VMOVUPS(sum(row, panelIndex, vector), m)
		}, l)
	}
	p.VZEROUPPER()
	p.RET()
	return name
}

// eachSum goes through the places of a tile's sums: rows of a panel lie after
// each other, panels as far apart as the tile says. It uses R15.
func (p *part) eachSum(s shape, vectors int, argument, sums reg.Register, f func(row, panel, vector int, m operand.Mem), l level) {
	base := sums
	for panel := range s.panels {
		if panel == 1 {
			p.MOVQ(sums, reg.R15)
			base = reg.R15
		}
		if panel > 0 {
			p.ADDQ(at(argument, tileSumsPanel), reg.R15)
		}
		for row := range s.rows {
			for vector := range vectors {
				f(row, panel, vector, at(base, row*panelColumns*4+vector*l.lanes*4))
			}
		}
	}
}
