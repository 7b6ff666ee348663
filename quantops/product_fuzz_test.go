package quantops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzProducts holds the inner loops of every level to those in plain Go: to the
// same bits where they compute in integers, else to what roundings may change.
func FuzzProducts(f *testing.F) {
	f.Add(uint64(1), uint8(1), uint16(7), uint8(33), uint8(0), uint8(0))
	f.Add(uint64(2), uint8(13), uint16(257), uint8(70), uint8(3), uint8(5))
	f.Fuzz(func(t *testing.T, seed uint64, rows uint8, depth uint16, columns, variant, block uint8) {
		m, k, n := int(rows)%40, int(depth)%600, int(columns)%140
		random := rand.New(rand.NewPCG(seed, 1))
		a := newGuarded(random, m, k)
		w := randomInt8(random, k, n, int(block), variant&1 != 0, variant&2 != 0)
		b := normals(random, k*n)
		bytes, right := randomBytes[uint8](random, m*k), randomBytes[int8](random, k*n)
		for _, level := range productLevels()[1:] {
			within := func(name string, product, plain packedProduct, at func(k, j int) float64) {
				got, want := newGuarded(random, m, n), newGuarded(random, m, n)
				product.MatMul(got.Rows, a.Rows, m, Epilogue{}, nil)
				plain.MatMul(want.Rows, a.Rows, m, Epilogue{}, nil)
				got.checkGuards(t)
				for i := range m {
					for j := range n {
						_, size := referenceProduct(k, a.row(i), func(k int) float64 { return at(k, j) })
						if far := math.Abs(float64(got.row(i)[j]) - float64(want.row(i)[j])); !(far <= 2*gamma(2*k+2)*size) {
							t.Fatalf("%s, %v: element %d, %d is %v, in plain Go %v", name, level, i, j, got.row(i)[j], want.row(i)[j])
						}
					}
				}
			}
			from := packing{b: Rows{b, n}}
			within("float32", packFloat32(level, b, k, n, from), packFloat32(productGeneric, b, k, n, from), func(k, j int) float64 { return float64(b[k*n+j]) })
			within("int8", packInt8(level, w), packInt8(productGeneric, w), w.exact)
			got, want := make([]float32, m*n), make([]float32, m*n)
			if fixed := packFixed(level.kernels(), w); fixed != nil {
				fixed.MatMul(Rows{got, n}, a.Rows, m, Epilogue{}, nil)
				packFixed(genericProduct, w).MatMul(Rows{want, n}, a.Rows, m, Epilogue{}, nil)
				if !slices.Equal(got, want) {
					t.Fatalf("fixed point, %v: not what plain Go gives", level)
				}
			}
			sums, plain := make([]int32, m*n), make([]int32, m*n)
			MatMulPacked(sums, bytes, m, []uint8{variant}, packInteger(level.kernels(), right, k, n, []int8{int8(block)}), nil)
			MatMulInteger(plain, bytes, right, m, k, n, []uint8{variant}, []int8{int8(block)}, nil)
			if !slices.Equal(sums, plain) {
				t.Fatalf("integers, %v: not what MatMulInteger gives", level)
			}
		}
	})
}
