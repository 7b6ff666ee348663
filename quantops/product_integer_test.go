package quantops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// checkPackedInteger holds the packed product, at every level, to the integers
// that the plain one gives.
func checkPackedInteger[A, B int8 | uint8](t *testing.T, want []int32, a []A, b []B, m, k, n int, aZeros []A, bZeros []B, workers *Workers) {
	t.Helper()
	check := func(name string, kernels *productKernels) {
		packed := packInteger(kernels, b, k, n, bZeros)
		got := make([]int32, m*n)
		MatMulPacked(got, a, m, aZeros, packed, workers)
		if !slices.Equal(got, want) {
			t.Fatalf("%T×%T %d×%d×%d, %d and %d zero points, %v: the packed product differs", a, b, m, k, n, len(aZeros), len(bZeros), name)
		}
	}
	for _, level := range productLevels() {
		check(level.String(), level.kernels())
	}
	check("words in Go", wordsInGo)
}

func TestPackedIntegerTiles(t *testing.T) {
	random := rand.New(rand.NewPCG(51, 52))
	workers := NewWorkers(3)
	defer workers.Close()
	list := []int{31, 32, 33, 47, 48, 49, 64, 95, 127, 128, 129, 160, 260, 300} // around those of AMX's tiles
	for rows := range 27 {
		list = append(list, rows)
	}
	check := func(rows, k, n int) {
		a, b, zeros := randomBytes[uint8](random, rows*k), randomBytes[int8](random, k*n), randomBytes[uint8](random, rows)
		want := make([]int32, rows*n)
		MatMulInteger(want, a, b, rows, k, n, zeros, nil, nil)
		checkPackedInteger(t, want, a, b, rows, k, n, zeros, nil, workers)
	}
	for _, rows := range list {
		check(rows, 1+rows*7%23, 1+rows*31%290)
	}
	check(40, 0, 70)
	check(40, 128, 70) // rows that need no padding
}

// TestPackedIntegersWrapAround has sums beyond int32, as MatMulInteger's.
func TestPackedIntegersWrapAround(t *testing.T) {
	const k = 1 << 17
	a, b := slices.Repeat([]uint8{255}, k), slices.Repeat([]int8{-128}, k)
	want := make([]int32, 1)
	MatMulInteger(want, a, b, 1, k, 1, nil, nil, nil)
	checkPackedInteger(t, want, a, b, 1, k, 1, nil, nil, nil)
}

func TestMatMulScaled(t *testing.T) {
	eachIntegers(t, func(t *testing.T, kernels *productKernels) {
		random := rand.New(rand.NewPCG(53, 54))
		for _, size := range [][3]int{{1, 5, 3}, {3, 64, 32}, {14, 33, 77}, {40, 100, 200}} {
			m, k, n := size[0], size[1], size[2]
			a, b := randomBytes[uint8](random, m*k), randomBytes[int8](random, k*n)
			zero := []uint8{131}
			sums := make([]int32, m*n)
			MatMulInteger(sums, a, b, m, k, n, zero, nil, nil)
			packed := packInteger(kernels, b, k, n, nil)
			for _, scales := range [][]float32{normals(random, n), {0.25}} {
				bias := normals(random, n)
				dst := newGuarded(random, m, n)
				MatMulScaled(dst.Rows, a, m, zero, packed, scales, Epilogue{Scale: 0.5, Bias: bias}, nil)
				dst.checkGuards(t)
				for i := range m {
					for j := range n {
						scale := scales[0]
						if len(scales) > 1 {
							scale = scales[j]
						}
						product := float64(sums[i*n+j]) * float64(scale) * 0.5
						want := product + float64(bias[j])
						if got := float64(dst.row(i)[j]); math.Abs(got-want) > gamma(4)*(math.Abs(product)+math.Abs(float64(bias[j]))) {
							t.Fatalf("%v: element %d, %d is %v, want %v", size, i, j, got, want)
						}
					}
				}
			}
		}
	})
}

// TestDynamicQuantizeLevels holds every level to the same bytes.
func TestDynamicQuantizeLevels(t *testing.T) {
	random := rand.New(rand.NewPCG(57, 58))
	for length := range 70 {
		for variant := range 4 {
			x := normals(random, length)
			for i := range x {
				switch variant {
				case 1:
					x[i] = float32(math.Abs(float64(x[i])))
				case 2:
					x[i] = -float32(math.Abs(float64(x[i]))) * 1e-30
				case 3:
					x[i] = float32(math.Round(float64(x[i]))) // ties, and zeros
				}
			}
			want := make([]uint8, length)
			wantScale, wantZero := dynamicQuantize(productGeneric, want, x, nil)
			for _, level := range productLevels() {
				got := slices.Repeat([]uint8{77}, length+9)
				scale, zero := dynamicQuantize(level, got[:length], x, nil)
				if scale != wantScale || zero != wantZero || !slices.Equal(got[:length], want) || !slices.Equal(got[length:], slices.Repeat([]uint8{77}, 9)) {
					t.Fatalf("%d values, variant %d, %v: %v scale %v zero %d, want %v %v %d", length, variant, level, got, scale, zero, want, wantScale, wantZero)
				}
			}
		}
	}
}

// TestDynamicQuantizeShared has workers share the values.
func TestDynamicQuantizeShared(t *testing.T) {
	workers := NewWorkers(3)
	defer workers.Close()
	x := normals(rand.New(rand.NewPCG(59, 60)), 200_001)
	x[150_003], x[77] = 31, -29 // the ends lie in different workers' shares
	got, want := make([]uint8, len(x)), make([]uint8, len(x))
	wantScale, wantZero := DynamicQuantize(want, x, nil)
	if scale, zero := DynamicQuantize(got, x, workers); scale != wantScale || zero != wantZero || !slices.Equal(got, want) {
		t.Errorf("scale %v, zero point %d: want %v, %d, and the same bytes", scale, zero, wantScale, wantZero)
	}
}

func BenchmarkInteger(b *testing.B) {
	random := rand.New(rand.NewPCG(55, 56))
	for _, size := range [][3]int{{1, 1024, 4096}, {32, 1024, 4096}, {128, 768, 3072}, {512, 768, 768}} {
		m, k, n := size[0], size[1], size[2]
		a, dst := randomBytes[uint8](random, m*k), make([]float32, m*n)
		packed := PackInteger(randomBytes[int8](random, k*n), k, n, nil)
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%dx%dx%d/%d", m, k, n, threads), func(b *testing.B) {
				workers := NewWorkers(threads)
				defer workers.Close()
				for b.Loop() {
					MatMulScaled(Rows{dst, n}, a, m, []uint8{128}, packed, []float32{1}, Epilogue{}, workers)
				}
				b.ReportMetric(2*float64(m)*float64(k)*float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
			})
		}
	}
}
