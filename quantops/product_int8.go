package quantops

import "unsafe"

// PackedInt8 is a quantized right operand of products, laid out as the inner
// loops read it: one byte for each weight, made float32 in registers. It is only
// read once made, so it may be used by several goroutines at once.
type PackedInt8 struct {
	k, n   int
	level  productLevel
	panels []int8 // (n+31)/32 panels of k rows of 32
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
	p := &PackedInt8{k: w.K, n: w.N, level: level, panels: make([]int8, w.K*width)}
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
const widenedRows = 48

// MatMul writes dst = a·w, as end says, for m rows: a is m×K, dst m×N, both in
// float32.
//
//	dst[i][n] = scale[n] · Σₖ a[i][k]·(q[k][n] − zero[n])
//
// and with blocks the sum over blocks of that. Differences q − zero are exact in
// float32. They are summed as [PackedFloat32.MatMul] does, within a block, and
// multiplied by the scale once, so that the result differs from the exact one by
// at most γ_{K+B+1}·Σₖ|a||w|, with B blocks and w as dequantized exactly.
func (w *PackedInt8) MatMul(dst, a Rows, m int, end Epilogue, workers *Workers) {
	kernels := w.level.kernels()
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
	if kernels.widenPanel != nil && w.zeros == nil && m >= widenedRows {
		p.tiles, p.widen = kernels.float32, true
	}
	p.check()
	p.run(workers)
}
