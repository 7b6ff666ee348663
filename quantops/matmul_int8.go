package quantops

// Int8Weights is a quantized K×N matrix, that is, the right-hand operand of a
// product: the weight w[k][n] is (Q[k][n] − zero)·scale.
type Int8Weights struct {
	K, N int
	Q    []int8 // K rows of N
	// Scales are one for all, one for each column, or, with a Block, for each
	// block of so many rows a row of N. Zeros are as many, or nil: then they are 0.
	Scales []float32
	Zeros  []int8
	Block  int // 0: not in blocks
}

func (w *Int8Weights) check() {
	scales := w.N
	if w.Block > 0 {
		scales = (w.K + w.Block - 1) / w.Block * w.N
	} else if len(w.Scales) == 1 {
		scales = 1
	}
	if w.K < 0 || w.N < 0 || len(w.Q) != w.K*w.N || len(w.Scales) != scales || w.Zeros != nil && len(w.Zeros) != scales {
		panic("quantops: weights, scales and zero points are not as many as K, N and Block say")
	}
}

// MatMulInt8 writes dst = a·w: a is m×K, dst m×N, both row-major. The weights
// are never made whole: a strip of them at a time is converted to float32, or,
// for a few rows, each as it is used. The workers, which may be nil, share the work.
//
//	dst[i][n] = scale[n] · Σₖ a[i][k]·(q[k][n] − zero[n])
//
// and with blocks the sum over blocks of that. Differences q − zero are exact in
// float32; within a block the sum is as in MatMulFloat32, and is multiplied by
// the scale once. So the result differs from the exact one by at most
// γ_{K+B+1}·Σₖ|a||w|, with B blocks and w as dequantized exactly.
func MatMulInt8(dst, a []float32, m int, w *Int8Weights, workers *Workers) {
	w.check()
	if m < 0 || len(dst) != m*w.N || len(a) != m*w.K {
		panic("quantops: the matrices are not as large as m, K and N say")
	}
	inRanges(workers, w.N, 16, m*w.K, func(from, to int) {
		p := int8Product{w: w, a: a, dst: dst}
		if m >= convertRows {
			p.strip = make([]float32, min(stripDepth, w.K)*min(stripColumns, to-from))
		}
		p.sums = make([]float32, min(stripRows, m)*min(stripColumns, to-from))
		for column := from; column < to; column += stripColumns {
			for row := 0; row < m; row += stripRows {
				p.piece(row, min(m, row+stripRows), column, min(to, column+stripColumns))
			}
		}
	})
}

// convertRows is from how many rows on a strip of weights is converted before it
// is used.
const convertRows = 3

// int8Product is one goroutine's share of MatMulInt8.
type int8Product struct {
	w      *Int8Weights
	a, dst []float32
	strip  []float32 // of weights, converted: q − zero
	sums   []float32 // of a piece of dst, before they are scaled
}

// piece computes some rows of a strip of columns.
func (p *int8Product) piece(row, end, column, last int) {
	w, columns := p.w, last-column
	block := w.K
	if w.Block > 0 {
		block = w.Block
	}
	for i := row; i < end; i++ {
		clear(p.dst[i*w.N+column : i*w.N+last])
	}
	for first := 0; first < w.K; first += block {
		scales, zeros := p.factors(first, column, last)
		sums := p.sums[:(end-row)*columns]
		clear(sums)
		for depth := first; depth < min(w.K, first+block); depth += stripDepth {
			steps := min(stripDepth, w.K-depth, first+block-depth)
			p.addStrip(sums, row, end, depth, steps, column, columns, zeros)
		}
		for i := row; i < end; i++ {
			addScaled(p.dst[i*w.N+column:i*w.N+last], sums[(i-row)*columns:][:columns], scales)
		}
	}
}

// addScaled adds x·scale to y; there is one scale for each element or for all.
func addScaled(y, x, scales []float32) {
	x = x[:len(y)]
	if len(scales) == 1 {
		for j, v := range x {
			y[j] += v * scales[0]
		}
		return
	}
	scales = scales[:len(y)]
	for j, v := range x {
		y[j] += v * scales[j]
	}
}

