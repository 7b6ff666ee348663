package quantops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// extreme are values of which pieces are infinite, no numbers, subnormal or zero.
var extreme = []float32{
	0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.Float32frombits(0x7f800001),
	math.MaxFloat32, -math.MaxFloat32, 0x1p-126, -0x1.fffffep-126, 0x1p-149, -0x1.ffffep-130, 0x1.010101p-110, 0x1.fffffep-118, 0x1.fffffep-120, 1, -3,
}

// sameBits says whether slices are the same, with all that is no number alike.
func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool {
		return math.Float32bits(x) == math.Float32bits(y) || x != x && y != y
	})
}

// aligned is memory that begins where a line of the cache does, with guards.
func aligned(size int) []uint8 {
	all := slices.Repeat([]uint8{0x5a}, size+192)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(all)))) & 63
	return all[skip+64:][:size]
}

func TestSplitRow(t *testing.T) {
	eachPieces(t, func(t *testing.T, kernels *pieceKernels) {
		random := rand.New(rand.NewPCG(41, 42))
		for k := 1; k <= 100; k++ {
			steps := roundUp(k, pieceDepth) / pieceDepth
			row := newGuarded(random, 1, k)
			for i := range row.row(0) {
				switch random.IntN(8) {
				case 0:
					row.row(0)[i] = extreme[random.IntN(len(extreme))]
				case 1:
					row.row(0)[i] *= float32(math.Ldexp(1, random.IntN(250)-125))
				}
			}
			got, want := aligned(steps*leftPieces*amxSize), aligned(steps*leftPieces*amxSize)
			gotRow := pieceRow{dst: unsafe.Pointer(&got[3*amxRowBytes]), src: unsafe.Pointer(&row.row(0)[0]), k: k}
			wantRow := pieceRow{dst: unsafe.Pointer(&want[3*amxRowBytes]), src: unsafe.Pointer(&row.row(0)[0]), k: k}
			kernels.split(&gotRow)
			splitRowGeneric(&wantRow)
			if !slices.Equal(got, want) {
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("k %d: byte %d (step %d, piece %d, byte of line %d) is %x, want %x", k, i, i/(leftPieces*amxSize), i/amxSize%leftPieces, i%amxRowBytes, got[i], want[i])
					}
				}
			}
			if (gotRow.odd != 0) != (wantRow.odd != 0) {
				t.Fatalf("k %d: odd is %d, want %d", k, gotRow.odd, wantRow.odd)
			}
			// The pieces of what is not subnormal are all of it.
			for i, v := range row.row(0) {
				sum := float32(0)
				for piece := leftPieces - 1; piece >= 0; piece-- {
					line := (*pieceLine)(unsafe.Pointer(&got[3*amxRowBytes+(i/pieceDepth*leftPieces+piece)*amxSize]))
					sum += line[i%amxRows][i%pieceDepth/amxRows].Float32()
				}
				if exact := sum == v || v != v && sum != sum; !exact && !(math.Abs(float64(v)) < 0x1p-110) {
					t.Fatalf("the pieces of %v are %v", v, sum)
				}
			}
		}
	})
}

// eachPieces runs a test for the inner loops of AMX, if this processor has it,
// and for those in Go.
func eachPieces(t *testing.T, test func(t *testing.T, kernels *pieceKernels)) {
	t.Run("generic", func(t *testing.T) { test(t, genericPieces) })
	if fastestProduct() >= productAMX {
		t.Run("AMX", func(t *testing.T) { test(t, productAMX.kernels().pieces) })
	}
}

