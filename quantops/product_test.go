package quantops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// guard is what stands around a matrix and between its rows: it has to stay, and
// a read of it would show.
const guard = 0x1p100

// guarded is a matrix of normal values with strides and guards.
type guarded struct {
	Rows
	all           []float32
	rows, columns int
}

func newGuarded(random *rand.Rand, rows, columns int) *guarded {
	const before = 5
	g := &guarded{rows: rows, columns: columns}
	g.Stride = columns + random.IntN(4)
	g.all = slices.Repeat([]float32{guard}, before+rows*g.Stride+40)
	g.Data = g.all[before : before+max(0, (rows-1)*g.Stride+columns)]
	for i := range rows {
		copy(g.row(i), normals(random, columns))
	}
	return g
}

func (g *guarded) row(i int) []float32 { return g.Data[i*g.Stride:][:g.columns] }

func (g *guarded) checkGuards(t *testing.T) {
	t.Helper()
	count := 0
	for _, v := range g.all {
		if v == guard {
			count++
		}
	}
	if want := len(g.all) - g.rows*g.columns; count != want {
		t.Fatalf("%d guards of %d are left", count, want)
	}
}

// referenceProduct is what an element of a product is exactly, and the size of
// what it is summed from.
func referenceProduct(k int, a []float32, b func(k int) float64) (exact, size float64) {
	for i := range k {
		v := float64(a[i]) * b(i)
		exact += v
		size += math.Abs(v)
	}
	return exact, size
}

// packedProduct is what the packed products have in common.
type packedProduct interface {
	MatMul(dst, a Rows, m int, end Epilogue, workers *Workers)
}

// checkProduct compares a product with one in float64, and looks whether the
// other rows or the number of workers show, and whether anything beside the
// result is written.
func checkProduct(t *testing.T, random *rand.Rand, product packedProduct, m, k, n, roundings int, b func(k, j int) float64) {
	t.Helper()
	a, dst := newGuarded(random, m, k), newGuarded(random, m, n)
	product.MatMul(dst.Rows, a.Rows, m, Epilogue{}, nil)
	dst.checkGuards(t)
	for i := range m {
		for j := range n {
			exact, size := referenceProduct(k, a.row(i), func(k int) float64 { return b(k, j) })
			if got := float64(dst.row(i)[j]); !(math.Abs(got-exact) <= gamma(roundings)*size) {
				t.Fatalf("%d×%d×%d: element %d, %d is %v, exactly %v", m, k, n, i, j, got, exact)
			}
		}
		if summedInPieces(product, m) {
			continue // fewer rows are summed otherwise
		}
		alone := newGuarded(random, 1, n)
		product.MatMul(alone.Rows, Rows{a.row(i), k}, 1, Epilogue{}, nil)
		if !slices.Equal(alone.row(0), dst.row(i)) {
			t.Fatalf("%d×%d×%d: row %d depends on the others", m, k, n, i)
		}
	}
	if summedInPieces(product, m) {
		other, turned := newGuarded(random, m, n), newGuarded(random, m, k)
		for i := range m {
			copy(turned.row(m-1-i), a.row(i))
		}
		product.MatMul(other.Rows, turned.Rows, m, Epilogue{}, nil)
		for i := range m {
			if !slices.Equal(other.row(m-1-i), dst.row(i)) {
				t.Fatalf("%d×%d×%d: row %d depends on where it is", m, k, n, i)
			}
		}
	}
	workers := NewWorkers(3)
	defer workers.Close()
	many := newGuarded(random, m, n)
	product.MatMul(many.Rows, a.Rows, m, Epilogue{}, workers)
	many.checkGuards(t)
	for i := range m {
		if !slices.Equal(many.row(i), dst.row(i)) {
			t.Fatalf("%d×%d×%d: the number of workers shows", m, k, n)
		}
	}
}

// summedInPieces says whether so many rows are multiplied in pieces.
func summedInPieces(product packedProduct, m int) bool {
	w, ok := product.(*PackedInt8)
	return ok && w.inPieces(m)
}

// tiledSizes has every number of rows up to more than a tile's, and widths
// around those of panels.
func tiledSizes() [][3]int {
	sizes := slices.Clone(productSizes)
	for rows := 1; rows <= 26; rows++ {
		sizes = append(sizes, [3]int{rows, 1 + rows*7%19, 1 + rows*29%150})
	}
	return append(sizes, [3]int{1, 7, 128}, [3]int{2, 9, 256}, [3]int{5, 8, 64}, [3]int{13, 33, 31}, [3]int{300, 40, 33}, [3]int{520, 20, 70})
}