// factors are the scales and zero points of columns, in the block of a row: one
// for all columns, or one for each; no zero points if there are none.
func (p *int8Product) factors(k, column, last int) (scales []float32, zeros []int8) {
	w := p.w
	from, to := column, last
	switch {
	case w.Block > 0:
		from, to = from+k/w.Block*w.N, to+k/w.Block*w.N
	case len(w.Scales) == 1:
		from, to = 0, 1
	}
	if w.Zeros != nil {
		zeros = w.Zeros[from:to]
	}
	return w.Scales[from:to], zeros
}

// addStrip adds the products with a strip of weights to sums.
func (p *int8Product) addStrip(sums []float32, row, end, depth, steps, column, columns int, zeros []int8) {
	w := p.w
	q := w.Q[depth*w.N+column:]
	if p.strip == nil {
		for i := row; i < end; i++ {
			y, a := sums[(i-row)*columns:][:columns], p.a[i*w.K+depth:][:steps]
			if zeros == nil {
				addInt8Row(y, a, q, w.N)
			} else {
				addShiftedInt8Row(y, a, q, w.N, zeros)
			}
		}
		return
	}
	for k := range steps {
		line := p.strip[k*columns:][:columns]
		from := q[k*w.N:][:columns]
		switch {
		case zeros == nil:
			for j, v := range from {
				line[j] = float32(v)
			}
		case len(zeros) == 1:
			zero := int32(zeros[0])
			for j, v := range from {
				line[j] = float32(int32(v) - zero)
			}
		default:
			zeros := zeros[:columns]
			for j, v := range from {
				line[j] = float32(int32(v) - int32(zeros[j]))
			}
		}
	}
	addProduct(sums, columns, p.a[row*w.K+depth:], w.K, p.strip, columns, end-row, steps, columns)
}

// addInt8Row is addRow for a matrix of integers.
func addInt8Row(y, a []float32, q []int8, stride int) {
	n := len(y)
	for len(a) >= 4 {
		p0, p1, p2, p3 := a[0], a[1], a[2], a[3]
		q0, q1, q2, q3 := q[:n], q[stride:][:n], q[2*stride:][:n], q[3*stride:][:n]
		for j := range y {
			y[j] += p0*float32(q0[j]) + p1*float32(q1[j]) + p2*float32(q2[j]) + p3*float32(q3[j])
		}
		a = a[4:]
		q = q[min(4*stride, len(q)):]
	}
	for i, p := range a {
		for j, v := range q[i*stride:][:n] {
			y[j] += p * float32(v)
		}
	}
}

// addShiftedInt8Row is addInt8Row for integers less their zero points: one for
// each column, or one for all.
func addShiftedInt8Row(y, a []float32, q []int8, stride int, zeros []int8) {
	n := len(y)
	var all [stripColumns]int8
	if len(zeros) == 1 {
		for j := range all {
			all[j] = zeros[0]
		}
		zeros = all[:]
	}
	zeros = zeros[:n]
	for len(a) >= 4 {
		p0, p1, p2, p3 := a[0], a[1], a[2], a[3]
		q0, q1, q2, q3 := q[:n], q[stride:][:n], q[2*stride:][:n], q[3*stride:][:n]
		for j := range y {
			z := int32(zeros[j])
			y[j] += p0*float32(int32(q0[j])-z) + p1*float32(int32(q1[j])-z) + p2*float32(int32(q2[j])-z) + p3*float32(int32(q3[j])-z)
		}
		a = a[4:]
		q = q[min(4*stride, len(q)):]
	}
	for i, p := range a {
		for j, v := range q[i*stride:][:n] {
			y[j] += p * float32(int32(v)-int32(zeros[j]))
		}
	}
}

// MatMulInt8In16 is MatMulInt8 for 16-bit activations: they are widened, all is
// computed in float32, and results are rounded half to even once, at the end.
func MatMulInt8In16[T Float16 | BFloat16](dst, a []T, m int, w *Int8Weights, workers *Workers) {
	if m < 0 || len(dst) != m*w.N || len(a) != m*w.K {
		panic("quantops: the matrices are not as large as m, K and N say")
	}
	wide, sums := make([]float32, len(a)), make([]float32, len(dst))
	switch a := any(a).(type) {
	case []Float16:
		WidenFloat16(wide, a)
	case []BFloat16:
		WidenBFloat16(wide, a)
	}
	MatMulInt8(sums, wide, m, w, workers)
	switch dst := any(dst).(type) {
	case []Float16:
		NarrowFloat16(dst, sums)
	case []BFloat16:
		NarrowBFloat16(dst, sums)
	}
}
