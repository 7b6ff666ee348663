package ops

import "github.com/onnx-tinyq/onnx-tinyq/quantops"

// matrix is a row-major view: row i starts at i·stride.
type matrix[T any] struct {
	data   []T
	stride int
}

func (m matrix[T]) row(i, width int) []T { return m.data[i*m.stride:][:width] }

// addScaled adds scale·x to y, element by element of y.
func addScaled[T number](y, x []T, scale T) {
	x = x[:len(y)]
	for i := range y {
		y[i] += scale * x[i]
	}
}

// worthPacking is from how many multiplications on a product in float32 is left
// to the packed kernels.
const worthPacking = 1 << 12

// addFloats adds a·b, or a·bᵀ, to y if they are of float32 and large enough; it
// reports whether it did.
func addFloats[T number](y, a, b matrix[T], m, k, n int, transposed bool) bool {
	sums, ok := any(y.data).([]float32)
	if !ok || m*k*n < worthPacking {
		return false
	}
	rows := func(m matrix[T]) quantops.Rows {
		return quantops.Rows{Data: any(m.data).([]float32), Stride: m.stride}
	}
	product := quantops.Float32Products{
		M: m, K: k, N: n, Dst: rows(y), A: rows(a), B: rows(b), Transposed: transposed, Count: 1, Epilogue: quantops.Epilogue{Add: sums},
	}
	product.Run(nil)
	return true
}

// addProduct adds a·b to y, where a is m×k, b k×n and y m×n. Two rows of y and
// four of b are in hand at once, so that most operands come from registers.
func addProduct[T number](y, a, b matrix[T], m, k, n int) {
	if addFloats(y, a, b, m, k, n, false) {
		return
	}
	for i := 0; i+2 <= m; i += 2 {
		a0, y0 := a.row(i, k), y.row(i, n)
		a1, y1 := a.row(i+1, k), y.row(i+1, n)
		y1 = y1[:len(y0)]
		t := 0
		for ; t+4 <= k; t += 4 {
			b0, b1, b2, b3 := b.row(t, n), b.row(t+1, n), b.row(t+2, n), b.row(t+3, n)
			b0, b1, b2, b3 = b0[:len(y0)], b1[:len(y0)], b2[:len(y0)], b3[:len(y0)]
			p0, p1, p2, p3 := a0[t], a0[t+1], a0[t+2], a0[t+3]
			q0, q1, q2, q3 := a1[t], a1[t+1], a1[t+2], a1[t+3]
			for j := range y0 {
				v0, v1, v2, v3 := b0[j], b1[j], b2[j], b3[j]
				y0[j] += p0*v0 + p1*v1 + p2*v2 + p3*v3
				y1[j] += q0*v0 + q1*v1 + q2*v2 + q3*v3
			}
		}
		for ; t < k; t++ {
			addScaled(y0, b.row(t, n), a0[t])
			addScaled(y1, b.row(t, n), a1[t])
		}
	}
	if m%2 == 1 {
		addRowProduct(y.row(m-1, n), a.row(m-1, k), b)
	}
}

// addRowProduct adds a·b to y for one row a.
func addRowProduct[T number](y, a []T, b matrix[T]) {
	n := len(y)
	t := 0
	for ; t+4 <= len(a); t += 4 {
		b0, b1, b2, b3 := b.row(t, n), b.row(t+1, n), b.row(t+2, n), b.row(t+3, n)
		b0, b1, b2, b3 = b0[:len(y)], b1[:len(y)], b2[:len(y)], b3[:len(y)]
		p0, p1, p2, p3 := a[t], a[t+1], a[t+2], a[t+3]
		for j := range y {
			y[j] += p0*b0[j] + p1*b1[j] + p2*b2[j] + p3*b3[j]
		}
	}
	for ; t < len(a); t++ {
		addScaled(y, b.row(t, n), a[t])
	}
}

// addProductTransposed adds a·bᵀ to y, where a is m×k, b n×k and y m×n: every
// element is a dot product of two rows, four of which share one row of a.
func addProductTransposed[T number](y, a, b matrix[T], m, n, k int) {
	if addFloats(y, a, b, m, k, n, true) {
		return
	}
	for i := range m {
		row, out := a.row(i, k), y.row(i, n)
		j := 0
		for ; j+4 <= n; j += 4 {
			b0, b1, b2, b3 := b.row(j, k), b.row(j+1, k), b.row(j+2, k), b.row(j+3, k)
			b0, b1, b2, b3 = b0[:len(row)], b1[:len(row)], b2[:len(row)], b3[:len(row)]
			var s0, s1, s2, s3 T
			for t, v := range row {
				s0 += v * b0[t]
				s1 += v * b1[t]
				s2 += v * b2[t]
				s3 += v * b3[t]
			}
			out[j] += s0
			out[j+1] += s1
			out[j+2] += s2
			out[j+3] += s3
		}
		for ; j < n; j++ {
			out[j] += dot(row, b.row(j, k))
		}
	}
}

// dot is the sum of products of two slices of one length.
func dot[T number](a, b []T) T {
	b = b[:len(a)]
	var sum T
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}
