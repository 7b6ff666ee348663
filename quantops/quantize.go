package quantops

import "unsafe"

// Quantize writes the quantized weights, one a byte, in the order of Data, or
// with Flip transposed. dst is as long as there are weights, and s was measured
// on them.
//
//	q = clamp(roundHalfEven(w / scale) + zero)
func Quantize(dst []byte, w *Weights, s *Scales) { NewQuantization(dst, w, s).Help() }

// Stored is the shape of the quantized weights as a matrix: how many rows, over
// all batches, of what length.
func (w *Weights) Stored() (rows, length int) {
	if w.Flip {
		return w.Batch * w.Columns, w.Rows
	}
	return w.Batch * w.Rows, w.Columns
}

// QuantizeFrom is Quantize for as many quantized weights as dst has room for,
// from the one at first on, in the order of the result: for a large weight that is
// written piece by piece. Only what becomes the piece is read.
func QuantizeFrom(dst []byte, w *Weights, s *Scales, first int) {
	w.check()
	if first < 0 || first > w.len() || len(dst) > w.len()-first {
		panic("quantops: there are not as many quantized weights as asked for")
	}
	s.checkFor(w)
	newQuantizer(w, s).from(dst, first)
}

// checkFor panics on scales of other weights.
func (s *Scales) checkFor(w *Weights) {
	if channels, blocks := w.shape(); len(s.Values) != channels*blocks || s.Underflow > 0 {
		panic("quantops: these are not scales that the weights can be quantized with")
	}
}

// quantizer holds what the loops over weights share.
type quantizer struct {
	w     *Weights
	s     *Scales
	level sweepLevel
	sweep
	// Scales of neighbours that do not lie beside each other, brought together:
	// of so many columns, from one on, in a block of rows.
	gathered      Scales
	column, block int
	columns       int
	// The underReciprocals that belong to the overReciprocals keptOf.
	kept, keptOf []float32

	past bool   // the caches, wherever the result's place allows
	tile []byte // what is being transposed
}

// scaleRun is how many scales are brought together at once.
const scaleRun = 1024

func newQuantizer(w *Weights, s *Scales) *quantizer {
	q := &quantizer{w: w, s: s, level: fastestSweep}
	least, most := s.Scheme.Range()
	q.least, q.most = int32(least), int32(most)
	q.ahead = neighboursAhead
	return q
}

// from quantizes weights in the order of the result.
func (q *quantizer) from(dst []byte, first int) {
	w := q.w
	if !w.Flip {
		for len(dst) > 0 {
			row, column := first/w.Columns, first%w.Columns
			n := min(len(dst), w.Columns-column)
			q.row(dst[:n], row, column)
			dst, first = dst[n:], first+n
		}
		return
	}
	// A row of the result is a column of a batch: part of one, then whole ones
	// of a batch at a time, then part of one.
	for len(dst) > 0 {
		line, row := first/w.Rows, first%w.Rows
		batch, column := line/w.Columns, line%w.Columns
		if row > 0 || len(dst) < w.Rows {
			n := min(len(dst), w.Rows-row)
			q.flipped(dst[:n], batch, row, row+n, column, 1)
			dst, first = dst[n:], first+n
			continue
		}
		columns := min(w.Columns-column, len(dst)/w.Rows)
		q.flipped(dst[:columns*w.Rows], batch, 0, w.Rows, column, columns)
		dst, first = dst[columns*w.Rows:], first+columns*w.Rows
	}
}

// row quantizes part of a row of floats, from a column on.
func (q *quantizer) row(dst []byte, row, column int) {
	for len(dst) > 0 {
		scale, until := q.w.scaleAt(row, column)
		q.data, q.dst, q.count = q.w.from(row*q.w.Columns+column), dst, len(dst)
		q.passCaches()
		quantize := q.level.quantizeEach
		if q.w.Axis == AlongColumns {
			q.each(row, column, scale)
		} else {
			q.count = min(q.count, until-column)
			q.take(q.s, scale, 1)
			quantize = q.level.quantizeShared
		}
		n := q.count
		quantize(&q.sweep, q.w.Type)
		column, dst = column+n, dst[n:]
	}
}

