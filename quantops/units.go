package quantops

// units are the pieces of weights that are measured one by one, in bands of
// several.
type units struct {
	w *Weights
	// number of units: rows, or blocks of rows (of columns that have scales), or
	// blocks (of rows that have scales), or single floats.
	number, perBand int
	// shared says that units have scales in common, so that each goroutine has
	// to collect extremes of its own; otherwise no two units touch the same.
	shared bool
}

// bandBytes is about how much is swept at a time: so much that claiming it and
// telling of it cost nothing, and so little that no goroutine waits for long.
const bandBytes = 1 << 20

// rowsAtOnce is how many rows a column's extremes are kept in a register for.
const rowsAtOnce = 8

func (w *Weights) units() units {
	u := units{w: w, shared: w.Block <= 0}
	switch {
	case w.len() == 0:
		u.perBand = 1
	case w.Axis == AlongColumns && w.Block > 0:
		u.number = (w.Rows + w.Block - 1) / w.Block
		u.perBand = bandBytes / (w.Block * w.Columns * w.Type.Size())
	case w.Axis == AlongColumns:
		u.number = w.Batch * w.Rows
		u.perBand = bandBytes / (w.Columns * w.Type.Size()) / rowsAtOnce * rowsAtOnce
		u.perBand = max(u.perBand, rowsAtOnce)
	case w.Block > 0:
		u.number = w.Rows * ((w.Columns + w.Block - 1) / w.Block)
		u.perBand = bandBytes / (w.Block * w.Type.Size())
	default:
		u.number = w.len()
		u.perBand = bandBytes / w.Type.Size()
	}
	u.perBand = max(u.perBand, 1)
	return u
}

// bands is how many there are: at least one, so that somebody comes last.
func (u *units) bands() int64 { return int64(max(1, (u.number+u.perBand-1)/u.perBand)) }

// sweep widens the extremes by the floats of a band, and says how many bytes
// they are.
func (u *units) sweep(s *sweep, level sweepLevel, band int64, low []extremeLow, high []extremeHigh) int {
	w := u.w
	from := int(band) * u.perBand
	to := min(u.number, from+u.perBand)
	switch {
	case from >= to:
		return 0
	case w.Axis == AlongColumns && w.Block > 0:
		for block := from; block < to; block++ {
			first := block * w.Block
			u.columns(s, level, first, min(w.Rows, first+w.Block), low[block*w.Columns:], high[block*w.Columns:])
		}
		return (min(w.Rows, to*w.Block) - from*w.Block) * w.Columns * w.Type.Size()
	case w.Axis == AlongColumns:
		u.columns(s, level, from, to, low, high)
		return (to - from) * w.Columns * w.Type.Size()
	case w.Block > 0:
		return u.blocks(s, level, from, to, low, high)
	}
	for at := from; at < to; {
		scale, same := 0, to-at
		if w.Axis == AlongRows {
			row := at / w.Columns
			scale, same = row%w.Rows, min(same, (row+1)*w.Columns-at)
		}
		u.neighbours(s, level, at, same, low[scale:], high[scale:])
		at += same
	}
	return (to - from) * w.Type.Size()
}

// columns widens each column's extremes by rows.
func (u *units) columns(s *sweep, level sweepLevel, from, to int, low []extremeLow, high []extremeHigh) {
	w := u.w
	for row := from; row < to; row += rowsAtOnce {
		s.data, s.low, s.high = w.from(row*w.Columns), low, high
		s.stride, s.rows, s.count = w.Columns*w.Type.Size(), min(rowsAtOnce, to-row), w.Columns
		level.extremesEach(s, w.Type)
	}
}

// blocks widens the extremes of blocks in rows, which are counted through all rows.
func (u *units) blocks(s *sweep, level sweepLevel, from, to int, low []extremeLow, high []extremeHigh) (bytes int) {
	w := u.w
	inRow := (w.Columns + w.Block - 1) / w.Block
	for unit := from; unit < to; unit++ {
		first := unit % inRow * w.Block
		length := min(w.Block, w.Columns-first)
		u.neighbours(s, level, unit/inRow*w.Columns+first, length, low[unit:], high[unit:])
		bytes += length * w.Type.Size()
	}
	return bytes
}

// neighbours widens one pair of extremes by floats that follow each other.
func (u *units) neighbours(s *sweep, level sweepLevel, first, count int, low []extremeLow, high []extremeHigh) {
	s.data, s.low, s.high, s.count = u.w.from(first), low, high, count
	level.extremesShared(s, u.w.Type)
}
