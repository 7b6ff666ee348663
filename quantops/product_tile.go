package quantops

import "unsafe"

// panelColumns is how many columns of a right operand lie together as a panel:
// k rows of 32 numbers, one after another. What a last panel has too many is 0.
const panelColumns = 32

// tile is one call of an inner loop: some rows of the left operand times some
// panels of the right one, over k. The sums fill, for each panel, rows of 32. Strides are in bytes. The assembly knows where the fields lie.
type tile struct {
	sums      unsafe.Pointer // rows of 32 float32, or int32
	a         unsafe.Pointer // float32, or bytes
	b         unsafe.Pointer
	zeros     *int32 // zero points of the panels' columns, if the weights have such
	k         int
	aStride   int // from a row of the left operand to the next
	bStride   int // from a row of a panel to the next
	bPanel    int // from a panel to the next
	sumsPanel int // from the sums of a panel to those of the next
	resume    int // not 0: the sums are added to, else they are written
	rows      int
	// ahead is what some loops bring into the second-level cache on the way, and
	// aheadStride how far they go each time.
	ahead       unsafe.Pointer
	aheadStride int
	// What else the loops in AMX's tiles are given, and start also those for integers
	// of 16 bits: the shapes of its registers; what the sums begin with, a row of each
	// panel startStride bytes after another (0: it is the same for all), and a panel
	// startPanel bytes after another, or nil: they begin as resume says; and how many
	// tiles of 32 rows lie below each other.
	configuration           *amxConfiguration
	start                   unsafe.Pointer
	startStride, startPanel int
	count                   int
	// What the loops for lines of fixed point are given, by turns of high and of low
	// bytes. k counts steps of four, the sums are float32 and rows of two lines: what
	// the sums of the high bytes of each block begin with, a block correctionStride
	// bytes after another; and the scales of each row's blocks, a row scaleStride
	// bytes after another. See sumFixed.
	correction              *int32
	correctionStride        int
	scales                  *float32
	scaleStride             int
	blocksDone, scalesMoved int // 0; the loops count here
}

// tileKernel is an inner loop for exactly so many rows and panels, which asks for so
// many lines of what is ahead for every eight k.
type tileKernel struct {
	rows, panels, fetches int
	tall                  bool
	run                   func(*tile)
}

// tileSet holds the inner loops for one kind of right operand.
type tileSet struct {
	most int // rows that there are loops for
	// step is of how many rows a multiple is best, or 0.
	step int
	// one are by rows the loops for one panel, several those for more at once, where
	// they are faster, and tall those for a panel that tallTiles go over; else nil.
	one, several, tall [maxTileRows + 1]tileKernel
}

const (
	// maxTileRows bounds the rows that one inner loop computes, and maxTileSums
	// these times the panels.
	maxTileRows = 128
	maxTileSums = 128
	// genericRows is what inner loops in Go, which take any number, are given.
	genericRows = 12
	tallTiles   = 4
)

func newTileSet(kernels []tileKernel) *tileSet {
	s := &tileSet{}
	for _, k := range kernels {
		s.most = max(s.most, k.rows)
		switch {
		case k.tall:
			s.tall[k.rows] = k
		case k.panels == 1:
			s.one[k.rows] = k
		default:
			s.several[k.rows] = k
		}
	}
	return s
}

// genericTiles is the tile set of a loop that takes any number of rows.
func genericTiles(run func(*tile)) *tileSet {
	var list []tileKernel
	for rows := 1; rows <= genericRows; rows++ {
		list = append(list, tileKernel{rows: rows, panels: 1, run: run})
	}
	return newTileSet(list)
}

type panelRow = [panelColumns]float32

// sumsRow is the i-th row of a tile's sums.
func (t *tile) sumsRow(i int) *panelRow {
	return (*panelRow)(unsafe.Add(t.sums, i*int(unsafe.Sizeof(panelRow{}))))
}

// tileFloat32 is the inner loop for float32:
//
//	sums[i][j] = Σₖ a[i][k]·b[k][j]
func tileFloat32(t *tile) {
	t.sweep(func(k int, _ *panelRow) *panelRow {
		return (*panelRow)(unsafe.Add(t.b, k*t.bStride))
	})
}

// tileInt8 is the inner loop for weights in int8.
func tileInt8(t *tile) {
	t.sweep(func(k int, wide *panelRow) *panelRow {
		for j, q := range (*[panelColumns]int8)(unsafe.Add(t.b, k*t.bStride)) {
			wide[j] = float32(q)
		}
		return wide
	})
}

