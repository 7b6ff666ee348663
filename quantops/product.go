package quantops

import (
	"math"
	"sync"
	"unsafe"
)

// Rows are the rows of a matrix: row i begins at Data[i·Stride].
type Rows struct {
	Data   []float32
	Stride int
}

// covers says whether there are so many rows of so many columns.
func (r Rows) covers(rows, columns int) bool {
	return rows == 0 || columns == 0 || r.Stride >= 0 && len(r.Data) >= (rows-1)*r.Stride+columns
}

// Epilogue is what becomes of a product before it is stored, while it is in the
// nearest cache:
//
//	dst[i][j] = clip(scale·(a·b)[i][j] + bias[j] + rowBias[i] + add[i][j])
//
// computed from left to right; then Each sees it. The zero value leaves a
// product as it is.
type Epilogue struct {
	Scale   float32   // 0: 1
	Bias    []float32 // one for each column, or nil
	RowBias []float32 // one for each row, or nil
	Add     []float32 // laid out as the result, whose memory it may share, or nil
	// Clip says that results are brought into the range from Low to High; what is
	// no number stays so.
	Clip      bool
	Low, High float32
	// Each, if not nil, is called with every finished piece of a row, from some
	// column on, and may change it. Several pieces may be seen at once, from
	// different goroutines. product is the number of the product in a batch.
	Each func(product, row, column int, y []float32)
	// Stop, if not nil, is asked now and then, from different goroutines: from
	// when it says true, what is left is not computed, and the result is of no use.
	Stop func() bool
}

// floatProduct is a product, or a batch of them, whose results are float32, under
// way. The right operand lies in panels, or is packed panel by panel.
type floatProduct struct {
	kernels *productKernels
	tiles   *tileSet
	// fixed, if not nil, is the left operand in bytes, for tiles of bytes.
	fixed *fixedRows
	// integers, if not nil, is the left operand in integers.
	integers *integerRows
	// pieces, if not nil, is the left operand in pieces of bfloat16.
	pieces  *pieceRows
	m, k, n int
	dst, a  Rows
	end     Epilogue
	right   panels
	// count is how many products there are, at says where each begins in dst, a,
	// and b; nil: there is one, and it begins at the beginning.
	count int
	at    func(product int) (dst, a, b int)
	// widen says that the panels are int8 and the tiles are of float32.
	widen bool
	// pack, if not nil, gives the panels.
	pack *packing
}

// panels are a right operand of a product: element k, j of panel p is at
// p·panelStride + k·rowStride bytes, and so many elements further.
type panels struct {
	data                   unsafe.Pointer
	panelStride, rowStride int
	// scales and zeros are 32 for each block of each panel: scales may be nil, and
	// zeros are if the tiles do not read them.
	scales []float32
	zeros  []int32
	block  int // of k; 0: one for all of k
}

const (
	// blockRows is how many rows of the left operand pass over a panel before the
	// next panel's turn: it, and as much of the left operand, is in the
	// second-level cache then.
	blockRows  = 252
	blockBytes = 768 << 10
	// fewestAhead is of how many tiles on a panel each brings a share of the next.
	fewestAhead = 3
	// groupPanels is of how many panels rows are finished before Each sees them.
	groupPanels = 8
	// worthPart is about how many multiplications make up for calling a worker.
	worthPart = 1 << 18
	// partsPerThread is into how many parts work is divided for each thread, so
	// that one that is held up does not hold up the rest.
	partsPerThread = 4
)

