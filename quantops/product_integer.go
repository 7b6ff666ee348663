package quantops

import (
	"sync"
	"unsafe"
)

// PackedInteger is a right operand of products of integers, k×n in 8 bits, laid
// out as the inner loops read it. It is only read once made, so it may be used by
// several goroutines at once.
type PackedInteger struct {
	kernels *productKernels
	bytes   bytePanels
	// sums are Σₖ b for each column, zeros the zero points, nil if all are 0; both
	// are as wide as the panels. Unsigned integers are stored less 128, and so are
	// their zero points.
	sums, zeros []int32
}

// PackInteger packs a row-major k×n matrix. There is one zero point for each
// column, or one for all, or none (nil: it is 0). It keeps nothing of b.
func PackInteger[B int8 | uint8](b []B, k, n int, zeros []B) *PackedInteger {
	return packInteger(fastestProduct().kernels(), b, k, n, zeros)
}

func packInteger[B int8 | uint8](kernels *productKernels, b []B, k, n int, zeros []B) *PackedInteger {
	if k < 0 || n < 0 || len(b) != k*n || !zerosFit(len(zeros), n) {
		panic("quantops: the matrix and its zero points are not as large as k and n say")
	}
	q, ok := any(b).([]int8)
	offset := int32(0)
	if !ok {
		offset = 128
		q = make([]int8, len(b))
		for i, v := range b {
			q[i] = int8(int(v) - 128)
		}
	}
	p := &PackedInteger{kernels: kernels, bytes: packBytes(&Int8Weights{K: k, N: n, Q: q}, kernels.dotLayout)}
	p.sums = p.bytes.sums(max(dotStep, roundUp(k, dotStep)))
	if len(p.sums) == 0 {
		p.sums = make([]int32, p.bytes.width())
	}
	shifted := make([]int32, p.bytes.width())
	zero := true
	for j := range n {
		shifted[j] = -offset
		switch {
		case len(zeros) == 1:
			shifted[j] += int32(zeros[0])
		case len(zeros) > 1:
			shifted[j] += int32(zeros[j])
		}
		zero = zero && shifted[j] == 0
	}
	if !zero {
		p.zeros = shifted
	}
	return p
}

// K is the number of rows.
func (b *PackedInteger) K() int { return b.bytes.k }

// N is the number of columns.
func (b *PackedInteger) N() int { return b.bytes.n }

// MatMulPacked is MatMulInteger with a packed right operand: exactly the same
// integers.
func MatMulPacked[A int8 | uint8](dst []int32, a []A, m int, aZeros []A, b *PackedInteger, workers *Workers) {
	if m < 0 || len(dst) != m*b.N() {
		panic("quantops: the matrices are not as large as m, K and N say")
	}
	p := integerProduct(a, m, aZeros, b, workers)
	p.integers.dst = dst
	p.run(workers)
	p.integers.release()
}

// MatMulScaled writes dst = scale·aᵢ·b, with aᵢ·b the product of integers that
// MatMulPacked computes, as float32, and scales, as end says: scales has one for
// each column, or one for all.
//
//	dst[i][j] = float32(Σₖ (a[i][k] − aZero[i])·(b[k][j] − bZero[j]))·scales[j]
//
// The sum is exact, unless it is beyond int32; a bias may be added with the same
// rounding as the scale is applied with.
func MatMulScaled[A int8 | uint8](dst Rows, a []A, m int, aZeros []A, b *PackedInteger, scales []float32, end Epilogue, workers *Workers) {
	if !zerosFit(len(scales), b.N()) || len(scales) == 0 {
		panic("quantops: there is not one scale for each column, or for all")
	}
	p := integerProduct(a, m, aZeros, b, workers)
	p.dst, p.end = dst, end
	p.integers.scales = atLeast(p.integers.scales, b.bytes.width())
	p.right.scales = p.integers.scales
	for j := copy(p.right.scales, scales); len(scales) == 1 && j < b.N(); j++ {
		p.right.scales[j] = scales[0]
	}
	if !dst.covers(m, b.N()) || end.Bias != nil && len(end.Bias) != b.N() || end.RowBias != nil && len(end.RowBias) != m ||
		end.Add != nil && !(Rows{end.Add, dst.Stride}).covers(m, b.N()) {
		panic("quantops: the matrices are not as large as m, K and N say")
	}
	p.run(workers)
	p.integers.release()
}

// integerRows is the left operand of a product of integers.
type integerRows struct {
	weights *PackedInteger
	dst     []int32 // nil: the result is float32
	// bytes are rows of stride bytes: integers of 16 bits, or of 8, unsigned ones;
	// then signed ones are stored plus 128.
	bytes  []uint8
	room   []uint8 // what bytes are in, unless they are the caller's
	stride int
	depth  int     // of a row that the tiles read: k, and zeros
	zeros  []int32 // of each row
	alike  bool    // the sums of all rows begin with the same
	sums   []int32 // Σₖ (a − zero) of each row, if the weights have zero points
	scales []float32
}

var integerOperands = sync.Pool{New: func() any { return new(integerRows) }}

func (r *integerRows) release() {
	r.weights, r.dst, r.bytes = nil, nil, nil
	integerOperands.Put(r)
}

