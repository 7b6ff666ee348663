package quantops

import (
	"math"
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
	// widths and depths, if not nil, are by row the columns that are wanted and
	// the elements of a that are not 0.
	widths, depths []int
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
	// blockRows is how many rows of the left operand pass over a panel at most
	// before the next panel's turn.
	blockRows = 264
	// groupPanels is of how many panels rows are finished before Each sees them.
	groupPanels = 8
	// worthPart is about how many multiplications make up for calling a worker.
	worthPart = 1 << 18
	// ownRows is from how many rows for each thread on they are divided, not only
	// the panels: what a thread makes of its rows in one step of a model it finds in
	// its cache in the next. Each thread reads all panels then.
	ownRows = 48
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
	if room := p.space(workers); room != nil {
		defer spacedRows.Put(room)
	}
	across := (p.n + panelColumns - 1) / panelColumns
	step, down, ranges := p.divide(across, workers.Threads())
	workers.Each(p.count*down*ranges, func(part int) {
		product, block, share := part/(down*ranges), part/ranges%down, part%ranges
		s := productScratches.Get().(*productScratch)
		steps := (p.m + step - 1) / step
		s.piece(p, product, block*steps/down*step, min(p.m, (block+1)*steps/down*step), share*across/ranges, (share+1)*across/ranges)
		s.release()
	})
}

// divide says into how many blocks of rows, which begin at multiples of step so
// that tiles are whole, and into how many ranges of panels each product is divided.
func (p *floatProduct) divide(across, threads int) (step, down, ranges int) {
	most := p.mostRows()
	if step = most; p.tiles.step > 0 {
		step = p.tiles.step
	}
	rows := p.rowsOfBlock(step)
	wanted := threads * partsPerThread
	switch {
	case threads == 1:
		wanted = 1
	case p.pieces == nil && p.pack == nil && p.m >= threads*ownRows && p.panelBytes() <= 2*4*p.m*(p.k+p.n):
		rows = min(rows, roundUp((p.m+threads-1)/threads, step))
		wanted = 2 * threads // their shares are even, and short pieces of rows cost more
	}
	if worth := float64(p.count) * float64(p.m) * float64(p.n) * float64(max(p.k, 1)) / worthPart; worth < float64(wanted) {
		wanted = int(worth) + 1
	}
	for p.count*((p.m+rows-1)/rows)*across < wanted && rows > most {
		rows = max(most, rows/2/most*most)
	}
	down = (p.m + rows - 1) / rows
	return step, down, evenRanges(across, p.count*down, wanted, threads)
}

// rowsOfBlock is how many rows pass over a panel before the next panel's turn.
func (p *floatProduct) rowsOfBlock(step int) int {
	most := p.mostRows()
	switch {
	case p.pieces != nil:
		return max(most, pieceBytes/p.pieces.blockSize()*amxRows/most*most)
	case p.pack != nil: // each block packs its panels anew
		return roundUp(blockRows, step)
	}
	return min(roundUp(blockRows, step), max(4*most, p.kernels.blockBytes/(4*max(p.k, 1))/most*most))
}

// panelBytes is how many bytes of panels tiles read for each block of rows.
func (p *floatProduct) panelBytes() int {
	if p.fixed != nil || p.integers != nil {
		return p.k * p.n
	}
	return 4 * p.k * p.n
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
