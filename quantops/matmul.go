package quantops

// MatMulFloat32 writes dst = a·b, all row-major: a is m×k, b k×n, dst m×n. dst
// overlaps neither operand. The workers, which may be nil, share the work.
//
// Every element is summed over k from the start to the end, four products at a
// time, in float32: y += ((p₀+p₁)+p₂)+p₃, what is left over one by one. So a
// result depends neither on m and n nor on workers, and differs from the exact
// one by at most γ_k·Σ|a||b|, with γ_k = k·u/(1−k·u) and u = 2⁻²⁴ (Higham,
// Accuracy and Stability of Numerical Algorithms, section 3.1), as long as
// nothing overflows or becomes subnormal.
func MatMulFloat32(dst, a, b []float32, m, k, n int, workers *Workers) {
	if m < 0 || k < 0 || n < 0 || len(dst) != m*n || len(a) != m*k || len(b) != k*n {
		panic("quantops: the matrices are not as large as m, k and n say")
	}
	if m >= n {
		inRanges(workers, m, 2, k*n, func(from, to int) {
			clear(dst[from*n : to*n])
			addProduct(dst[from*n:], n, a[from*k:], k, b, n, to-from, k, n)
		})
		return
	}
	inRanges(workers, n, 16, m*k, func(from, to int) {
		for i := range m {
			clear(dst[i*n+from : i*n+to])
		}
		addProduct(dst[from:], n, a, k, b[min(from, len(b)):], n, m, k, to-from)
	})
}

// addProduct adds a·b to y: a is m×k, b k×n, y m×n, of rows that lie so far
// apart as the strides say.
func addProduct(y []float32, yStride int, a []float32, aStride int, b []float32, bStride, m, k, n int) {
	for column := 0; column < n; column += stripColumns {
		columns := min(stripColumns, n-column)
		for depth := 0; depth < k; depth += stripDepth {
			steps := min(stripDepth, k-depth)
			strip := b[depth*bStride+column:]
			for i := 0; i < m; i += 2 {
				y0 := y[i*yStride+column:][:columns]
				a0 := a[i*aStride+depth:][:steps]
				if i+1 == m {
					addRow(y0, a0, strip, bStride)
					break
				}
				addTwoRows(y0, y[(i+1)*yStride+column:][:columns], a0, a[(i+1)*aStride+depth:][:steps], strip, bStride)
			}
		}
	}
}

// addRow adds the row a times the matrix b to y.
func addRow(y, a, b []float32, stride int) {
	n := len(y)
	for len(a) >= 4 {
		p0, p1, p2, p3 := a[0], a[1], a[2], a[3]
		b0, b1, b2, b3 := b[:n], b[stride:][:n], b[2*stride:][:n], b[3*stride:][:n]
		for j := range y {
			y[j] += p0*b0[j] + p1*b1[j] + p2*b2[j] + p3*b3[j]
		}
		a = a[4:]
		b = b[min(4*stride, len(b)):]
	}
	for i, p := range a {
		for j, v := range b[i*stride:][:n] {
			y[j] += p * v
		}
	}
}

// addTwoRows is addRow for two rows at once, so that each element of b is loaded
// once for both. It sums as addRow does.
func addTwoRows(y, z, a, c, b []float32, stride int) {
	n := len(y)
	z = z[:n]
	c = c[:len(a)]
	for len(a) >= 4 && len(c) >= 4 {
		p0, p1, p2, p3 := a[0], a[1], a[2], a[3]
		q0, q1, q2, q3 := c[0], c[1], c[2], c[3]
		b0, b1, b2, b3 := b[:n], b[stride:][:n], b[2*stride:][:n], b[3*stride:][:n]
		for j := range y {
			v0, v1, v2, v3 := b0[j], b1[j], b2[j], b3[j]
			y[j] += p0*v0 + p1*v1 + p2*v2 + p3*v3
			z[j] += q0*v0 + q1*v1 + q2*v2 + q3*v3
		}
		a, c = a[4:], c[4:]
		b = b[min(4*stride, len(b)):]
	}
	for i, p := range a {
		q := c[i]
		for j, v := range b[i*stride:][:n] {
			y[j] += p * v
			z[j] += q * v
		}
	}
}