// integerProduct prepares a product: rows of whole steps of k, with zero points.
func integerProduct[A int8 | uint8](a []A, m int, zeros []A, b *PackedInteger, workers *Workers) *floatProduct {
	k := b.K()
	if m < 0 || len(a) != m*k {
		panic("quantops: the matrices are not as large as m, K and N say")
	}
	if !zerosFit(len(zeros), m) {
		panic("quantops: there is not one zero point for each row, or for all")
	}
	r := integerOperands.Get().(*integerRows)
	r.weights = b
	r.alike = len(zeros) <= 1 && b.zeros == nil
	kernels := b.kernels
	r.depth = roundUp(k, b.bytes.depth)
	size, words := kernels.dotLayout.size(), kernels.dotLayout.words()
	r.stride = r.depth * size
	if m > aliasRows {
		r.stride = spacedStride(r.stride)
	}
	r.zeros = atLeast(r.zeros, m)
	r.sums = atLeast(r.sums, m)
	_, signed := any(a).([]int8)
	inPlace := !signed && !words && r.stride == k && len(a) > 0
	if inPlace {
		r.bytes = unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(a))), len(a))
	} else {
		r.room = atLeast(r.room, m*r.stride)
		r.bytes = r.room
	}
	cost := k
	if inPlace && r.alike {
		cost = 1
	}
	inRanges(workers, m, 1, cost, func(from, to int) {
		for i := from; i < to; i++ {
			row := r.bytes[i*r.stride:][:r.stride]
			line := unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(a[i*k:]))), k)
			zero := int32(0)
			switch {
			case len(zeros) == 1:
				zero = int32(zeros[0])
			case len(zeros) > 1:
				zero = int32(zeros[i])
			}
			if b.zeros != nil {
				sum := -zero * int32(k)
				if signed {
					for _, v := range line {
						sum += int32(int8(v))
					}
				} else {
					for _, v := range line {
						sum += int32(v)
					}
				}
				r.sums[i] = sum
			}
			switch {
			case inPlace:
			case words:
				kernels.widenWords(unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(row))), k), line, signed)
			case signed:
				zero += 128
				for j, v := range line {
					row[j] = v ^ 128
				}
			default:
				copy(row, line)
			}
			clear(row[k*size : r.depth*size])
			r.zeros[i] = zero
		}
	})
	return &floatProduct{
		kernels: kernels, tiles: kernels.dotTiles(m), m: m, k: k, n: b.N(), count: 1, integers: r,
		right: panels{data: b.bytes.data(), panelStride: b.bytes.stride(), rowStride: b.bytes.step * panelColumns},
	}
}

// sumIntegers is sum for rows of integers. The sums begin with what the zero
// points make of them, all modulo 2³²:
//
//	Σ(a−z)(b−c) = Σab − z·Σb − c·Σ(a−z)
func (s *productScratch) sumIntegers(p *floatProduct, row, rows, panel, panels int) {
	r, t := p.integers, &s.tile
	t.rows, t.k, t.aStride, t.sumsPanel = rows, r.depth/r.weights.bytes.step, r.stride, rows*int(unsafe.Sizeof(panelRow{}))
	t.sums, t.resume, t.start = unsafe.Pointer(&s.sums), 1, nil
	first := func(panel, row int) *panelRow { return &s.sums[panel*rows+row] }
	each := rows // of which the sums begin differently
	switch {
	case r.alike && (p.kernels.dotLayout.words() || p.tiles == p.kernels.tallDot):
		// A row for each panel, with which all rows of the tiles begin.
		each, first = 1, func(panel, _ int) *panelRow { return &s.block[panel] }
		t.start, t.startStride, t.startPanel, t.resume = unsafe.Pointer(&s.block), 0, int(unsafe.Sizeof(panelRow{})), 0
	case p.kernels.dotLayout.words():
		t.start, t.startStride = t.sums, int(unsafe.Sizeof(panelRow{}))
	}
	if p.k > 0 {
		t.a = unsafe.Pointer(&r.bytes[row*r.stride])
	}
	for j := range panels {
		column := (panel + j) * panelColumns
		sums := (*[panelColumns]int32)(r.weights.sums[column:])
		for i := range each {
			to := (*[panelColumns]int32)(unsafe.Pointer(first(j, i)))
			if r.alike && i > 0 {
				*to = *(*[panelColumns]int32)(unsafe.Pointer(first(j, 0)))
				continue
			}
			zero := r.zeros[row+i]
			for j := range to {
				to[j] = -zero * sums[j]
			}
			if r.weights.zeros != nil {
				for j, c := range (*[panelColumns]int32)(r.weights.zeros[column:]) {
					to[j] -= c * r.sums[row+i]
				}
			}
		}
	}
	s.run(t)
}

// storeIntegers writes the sums of rows of a panel to the result.
func (s *productScratch) storeIntegers(p *floatProduct, row, rows, panel, index int) {
	column := panel * panelColumns
	for i := range rows {
		sums := (*[panelColumns]int32)(unsafe.Pointer(&s.sums[index*rows+i]))
		copy(p.integers.dst[(row+i)*p.n+column:][:min(panelColumns, p.n-column)], sums[:])
	}
}
