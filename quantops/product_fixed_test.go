package quantops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var fixedSizes = [][3]int{ // m, k, n
	{1, 1, 1}, {1, 4, 32}, {2, 5, 33}, {3, 255, 31}, {4, 256, 64}, {5, 257, 65}, {6, 511, 128}, {7, 512, 129}, {8, 30, 200}, {13, 1000, 40}, {100, 70, 7},
	{33, 300, 40}, {48, 64, 33}, {130, 257, 70}, {300, 320, 33}, {520, 20, 40}, {230, 70, 40},
	{1, 600, 300}, {0, 3, 2}, {2, 0, 3}, {2, 3, 0}, {40, 0, 70},
}

// wideRange is rows of values of many magnitudes, some zeros, and blocks of zeros.
func wideRange(random *rand.Rand, m, k int) *guarded {
	a := newGuarded(random, m, k)
	for i := range m {
		row := a.row(i)
		for j := range row {
			switch random.IntN(12) {
			case 0:
				row[j] = 0
			case 1:
				row[j] *= 1000
			case 2:
				row[j] *= 1e-3
			}
		}
		if i%3 == 2 {
			clear(row[:min(k, fixedLength)])
		}
		if i%5 == 4 {
			for j := range row {
				row[j] *= 1e-38 // subnormal some of them
			}
		}
	}
	return a
}

func TestPackedFixed(t *testing.T) {
	eachIntegers(t, func(t *testing.T, kernels *productKernels) {
		random := rand.New(rand.NewPCG(41, 42))
		workers := NewWorkers(3)
		defer workers.Close()
		for _, size := range fixedSizes {
			m, k, n := size[0], size[1], size[2]
			w := randomInt8(random, k, n, 0, false, size[2]%2 == 0)
			packed, generic := packFixed(kernels, w), packFixed(genericProduct, w)
			a, dst, want := wideRange(random, m, k), newGuarded(random, m, n), newGuarded(random, m, n)
			packed.MatMul(dst.Rows, a.Rows, m, Epilogue{}, workers)
			dst.checkGuards(t)
			undivided := newGuarded(random, m, n)
			packed.MatMul(undivided.Rows, a.Rows, m, Epilogue{}, nil)
			generic.MatMul(want.Rows, a.Rows, m, Epilogue{}, nil)
			for i := range m {
				if !slices.Equal(dst.row(i), want.row(i)) {
					t.Fatalf("%v: row %d is not what plain Go gives", size, i)
				}
				if !slices.Equal(undivided.row(i), want.row(i)) {
					t.Fatalf("%v: row %d depends on how work is divided", size, i)
				}
				alone := newGuarded(random, 1, n)
				packed.MatMul(alone.Rows, Rows{a.row(i), k}, 1, Epilogue{}, nil)
				if !slices.Equal(alone.row(0), dst.row(i)) {
					t.Fatalf("%v: row %d depends on the others", size, i)
				}
				for j := range n {
					exact, bound := 0.0, 0.0
					blocks := (k + fixedLength - 1) / fixedLength
					for first := 0; first < k; first += fixedLength {
						block := a.row(i)[first:min(k, first+fixedLength)]
						largest := fixedLeast
						for _, v := range block {
							largest = max(largest, math.Abs(float64(v)))
						}
						for p, v := range block {
							weight := w.exact(first+p, j)
							exact += float64(v) * weight
							off := largest / fixedMost / 2
							bound += math.Abs(weight) * (off + gamma(blocks+8)*(math.Abs(float64(v))+off))
						}
					}
					if far := math.Abs(float64(dst.row(i)[j]) - exact); !(far <= bound) {
						t.Fatalf("%v: element %d, %d is %v, exactly %v, which is %v off: at most %v", size, i, j, dst.row(i)[j], exact, far, bound)
					}
				}
			}
			turned := *w
			turned.Q, turned.Transposed = make([]int8, k*n), true
			for i, q := range w.Q {
				turned.Q[i%n*k+i/n] = q
			}
			if other := packFixed(kernels, &turned); !slices.Equal(other.bytes.bytes, packed.bytes.bytes) {
				t.Fatalf("%v: the transposed weights are packed otherwise", size)
			}
		}
	})
}

