package quantops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// gamma bounds the relative error of n roundings to float32, one after another.
func gamma(n int) float64 {
	u := float64(n) * 0x1p-24
	return u / (1 - u)
}

func normals(random *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(random.NormFloat64())
	}
	return v
}

var productSizes = [][3]int{ // m, k, n
	{1, 1, 1}, {1, 3, 2}, {2, 4, 5}, {3, 7, 1}, {5, 9, 33}, {1, 300, 270}, {2, 257, 256}, {67, 31, 40}, {4, 260, 515}, {130, 8, 3},
	{0, 3, 2}, {2, 0, 3}, {2, 3, 0},
}

func TestMatMulFloat32(t *testing.T) {
	workers := NewWorkers(5)
	defer workers.Close()
	random := rand.New(rand.NewPCG(21, 22))
	for _, size := range productSizes {
		m, k, n := size[0], size[1], size[2]
		a, b := normals(random, m*k), normals(random, k*n)
		got := normals(random, m*n) // what is there before does not matter
		MatMulFloat32(got, a, b, m, k, n, nil)
		for i := range m {
			for j := range n {
				var exact, size float64
				for p := range k {
					v := float64(a[i*k+p]) * float64(b[p*n+j])
					exact += v
					size += math.Abs(v)
				}
				if far := math.Abs(float64(got[i*n+j]) - exact); far > gamma(k)*size {
					t.Fatalf("%v: element %d, %d is %v, exactly %v", size, i, j, got[i*n+j], exact)
				}
			}
			// One row by itself gives the same bits.
			alone := make([]float32, n)
			MatMulFloat32(alone, a[i*k:][:k], b, 1, k, n, workers)
			if !slices.Equal(alone, got[i*n:][:n]) {
				t.Fatalf("%v: row %d depends on the others", size, i)
			}
		}
		many := make([]float32, m*n)
		MatMulFloat32(many, a, b, m, k, n, workers)
		if !slices.Equal(many, got) {
			t.Fatalf("%v: the number of goroutines shows", size)
		}
	}
}

// randomInt8 makes weights with zero points at some, for blocks or one scale.
func randomInt8(random *rand.Rand, k, n, block int, zeros, one bool) *Int8Weights {
	w := &Int8Weights{K: k, N: n, Q: make([]int8, k*n), Block: block}
	for i := range w.Q {
		w.Q[i] = int8(random.Uint32())
	}
	scales := n
	if block > 0 {
		scales = (k + block - 1) / block * n
	} else if one {
		scales = 1
	}
	for range scales {
		w.Scales = append(w.Scales, float32(math.Exp(random.NormFloat64())))
		if zeros {
			w.Zeros = append(w.Zeros, int8(random.Uint32()))
		}
	}
	return w
}

// exact is what an integer weight stands for.
func (w *Int8Weights) exact(k, n int) float64 {
	at := n
	if w.Block > 0 {
		at += k / w.Block * w.N
	} else if len(w.Scales) == 1 {
		at = 0
	}
	q := float64(w.Q[k*w.N+n])
	if w.Zeros != nil {
		q -= float64(w.Zeros[at])
	}
	return q * float64(w.Scales[at])
}

// TestWeightOnlyBound quantizes random layers and holds each output to the bound
// that the project promises: |y−y′| ≤ ½·scale·Σ|x|, and what float32 adds.
func TestWeightOnlyBound(t *testing.T) {
	random := rand.New(rand.NewPCG(25, 26))
	for round := range 40 {
		m, k, n := 1+random.IntN(5), 1+random.IntN(200), 1+random.IntN(40)
		values := make([]float64, k*n)
		for i := range values {
			// Heavy tails, and columns of very different size.
			values[i] = float64(float32(random.NormFloat64() / math.Sqrt(random.Float64()+1e-3) * math.Exp(float64(i%n%7)*3-9)))
		}
		scheme := Scheme{Asymmetric: round%2 == 1, Scale: [...]FloatType{Float32Type, BFloat16Type, Float32Type}[round%3]}
		view := &Weights{Data: stored(Float32Type, values), Batch: 1, Rows: k, Columns: n, Axis: AlongColumns}
		block := 0
		if round%5 == 4 {
			block = 32
			view.Block = block
		}
		s, err := Measure(view, scheme)
		if err != nil {
			t.Fatal(err)
		}
		if s.Underflow+s.Overflow+s.Substituted > 0 {
			t.Fatalf("the example is not what it is meant to be: %+v", s)
		}
		q := make([]byte, k*n)
		Quantize(q, view, s)
		w := &Int8Weights{K: k, N: n, Q: signedBytes(q), Scales: s.Values, Zeros: s.Zeros, Block: block}
		x := normals(random, m*k)
		y := make([]float32, m*n)
		PackInt8(w).MatMul(Rows{y, n}, Rows{x, k}, m, Epilogue{}, nil)
		for i := range m {
			for j := range n {
				var exact, bound float64
				for p := range k {
					v := float64(x[i*k+p])
					exact += v * values[p*n+j]
					scale := float64(s.Values[j])
					if block > 0 {
						scale = float64(s.Values[p/block*n+j])
					}
					bound += math.Abs(v)*scale/2 + gamma(k+8)*math.Abs(v)*(math.Abs(values[p*n+j])+scale/2)
				}
				if far := math.Abs(float64(y[i*n+j]) - exact); far > bound {
					t.Fatalf("%d×%d×%d %+v: output %d, %d is %v away, the bound is %v", m, k, n, scheme, i, j, far, bound)
				}
			}
		}
	}
}

