package quantops

// Int8Weights is a quantized K×N matrix, that is, the right-hand operand of a
// product: the weight w[k][n] is (Q[k][n] − zero)·scale.
type Int8Weights struct {
	K, N int
	Q    []int8 // K rows of N
	// Transposed says that Q is stored as N rows of K.
	Transposed bool
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

// panel writes the integers of columns, and zeros for what a panel has more, to
// K rows of 32.
func (w *Int8Weights) panel(to []int8, column, columns int) {
	if !w.Transposed {
		for k := range w.K {
			if from := w.Q[k*w.N+column:]; columns == panelColumns {
				*(*[panelColumns]int8)(to[k*panelColumns:]) = [panelColumns]int8(from)
			} else {
				copy(to[k*panelColumns:][:panelColumns], from[:columns])
			}
		}
		return
	}
	row := func(j int) []int8 { return w.Q[(column+j)*w.K:][:w.K] }
	j := 0
	for ; j+8 <= columns; j += 8 { // at once, so that what is written lies together
		a, b, c, d := row(j), row(j + 1)[:w.K], row(j + 2)[:w.K], row(j + 3)[:w.K]
		e, f, g, h := row(j + 4)[:w.K], row(j + 5)[:w.K], row(j + 6)[:w.K], row(j + 7)[:w.K]
		for k := range a {
			line := to[k*panelColumns+j:][:8]
			line[0], line[1], line[2], line[3] = a[k], b[k], c[k], d[k]
			line[4], line[5], line[6], line[7] = e[k], f[k], g[k], h[k]
		}
	}
	for ; j < columns; j++ {
		for k, v := range row(j) {
			to[k*panelColumns+j] = v
		}
	}
}