func TestPackedFloat32(t *testing.T) {
	eachLevel(t, func(t *testing.T, level productLevel) {
		random := rand.New(rand.NewPCG(31, 32))
		for _, size := range tiledSizes() {
			m, k, n := size[0], size[1], size[2]
			b := normals(random, k*n)
			packed := packFloat32(level, b, k, n, packing{b: Rows{b, n}})
			checkProduct(t, random, packed, m, k, n, k, func(k, j int) float64 { return float64(b[k*n+j]) })
			turned := make([]float32, len(b))
			for i := range k {
				for j := range n {
					turned[j*k+i] = b[i*n+j]
				}
			}
			if other := packFloat32(level, turned, k, n, packing{b: Rows{turned, k}, transposed: true}); !slices.Equal(other.panels, packed.panels) {
				t.Fatalf("%v: the transposed matrix is packed otherwise", size)
			}
		}
	})
}

func TestPackedInt8(t *testing.T) {
	eachLevel(t, func(t *testing.T, level productLevel) {
		random := rand.New(rand.NewPCG(33, 34))
		for _, size := range tiledSizes() {
			m, k, n := size[0], size[1], size[2]
			for _, block := range []int{0, 1, 3, 16, 1000} {
				for variant := range 4 {
					if (m > 100 || k*n > 10000) && variant != block%4 {
						continue // enough of them
					}
					w := randomInt8(random, k, n, block, variant&1 != 0, variant&2 != 0)
					roundings := k + 2
					if block > 0 {
						roundings += k / block
					}
					packed := packInt8(level, w)
					checkProduct(t, random, packed, m, k, n, roundings, w.exact)
					turned := *w
					turned.Q, turned.Transposed = make([]int8, k*n), true
					for i, q := range w.Q {
						turned.Q[i%n*k+i/n] = q
					}
					if other := packInt8(level, &turned); !slices.Equal(other.panels, packed.panels) {
						t.Fatalf("%v: the transposed weights are packed otherwise", size)
					}
				}
			}
		}
	})
}

func TestEpilogue(t *testing.T) {
	eachLevel(t, func(t *testing.T, level productLevel) {
		random := rand.New(rand.NewPCG(35, 36))
		for _, size := range [][3]int{{1, 5, 3}, {3, 40, 32}, {14, 9, 77}, {270, 3, 300}} {
			m, k, n := size[0], size[1], size[2]
			b := normals(random, k*n)
			weights := randomInt8(random, k, n, 0, true, false)
			for name, test := range map[string]struct {
				product packedProduct
				at      func(k, j int) float64
			}{
				"float32": {packFloat32(level, b, k, n, packing{b: Rows{b, n}}), func(k, j int) float64 { return float64(b[k*n+j]) }},
				"int8":    {packInt8(level, weights), weights.exact},
			} {
				for variant := range 32 {
					a, dst := newGuarded(random, m, k), newGuarded(random, m, n)
					before := slices.Clone(dst.all)
					var end Epilogue
					if variant&1 != 0 {
						end.Scale = -0.375
					}
					if variant&2 != 0 {
						end.Bias = normals(random, n)
					}
					if variant&4 != 0 {
						end.RowBias = normals(random, m)
					}
					if variant&8 != 0 {
						end.Add = dst.Data
					}
					if variant&16 != 0 {
						end.Clip, end.Low, end.High = true, -0.5, 1.25
						seen := make([]int, m*n)
						end.Each = func(product, row, column int, y []float32) {
							for j := range y {
								seen[row*n+column+j]++
								y[j] *= 2
							}
						}
						defer func() {
							if slices.ContainsFunc(seen, func(times int) bool { return times != 1 }) {
								t.Errorf("%s %v: Each did not see every element once", name, size)
							}
						}()
					}
					test.product.MatMul(dst.Rows, a.Rows, m, end, nil)
					dst.checkGuards(t)
					for i := range m {
						for j := range n {
							exact, size := referenceProduct(k, a.row(i), func(k int) float64 { return test.at(k, j) })
							if end.Scale != 0 {
								exact, size = exact*float64(end.Scale), size*math.Abs(float64(end.Scale))
							}
							add := func(v float32) { exact, size = exact+float64(v), size+math.Abs(float64(v)) }
							if end.Bias != nil {
								add(end.Bias[j])
							}
							if end.RowBias != nil {
								add(end.RowBias[i])
							}
							if end.Add != nil {
								add(before[5+i*dst.Stride+j])
							}
							if end.Clip {
								exact = 2 * min(max(exact, -0.5), 1.25)
								size *= 2
							}
							if got := float64(dst.row(i)[j]); !(math.Abs(got-exact) <= gamma(k+6)*size) {
								t.Fatalf("%s %d×%d×%d, variant %d: element %d, %d is %v, exactly %v", name, m, k, n, variant, i, j, got, exact)
							}
						}
					}
				}
			}
		}
	})
}

