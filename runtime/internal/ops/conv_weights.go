package ops

import "github.com/onnx-tinyq/onnx-tinyq/runtime/internal/convolution"

// ConvWeights are a convolution's weights as the float32 kernels read them: for
// each group, blocks of convolution.Rows maps, and in a block so many weights
// for each channel and tap. Maps that a group lacks to fill its last block are
// zeros. They are floats, or integers that are widened block by block when they
// are used: the floats are never made whole.
type ConvWeights struct {
	groups, maps, depth int // maps, and products of one output, of one group
	floats              []float32
	integers            []int8
	scales, zeros       [][convolution.Rows]float32 // of each block of integers
}

const convRows = convolution.Rows

func (w *ConvWeights) blocks() int { return (w.maps + convRows - 1) / convRows }

// PackConvWeights packs weights (groups·maps, depth), each map multiplied by its
// scale; no scales: by 1.
func PackConvWeights(weights []float32, groups, maps, depth int, scales []float32) *ConvWeights {
	w := &ConvWeights{groups: groups, maps: maps, depth: depth}
	w.floats = packBlocks(w, weights)
	for i, scale := range scales {
		block := w.floats[w.blockAt(i/maps, i%maps/convRows):][:depth*convRows]
		for k := i % maps % convRows; k < len(block); k += convRows {
			block[k] *= scale
		}
	}
	return w
}

// PackConvIntegers packs integers (groups·maps, depth), which stand for
// (q − zero)·scale, with one scale and one zero point for each map; no zero
// points: 0.
func PackConvIntegers(integers []int8, groups, maps, depth int, scales []float32, zeros []int8) *ConvWeights {
	w := &ConvWeights{groups: groups, maps: maps, depth: depth}
	w.integers = packBlocks(w, integers)
	w.scales = make([][convRows]float32, groups*w.blocks())
	w.zeros = make([][convRows]float32, len(w.scales))
	for i, scale := range scales {
		block, row := i/maps*w.blocks()+i%maps/convRows, i%maps%convRows
		w.scales[block][row] = scale
		if zeros != nil {
			w.zeros[block][row] = float32(zeros[i])
		}
	}
	return w
}

func packBlocks[T any](w *ConvWeights, weights []T) []T {
	packed := make([]T, w.groups*w.blocks()*w.depth*convRows)
	row := func(group, m int) []T { return weights[(group*w.maps+m)*w.depth:][:w.depth] }
	for group := range w.groups {
		m := 0
		for ; m+convRows <= w.maps; m += convRows {
			to := packed[w.blockAt(group, m/convRows):][:w.depth*convRows]
			var rows [convRows][]T
			for i := range rows {
				rows[i] = row(group, m+i)
			}
			interleave(to, convRows, &rows)
		}
		for ; m < w.maps; m++ {
			to := packed[w.blockAt(group, m/convRows)+m%convRows:]
			for k, v := range row(group, m) {
				to[k*convRows] = v
			}
		}
	}
	return packed
}

// interleave writes eight rows of one length as columns, whose lines lie stride
// apart.
func interleave[T any](to []T, stride int, rows *[8][]T) {
	n := len(rows[0])
	a, b, c, d := rows[0], rows[1][:n], rows[2][:n], rows[3][:n]
	e, f, g, h := rows[4][:n], rows[5][:n], rows[6][:n], rows[7][:n]
	for k := range n {
		line := to[k*stride:][:8]
		line[0], line[1], line[2], line[3] = a[k], b[k], c[k], d[k]
		line[4], line[5], line[6], line[7] = e[k], f[k], g[k], h[k]
	}
}

// blockAt is where a block of a group begins.
func (w *ConvWeights) blockAt(group, block int) int {
	return (group*w.blocks() + block) * w.depth * convRows
}

// block gives the floats of a block: its own, or scratch, which has room for
// them, with the integers widened.
func (w *ConvWeights) block(group, block int, scratch []float32) []float32 {
	at, n := w.blockAt(group, block), w.depth*convRows
	if w.floats != nil {
		return w.floats[at : at+n]
	}
	i := group*w.blocks() + block
	convolution.Widen(scratch[:n], w.integers[at:at+n], &w.scales[i], &w.zeros[i])
	return scratch[:n]
}

// scratch is how many floats block needs room for.
func (w *ConvWeights) scratch() int {
	if w.floats != nil {
		return 0
	}
	return w.depth * convRows
}

// row gives one map's weights in the order of its channels and taps.
func (w *ConvWeights) row(group, m int, row []float32) {
	at := w.blockAt(group, m/convRows) + m%convRows
	if w.floats != nil {
		for k := range row {
			row[k] = w.floats[at+k*convRows]
		}
		return
	}
	i := group*w.blocks() + m/convRows
	scale, zero := w.scales[i][m%convRows], w.zeros[i][m%convRows]
	for k := range row {
		row[k] = (float32(w.integers[at+k*convRows]) - zero) * scale
	}
}
