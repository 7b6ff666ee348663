package quantops

import (
	"sync"
	"unsafe"
)

// A float32 is the sum of three numbers of the eight bits that bfloat16 has, so
// products of float32 with what bfloat16 holds, as all integers up to 256, are sums
// of three products in bfloat16. These are exact in float32, and AMX computes six
// times as many of them as the vectors do of float32.

const (
	// leftPieces is into how many numbers those of a left operand are divided.
	leftPieces = 3
	// pieceDepth is how many k a step of the inner loop takes: a pair is k and
	// k+16 of them.
	pieceDepth = 2 * amxRows
	// amxSize is how many bytes a register holds.
	amxSize = amxRows * amxRowBytes
	// pieceBytes is how much of a left operand in pieces is to pass over a panel
	// before the next panel's turn.
	pieceBytes = 1200 << 10
)

// pieceKernels are the inner loops for products in pieces.
type pieceKernels struct {
	split func(*pieceRow)
	// For up to 16 and for up to 32 rows: panels that are in bfloat16, and those
	// that are made so on the way.
	pairs, int8, shiftedInt8 [2]func(*pieceTile)
}

// pieceTiles says how many rows the inner loops take; which is taken, sumPieces
// decides.
var pieceTiles = &tileSet{most: 2 * amxRows, step: 2 * amxRows}

// pieceRow is one call of what divides a row of a left operand into pieces: the
// first 16 bits of each number, those of what is left, and the rest. An infinity and
// what is no number are a first piece alone. dst gets, for every 32 k, a line of each
// piece, amxSize bytes apart; the last ones are filled up with zeros.
type pieceRow struct {
	dst, src unsafe.Pointer
	k        int
	odd      int // set to not 0 if there was an infinity, or what is no number
}

// pieceTile is one call of an inner loop: rows of a left operand in pieces times a
// panel, over k in steps of 32. Strides are in bytes. The assembly knows where the
// fields lie.
type pieceTile struct {
	sums      unsafe.Pointer // rows of 32 float32: 16, or 32
	left      unsafe.Pointer
	leftBlock int // from 16 rows of the left operand to the next
	// right is a panel of bfloat16: for each step, 16 columns of 16 pairs, and 16
	// more. With source, a panel of int8, it is written; of that, there are zero
	// points or there are not.
	right, source unsafe.Pointer
	zeros         *int32
	steps         int
	configuration *amxConfiguration
}

// pieceRows is a left operand in pieces: for every 16 rows and 32 k, a register's
// content of each piece. What the last rows lack to 16 is undefined.
type pieceRows struct {
	bytes []uint8
	steps int
}

var pieceOperands = sync.Pool{New: func() any { return new(pieceRows) }}

// blockSize is from 16 rows to the next.
func (r *pieceRows) blockSize() int { return r.steps * leftPieces * amxSize }

// runPieces is run with the left operand in pieces.
func (p *floatProduct) runPieces(workers *Workers) {
	r := pieceOperands.Get().(*pieceRows)
	r.steps = roundUp(p.k, pieceDepth) / pieceDepth
	r.bytes = atLeast(r.bytes, roundUp(p.m, amxRows)/amxRows*r.blockSize())
	inRanges(workers, p.m, 1, 4*p.k, func(from, to int) {
		for row := from; row < to; row++ {
			p.kernels.pieces.split(&pieceRow{
				dst: unsafe.Pointer(&r.bytes[row/amxRows*r.blockSize()+row%amxRows*amxRowBytes]), src: unsafe.Pointer(&p.a.Data[row*p.a.Stride]), k: p.k,
			})
		}
	})
	p.tiles, p.pieces = pieceTiles, r
	p.run(workers)
	p.pieces = nil
	pieceOperands.Put(r)
}

// sumPieces is sum for a left operand in pieces: rows of it from row on, a multiple
// of 16. first says that the panel is not yet in bfloat16.
func (s *productScratch) sumPieces(p *floatProduct, row, rows, panel int, first bool) {
	t, r := &s.pieces, p.pieces
	*t = pieceTile{
		sums: unsafe.Pointer(&s.sums), left: unsafe.Pointer(&r.bytes[row/amxRows*r.blockSize()]), leftBlock: r.blockSize(),
		steps: r.steps, configuration: &amxConfigurations[2*amxRows],
	}
	const line = 2 * amxSize / 4
	if cap(s.panel) < r.steps*line {
		s.panel = make([]float32, r.steps*line)
	}
	t.right = unsafe.Pointer(unsafe.SliceData(s.panel))
	run := &p.kernels.pieces.pairs
	if first {
		t.source, run = s.tile.b, &p.kernels.pieces.int8
		if p.right.zeros != nil {
			t.zeros, run = &p.right.zeros[panel*panelColumns], &p.kernels.pieces.shiftedInt8
		}
	}
	run[(rows-1)/amxRows](t)
}