// run computes the product: rows and panels are divided among the workers, k
// never is, so that the division does not show in the result.
func (p *floatProduct) run(workers *Workers) {
	if p.m == 0 || p.n == 0 || p.count == 0 {
		return
	}
	across := (p.n + panelColumns - 1) / panelColumns
	most, step := p.mostRows(), max(1, p.tiles.step)
	rows := roundUp(blockRows, step) // of which each packs its panels anew
	switch {
	case p.pieces != nil:
		rows = max(most, pieceBytes/p.pieces.blockSize()*amxRows/most*most)
	case p.pack == nil:
		rows = min(rows, max(4*most, blockBytes/(4*max(p.k, 1))/most*most))
	}
	wanted := workers.Threads() * partsPerThread
	if workers.Threads() == 1 {
		wanted = 1
	}
	if worth := float64(p.count) * float64(p.m) * float64(p.n) * float64(max(p.k, 1)) / worthPart; worth < float64(wanted) {
		wanted = int(worth) + 1
	}
	for p.count*((p.m+rows-1)/rows)*across < wanted && rows > most {
		rows = max(most, rows/2/most*most)
	}
	down := (p.m + rows - 1) / rows
	ranges := evenRanges(across, p.count*down, wanted, workers.Threads())
	workers.Each(p.count*down*ranges, func(part int) {
		product, block, share := part/(down*ranges), part/ranges%down, part%ranges
		s := productScratches.Get().(*productScratch)
		steps := (p.m + step - 1) / step
		s.piece(p, product, block*steps/down*step, min(p.m, (block+1)*steps/down*step), share*across/ranges, (share+1)*across/ranges)
		s.release()
	})
}

// lines is how many lines a tile reads for each row of the left operand.
func (p *floatProduct) lines() int {
	if p.fixed != nil {
		return p.fixed.lines
	}
	return 1
}

// mostRows is how many rows an inner loop computes at most.
func (p *floatProduct) mostRows() int { return p.tiles.most / p.lines() }

// tileRows is how many of so many rows an inner loop is given at once, but for
// the last ones.
func (p *floatProduct) tileRows(rows int) int {
	most := p.mostRows()
	if p.tiles.step > 0 {
		return min(rows, most)
	}
	tiles := (rows + most - 1) / most
	return (rows + tiles - 1) / tiles
}

// evenRanges is into how many ranges to divide panels so that with the blocks of
// rows there are as many parts as wanted or somewhat more: as many as have the
// threads end together, if all parts take as long.
func evenRanges(panels, blocks, wanted, threads int) int {
	least := min(panels, max(1, (wanted+blocks-1)/blocks))
	best, bestTime := least, math.MaxInt
	for ranges := least; ranges <= min(panels, least+threads); ranges++ {
		// In panels, of which some ranges have one more than others.
		time := (blocks*ranges + threads - 1) / threads * ((panels + ranges - 1) / ranges)
		if time < bestTime {
			best, bestTime = ranges, time
		}
	}
	return best
}

// productScratch is what one goroutine works with.
type productScratch struct {
	tile   tile
	finish finish
	scaled finish
	fixed  fixedSums
	// fixedTiles is here, and not on the stack, for the assembly moves through it.
	fixedTiles fixedTiles
	pieces     pieceTile
	sums       [maxTileSums]panelRow
	block      [maxTileSums]panelRow // sums of one block along k
	scales     panelRow
	panel      []float32
}

var productScratches = sync.Pool{New: func() any { return new(productScratch) }}

// release gives the scratch back, without the matrices that it points to.
func (s *productScratch) release() {
	s.tile, s.finish, s.scaled, s.fixed, s.fixedTiles, s.pieces = tile{}, finish{}, finish{}, fixedSums{}, fixedTiles{}, pieceTile{}
	if cap(s.panel) > 1<<20 {
		s.panel = nil
	}
	productScratches.Put(s)
}

