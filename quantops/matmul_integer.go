package quantops

// MatMulInteger writes dst = (a − aZeros)·(b − bZeros) in int32, all row-major:
// a is m×k, b k×n, dst m×n. There is one zero point of a for each row, or one
// for all, or none (nil: it is 0); of b one for each column, or one for all, or
// none. Sums beyond int32, which need k over 33,000, wrap around. The workers,
// which may be nil, share the work.
// (ONNX MatMulInteger, for one matrix of a batch.)
func MatMulInteger[A, B int8 | uint8](dst []int32, a []A, b []B, m, k, n int, aZeros []A, bZeros []B, workers *Workers) {
	if m < 0 || k < 0 || n < 0 || len(dst) != m*n || len(a) != m*k || len(b) != k*n {
		panic("quantops: the matrices are not as large as m, k and n say")
	}
	if !zerosFit(len(aZeros), m) || !zerosFit(len(bZeros), n) {
		panic("quantops: there is not one zero point for each row or column, or for all")
	}
	left, sums := shiftedRows(a, m, k, aZeros)
	inRanges(workers, n, 16, m*k, func(from, to int) {
		for i := range m {
			clear(dst[i*n+from : i*n+to])
		}
		for column := from; column < to; column += stripColumns {
			columns := min(stripColumns, to-column)
			for depth := 0; depth < k; depth += stripDepth {
				steps := min(stripDepth, k-depth)
				for i := range m {
					addIntegerRow(dst[i*n+column:][:columns], left[i*k+depth:][:steps], b[depth*n+column:], n)
				}
			}
			// Σ(a−z)(b−c) = Σ(a−z)b − c·Σ(a−z), exact modulo 2³².
			for i := range m {
				if len(bZeros) > 0 {
					subtractZeros(dst[i*n+column:][:columns], sums[i], bZeros, column)
				}
			}
		}
	})
}

func zerosFit(zeros, count int) bool { return zeros <= 1 || zeros == count }

// shiftedRows is a less its zero points, and the sum of each row of that.
func shiftedRows[A int8 | uint8](a []A, m, k int, zeros []A) (shifted, sums []int32) {
	shifted, sums = make([]int32, len(a)), make([]int32, m)
	for i := range m {
		zero := int32(0)
		switch {
		case len(zeros) == 1:
			zero = int32(zeros[0])
		case len(zeros) > 1:
			zero = int32(zeros[i])
		}
		row := shifted[i*k:][:k]
		for j, v := range a[i*k:][:k] {
			row[j] = int32(v) - zero
			sums[i] += row[j]
		}
	}
	return shifted, sums
}

func subtractZeros[B int8 | uint8](y []int32, sum int32, zeros []B, column int) {
	if len(zeros) == 1 {
		for j := range y {
			y[j] -= sum * int32(zeros[0])
		}
		return
	}
	for j, zero := range zeros[column:][:len(y)] {
		y[j] -= sum * int32(zero)
	}
}

// addIntegerRow adds the row a times the matrix b to y.
func addIntegerRow[B int8 | uint8](y, a []int32, b []B, stride int) {
	n := len(y)
	for len(a) >= 4 {
		p0, p1, p2, p3 := a[0], a[1], a[2], a[3]
		b0, b1, b2, b3 := b[:n], b[stride:][:n], b[2*stride:][:n], b[3*stride:][:n]
		for j := range y {
			y[j] += p0*int32(b0[j]) + p1*int32(b1[j]) + p2*int32(b2[j]) + p3*int32(b3[j])
		}
		a = a[4:]
		b = b[min(4*stride, len(b)):]
	}
	for i, p := range a {
		for j, v := range b[i*stride:][:n] {
			y[j] += p * int32(v)
		}
	}
}
