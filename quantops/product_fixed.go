package quantops

import (
	"math"
	"sync"
	"unsafe"
)

// PackedFixed is a quantized right operand of products, symmetric and not in
// blocks, laid out for left operands that are made 16-bit block fixed point: the
// products are of integers then. That is faster than float32, by some two times
// on processors with VNNI and up to one and a half with AVX2, and less exact than
// it, but more than float16.
type PackedFixed struct {
	kernels *productKernels
	bytes   bytePanels
	scales  []float32
	// corrections are −128·Σ of the weights of each column, by block of k, for bytes.
	corrections []int32
}

// FixedIsFast says whether products with a PackedFixed are faster than those with
// a PackedInt8 on this processor.
func FixedIsFast() bool { return fastestProduct() >= productAVX2 }

// PackFixed packs weights; nil if they have zero points other than 0, or blocks.
// It keeps nothing of them.
func PackFixed(w *Int8Weights) *PackedFixed { return packFixed(fastestProduct().kernels(), w) }

func packFixed(kernels *productKernels, w *Int8Weights) *PackedFixed {
	w.check()
	if w.Block > 0 && w.Block < w.K {
		return nil
	}
	for _, zero := range w.Zeros {
		if zero != 0 {
			return nil
		}
	}
	p := &PackedFixed{kernels: kernels, bytes: packBytes(w, kernels.fixedLayout)}
	p.scales = spread(w.Scales, 1, w.N, p.bytes.width(), func(v float32) float32 { return v })
	if kernels.fixedLayout.words() {
		return p
	}
	p.corrections = p.bytes.sums(fixedLength)
	for i := range p.corrections {
		p.corrections[i] *= -128
	}
	return p
}

// MatMul writes dst = a·w, as end says, for m rows: a is m×K, dst m×N, both in
// float32.
//
// Each row of a is divided into blocks of 256, and the values of a block become
// integers of 16 bits, s·q with s = max|a|/32512, rounded half to even. Their
// products with the weights are summed exactly, block by block, and the sums of
// blocks added in float32. Where a block is not of 0 alone, that makes an error
// in a of at most s/2, and in the result of at most
//
//	Σ over blocks of (s/2)·Σₖ|w|  +  γ_{B+3}·Σ|a||w|
//
// with B blocks. A row that holds an infinity or no number is multiplied in
// float32.
func (w *PackedFixed) MatMul(dst, a Rows, m int, end Epilogue, workers *Workers) {
	kernels := w.kernels
	p := &floatProduct{
		kernels: kernels, tiles: kernels.fixed, m: m, k: w.bytes.k, n: w.bytes.n, dst: dst, a: a, end: end, count: 1,
		right: panels{
			data: w.bytes.data(), panelStride: w.bytes.stride(), rowStride: w.bytes.step * panelColumns, scales: w.scales,
		},
	}
	if kernels.tallFixed != nil && m >= tallRows {
		p.tiles = fixedTilesOnly
	}
	p.check()
	p.fixed = fixedOperands.Get().(*fixedRows)
	p.fixed.fix(p, w, workers)
	p.run(workers)
	p.fixed.weights = nil
	fixedOperands.Put(p.fixed)
}

// fixedRows is a left operand in fixed point: for each row a line of words, or one of
// high bytes and one of low bytes, and a scale for each block.
type fixedRows struct {
	weights *PackedFixed
	lines   int // 1, or 2
	stride  int // bytes from a line to the next
	bytes   []uint8
	blocks  int
	scales  []float32
	odd     []bool // rows that are multiplied in float32
}

var fixedOperands = sync.Pool{New: func() any { return new(fixedRows) }}

// fix makes the rows of p.a fixed point.
func (f *fixedRows) fix(p *floatProduct, w *PackedFixed, workers *Workers) {
	words, size := p.kernels.fixedLayout.words(), p.kernels.fixedLayout.size()
	f.weights, f.lines = w, 2/size // of words one, of bytes two
	f.blocks = (p.k + fixedLength - 1) / fixedLength
	f.stride = spacedStride(f.blocks * fixedLength * size)
	f.bytes = atLeast(f.bytes, f.lines*p.m*f.stride)
	f.scales = atLeast(f.scales, p.m*f.blocks)
	f.odd = atLeast(f.odd, p.m)
	inRanges(workers, p.m, 1, 4*p.k, func(from, to int) {
		var block fixedBlock
		var padded [fixedLength]float32
		for row := from; row < to; row++ {
			f.odd[row] = false
			a := p.a.Data[row*p.a.Stride:][:p.k]
			for i := range f.blocks {
				values := a[i*fixedLength:]
				if len(values) < fixedLength {
					clear(padded[copy(padded[:], values):])
					values = padded[:]
				}
				line := f.bytes[f.lines*row*f.stride+i*fixedLength*size:]
				if block.src = &values[0]; words {
					block.words = (*int16)(unsafe.Pointer(&line[0]))
				} else {
					block.high, block.low = &line[0], &line[f.stride]
				}
				p.kernels.fixBlock(&block)
				f.scales[row*f.blocks+i] = block.largest / fixedMost
				if math.Float32bits(block.largest) >= infinityBits {
					f.odd[row] = true
				}
			}
		}
	})
}

func atLeast[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// sumFixed is sum for rows of fixed point.
func (s *productScratch) sumFixed(p *floatProduct, row, rows, panel, panels int) {
	if p.tiles == fixedTilesOnly {
		s.sumFixedTall(p, row, rows, panel)
	} else {
		s.sumFixedTiles(p, row, rows, panel, panels)
	}
	f := p.fixed
	for i := range rows {
		if f.odd[row+i] {
			for j := range panels {
				f.weights.bytes.sumFloats(&s.sums[j*rows+i], p.a.Data[(row+i)*p.a.Stride:][:p.k], panel+j)
			}
		}
	}
}

// fixedTilesOnly stands for tallFixed, which walks all blocks along k itself.
var fixedTilesOnly = &tileSet{most: 2 * amxTallRows, step: amxRows}

// sumFixedTiles is sumFixed with tiles of a few rows.
func (s *productScratch) sumFixedTiles(p *floatProduct, row, rows, panel, panels int) {
	if p.k == 0 {
		clear(s.sums[:rows*panels])
		return
	}
	f, t := p.fixed, &s.tile
	t.sums, t.sumsPanel = unsafe.Pointer(&s.sums), rows*int(unsafe.Sizeof(panelRow{}))
	t.rows, t.k = f.lines*rows, (p.k+dotStep-1)/dotStep
	if p.kernels.fixedLayout.words() {
		t.k = roundUp(p.k, wordDepth) / wordStep
	}
	t.a, t.aStride = unsafe.Pointer(&f.bytes[f.lines*row*f.stride]), f.stride
	if !p.kernels.fixedLayout.words() {
		t.correction, t.correctionStride = &f.weights.corrections[panel*panelColumns], 4*f.weights.bytes.width()
	}
	t.scales, t.scaleStride = &f.scales[row*f.blocks], 4*f.blocks
	t.blocksDone, t.scalesMoved = 0, 0
	s.run(t)
}
