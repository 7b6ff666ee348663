package convolution

import "unsafe"

// generic are the kernels in Go, which say what the others compute.
var generic = kernels{"generic", tileGeneric, scatteredGeneric, tapsGeneric, gatherGeneric, gatherPatternGeneric, rampGeneric, widenGeneric, largestGeneric}

func slice[T any](p *T, n int) []T { return unsafe.Slice(p, n) }

// tileGeneric sums each element of the tile over the depth, beginning with its
// bias. Two rows and four steps are in hand at once, so that most operands come
// from registers; the order of the sum is that of a simple loop.
func tileGeneric(dst *float32, stride int, a, b *float32, depth int, bias *float32, rows, columns int) {
	all := slice(dst, (rows-1)*stride+columns)
	weights, panel, biases := slice(a, depth*Rows), slice(b, depth*Columns), slice(bias, Rows)
	for row := 0; row < rows; row += 2 {
		y := all[row*stride:][:columns]
		other := min(row+1, rows-1) // of an odd number the last is computed twice
		var spare [Columns]float32
		z := spare[:columns]
		if other > row {
			z = all[other*stride:][:columns]
		}
		for j := range y {
			y[j], z[j] = biases[row], biases[other]
		}
		k := 0
		for ; k+4 <= depth; k += 4 {
			w := weights[k*Rows:][:4*Rows]
			p0, p1, p2, p3 := w[row], w[Rows+row], w[2*Rows+row], w[3*Rows+row]
			q0, q1, q2, q3 := w[other], w[Rows+other], w[2*Rows+other], w[3*Rows+other]
			x := panel[k*Columns:]
			x0, x1, x2, x3 := x[:len(y)], x[Columns:][:len(y)], x[2*Columns:][:len(y)], x[3*Columns:][:len(y)]
			z := z[:len(y)]
			for j := range y {
				y[j] = y[j] + p0*x0[j] + p1*x1[j] + p2*x2[j] + p3*x3[j]
				z[j] = z[j] + q0*x0[j] + q1*x1[j] + q2*x2[j] + q3*x3[j]
			}
		}
		for ; k < depth; k++ {
			p, q, x := weights[k*Rows+row], weights[k*Rows+other], panel[k*Columns:][:len(y)]
			for j, v := range x {
				y[j] += p * v
				z[j] += q * v
			}
		}
	}
}

// scatteredGeneric sums as tileGeneric does.
func scatteredGeneric(dst *float32, stride int, a, b *float32, taps *int, depth int, bias *float32, rows, columns int) {
	all := slice(dst, (rows-1)*stride+columns)
	steps, biases := slice((*Tap)(unsafe.Pointer(taps)), depth), slice(bias, Rows)
	for row := range rows {
		y := all[row*stride:][:columns]
		for j := range y {
			y[j] = biases[row]
		}
		for _, tap := range steps {
			w, x := *moved(a, tap.Weights+row), slice(moved(b, tap.Source), columns)
			for j, v := range x {
				y[j] += w * v
			}
		}
	}
}

// tapsGeneric has four taps in hand at once, in the order of a simple loop.
func tapsGeneric(dst *float32, dstStride int, src *float32, srcStride, rows, n int, weights *float32, offsets *int, taps int, bias float32) {
	w, at := slice(weights, taps), slice(offsets, taps)
	for i := range rows {
		y := slice(moved(dst, i*dstStride), n)
		x := func(t int) []float32 { return slice(moved(src, i*srcStride+at[t]), n)[:len(y)] }
		for j := range y {
			y[j] = bias
		}
		t := 0
		for ; t+4 <= taps; t += 4 {
			w0, w1, w2, w3 := w[t], w[t+1], w[t+2], w[t+3]
			x0, x1, x2, x3 := x(t), x(t+1), x(t+2), x(t+3)
			for j := range y {
				y[j] = y[j] + w0*x0[j] + w1*x1[j] + w2*x2[j] + w3*x3[j]
			}
		}
		for ; t < taps; t++ {
			for j, v := range x(t) {
				y[j] += w[t] * v
			}
		}
	}
}

// moved is a pointer so many numbers farther on, or back.
func moved(p *float32, by int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*by)) }

// largestGeneric keeps what it has unless an element is greater: a NaN is kept
// if it comes first.
func largestGeneric(dst *float32, dstStride int, src *float32, srcStride, rows, n int, offsets *int, taps, step int) {
	for i := range rows {
		y := slice(moved(dst, i*dstStride), n)
		for t, offset := range slice(offsets, taps) {
			x := slice(moved(src, i*srcStride+offset), (n-1)*step+1)
			for j := range y {
				if v := x[j*step]; t == 0 || v > y[j] {
					y[j] = v
				}
			}
		}
	}
}

func gatherGeneric(panel, src *float32, offsets *int, depth, n int) {
	to := slice(panel, (depth-1)*Columns+n)
	for k, offset := range slice(offsets, depth) {
		copy(to[k*Columns:], slice(moved(src, offset), n))
	}
}

func gatherPatternGeneric(panel, src *float32, offsets *int, depth int, pattern *[16]int32, span, n int) {
	to := slice(panel, (depth-1)*Columns+n)
	for k, offset := range slice(offsets, depth) {
		from := slice(moved(src, offset), span)
		for j, at := range pattern[:n] {
			to[k*Columns+j] = from[at]
		}
	}
}

func rampGeneric(dst *float32, stride, rows, n int, numbers *[6]float32, step, gate int) {
	all, ramps := slice(dst, (rows-1)*stride+n), slice(&numbers[0], (rows-1)*step+rampNumbers)
	for row := range rows {
		r := ramps[row*step:][:rampNumbers]
		alpha, beta, low, high, scale, offset := r[0], r[1], r[2], r[3], r[4], r[5]
		y := all[row*stride:][:n]
		for i, x := range y {
			v := min(max(alpha*x+beta, low), high)
			if gate != 0 {
				v *= x
			}
			y[i] = scale*v + offset
		}
	}
}

func widenGeneric(dst *float32, q *int8, depth int, scales, zeros *float32) {
	to, s, z := slice(dst, depth*Rows), slice(scales, Rows), slice(zeros, Rows)
	for i, v := range slice(q, depth*Rows) {
		to[i] = (float32(v) - z[i%Rows]) * s[i%Rows]
	}
}
