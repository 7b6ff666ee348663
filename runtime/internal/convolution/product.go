package convolution

import "unsafe"

const (
	// Rows is how many maps a tile has.
	Rows = 8
	// Columns is how many outputs a tile has at most, and so the width of a panel.
	Columns = 48
)

// tileWidth is there to be indexed: Go checks a bound that the kernels rely on.
var tileWidth [Columns]struct{}

// Multiply computes a tile of a product:
//
//	dst[r·stride + j] = bias[r] + Σₖ a[k·Rows + r]·b[k·Columns + j]
//
// for r < rows ≤ Rows and j < columns ≤ Columns, summed from k = 0 to depth-1.
// a is a block of packed weights, Rows for each k, and b a panel of Columns for
// each k; bias has Rows numbers. Elements of dst between the rows are kept.
func Multiply(dst []float32, stride int, a, b []float32, depth int, bias *[Rows]float32, rows, columns int) {
	best.multiply(dst, stride, a, b, depth, bias, rows, columns)
}

func (k *kernels) multiply(dst []float32, stride int, a, b []float32, depth int, bias *[Rows]float32, rows, columns int) {
	_, _ = bias[rows-1], tileWidth[columns-1] // a tile is no larger
	_ = dst[(rows-1)*stride+columns-1]
	_, _ = a[:depth*Rows], b[:depth*Columns]
	k.tile(&dst[0], stride, unsafe.SliceData(a), unsafe.SliceData(b), depth, &bias[0], rows, columns)
}

// Tap is a step of a product whose operands do not lie in a row: Rows weights, and
// source elements as many as there are columns.
type Tap struct{ Weights, Source int }

// MultiplyTaps is Multiply of what lies at the taps:
//
//	dst[r·stride + j] = bias[r] + Σₜ a[taps[t].Weights + r]·src[taps[t].Source + j]
//
// summed in their order. It is for the caller to see to it that no tap leads out of
// a and src, in which Columns elements may be read, whatever columns is.
func MultiplyTaps(dst []float32, stride int, a, src []float32, taps []Tap, bias *[Rows]float32, rows, columns int) {
	best.multiplyTaps(dst, stride, a, src, taps, bias, rows, columns)
}

func (k *kernels) multiplyTaps(dst []float32, stride int, a, src []float32, taps []Tap, bias *[Rows]float32, rows, columns int) {
	_, _ = bias[rows-1], tileWidth[columns-1] // a tile is no larger
	_ = dst[(rows-1)*stride+columns-1]
	if len(taps) > 0 {
		first, last := taps[0], taps[len(taps)-1]
		_, _, _, _ = src[first.Source+Columns-1], src[last.Source+Columns-1], a[first.Weights+Rows-1], a[last.Weights+Rows-1]
	}
	k.scattered(&dst[0], stride, unsafe.SliceData(a), unsafe.SliceData(src), (*int)(unsafe.Pointer(unsafe.SliceData(taps))), len(taps), &bias[0], rows, columns)
}

// Gather fills the first n ≤ Columns columns of a panel with what lies at
// each of the offsets from src:
//
//	panel[k·Columns + j] = src[offsets[k] + j]
//
// It is for the caller to see to it that no offset leads out of src.
func Gather(panel, src []float32, offsets []int, n int) {
	best.gatherRows(panel, src, offsets, n)
}

func (k *kernels) gatherRows(panel, src []float32, offsets []int, n int) {
	if len(offsets) == 0 || n == 0 {
		return
	}
	_ = tileWidth[n-1]
	_ = panel[(len(offsets)-1)*Columns+n-1]
	_, _ = src[offsets[0]+n-1], src[offsets[len(offsets)-1]+n-1]
	k.gather(&panel[0], &src[0], &offsets[0], len(offsets), n)
}

// PatternColumns is how many columns a pattern has at most, and PatternSpan how
// far its elements lie apart.
const (
	PatternColumns = 16
	PatternSpan    = 32
)

// GatherPattern is Gather of n ≤ PatternColumns columns that are no neighbours
// in src:
//
//	panel[k·Columns + j] = src[offsets[k] + pattern[j]]
//
// where 0 ≤ pattern[j] < span ≤ PatternSpan.
func GatherPattern(panel, src []float32, offsets []int, pattern *[PatternColumns]int32, span, n int) {
	best.gatherPattern(panel, src, offsets, pattern, span, n)
}

func (k *kernels) gatherPattern(panel, src []float32, offsets []int, pattern *[PatternColumns]int32, span, n int) {
	if len(offsets) == 0 || n == 0 {
		return
	}
	_, _ = pattern[n-1], [PatternSpan]struct{}{}[span-1]
	_ = panel[(len(offsets)-1)*Columns+n-1]
	_, _ = src[offsets[0]+span-1], src[offsets[len(offsets)-1]+span-1]
	k.pattern(&panel[0], &src[0], &offsets[0], len(offsets), pattern, span, n)
}

// Widen makes weights of integers, a block of Rows for each of len(q)/Rows steps:
//
//	dst[k·Rows + r] = (q[k·Rows + r] − zeros[r])·scales[r]
func Widen(dst []float32, q []int8, scales, zeros *[Rows]float32) {
	best.widenBlock(dst, q, scales, zeros)
}

func (k *kernels) widenBlock(dst []float32, q []int8, scales, zeros *[Rows]float32) {
	if len(q) < Rows {
		return
	}
	_ = dst[len(q)-1]
	k.widen(&dst[0], &q[0], len(q)/Rows, &scales[0], &zeros[0])
}