// TestPieceTiles holds the inner loops to those in Go, to the bit.
func TestPieceTiles(t *testing.T) {
	eachPieces(t, func(t *testing.T, kernels *pieceKernels) {
		random := rand.New(rand.NewPCG(43, 44))
		for steps := 1; steps <= 5; steps++ {
			for blocks := range 2 {
				for variant := range 6 {
					rows := (blocks + 1) * amxRows
					left := aligned((blocks + 1) * steps * leftPieces * amxSize)
					source := randomBytes[int8](random, steps*pieceDepth*panelColumns)
					zeros := randomBytes[int8](random, panelColumns)
					wide := spread(zeros, 1, panelColumns, panelColumns, func(v int8) int32 { return int32(v) })
					for i := range rows {
						a := normals(random, steps*pieceDepth)
						for j := range a {
							switch {
							case variant == 1 && random.IntN(9) == 0:
								a[j] = extreme[random.IntN(len(extreme))]
							case variant == 2:
								a[j] *= float32(math.Ldexp(1, random.IntN(60)-130))
							case variant == 3:
								a[j] *= float32(math.Ldexp(1, random.IntN(40)))
							}
						}
						splitRowGeneric(&pieceRow{
							dst: unsafe.Pointer(&left[i/amxRows*steps*leftPieces*amxSize+i%amxRows*amxRowBytes]), src: unsafe.Pointer(&a[0]), k: len(a),
						})
					}
					run := func(kernels *pieceKernels) (sums []float32, right []uint8) {
						right, sumBytes := aligned(steps*2*amxSize), aligned(rows*panelColumns*4)
						sums = unsafe.Slice((*float32)(unsafe.Pointer(&sumBytes[0])), rows*panelColumns)
						tile := pieceTile{
							sums: unsafe.Pointer(&sums[0]), left: unsafe.Pointer(&left[0]), leftBlock: steps * leftPieces * amxSize,
							right: unsafe.Pointer(&right[0]), source: unsafe.Pointer(&source[0]), zeros: &wide[0], steps: steps, configuration: &amxConfigurations[2*amxRows],
						}
						first := kernels.int8[blocks]
						if variant%2 == 1 {
							first = kernels.shiftedInt8[blocks]
						}
						first(&tile)
						once := slices.Clone(sums)
						kernels.pairs[blocks](&tile)
						if !sameBits(sums, once) {
							t.Fatalf("%d steps, %d rows, variant %d: the panel in bfloat16 gives other sums", steps, rows, variant)
						}
						for _, v := range right[:cap(right)][len(right):][:32] {
							if v != 0x5a {
								t.Fatal("written beyond the panel")
							}
						}
						return sums, right
					}
					sums, right := run(kernels)
					wantSums, wantRight := run(genericPieces)
					if !slices.Equal(right, wantRight) {
						t.Fatalf("%d steps, %d rows, variant %d: another panel", steps, rows, variant)
					}
					for i := range sums {
						if !sameBits(sums[i:i+1], wantSums[i:i+1]) {
							t.Fatalf("%d steps, %d rows, variant %d: sum %d, %d is %v, want %v", steps, rows, variant, i/panelColumns, i%panelColumns, sums[i], wantSums[i])
						}
					}
				}
			}
		}
	})
}

// TestPiecesAnywhere has products in pieces on processors without AMX too.
func TestPiecesAnywhere(t *testing.T) {
	random := rand.New(rand.NewPCG(45, 46))
	kernels := *genericProduct
	kernels.pieces = genericPieces
	for _, size := range [][3]int{{piecesRows, 1, 1}, {16, 33, 40}, {17, 64, 32}, {33, 31, 70}, {70, 100, 45}} {
		m, k, n := size[0], size[1], size[2]
		for variant := range 2 {
			w := randomInt8(random, k, n, 0, true, variant > 0)
			packed := packInt8(productGeneric, w)
			packed.kernels = &kernels
			checkProduct(t, random, packed, m, k, n, k+2, w.exact)
		}
	}
}

// TestPiecesKeepInfinities looks that what is infinite or no number stays so, and
// that the largest numbers do not become infinite.
func TestPiecesKeepInfinities(t *testing.T) {
	eachPieces(t, func(t *testing.T, pieces *pieceKernels) {
		kernels := *genericProduct
		kernels.pieces = pieces
		const k, n = 3, 33
		packed := packInt8(productGeneric, &Int8Weights{K: k, N: n, Q: slices.Repeat([]int8{1}, k*n), Scales: []float32{1}})
		packed.kernels = &kernels
		m := len(extreme)
		a, dst := make([]float32, m*k), make([]float32, m*n)
		for i, v := range extreme {
			a[i*k+1] = v
		}
		packed.MatMul(Rows{dst, n}, Rows{a, k}, m, Epilogue{}, nil)
		for i, v := range extreme {
			for j := range n {
				// Pieces below the normal range are taken for 0.
				got := dst[i*n+j]
				if same := got == v || got != got && v != v; !same && !(math.Abs(float64(got)-float64(v)) <= 0x1p-125) {
					t.Errorf("1 times %v is %v", v, got)
				}
			}
		}
	})
}