// TestClipKeepsWhatIsNoNumber holds the bounds to what ONNX's Clip and Relu do.
func TestClipKeepsWhatIsNoNumber(t *testing.T) {
	eachLevel(t, func(t *testing.T, level productLevel) {
		b := slices.Repeat([]float32{1}, 33)
		a := []float32{float32(math.NaN()), -1, float32(math.Inf(1)), 3}
		dst := make([]float32, 4*33)
		end := Epilogue{Clip: true, Low: 0, High: 2}
		packFloat32(level, b, 1, 33, packing{b: Rows{b, 33}}).MatMul(Rows{dst, 33}, Rows{a, 1}, 4, end, nil)
		for j := range 33 {
			if v := dst[j]; v == v {
				t.Fatalf("column %d: NaN became %v", j, v)
			}
			if got := []float32{dst[33+j], dst[66+j], dst[99+j]}; !slices.Equal(got, []float32{0, 2, 2}) {
				t.Fatalf("column %d: %v", j, got)
			}
		}
	})
}

func TestFloat32Products(t *testing.T) {
	eachLevel(t, func(t *testing.T, level productLevel) {
		random := rand.New(rand.NewPCG(37, 38))
		workers := NewWorkers(3)
		defer workers.Close()
		for _, size := range tiledSizes() {
			m, k, n := size[0], size[1], size[2]
			for variant := range 3 {
				const count = 3
				rows, columns := k, n
				if variant == 1 {
					rows, columns = n, k
				}
				var a, b, dst [count]*guarded
				one := &Float32Products{M: m, K: k, N: n, Transposed: variant == 1, Count: count}
				// The matrices of a batch follow each other, with one stride for all.
				for i := range count {
					a[i], b[i], dst[i] = newGuarded(random, m, k), newGuarded(random, rows, columns), newGuarded(random, m, n)
				}
				join := func(list [count]*guarded) (Rows, [count]int) {
					joined, starts := Rows{Stride: list[0].Stride}, [count]int{}
					for i, g := range list {
						starts[i] = len(joined.Data)
						h := guarded{Rows: Rows{Stride: joined.Stride}, rows: g.rows, columns: g.columns}
						h.all = slices.Repeat([]float32{guard}, g.rows*h.Stride+7)
						h.Data = h.all
						for row := range g.rows {
							copy(h.row(row), g.row(row))
						}
						joined.Data = append(joined.Data, h.all...)
					}
					return joined, starts
				}
				var aAt, bAt, dstAt [count]int
				one.A, aAt = join(a)
				one.B, bAt = join(b)
				one.Dst, dstAt = join(dst)
				one.At = func(i int) (int, int, int) { return dstAt[i], aAt[i], bAt[(i+1)%count] }
				if variant == 2 {
					one.B = Rows{}
					one.At = func(i int) (int, int, int) { return dstAt[i], aAt[i], 0 }
					one.Fill = func(product, column, columns int, panel []float32) {
						for k := range k {
							copy(panel[k*32:][:columns], b[(product+1)%count].row(k)[column:])
						}
					}
				}
				one.run(level, workers)
				left := 0
				for _, v := range one.Dst.Data {
					if v == guard {
						left++
					}
				}
				if want := len(one.Dst.Data) - count*m*n; left != want {
					t.Fatalf("%v: %d guards of %d are left", size, left, want)
				}
				for product := range count {
					right := b[(product+1)%count]
					flat := make([]float32, 0, k*n)
					for k := range k {
						for j := range n {
							if one.Transposed {
								flat = append(flat, right.row(j)[k])
							} else {
								flat = append(flat, right.row(k)[j])
							}
						}
					}
					want := make([]float32, m*n)
					packFloat32(level, flat, k, n, packing{b: Rows{flat, n}}).MatMul(Rows{want, n}, a[product].Rows, m, Epilogue{}, nil)
					for i := range m {
						if got := one.Dst.Data[dstAt[product]+i*one.Dst.Stride:][:n]; !slices.Equal(got, want[i*n:][:n]) {
							t.Fatalf("%v, variant %d: row %d of product %d is not what the packed product gives", size, variant, i, product)
						}
					}
				}
			}
		}
	})
}

func TestEvenRanges(t *testing.T) {
	for _, c := range []struct{ panels, blocks, wanted, threads, want int }{
		{24, 3, 8, 2, 4},   // three ranges would make nine parts: five for one thread
		{128, 1, 8, 2, 8},  // as wanted
		{5, 1, 8, 2, 5},    // no more than there are
		{24, 40, 8, 2, 1},  // the rows are enough
		{24, 1, 1, 1, 1},   // nobody to share with
		{96, 1, 12, 3, 12}, // of eight panels each
	} {
		if got := evenRanges(c.panels, c.blocks, c.wanted, c.threads); got != c.want {
			t.Errorf("%d panels in %d blocks for %d threads: %d ranges, want %d", c.panels, c.blocks, c.threads, got, c.want)
		}
	}
}
