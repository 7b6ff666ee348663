package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// avx2 has half as many registers of half the size: it takes 4 rows of two or three
// vectors at a time, so that no vector is computed of which no lane is wanted, and
// 8 rows where there is but one: fewer sums than eight would wait for each other.
func (t tile) avx2() {
	t.begin("AVX2", "AVX2 and FMA")
	dst, rows := loadArgument("dst"), loadArgument("rows")
	aPart, bias := loadArgument("a"), loadArgument("bias")
	columns, bPart, to := loadArgument("columns"), loadArgument("b"), GP64()
	CMPQ(columns, U8(8))
	JLE(LabelRef("narrow"))

	Label("rows")
	MOVQ(argument("columns"), columns)
	MOVQ(argument("b"), bPart)
	MOVQ(dst, to)
	Label("columns")
	// 48 columns are 24 and 24, 40 are 24 and 16, 32 are 16 and 16.
	CMPQ(columns, U8(32))
	JG(LabelRef("three"))
	CMPQ(columns, U8(24))
	JG(LabelRef("two"))
	CMPQ(columns, U8(16))
	JG(LabelRef("three"))
	for _, vectors := range []int{2, 3} {
		name := []string{2: "two", 3: "three"}[vectors]
		Label(name)
		t.part(name, 4, vectors, aPart, bPart, bias, to, rows, columns)
		ADDQ(U8(32*vectors), to)
		ADDQ(U8(32*vectors), bPart)
		SUBQ(U8(8*vectors), columns)
		JG(LabelRef("columns"))
		if vectors == 2 {
			JMP(LabelRef("next"))
		}
	}
	Label("next")
	ADDQ(U8(4*4), aPart)
	ADDQ(U8(4*4), bias)
	stride := loadArgument("stride")
	SHLQ(U8(4), stride)
	ADDQ(stride, dst)
	SUBQ(U8(4), rows)
	JG(LabelRef("rows"))
	VZEROUPPER()
	RET()

	Label("narrow")
	MOVQ(dst, to)
	t.part("narrow", tileRows, 1, aPart, bPart, bias, to, rows, columns)
	VZEROUPPER()
	RET()
}

// part computes some rows of so many vectors and stores as many of both as are
// wanted, of vectors all but lanes of the last one.
func (t tile) part(name string, most, vectors int, aPart, bPart, bias, to, rows, columns GPVirtual) {
	a, b, depth := GP64(), GP64(), loadArgument("depth")
	MOVQ(aPart, a)
	MOVQ(bPart, b)
	var taps, aOffset, bOffset GPVirtual
	if t.scattered {
		taps, aOffset, bOffset = loadArgument("taps"), GP64(), GP64()
	}
	sums := func(row, vector int) VecPhysical { return ymm[row*vectors+vector] }
	for row := range most {
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
		VMOVUPS(line(32*vector), ymm[12+vector])
	}
	for row := range most {
		VBROADCASTSS(weight(4*row), Y15)
		for vector := range vectors {
			VFMADD231PS(ymm[12+vector], Y15, sums(row, vector))
		}
	}
	t.next(a, b, taps)
	DECQ(depth)
	JNZ(LabelRef(name + "Depth"))
	Label(name + "Store")
	row, stride := GP64(), loadArgument("stride")
	SHLQ(U8(2), stride)
	MOVQ(to, row)
	CMPQ(columns, U8(8*vectors))
	JL(LabelRef(name + "StoreRest"))
	for _, rest := range []bool{false, true} {
		if rest {
			Label(name + "StoreRest")
		}
		for i := range most {
			if i > 0 {
				CMPQ(rows, U8(i))
				JLE(LabelRef(name + "Stored"))
				ADDQ(stride, row)
			}
			for vector := range vectors {
				at := Mem{Base: row, Disp: 32 * vector}
				if rest && vector == vectors-1 {
					storeRest(label("%sStore%d", name, i), sums(i, vector), columns, at)
				} else {
					VMOVUPS(sums(i, vector), at)
				}
			}
		}
		if !rest {
			JMP(LabelRef(name + "Stored"))
		}
	}
	Label(name + "Stored")
}
