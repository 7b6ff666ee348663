package quantops

import "math"

// sweep is a stretch of weights and what a loop over them needs. The fields are
// where the generator of the assembly (internal/asm/quantize) takes them to be.
//
// The stretch is count neighbours, or, for extremesEach and transpose, a matrix
// of so many columns whose rows begin stride bytes apart; for extremesShared it is
// one row or four.
type sweep struct {
	data   []byte    // floats, little-endian; for transpose bytes
	dst    []byte    // quantized weights; for transpose the columns
	scales []float32 // of each float, or one for all
	// over and under are numbers between which the scales' reciprocals lie: the
	// assembly multiplies by them, and divides only what it must. nil: leave it to
	// the loops in Go, which can with any scale.
	over, under []float32
	zeros       []int8        // zero points, as many as scales; nil: all are 0
	low         []extremeLow  // of each column, or one for all
	high        []extremeHigh // of the same

	stride, rows, count int
	dstStride           int

	least, most int32 // the integers' range

	// ahead is how many bytes after those that are quantized lie the floats that
	// are quantized soon: caches are asked for them.
	ahead int
	// pastCaches, if not 0, writes dst, which begins at a multiple of 32 bytes,
	// past the caches: fence orders that before what others are told.
	pastCaches int
}

// sweepKernels are the inner loops of a level, by float type. Those in assembly
// take a count that is a multiple of sweepStep and not 0.
type sweepKernels struct {
	// extremesEach widens low and high of each column by all its rows.
	extremesEach [4]func(*sweep)
	// extremesShared widens one low and high by all floats.
	extremesShared [4]func(*sweep)
	// quantizeEach and quantizeShared write clamp(roundHalfEven(w/scale) + zero).
	quantizeEach, quantizeShared [4]func(*sweep)
	// transpose writes eight rows of bytes as columns, dstStride bytes apart.
	transpose func(*sweep)
	// fence has all that was written past the caches be there for everybody.
	fence func()
}

// sweepStep is how many floats the assembly takes at a time.
const sweepStep = 16

// genericSweeps say what the loops in assembly do, and do what those leave over.
var genericSweeps = &sweepKernels{
	extremesEach:   forEachType(extremesEach),
	extremesShared: forEachType(extremesShared),
	quantizeEach:   forEachType(quantizeEach),
	quantizeShared: forEachType(quantizeShared),
	transpose:      transposeSweep,
	fence:          func() {},
}

func forEachType(f func(*sweep, FloatType)) [4]func(*sweep) {
	var all [4]func(*sweep)
	for t := range all {
		all[t] = func(s *sweep) { f(s, FloatType(t)) }
	}
	return all
}

// extremeLow holds the bits of the least of 0 and some floats: the largest bits
// as an unsigned number, so those of the most negative float, or if there is none
// of a positive one, which count for nothing. With extremeHigh, which holds bits
// that are the largest as a signed number, it takes two instructions for a vector
// of floats to widen a range. The bits of a NaN lie beyond those of the infinity of
// its sign, so both tell whether all floats are finite. 0 is the range of nothing.
type (
	extremeLow  uint32
	extremeHigh int32
)

const largestBits = 0x7f7fffff // of a finite float

func (l extremeLow) finite() bool  { return l&math.MaxInt32 <= largestBits }
func (h extremeHigh) finite() bool { return h <= largestBits }

func (l extremeLow) float() float32 {
	if l <= math.MaxInt32 {
		return 0
	}
	return math.Float32frombits(uint32(l))
}

func (h extremeHigh) float() float32 { return math.Float32frombits(uint32(h)) }

// widen makes room for one more float.
func (l *extremeLow) widen(f float32)  { *l = max(*l, extremeLow(math.Float32bits(f))) }
func (h *extremeHigh) widen(f float32) { *h = max(*h, extremeHigh(math.Float32bits(f))) }

// runs calls f for stretches of neighbouring floats, as float32: they stay in
// the nearest cache between the two steps.
func (s *sweep) runs(data []byte, t FloatType, f func(at int, values []float32)) {
	var buffer [256]float32
	for at := 0; at < s.count; at += len(buffer) {
		values := buffer[:min(len(buffer), s.count-at)]
		decodeFloats(values, data[at*t.Size():], t)
		f(at, values)
	}
}

func extremesEach(s *sweep, t FloatType) {
	for row := range s.rows {
		s.runs(s.data[row*s.stride:], t, func(at int, values []float32) {
			for i, v := range values {
				s.low[at+i].widen(v)
				s.high[at+i].widen(v)
			}
		})
	}
}

func extremesShared(s *sweep, t FloatType) {
	for row := range s.rows {
		s.runs(s.data[row*s.stride:], t, func(_ int, values []float32) {
			for _, v := range values {
				s.low[0].widen(v)
				s.high[0].widen(v)
			}
		})
	}
}

