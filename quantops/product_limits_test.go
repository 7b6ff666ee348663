package quantops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestProductsWithinLimits leaves out what is not wanted or is 0, and nothing else.
func TestProductsWithinLimits(t *testing.T) {
	eachLevel(t, func(t *testing.T, level productLevel) {
		random := rand.New(rand.NewPCG(41, 42))
		workers := NewWorkers(2)
		defer workers.Close()
		for _, size := range tiledSizes() {
			m, k, n := size[0], size[1], size[2]
			floats := func(n int) []float32 {
				list := make([]float32, n)
				for i := range list {
					list[i] = float32(random.NormFloat64())
				}
				return list
			}
			whole := Float32Products{
				M: m, K: k, N: n, Count: 1,
				Dst: Rows{make([]float32, m*n), n}, A: Rows{floats(m * k), k}, B: Rows{floats(k * n), n},
			}
			widths, depths := make([]int, m), make([]int, m)
			for row := range m {
				widths[row], depths[row] = random.IntN(n+1), random.IntN(k+1)
				clear(whole.A.Data[row*k:][depths[row]:k])
			}
			whole.run(level, nil)
			part := whole
			part.Dst.Data = slices.Repeat([]float32{guard}, m*n)
			part.Widths, part.Depths = widths, depths
			part.run(level, workers)
			for row := range m {
				for column := range n {
					got, want := part.Dst.Data[row*n+column], whole.Dst.Data[row*n+column]
					// Zeros that are left out may come between sums of four.
					if (column < widths[row] || got != guard) && !(math.Abs(float64(got-want)) <= 1e-4) {
						t.Fatalf("%v: row %d of width %d and depth %d, column %d: %v, want %v", size, row, widths[row], depths[row], column, got, want)
					}
				}
			}
			// A few columns of many, in all rows: the other panels are left alone.
			for row := range widths {
				widths[row] = min(3, n)
			}
			part.Dst.Data = slices.Repeat([]float32{guard}, m*n)
			part.run(level, workers)
			if n > 2*panelColumns && m > 0 && part.Dst.Data[n-1] != guard {
				t.Errorf("%v: what nobody wants is computed", size)
			}
		}
	})
}
