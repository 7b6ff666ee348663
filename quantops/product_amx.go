package quantops

import "unsafe"

// A tile register of AMX holds 16 rows of 64 bytes: 64 k of 16 rows of a left
// operand in bytes, as many of 16 columns of a right one, or 16 rows of 16 sums.
const (
	amxRows     = 16
	amxRowBytes = 64
	amxDepth    = 64
)

// amxConfiguration is what says to AMX which shapes its eight registers have
// (palette 1; Intel 64 and IA-32 Architectures Software Developer's Manual, volume
// 1, section 18.2).
type amxConfiguration struct {
	palette uint8
	_       [15]uint8  // among them where an interrupted move goes on
	bytes   [16]uint16 // of a row of each register
	rows    [16]uint8  // of each register
}

// amxConfigurations are, by how many rows of the left operand there are, the
// shapes for the products: registers 0 to 3 hold sums, 4 and 5 rows of the left
// operand, 6 and 7 a panel of the right one. Up to 16 rows, all sums are of those;
// of more, registers 0, 1 and 4 are for the first 16, and 2, 3 and 5 for the rest.
var amxConfigurations = func() (list [2*amxRows + 1]amxConfiguration) {
	for rows := range list {
		c := &list[rows]
		c.palette = 1
		first, second := min(rows, amxRows), rows
		if rows > amxRows {
			second = rows - amxRows
		}
		for i, n := range []int{first, first, second, second, first, second, amxRows, amxRows} {
			if n > 0 {
				c.bytes[i], c.rows[i] = amxRowBytes, uint8(n)
			}
		}
	}
	return list
}()

// amxTallRows is how many rows the loops in AMX's tiles compute in a call.
const amxTallRows = maxTileRows

// dotTilesAMX are the inner loops for bytes, whose k is a multiple of amxDepth:
// narrow and wide ones for 16 rows, and one or two panels, and tall ones for any
// number of 32 rows, or for fewer.
func dotTilesAMX(narrow, wide, tall func(*tile)) *tileSet {
	few := func(run func(*tile)) func(*tile) {
		return func(t *tile) {
			t.begin()
			t.configuration = &amxConfigurations[t.rows]
			run(t)
		}
	}
	many := func(t *tile) {
		const each = 2 * amxRows
		t.begin()
		if t.count = t.rows / each; t.count > 0 {
			t.configuration = &amxConfigurations[each]
			tall(t)
		}
		rest := t.rows % each
		if rest == 0 {
			return
		}
		last := *t
		done := t.rows - rest
		last.a, last.sums, last.start = unsafe.Add(t.a, done*t.aStride), unsafe.Pointer(t.sumsRow(done)), unsafe.Add(t.start, done*t.startStride)
		last.configuration, last.count = &amxConfigurations[rest], 1
		if rest <= amxRows {
			narrow(&last)
		} else {
			tall(&last)
		}
	}
	var list []tileKernel
	for rows := 1; rows <= amxRows; rows++ {
		list = append(list, tileKernel{rows: rows, panels: 1, run: few(narrow)}, tileKernel{rows: rows, panels: 2, run: few(wide)})
	}
	for rows := amxRows + 1; rows <= amxTallRows; rows++ {
		list = append(list, tileKernel{rows: rows, panels: 1, run: many})
	}
	set := newTileSet(list)
	set.step = 2 * amxRows
	return set
}

// begin says where the sums begin with, if that is not said.
func (t *tile) begin() {
	switch {
	case t.resume != 0:
		t.start, t.startStride, t.startPanel = t.sums, int(unsafe.Sizeof(panelRow{})), t.sumsPanel
	case t.start == nil:
		t.start, t.startStride, t.startPanel = unsafe.Pointer(&zerosRow), 0, 0
	}
}

// fixedTiles is one call of the loop in AMX's tiles for rows of fixed point, which
// come as lines of high and of low bytes in turn, and one panel: for count tiles
// of rows each, at most 16, and each block of four steps along k,
//
//	dst[i][j] += scales[i]·float32(256·(Σ high·b + correction[j]) + Σ low·b)
//
// as tileFixed has it. Strides are in bytes. The assembly knows where the fields
// lie; it counts the tiles down, and how far dst, a and scales move.
type fixedTiles struct {
	dst              *float32 // rows of 32
	a                *uint8
	b                unsafe.Pointer
	correction       *int32
	scales           *float32
	sums             unsafe.Pointer // room for 32 rows
	configuration    *amxConfiguration
	aStride          int // from a line to the next
	correctionStride int // from a block to the next
	scaleStride      int // from a row to the next
	steps            int // of amxDepth
	rows, count      int
	// How far dst, a and scales have moved: pointers would for a moment be beyond
	// what they point to, at which the garbage collector stops.
	dstMoved, aMoved, scalesMoved int
}

// fixedTilesGeneric is fixedTiles in Go.
func fixedTilesGeneric(t *fixedTiles) {
	for row := range t.rows * t.count {
		dst := (*panelRow)(unsafe.Add(unsafe.Pointer(t.dst), row*int(unsafe.Sizeof(panelRow{}))))
		for first, block := 0, 0; first < t.steps*amxDepth; first, block = first+fixedLength, block+1 {
			var sums [2][panelColumns]int32
			tileDot(&tile{
				sums: unsafe.Pointer(&sums), a: unsafe.Add(unsafe.Pointer(t.a), 2*row*t.aStride+first), aStride: t.aStride,
				b: unsafe.Add(t.b, first*panelColumns), bStride: dotStep * panelColumns,
				k: min(fixedLength, t.steps*amxDepth-first) / dotStep, rows: 2,
			})
			scale := *(*float32)(unsafe.Add(unsafe.Pointer(t.scales), row*t.scaleStride+4*block))
			correction := (*[panelColumns]int32)(unsafe.Add(unsafe.Pointer(t.correction), block*t.correctionStride))
			for j := range dst {
				// The conversion keeps the product from being fused with the sum.
				dst[j] += float32(scale * float32((sums[0][j]+correction[j])<<8+sums[1][j]))
			}
		}
	}
}

// sumFixedTall is sumFixed in AMX's tiles.
func (s *productScratch) sumFixedTall(p *floatProduct, row, rows, panel int) {
	f := p.fixed
	clear(s.sums[:rows])
	for done := 0; done < rows && p.k > 0; {
		t := &s.fixedTiles
		*t = fixedTiles{
			dst: &s.sums[done][0], a: &f.bytes[2*(row+done)*f.stride], b: s.tile.b,
			correction: &f.weights.corrections[panel*panelColumns], scales: &f.scales[(row+done)*f.blocks],
			sums: unsafe.Pointer(&s.block), aStride: f.stride,
			correctionStride: 4 * f.weights.bytes.width(), scaleStride: 4 * f.blocks,
			steps: roundUp(p.k, amxDepth) / amxDepth, rows: min(rows-done, amxRows), count: max(1, (rows-done)/amxRows),
			dstMoved: 0, aMoved: 0, scalesMoved: 0,
		}
		t.configuration = &amxConfigurations[t.rows]
		done += t.rows * t.count
		p.kernels.tallFixed(t)
	}
}