func TestMatMulInteger(t *testing.T) {
	checkInteger[uint8, int8](t)
	checkInteger[uint8, uint8](t)
	checkInteger[int8, int8](t)
	checkInteger[int8, uint8](t)
}

func checkInteger[A, B int8 | uint8](t *testing.T) {
	t.Helper()
	workers := NewWorkers(2)
	defer workers.Close()
	random := rand.New(rand.NewPCG(27, 28))
	for _, size := range productSizes {
		m, k, n := size[0], size[1], size[2]
		for _, aCount := range []int{0, 1, m} {
			for _, bCount := range []int{0, 1, n} {
				a, b := randomBytes[A](random, m*k), randomBytes[B](random, k*n)
				aZeros, bZeros := randomBytes[A](random, aCount), randomBytes[B](random, bCount)
				got := make([]int32, m*n)
				MatMulInteger(got, a, b, m, k, n, aZeros, bZeros, workers)
				checkPackedInteger(t, got, a, b, m, k, n, aZeros, bZeros, workers)
				for i := range m {
					for j := range n {
						want := int64(0)
						for p := range k {
							want += (int64(a[i*k+p]) - zeroAt(aZeros, i)) * (int64(b[p*n+j]) - zeroAt(bZeros, j))
						}
						if int64(got[i*n+j]) != want {
							t.Fatalf("%T×%T %v, %d and %d zero points: element %d, %d is %d, want %d", a, b, size, aCount, bCount, i, j, got[i*n+j], want)
						}
					}
				}
			}
		}
	}
}

func zeroAt[T int8 | uint8](zeros []T, i int) int64 {
	switch len(zeros) {
	case 0:
		return 0
	case 1:
		return int64(zeros[0])
	}
	return int64(zeros[i])
}

func randomBytes[T int8 | uint8](random *rand.Rand, n int) []T {
	v := make([]T, n)
	for i := range v {
		v[i] = T(random.Uint32())
	}
	return v
}

func TestIntegerSumsWrapAround(t *testing.T) {
	const k = 1 << 16
	a, b := slices.Repeat([]uint8{255}, k), slices.Repeat([]uint8{255}, k)
	got := make([]int32, 1)
	MatMulInteger(got, a, b, 1, k, 1, nil, nil, nil)
	if sum := int64(k) * 255 * 255; got[0] != int32(sum) {
		t.Errorf("the sum is %d, want %d", got[0], int32(sum))
	}
}

func TestDynamicQuantize(t *testing.T) {
	tests := []struct {
		name  string
		x     []float32
		q     []uint8
		scale float32
		zero  uint8
	}{
		// The examples of ONNX's DynamicQuantizeLinear.
		{"both signs", []float32{0, 2, -3, -2.5, 1.34, 0.5}, []uint8{153, 255, 0, 26, 221, 179}, 0.019607844, 153},
		{"negative: the range goes up to 0", []float32{-1, -2.1, -1.3, -2.5, -3.34, -4}, []uint8{191, 121, 172, 96, 42, 0}, 0.015686275, 255},
		{"positive: the range goes down to 0", []float32{1, 2.1, 1.3, 2.5, 3.34, 4, 1.5, 2.6, 3.9, 4, 3, 2.345}, []uint8{64, 134, 83, 159, 213, 255, 96, 166, 249, 255, 191, 149}, 0.015686275, 0},
		{"ties to even", []float32{255, 0.5, 1.5, 2.5}, []uint8{255, 0, 2, 2}, 1, 0},
		{"zeros", []float32{0, 0}, []uint8{0, 0}, 1, 0},
		{"nothing", nil, []uint8{}, 1, 0},
	}
	for _, test := range tests {
		q := make([]uint8, len(test.x))
		scale, zero := DynamicQuantize(q, test.x, nil)
		if !slices.Equal(q, test.q) || scale != test.scale || zero != test.zero {
			t.Errorf("%s: %v scale %v zero %d, want %v %v %d", test.name, q, scale, zero, test.q, test.scale, test.zero)
		}
	}
}

func TestGrids(t *testing.T) {
	for _, g := range []Grid{
		{1, 1, 12, 0}, {3, 4, 1, 0}, {2, 3, 4, 0}, {2, 7, 1, 3}, {2, 7, 3, 3}, {1, 5, 2, 8}, {3, 1, 1, 0}, {3, 1, 4, 0},
		{2, 1, 3, 2}, {2, 1, 1, 2}, {0, 3, 2, 0}, {2, 0, 2, 2}, {2, 3, 0, 0},
	} {
		blocks := g.Length
		if g.Block > 0 {
			blocks = (g.Length + g.Block - 1) / g.Block
		}
		for from := range g.Len() + 1 {
			next := from
			g.Runs(from, g.Len(), func(start, length, scale int, each bool) {
				if start != next || length < 1 {
					t.Fatalf("%+v: a run of %d starts at %d, not %d", g, length, start, next)
				}
				for i := start; i < start+length; i++ {
					outer, along, inner := i/(g.Length*g.Inner), i/g.Inner%g.Length, i%g.Inner
					want := along
					if g.Block > 0 {
						want = (outer*blocks+along/g.Block)*g.Inner + inner
					}
					got := scale
					if each {
						got += i - start
					}
					if got != want || got >= g.Scales() {
						t.Fatalf("%+v: element %d has scale %d of %d, want %d", g, i, got, g.Scales(), want)
					}
				}
				next = start + length
			})
			if next != g.Len() {
				t.Fatalf("%+v: from %d on, %d of %d elements are visited", g, from, next, g.Len())
			}
		}
	}
}
