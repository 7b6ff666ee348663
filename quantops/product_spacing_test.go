package quantops

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRowsThatAlias multiplies rows that lie a multiple of 4 KiB apart: each
// comes out as it does alone.
func TestRowsThatAlias(t *testing.T) {
	eachLevel(t, func(t *testing.T, level productLevel) {
		random := rand.New(rand.NewPCG(51, 52))
		workers := NewWorkers(2)
		defer workers.Close()
		const m, n = 13, 257
		for _, k := range []int{1000, 4096} {
			stride := roundUp(k, aliasBytes/4)
			w, right := randomInt8(random, k, n, 0, false, false), normals(random, k*n)
			for name, product := range map[string]packedProduct{
				"float32": packFloat32(level, right, k, n, packing{b: Rows{right, n}}), "int8": packInt8(level, w), "fixed": packFixed(level.kernels(), w),
			} {
				a, dst, alone := normals(random, m*stride), make([]float32, m*n), make([]float32, n)
				before := slices.Clone(a)
				product.MatMul(Rows{dst, n}, Rows{a, stride}, m, Epilogue{}, workers)
				if !slices.Equal(a, before) {
					t.Errorf("%s, k %d: the operand is changed", name, k)
				}
				few := m - 1 // as many as let AMX choose the same sums
				for _, i := range []int{0, few - 1} {
					rows := slices.Concat(a[i*stride:][:k], normals(random, (few-1)*k))
					result := make([]float32, few*n)
					product.MatMul(Rows{result, n}, Rows{rows, k}, few, Epilogue{}, nil)
					if copy(alone, result); !slices.Equal(dst[i*n:][:n], alone) {
						t.Fatalf("%s, k %d: row %d depends on where it lies", name, k, i)
					}
				}
			}
		}
	})
}

// TestBytesThatAlias does so with integers, which are used where they lie if they
// can be.
func TestBytesThatAlias(t *testing.T) {
	const m, k, n = 13, 4096, 40
	random := rand.New(rand.NewPCG(53, 54))
	a, b := make([]uint8, m*k), make([]int8, k*n)
	for i := range a {
		a[i] = uint8(random.Uint32())
	}
	for i := range b {
		b[i] = int8(random.Uint32())
	}
	got, want := make([]int32, m*n), make([]int32, m*n)
	MatMulPacked(got, a, m, []uint8{7}, PackInteger(b, k, n, nil), nil)
	for i := range m {
		for j := range n {
			for p := range k {
				want[i*n+j] += (int32(a[i*k+p]) - 7) * int32(b[p*n+j])
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Error("rows of 4 KiB are multiplied otherwise")
	}
}