// TestFixedZeros has blocks of zeros, and of one value: they are exact.
func TestFixedZeros(t *testing.T) {
	eachIntegers(t, func(t *testing.T, kernels *productKernels) {
		const k, n = 300, 40
		w := randomInt8(rand.New(rand.NewPCG(43, 44)), k, n, 0, false, false)
		a, dst := make([]float32, 2*k), make([]float32, 2*n)
		a[k+270] = -3
		packFixed(kernels, w).MatMul(Rows{dst, n}, Rows{a, k}, 2, Epilogue{}, nil)
		for j := range n {
			if want := float32(-3*float64(w.Q[270*n+j])) * w.Scales[j]; dst[j] != 0 || math.Abs(float64(dst[n+j]-want)) > math.Abs(float64(want))*0x1p-22 {
				t.Fatalf("column %d: %v and %v, want 0 and %v", j, dst[j], dst[n+j], want)
			}
		}
	})
}

// TestFixedOddRows has infinities and what is no number in some rows, which come
// out as a product in float32 has them; the others are not touched by it.
func TestFixedOddRows(t *testing.T) {
	inf := float32(math.Inf(1))
	eachIntegers(t, func(t *testing.T, kernels *productKernels) {
		random := rand.New(rand.NewPCG(45, 46))
		const m, k, n = 9, 310, 70
		w := randomInt8(random, k, n, 0, false, false)
		a := normals(random, m*k)
		clean := slices.Clone(a)
		a[2*k+7], a[4*k+300], a[8*k] = inf, float32(math.NaN()), -inf
		got, want, exact := make([]float32, m*n), make([]float32, m*n), make([]float32, m*n)
		packed := packFixed(kernels, w)
		packed.MatMul(Rows{got, n}, Rows{a, k}, m, Epilogue{}, nil)
		packed.MatMul(Rows{want, n}, Rows{clean, k}, m, Epilogue{}, nil)
		packInt8(productGeneric, w).MatMul(Rows{exact, n}, Rows{a, k}, m, Epilogue{}, nil)
		for i := range m * n {
			switch row := i / n; row {
			case 2, 4, 8:
				if got[i] != exact[i] && (got[i] == got[i] || exact[i] == exact[i]) {
					t.Fatalf("row %d, column %d: %v, want %v", row, i%n, got[i], exact[i])
				}
			default:
				if got[i] != want[i] {
					t.Fatalf("row %d, column %d: %v, want %v", row, i%n, got[i], want[i])
				}
			}
		}
	})
}

func TestFixedRefusesWhatItCannotHold(t *testing.T) {
	random := rand.New(rand.NewPCG(47, 48))
	for name, w := range map[string]*Int8Weights{
		"zero points": randomInt8(random, 20, 3, 0, true, false), "blocks": randomInt8(random, 20, 3, 4, false, false),
	} {
		if PackFixed(w) != nil {
			t.Errorf("%s: packed all the same", name)
		}
	}
	one := randomInt8(random, 20, 3, 32, false, false)
	one.Zeros = make([]int8, 3)
	if PackFixed(one) == nil {
		t.Error("one block, zero points of 0: not packed")
	}
}

func BenchmarkFixed(b *testing.B) {
	random := rand.New(rand.NewPCG(49, 50))
	for _, size := range [][3]int{{1, 1024, 4096}, {1, 4096, 4096}, {8, 1024, 4096}, {32, 1024, 4096}, {128, 768, 3072}, {512, 768, 768}} {
		m, k, n := size[0], size[1], size[2]
		dst, a := make([]float32, m*n), normals(random, m*k)
		packed := PackFixed(randomInt8(random, k, n, 0, false, false))
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%dx%dx%d/%d", m, k, n, threads), func(b *testing.B) {
				workers := NewWorkers(threads)
				defer workers.Close()
				for b.Loop() {
					packed.MatMul(Rows{dst, n}, Rows{a, k}, m, Epilogue{}, workers)
				}
				b.ReportMetric(2*float64(m)*float64(k)*float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
			})
		}
	}
}
