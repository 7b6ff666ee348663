package quantops

import "math"

// sweep is a stretch of weights and what a loop over them needs. The fields are
// where the generator of the assembly (internal/asm/quantize) takes them to be.
//
// The stretch is count neighbours, or, for extremesEach and transpose, a matrix
// of so many columns whose rows begin stride bytes apart.
type sweep struct {
	data   []byte    // floats, little-endian; for transpose bytes
	dst    []byte    // quantized weights; for transpose the columns
	scales []float32 // of each float, or one for all
	// reciprocals are the scales' own: the assembly divides with their help, and
	// its quotients are those of a division. nil: leave it to the loops in Go,
	// which can with any scale.
	reciprocals []float32
	zeros       []int8  // zero points, as many as scales; nil: all are 0
	low         []int32 // the keys of the least weights, of each column, or one for all
	high        []int32 // the keys of the largest

	stride, rows, count int
	dstStride           int

	least, most int32 // the integers' range

	// ahead is how many bytes after those that are quantized lie the floats that
	// are quantized soon: caches are asked for them.
	ahead int
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
}

func forEachType(f func(*sweep, FloatType)) [4]func(*sweep) {
	var all [4]func(*sweep)
	for t := range all {
		all[t] = func(s *sweep) { f(s, FloatType(t)) }
	}
	return all
}

// key turns a float into an integer that is ordered as floats are: the bits of
// positive floats are already, those of negative ones are turned around. A NaN
// lies beyond the infinity of its sign, so the extremes of weights tell whether
// all of them are finite.
func key(f float32) int32 { return turned(int32(math.Float32bits(f))) }

// unkey is the float with a key.
func unkey(k int32) float32 { return math.Float32frombits(uint32(turned(k))) }

func turned(bits int32) int32 { return bits ^ bits>>31&math.MaxInt32 }

// finiteKeys says whether all weights between two extremes are finite.
func finiteKeys(low, high int32) bool {
	return low >= key(-math.MaxFloat32) && high <= key(math.MaxFloat32)
}

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
				s.low[at+i] = min(s.low[at+i], key(v))
				s.high[at+i] = max(s.high[at+i], key(v))
			}
		})
	}
}

func extremesShared(s *sweep, t FloatType) {
	s.runs(s.data, t, func(_ int, values []float32) {
		for _, v := range values {
			s.low[0] = min(s.low[0], key(v))
			s.high[0] = max(s.high[0], key(v))
		}
	})
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

// Between these scales, and the weights that belong to them, no remainder of a
// division is too small for float32.
const (
	leastFastScale = 0x1p-64
	mostFastScale  = 0x1p64
)

// reciprocalsOf are the reciprocals of scales, written where there is room for
// them; nil if one is outside what the assembly divides by.
func reciprocalsOf(scales, reciprocals []float32) []float32 {
	for i, scale := range scales {
		if !(scale >= leastFastScale && scale <= mostFastScale) {
			return nil
		}
		reciprocals[i] = 1 / scale
	}
	return reciprocals
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

// extremesShared widens the one low and high by neighbouring floats.
func (l sweepLevel) extremesShared(s *sweep, t FloatType) {
	count := s.count
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
	if s.count = l.split(count); s.reciprocals == nil {
		s.count = 0
	}
	if s.count > 0 {
		l.kernels().quantizeEach[t](s)
		s.data, s.dst = s.data[s.count*t.Size():], s.dst[s.count:]
		s.scales, s.reciprocals = s.scales[s.count:], s.reciprocals[s.count:]
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
	if s.count = l.split(count); s.reciprocals == nil {
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
