package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	tileRows    = 8
	tileColumns = 48
)

// tile is a form of the product: its operands lie in blocks and panels, or,
// scattered, at a pair of offsets for each step of the depth.
type tile struct {
	name      string
	scattered bool
}

var (
	panelTile     = tile{"tile", false}
	scatteredTile = tile{"scattered", true}
)

// begin begins the function of a level.
func (t tile) begin(level, title string) {
	signature := "func(dst *float32, stride int, a *float32, b *float32, depth int, bias *float32, rows int, columns int)"
	if t.scattered {
		signature = "func(dst *float32, stride int, a *float32, b *float32, taps *int, depth int, bias *float32, rows int, columns int)"
	}
	TEXT(t.name+level, NOSPLIT, signature)
	Doc(t.name + level + " is " + t.name + "Generic in " + title + ".")
	Pragma("noescape")
}

// operands say where the step at hand has its weights and its row of b. They may
// use registers for both of the offsets.
func (t tile) operands(a, b, taps, aOffset, bOffset GPVirtual) (weight, row func(disp int) Mem) {
	if !t.scattered {
		return func(disp int) Mem { return Mem{Base: a, Disp: disp} }, func(disp int) Mem { return Mem{Base: b, Disp: disp} }
	}
	MOVQ(Mem{Base: taps}, aOffset)
	MOVQ(Mem{Base: taps, Disp: 8}, bOffset)
	return func(disp int) Mem { return Mem{Base: a, Index: aOffset, Scale: 4, Disp: disp} },
		func(disp int) Mem { return Mem{Base: b, Index: bOffset, Scale: 4, Disp: disp} }
}

// next goes on to the next step.
func (t tile) next(a, b, taps GPVirtual) {
	if t.scattered {
		ADDQ(U8(16), taps)
	} else {
		ADDQ(U8(4*tileRows), a)
		ADDQ(U32(4*tileColumns), b)
	}
}

// avx512 keeps 8 rows of one to three vectors in registers. Each step of the
// depth loads the vectors of b and broadcasts the eight weights.
func (t tile) avx512() {
	t.begin("AVX512", "AVX-512")
	dst, stride, a, b := loadArgument("dst"), loadArgument("stride"), loadArgument("a"), loadArgument("b")
	depth, bias, rows, columns := loadArgument("depth"), loadArgument("bias"), loadArgument("rows"), loadArgument("columns")
	var taps, aOffset, bOffset GPVirtual
	if t.scattered {
		taps, aOffset, bOffset = loadArgument("taps"), GP64(), GP64()
	}
	SHLQ(U8(2), stride)
	CMPQ(columns, U8(32))
	JG(LabelRef("three"))
	CMPQ(columns, U8(16))
	JG(LabelRef("two"))
	JMP(LabelRef("one"))
	for _, vectors := range []int{3, 2, 1} {
		name := []string{"", "one", "two", "three"}[vectors]
		Label(name)
		SUBQ(U8(16*(vectors-1)), columns)
		maskOf(columns, K1)
		sums := func(row, vector int) VecPhysical { return zmm[row*vectors+vector] }
		for row := range tileRows {
			VBROADCASTSS(Mem{Base: bias, Disp: 4 * row}, sums(row, 0))
			for vector := 1; vector < vectors; vector++ {
				VMOVAPS(sums(row, 0), sums(row, vector))
			}
		}
		TESTQ(depth, depth)
		JZ(LabelRef(name + "Store"))
		Label(name + "Depth")
		weight, line := t.operands(a, b, taps, aOffset, bOffset)
		for vector := range vectors {
			VMOVUPS(line(64*vector), zmm[24+vector])
		}
		for row := range tileRows {
			VBROADCASTSS(weight(4*row), zmm[28+row%4])
			for vector := range vectors {
				VFMADD231PS(zmm[24+vector], zmm[28+row%4], sums(row, vector))
			}
		}
		t.next(a, b, taps)
		DECQ(depth)
		JNZ(LabelRef(name + "Depth"))
		Label(name + "Store")
		for row := range tileRows {
			if row > 0 {
				CMPQ(rows, U8(row))
				JLE(LabelRef(name + "Done"))
				ADDQ(stride, dst)
			}
			for vector := range vectors {
				to := Mem{Base: dst, Disp: 64 * vector}
				if vector == vectors-1 {
					VMOVUPS(sums(row, vector), K1, to)
				} else {
					VMOVUPS(sums(row, vector), to)
				}
			}
		}
		Label(name + "Done")
		VZEROUPPER()
		RET()
	}
}