// tileShiftedInt8 is the inner loop for weights in int8 less their zero points;
// the differences are exact.
func tileShiftedInt8(t *tile) {
	zeros := (*[panelColumns]int32)(unsafe.Pointer(t.zeros))
	t.sweep(func(k int, wide *panelRow) *panelRow {
		for j, q := range (*[panelColumns]int8)(unsafe.Add(t.b, k*t.bStride)) {
			wide[j] = float32(int32(q) - zeros[j])
		}
		return wide
	})
}

// sweep adds products to the sums, four k at a time: from memory come then four
// products' operands for each sum that is read and written. row gives a panel's
// row of floats, for which it may use the memory that it is given.
func (t *tile) sweep(row func(k int, wide *panelRow) *panelRow) {
	if t.resume == 0 {
		for i := range t.rows {
			*t.sumsRow(i) = panelRow{}
		}
	}
	left := func(i int) []float32 {
		return unsafe.Slice((*float32)(unsafe.Add(t.a, i*t.aStride)), t.k)
	}
	var wide [4]panelRow
	k := 0
	for ; k+4 <= t.k; k += 4 {
		b0, b1, b2, b3 := row(k, &wide[0]), row(k+1, &wide[1]), row(k+2, &wide[2]), row(k+3, &wide[3])
		for i := range t.rows {
			a := left(i)[k:]
			p0, p1, p2, p3 := a[0], a[1], a[2], a[3]
			y := t.sumsRow(i)
			for j := range y {
				y[j] += p0*b0[j] + p1*b1[j] + p2*b2[j] + p3*b3[j]
			}
		}
	}
	for ; k < t.k; k++ {
		b := row(k, &wide[0])
		for i := range t.rows {
			p, y := left(i)[k], t.sumsRow(i)
			for j := range y {
				y[j] += p * b[j]
			}
		}
	}
}

// finish is one call of what makes of a tile's sums, for one panel, what is
// stored:
//
//	dst[i][j] = max(low, min(high, sums[i][j]·scale[j] + bias[j] + rowBias[i] + add[i][j]))
//
// Strides are in bytes. The assembly knows where the fields lie.
type finish struct {
	dst       *float32
	dstStride int
	sums      *float32
	rows      int
	columns   int // 1…32
	scale     *float32
	bias      *float32
	add       *float32 // nil: nothing
	addStride int
	rowBias   *float32 // nil: nothing
	low, high float32
	integers  int // not 0: the sums are int32
}

// finishGeneric is finish in Go.
func finishGeneric(f *finish) {
	scale, bias := unsafe.Slice(f.scale, f.columns), unsafe.Slice(f.bias, f.columns)
	for i := range f.rows {
		dst := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(f.dst), i*f.dstStride)), f.columns)
		var values panelRow
		row := values[:f.columns]
		if sums := unsafe.Add(unsafe.Pointer(f.sums), i*int(unsafe.Sizeof(panelRow{}))); f.integers != 0 {
			for j, v := range (*[panelColumns]int32)(sums)[:f.columns] {
				row[j] = float32(v)*scale[j] + bias[j]
			}
		} else {
			for j, v := range (*panelRow)(sums)[:f.columns] {
				row[j] = v*scale[j] + bias[j]
			}
		}
		if f.rowBias != nil {
			term := *(*float32)(unsafe.Add(unsafe.Pointer(f.rowBias), 4*i))
			for j := range row {
				row[j] += term
			}
		}
		if f.add != nil {
			for j, v := range unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(f.add), i*f.addStride)), f.columns) {
				row[j] += v
			}
		}
		for j, v := range row {
			dst[j] = min(max(v, f.low), f.high)
		}
	}
}

// addScaledGeneric adds the sums of one block along k, scaled, to those of the
// blocks before, which dst holds in rows of 32:
//
//	dst[i][j] += sums[i][j]·scale[j]
func addScaledGeneric(f *finish) {
	scale := (*panelRow)(unsafe.Pointer(f.scale))
	for i := range f.rows {
		offset := i * int(unsafe.Sizeof(panelRow{}))
		dst, sums := (*panelRow)(unsafe.Add(unsafe.Pointer(f.dst), offset)), (*panelRow)(unsafe.Add(unsafe.Pointer(f.sums), offset))
		for j, v := range sums {
			dst[j] += v * scale[j]
		}
	}
}

// transposition writes eight rows as eight columns of a panel: for each of
// 8·blocks k, dst[k][i] = src[i][k]. The stride is in bytes.
type transposition struct {
	dst, src  *float32
	srcStride int
	blocks    int
}
