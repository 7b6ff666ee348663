package quantops

import (
	"math"
	"slices"
	"sync"
	"unsafe"
)

// productScratch is what one goroutine works with.
type productScratch struct {
	tile       tile
	run        func(*tile) // the inner loop for the tile at hand
	finish     finish
	scaled     finish
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
	s.tile, s.run, s.finish, s.scaled, s.fixedTiles, s.pieces = tile{}, nil, finish{}, finish{}, fixedTiles{}, pieceTile{}
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
	lines := min(size*p.lines(), maxTileRows)
	one, several := &p.tiles.one[lines], &p.tiles.several[lines]
	if tall := &p.tiles.tall[lines]; tall.run != nil && count >= tallTiles {
		one = tall
	}
	for ; first < last; first += groupPanels {
		group := min(last, first+groupPanels)
		for panel := first; panel < group; {
			if p.end.Stop != nil && p.end.Stop() {
				return
			}
			kernel, panels := one, 1
			if count == 1 && several.run != nil && panel+several.panels <= group {
				kernel, panels = several, several.panels
			}
			s.take(p, product, b, panel, panels)
			next := p.nextPanels(kernel, panel+panels, last, count)
			for i := range count {
				row, until := from+i*size, min(end, from+(i+1)*size)
				if p.widths != nil && slices.Max(p.widths[row:until]) <= panel*panelColumns {
					continue
				}
				s.tile.ahead, s.tile.aheadStride = next.share(i, s.tile.b)
				if s.run = kernel.run; s.run != nil && until-row < size {
					s.run = p.tiles.one[(until-row)*p.lines()].run
				}
				switch {
				case p.fixed != nil:
					s.sumFixed(p, row, until-row, panel, panels)
				case p.integers != nil:
					s.sumIntegers(p, row, until-row, panel, panels)
				case p.pieces != nil:
					s.sumPieces(p, row, until-row, panel, i == 0)
				default:
					k := p.k
					if p.depths != nil {
						k = min(k, slices.Max(p.depths[row:until]))
					}
					s.sum(p, a+row*p.a.Stride, until-row, k, panel, panels)
				}
				for j := range panels {
					s.store(p, dst, row, until-row, panel+j, j)
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

// sum leaves in s.sums the product of so many rows, which begin at a, over k, and
// the panels that were taken, panel and those after it.
func (s *productScratch) sum(p *floatProduct, a, rows, k, panel, panels int) {
	t, right := &s.tile, &p.right
	t.rows, t.k, t.sumsPanel = rows, k, rows*int(unsafe.Sizeof(panelRow{}))
	if k > 0 {
		t.a = unsafe.Pointer(&p.a.Data[a])
	}
	if right.block == 0 {
		t.sums = unsafe.Pointer(&s.sums)
		if right.zeros != nil {
			t.zeros = &right.zeros[panel*panelColumns]
		}
		s.run(t)
		return
	}
	clear(s.sums[:rows*panels])
	width := (p.n + panelColumns - 1) / panelColumns * panelColumns
	b := t.b
	for first := 0; first < k; first += right.block {
		t.k = min(right.block, k-first)
		t.a, t.b = unsafe.Pointer(&p.a.Data[a+first]), unsafe.Add(b, first*t.bStride)
		t.sums = unsafe.Pointer(&s.block)
		factors := first/right.block*width + panel*panelColumns
		if right.zeros != nil {
			t.zeros = &right.zeros[factors]
		}
		s.run(t)
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