// onesRow and zerosRow stand for scales and biases that there are none of.
var (
	onesRow  = panelRow{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	zerosRow panelRow
)

// piece computes rows from to end of some panels of one product.
func (s *productScratch) piece(p *floatProduct, product, from, end, first, last int) {
	dst, a, b := 0, 0, 0
	if p.at != nil {
		dst, a, b = p.at(product)
	}
	s.begin(p)
	size := p.tileRows(end - from)
	count := (end - from + size - 1) / size
	several := p.tiles.several[min(size*p.lines(), len(p.tiles.several)-1)]
	for ; first < last; first += groupPanels {
		group := min(last, first+groupPanels)
		for panel := first; panel < group; {
			if p.end.Stop != nil && p.end.Stop() {
				return
			}
			panels := 1
			if count == 1 && several.run != nil && panel+several.panels <= group {
				panels = several.panels
			}
			s.take(p, product, b, panel, panels)
			for i := range count {
				row, next := from+i*size, min(end, from+(i+1)*size)
				s.fetchAhead(p, panel+panels, last, i, count)
				switch {
				case p.fixed != nil:
					s.sumFixed(p, row, next-row, panel, panels)
				case p.integers != nil:
					s.sumIntegers(p, row, next-row, panel, panels)
				case p.pieces != nil:
					s.sumPieces(p, row, next-row, panel, i == 0)
				default:
					s.sum(p, a+row*p.a.Stride, next-row, panel, panels)
				}
				for j := range panels {
					s.store(p, dst, row, next-row, panel+j, j)
				}
			}
			panel += panels
		}
		if p.end.Each != nil {
			column, columns := first*panelColumns, min(p.n, group*panelColumns)-first*panelColumns
			for row := from; row < end; row++ {
				p.end.Each(product, row, column, p.dst.Data[dst+row*p.dst.Stride+column:][:columns:columns])
			}
		}
	}
}

// begin sets what is the same for all tiles of a piece.
func (s *productScratch) begin(p *floatProduct) {
	s.tile.aStride = 4 * p.a.Stride
	f := &s.finish
	f.dstStride, f.addStride = 4*p.dst.Stride, 4*p.dst.Stride
	f.low, f.high = float32(math.Inf(-1)), float32(math.Inf(1))
	if p.end.Clip {
		f.low, f.high = p.end.Low, p.end.High
	}
	if p.integers != nil {
		f.integers = 1
	}
	if p.right.scales == nil || p.right.block > 0 {
		f.scale = &onesRow[0]
		if scale := p.end.Scale; scale != 0 {
			for j := range s.scales {
				s.scales[j] = scale
			}
			f.scale = &s.scales[0]
		}
	}
}

// take has the tiles read some panels, which it packs if they are not yet.
func (s *productScratch) take(p *floatProduct, product, b, panel, panels int) {
	t := &s.tile
	if p.pack == nil {
		t.b = unsafe.Add(p.right.data, panel*p.right.panelStride)
		t.bStride, t.bPanel = p.right.rowStride, p.right.panelStride
		if p.widen {
			s.widenPanels(p, panels)
		}
		return
	}
	if p.pack.direct(p, panel+panels) {
		t.b = unsafe.Pointer(&p.pack.b.Data[b+panel*panelColumns])
		t.bStride, t.bPanel = 4*p.pack.b.Stride, 4*panelColumns
		return
	}
	size := s.room(p.k, panels)
	for i := range panels {
		column := (panel + i) * panelColumns
		p.pack.panel(p, product, b, column, min(panelColumns, p.n-column), s.panel[i*size:][:size])
	}
	t.b = unsafe.Pointer(unsafe.SliceData(s.panel))
	t.bStride, t.bPanel = 4*panelColumns, 4*size
}

// room makes s.panel large enough for panels, and gives the size of one.
func (s *productScratch) room(k, panels int) int {
	size := max(1, k*panelColumns)
	if cap(s.panel) < panels*size {
		s.panel = make([]float32, panels*size)
	}
	return size
}

// widenPanels has the tiles read float32 made of the panels that were taken.
func (s *productScratch) widenPanels(p *floatProduct, panels int) {
	t, size := &s.tile, s.room(p.k, panels)
	for i := range panels {
		source := tile{sums: unsafe.Pointer(&s.panel[:panels*size][i*size]), b: unsafe.Add(t.b, i*t.bPanel), k: p.k}
		p.kernels.widenPanel(&source)
	}
	t.b = unsafe.Pointer(unsafe.SliceData(s.panel))
	t.bStride, t.bPanel = 4*panelColumns, 4*size
}

// fetchAhead has the tile, the index-th of count that a panel is for, bring its
// share of panel, the next one, nearer, if it is before last: the processor itself
// does not look so far ahead, and would wait for every panel.
func (s *productScratch) fetchAhead(p *floatProduct, panel, last, index, count int) {
	t := &s.tile
	t.ahead, t.aheadStride = t.b, 0
	steps := count * p.k
	if panel >= last || p.pack != nil || p.right.block != 0 || count < fewestAhead || steps == 0 {
		return
	}
	stride := (p.right.panelStride + steps - 1) / steps
	if from := index * p.k * stride; from < p.right.panelStride {
		t.ahead, t.aheadStride = unsafe.Add(p.right.data, panel*p.right.panelStride+from), stride
	}
}

// sum leaves in s.sums the product of so many rows, which begin at a, and the
// panels that were taken, panel and those after it.
func (s *productScratch) sum(p *floatProduct, a, rows, panel, panels int) {
	t, right := &s.tile, &p.right
	run := p.tiles.one[rows].run
	if panels > 1 {
		run = p.tiles.several[rows].run
	}
	t.rows, t.k, t.sumsPanel = rows, p.k, rows*int(unsafe.Sizeof(panelRow{}))
	if p.k > 0 {
		t.a = unsafe.Pointer(&p.a.Data[a])
	}
	if right.block == 0 {
		t.sums = unsafe.Pointer(&s.sums)
		if right.zeros != nil {
			t.zeros = &right.zeros[panel*panelColumns]
		}
		run(t)
		return
	}
	clear(s.sums[:rows*panels])
	width := (p.n + panelColumns - 1) / panelColumns * panelColumns
	b := t.b
	for first := 0; first < p.k; first += right.block {
		t.k = min(right.block, p.k-first)
		t.a, t.b = unsafe.Pointer(&p.a.Data[a+first]), unsafe.Add(b, first*t.bStride)
		t.sums = unsafe.Pointer(&s.block)
		factors := first/right.block*width + panel*panelColumns
		if right.zeros != nil {
			t.zeros = &right.zeros[factors]
		}
		run(t)
		for i := range panels {
			s.scaled.dst, s.scaled.sums, s.scaled.rows = &s.sums[i*rows][0], &s.block[i*rows][0], rows
			s.scaled.scale = &right.scales[factors+i*panelColumns]
			p.kernels.addScaled(&s.scaled)
		}
	}
	t.b = b
}

// store writes the sums of rows of a panel, the index-th of those in s.sums, to
// the result that begins at dst.
func (s *productScratch) store(p *floatProduct, dst, row, rows, panel, index int) {
	if p.integers != nil && p.integers.dst != nil {
		s.storeIntegers(p, row, rows, panel, index)
		return
	}
	f, column := &s.finish, panel*panelColumns
	f.rows, f.columns = rows, min(panelColumns, p.n-column)
	f.sums = &s.sums[index*rows][0]
	first := dst + row*p.dst.Stride + column
	f.dst = &p.dst.Data[first]
	if p.end.Add != nil {
		f.add = &p.end.Add[first]
	}
	if p.end.RowBias != nil {
		f.rowBias = &p.end.RowBias[row]
	}
	f.bias = &zerosRow[0]
	if p.end.Bias != nil {
		f.bias = &p.end.Bias[column]
	}
	if scales := p.right.scales; scales != nil && p.right.block == 0 {
		f.scale = &scales[column]
		if scale := p.end.Scale; scale != 0 {
			for j, v := range scales[column : column+panelColumns] {
				s.scales[j] = v * scale
			}
			f.scale = &s.scales[0]
		}
	}
	if f.columns < p.kernels.finishColumns {
		finishGeneric(f)
	} else {
		p.kernels.finish(f)
	}
}
