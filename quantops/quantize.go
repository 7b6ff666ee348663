package quantops

// Quantize writes the quantized weights, one a byte, in the order of Data, or
// with Flip transposed. dst is as long as there are weights, and s was measured
// on them.
//
//	q = clamp(roundHalfEven(w / scale) + zero)
func Quantize(dst []byte, w *Weights, s *Scales) {
	rows, _ := w.Stored()
	QuantizeRows(dst, w, s, 0, rows)
}

// Stored is the shape of the quantized weights as a matrix: how many rows, over
// all batches, of what length.
func (w *Weights) Stored() (rows, length int) {
	if w.Flip {
		return w.Batch * w.Columns, w.Rows
	}
	return w.Batch * w.Rows, w.Columns
}

// QuantizeRows is Quantize for the rows from…to−1 of the result alone, so that
// a large weight can be written piece by piece, or by several goroutines. Each
// reads only what becomes these rows.
func QuantizeRows(dst []byte, w *Weights, s *Scales, from, to int) {
	w.check()
	rows, length := w.Stored()
	if from < 0 || to > rows || from > to || len(dst) != (to-from)*length {
		panic("quantops: the destination is not as long as the rows asked for")
	}
	if channels, blocks := w.shape(); len(s.Values) != channels*blocks || s.Underflow > 0 {
		panic("quantops: these are not scales that the weights can be quantized with")
	}
	q := quantizer{w: w, s: s, buffer: make([]float32, min(run, w.Columns))}
	least, most := s.Scheme.Range()
	q.least, q.most = int32(least), int32(most)
	if !w.Flip {
		for row := from; row < to; row++ {
			q.row(dst[(row-from)*length:][:length], row, 0)
		}
		return
	}
	for from < to {
		// The columns of one batch.
		batch, first := from/w.Columns, from%w.Columns
		columns := min(w.Columns-first, to-from)
		q.flipped(dst[:columns*length], batch, first, columns)
		dst = dst[columns*length:]
		from += columns
	}
}

// quantizer holds what the loops over weights share.
type quantizer struct {
	w           *Weights
	s           *Scales
	least, most int32
	buffer      []float32
}

// row quantizes part of a row of floats, from a column on.
func (q *quantizer) row(dst []byte, row, column int) {
	for len(dst) > 0 {
		values := q.buffer[:min(len(dst), len(q.buffer))]
		q.w.decode(values, row*q.w.Columns+column)
		if q.w.Axis == AlongColumns {
			q.each(dst, values, row, column)
		} else {
			q.shared(dst, values, row, column)
		}
		column += len(values)
		dst = dst[len(values):]
	}
}

// each quantizes neighbours that have scales of their own.
func (q *quantizer) each(dst []byte, values []float32, row, column int) {
	i, _ := q.w.scaleAt(row, column)
	step, _ := q.w.steps()
	for c, v := range values {
		n := roundHalfEven(v / q.s.Values[i])
		if q.s.Zeros != nil {
			n += int32(q.s.Zeros[i])
		}
		dst[c] = byte(max(q.least, min(q.most, n)))
		i += step
	}
}

// shared quantizes neighbours that share scales.
func (q *quantizer) shared(dst []byte, values []float32, row, column int) {
	for len(values) > 0 {
		i, until := q.w.scaleAt(row, column)
		same := min(until-column, len(values))
		scale, zero := q.s.Values[i], int32(0)
		if q.s.Zeros != nil {
			zero = int32(q.s.Zeros[i])
		}
		for c, v := range values[:same] {
			dst[c] = byte(max(q.least, min(q.most, roundHalfEven(v/scale)+zero)))
		}
		values, dst, column = values[same:], dst[same:], column+same
	}
}

// flipped quantizes columns of a batch into rows. It goes by tiles, so that
// both sides are touched in runs as long as a cache line.
func (q *quantizer) flipped(dst []byte, batch, first, columns int) {
	const edge = 64
	var tile [edge * edge]byte
	rows := q.w.Rows
	for row := 0; row < rows; row += edge {
		high := min(edge, rows-row)
		for column := 0; column < columns; column += edge {
			wide := min(edge, columns-column)
			for r := range high {
				q.row(tile[r*edge:][:wide], batch*rows+row+r, first+column)
			}
			for c := range wide {
				line := dst[(column+c)*rows+row:][:high]
				for r := range line {
					line[r] = tile[r*edge+c]
				}
			}
		}
	}
}