// passCaches chooses the way of what is written next.
func (q *quantizer) passCaches() {
	q.pastCaches = 0
	if q.past && uintptr(unsafe.Pointer(&q.dst[0]))%32 == 0 {
		q.pastCaches = 1
	}
}

// each finds the scales of neighbours that have scales of their own, of which
// the first is known: of all, or of as many as are brought together.
func (q *quantizer) each(row, column, first int) {
	step, _ := q.w.steps()
	if step == 1 {
		q.take(q.s, first, q.count)
		return
	}
	q.count = min(q.count, scaleRun)
	block := row / max(1, q.w.Block)
	if q.gathered.Values == nil {
		q.gathered.Values = make([]float32, scaleRun)
		if q.s.over != nil {
			q.gathered.over = make([]float32, scaleRun)
		}
		if q.s.Zeros != nil {
			q.gathered.Zeros = make([]int8, scaleRun)
		}
	}
	if q.columns < q.count || q.column != column || q.block != block {
		for i := range q.count {
			at := first + i*step
			q.gathered.Values[i] = q.s.Values[at]
			if q.s.over != nil {
				q.gathered.over[i] = q.s.over[at]
			}
			if q.s.Zeros != nil {
				q.gathered.Zeros[i] = q.s.Zeros[at]
			}
		}
		q.column, q.block, q.columns = column, block, q.count
		q.keptOf = nil
	}
	q.take(&q.gathered, 0, q.count)
}

// take takes some scales as they lie, from one on.
func (q *quantizer) take(s *Scales, first, count int) {
	q.scales, q.over, q.under, q.zeros = s.Values[first:], nil, nil, nil
	if s.over != nil {
		q.over = s.over[first:]
		q.under = q.underOf(q.over[:count])
	}
	if s.Zeros != nil {
		q.zeros = s.Zeros[first:]
	}
}

// underOf are the underReciprocals of scales, made anew when these are not those of
// the last call: rows share them.
func (q *quantizer) underOf(over []float32) []float32 {
	if len(q.keptOf) < len(over) || &q.keptOf[0] != &over[0] {
		if len(q.kept) < len(over) {
			q.kept = make([]float32, len(over))
		}
		underReciprocals(over, q.kept)
		q.keptOf = over
	}
	return q.kept
}

const (
	// A tile is transposed at a time, so that both sides are touched in runs as
	// long as some cache lines.
	tileRows    = 64
	tileColumns = 256

	// How far ahead floats are asked for: of rows that are quantized whole, and
	// of those that a tile is made of.
	neighboursAhead = 4 << 10
	rowsAhead       = 2
)

// flipped quantizes a rectangle of a batch and transposes it.
func (q *quantizer) flipped(dst []byte, batch, fromRow, toRow, fromColumn, columns int) {
	if q.tile == nil {
		q.tile = make([]byte, tileRows*tileColumns)
	}
	tile := q.tile
	length := toRow - fromRow
	q.ahead = rowsAhead * q.w.Columns * q.w.Type.Size()
	for row := fromRow; row < toRow; row += tileRows {
		high := min(tileRows, toRow-row)
		for column := 0; column < columns; column += tileColumns {
			wide := min(tileColumns, columns-column)
			for r := range high {
				q.row(tile[r*tileColumns:][:wide], batch*q.w.Rows+row+r, fromColumn+column)
			}
			q.turn(dst[column*length+row-fromRow:], length, tile, high, wide)
		}
	}
}

// turn transposes bytes: high rows of a tile become wide lines of dst.
func (q *quantizer) turn(dst []byte, dstStride int, tile []byte, high, wide int) {
	eights, sixteens := high&^7, wide&^15
	s := &q.sweep
	s.stride, s.dstStride, s.count = tileColumns, dstStride, 16
	// Lines of dst may be a multiple of 4 KiB apart, where the nearest cache holds
	// few of them: some are filled before the next are begun.
	for column := 0; column < sixteens; column += 16 {
		for row := 0; row < eights; row += 8 {
			s.data, s.dst = tile[row*tileColumns+column:], dst[column*dstStride+row:]
			q.level.kernels().transpose(s)
		}
	}
	for column := range wide {
		from := 0
		if column < sixteens {
			from = eights
		}
		line := dst[column*dstStride:][:high]
		for row := from; row < high; row++ {
			line[row] = tile[row*tileColumns+column]
		}
	}
}
