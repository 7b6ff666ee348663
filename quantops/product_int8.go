package quantops

import "unsafe"

// PackedInt8 is a quantized right operand of products, laid out as the inner
// loops read it: one byte for each weight, made float32 in registers. It is only
// read once made, so it may be used by several goroutines at once.
type PackedInt8 struct {
	k, n    int
	kernels *productKernels
	panels  []int8 // (n+31)/32 panels of k rows of 32
	// scales and zeros are as panels has them; zeros is nil if all are 0.
	scales []float32
	zeros  []int32
	block  int
}

// PackInt8 packs weights. It keeps nothing of them.
func PackInt8(w *Int8Weights) *PackedInt8 { return packInt8(fastestProduct(), w) }

func packInt8(level productLevel, w *Int8Weights) *PackedInt8 {
	w.check()
	across := (w.N + panelColumns - 1) / panelColumns
	width := across * panelColumns
	p := &PackedInt8{k: w.K, n: w.N, kernels: level.kernels()}
	// Where k is taken in steps, the last one may read beyond the last panel.
	p.panels = make([]int8, w.K*width, w.K*width+pieceDepth*panelColumns)
	for panel := range across {
		column := panel * panelColumns
		w.panel(p.panels[column*w.K:][:w.K*panelColumns], column, min(panelColumns, w.N-column))
	}
	blocks := 1
	if w.Block > 0 && w.Block < w.K {
		p.block = w.Block
		blocks = (w.K + w.Block - 1) / w.Block
	}
	p.scales = spread(w.Scales, blocks, w.N, width, func(v float32) float32 { return v })
	for _, zero := range w.Zeros {
		if zero != 0 {
			p.zeros = spread(w.Zeros, blocks, w.N, width, func(v int8) int32 { return int32(v) })
			break
		}
	}
	return p
}

// spread lays one value for all columns, or a row of n for each block, out in
// rows of width; the rest is 0.
func spread[From, To any](values []From, blocks, n, width int, convert func(From) To) []To {
	wide := make([]To, blocks*width)
	if len(values) == 0 {
		return wide
	}
	for i := range blocks {
		for j := range n {
			v := values[0]
			if len(values) > 1 {
				v = values[i*n+j]
			}
			wide[i*width+j] = convert(v)
		}
	}
	return wide
}

// K is the number of rows.
func (w *PackedInt8) K() int { return w.k }

// N is the number of columns.
func (w *PackedInt8) N() int { return w.n }

// widenedRows is from how many rows on it pays to convert a panel once, ahead of
// its tiles, and not in each of them.
const widenedRows = 24

// piecesRows is from how many rows on it pays to multiply in pieces.
const piecesRows = 9

// inPieces says whether so many rows are multiplied in pieces of bfloat16.
func (w *PackedInt8) inPieces(m int) bool {
	return w.kernels.pieces != nil && w.block == 0 && w.k > 0 && m >= piecesRows
}

// MatMul writes dst = a·w, as end says, for m rows: a is m×K, dst m×N, both in
// float32.
//
//	dst[i][n] = scale[n] · Σₖ a[i][k]·(q[k][n] − zero[n])
//
// and with blocks the sum over blocks of that. Differences q − zero are exact in
// float32. They are summed as [PackedFloat32.MatMul] does, within a block, and
// multiplied by the scale once, so that the result differs from the exact one by
// at most γ_{K+B+1}·Σₖ|a||w|, with B blocks and w as dequantized exactly.
//
// Without blocks, processors with AMX sum many rows otherwise: each element of a is
// the sum of three numbers of 8 bits and of its sign, whose products with q − zero
// are exact. Of 32 k, the products of one of the three are summed in two chains of
// 16, these are added, and that is added to the sum of what came before. An exact
// product is thus rounded at most min(16, ⌈K/2⌉) − 1 times in its chain, once where
// the chains are added, if K > 1, and 3⌈K/32⌉ − 1 times after that: that is no more
// than K+1 times, so the bound is the same. What is subnormal among all these is
// taken for 0, which adds up to scale·K·2⁻¹¹⁷. There, a result may depend on how
// many rows there are, but neither on where its own is nor on the number of workers.
func (w *PackedInt8) MatMul(dst, a Rows, m int, end Epilogue, workers *Workers) {
	kernels := w.kernels
	tiles := kernels.int8
	if w.zeros != nil {
		tiles = kernels.shiftedInt8
	}
	p := &floatProduct{
		kernels: kernels, tiles: tiles, m: m, k: w.k, n: w.n, dst: dst, a: a, end: end, count: 1,
		right: panels{
			data: unsafe.Pointer(unsafe.SliceData(w.panels)), panelStride: w.k * panelColumns, rowStride: panelColumns,
			scales: w.scales, zeros: w.zeros, block: w.block,
		},
	}
	p.check()
	switch {
	case w.inPieces(m):
		p.runPieces(workers)
		return
	case kernels.widenPanel != nil && w.zeros == nil && m >= widenedRows:
		p.tiles, p.widen = kernels.float32, true
	}
	p.run(workers)
}