func quantizeEach(s *sweep, t FloatType) {
	s.runs(s.data, t, func(at int, values []float32) {
		for i, v := range values {
			s.dst[at+i] = s.quantized(v, at+i)
		}
	})
}

func quantizeShared(s *sweep, t FloatType) {
	s.runs(s.data, t, func(at int, values []float32) {
		for i, v := range values {
			s.dst[at+i] = s.quantized(v, 0)
		}
	})
}

// quantized is a weight as an integer of a scale.
func (s *sweep) quantized(w float32, scale int) byte {
	q := roundHalfEven(w / s.scales[scale])
	if s.zeros != nil {
		q += int32(s.zeros[scale])
	}
	return byte(max(s.least, min(s.most, q)))
}

func transposeSweep(s *sweep) {
	for column := range s.count {
		line := s.dst[column*s.dstStride:][:8]
		for row := range line {
			line[row] = s.data[row*s.stride+column]
		}
	}
}

// The assembly takes scales between these, whose reciprocals and the products
// with them are far from the ends of float32.
const (
	leastFastScale = 0x1p-64
	mostFastScale  = 0x1p64
)

// overReciprocals are numbers that are more than the reciprocals of scales by 2⁻²⁰
// of them, written where there is room for them; nil if the assembly does not take
// one of the scales. With underReciprocals, which are as much less, they are farther
// from the reciprocals than rounding takes themselves, a product, or a quotient.
func overReciprocals(scales, over []float32) []float32 {
	for i, scale := range scales {
		if !(scale >= leastFastScale && scale <= mostFastScale) {
			return nil
		}
		over[i] = (1 + 0x1p-20) / scale
	}
	return over
}

// underReciprocals are the numbers on the other side of the reciprocals. Scales in
// blocks are many, so they are not kept.
func underReciprocals(over, under []float32) {
	for i, v := range over {
		under[i] = v * (1 - 0x1p-19)
	}
}

// split is how many of a sweep's floats the assembly takes.
func (l sweepLevel) split(count int) int {
	if l == sweepGeneric {
		return 0
	}
	return count &^ (sweepStep - 1)
}

// extremesEach widens low and high by rows of floats, column by column.
func (l sweepLevel) extremesEach(s *sweep, t FloatType) {
	count := s.count
	if s.count = l.split(count); s.count > 0 {
		l.kernels().extremesEach[t](s)
		s.data, s.low, s.high = s.data[s.count*t.Size():], s.low[s.count:], s.high[s.count:]
	}
	if s.count = count - s.count; s.count > 0 {
		genericSweeps.extremesEach[t](s)
	}
}

// Of neighbours this many and more, four stretches are read side by side: what the
// processor reads before it is asked ends with each page.
const (
	sideBySide     = 4 << 10
	sweepStretches = 4
)

// extremesShared widens the one low and high by neighbouring floats.
func (l sweepLevel) extremesShared(s *sweep, t FloatType) {
	count := s.count
	if each := l.split(count / sweepStretches); count >= sideBySide && each > 0 {
		s.rows, s.stride, s.count = sweepStretches, each*t.Size(), each
		l.kernels().extremesShared[t](s)
		s.data = s.data[sweepStretches*s.stride:]
		count -= sweepStretches * each
	}
	s.rows = 1
	if s.count = l.split(count); s.count > 0 {
		l.kernels().extremesShared[t](s)
		s.data = s.data[s.count*t.Size():]
	}
	if s.count = count - s.count; s.count > 0 {
		genericSweeps.extremesShared[t](s)
	}
}

// quantizeEach quantizes neighbours that have scales of their own.
func (l sweepLevel) quantizeEach(s *sweep, t FloatType) {
	count := s.count
	if s.count = l.split(count); s.over == nil {
		s.count = 0
	}
	if s.count > 0 {
		l.kernels().quantizeEach[t](s)
		s.data, s.dst = s.data[s.count*t.Size():], s.dst[s.count:]
		s.scales, s.over, s.under = s.scales[s.count:], s.over[s.count:], s.under[s.count:]
		if s.zeros != nil {
			s.zeros = s.zeros[s.count:]
		}
	}
	if s.count = count - s.count; s.count > 0 {
		genericSweeps.quantizeEach[t](s)
	}
}

// quantizeShared quantizes neighbours that share a scale.
func (l sweepLevel) quantizeShared(s *sweep, t FloatType) {
	count := s.count
	if s.count = l.split(count); s.over == nil {
		s.count = 0
	}
	if s.count > 0 {
		l.kernels().quantizeShared[t](s)
		s.data, s.dst = s.data[s.count*t.Size():], s.dst[s.count:]
	}
	if s.count = count - s.count; s.count > 0 {
		genericSweeps.quantizeShared[t](s)
	}
}
