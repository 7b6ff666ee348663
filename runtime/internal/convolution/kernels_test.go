package convolution

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

const guard = 12345.5

// guarded is n random numbers at an odd place in a larger slice of guards.
func guarded(r *rand.Rand, n int) (all, inner []float32) {
	all = make([]float32, n+70)
	for i := range all {
		all[i] = guard
	}
	inner = all[33 : 33+n : 33+n]
	for i := range inner {
		inner[i] = float32(r.NormFloat64())
	}
	return all, inner
}

func checkGuards(t *testing.T, what string, all []float32, n int) {
	t.Helper()
	for i, v := range all {
		if (i < 33 || i >= 33+n) && v != guard {
			t.Fatalf("%s: element %d beside the result was written to", what, i-33)
		}
	}
}

// near allows for a fused multiplication and addition, term by term.
func near(t *testing.T, what string, got, want []float32, bound float64) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= bound) && !(math.IsNaN(float64(got[i])) && math.IsNaN(float64(want[i]))) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// eachKernels runs a test with every set of kernels that this processor has.
func eachKernels(t *testing.T, test func(t *testing.T, k *kernels, r *rand.Rand)) {
	for _, k := range available() {
		t.Run(k.name, func(t *testing.T) { test(t, &k, rand.New(rand.NewPCG(1, 2))) })
	}
}

func TestMultiply(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		for rows := 1; rows <= Rows; rows++ {
			for _, columns := range []int{1, 2, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 40, 47, 48} {
				for _, depth := range []int{0, 1, 3, 4, 6, 37} {
					stride := columns + r.IntN(5)
					_, a := guarded(r, depth*Rows)
					_, b := guarded(r, depth*Columns)
					bias := [Rows]float32{}
					for i := range bias {
						bias[i] = float32(r.NormFloat64())
					}
					all, dst := guarded(r, (rows-1)*stride+columns)
					want := append([]float32(nil), dst...)
					for i := range rows {
						for j := range columns {
							sum := float64(bias[i])
							for d := range depth {
								sum += float64(a[d*Rows+i]) * float64(b[d*Columns+j])
							}
							want[i*stride+j] = float32(sum)
						}
					}
					k.multiply(dst, stride, a, b, depth, &bias, rows, columns)
					what := fmt.Sprintf("%d rows, %d columns, depth %d", rows, columns, depth)
					near(t, what, dst, want, 1e-5)
					checkGuards(t, what, all, len(dst))
				}
			}
		}
	})
}

// An element of a tile does not depend on how large the tile is, so results do
// not depend on how work is divided.
func TestMultiplyPlaces(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		const depth = 29
		_, a := guarded(r, depth*Rows)
		_, b := guarded(r, depth*Columns)
		var bias [Rows]float32
		whole := make([]float32, Rows*Columns)
		k.multiply(whole, Columns, a, b, depth, &bias, Rows, Columns)
		for _, columns := range []int{1, 16, 17, 33, 47} {
			part := make([]float32, Rows*Columns)
			k.multiply(part, Columns, a, b, depth, &bias, 5, columns)
			for i := range 5 {
				for j := range columns {
					if part[i*Columns+j] != whole[i*Columns+j] {
						t.Fatalf("of %d columns, element %d of row %d is %v, not %v", columns, j, i, part[i*Columns+j], whole[i*Columns+j])
					}
				}
			}
		}
	})
}

// TestMultiplyTaps holds products whose operands lie anywhere to those of panels.
func TestMultiplyTaps(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		for rows := 1; rows <= Rows; rows++ {
			for _, columns := range []int{1, 8, 16, 17, 24, 31, 32, 33, 47, 48} {
				for _, depth := range []int{0, 1, 2, 5, 37} {
					_, weights := guarded(r, 2*depth+Rows)
					_, src := guarded(r, 3*depth+Columns)
					a, b, taps := make([]float32, depth*Rows), make([]float32, depth*Columns), make([]Tap, depth)
					for d := range taps {
						taps[d] = Tap{Weights: r.IntN(2*depth + 1), Source: r.IntN(3*depth + 1)}
						copy(a[d*Rows:][:Rows], weights[taps[d].Weights:])
						copy(b[d*Columns:][:columns], src[taps[d].Source:])
					}
					var bias [Rows]float32
					for i := range bias {
						bias[i] = float32(r.NormFloat64())
					}
					stride := columns + r.IntN(5)
					all, dst := guarded(r, (rows-1)*stride+columns)
					want := append([]float32(nil), dst...)
					k.multiply(want, stride, a, b, depth, &bias, rows, columns)
					k.multiplyTaps(dst, stride, weights, src, taps, &bias, rows, columns)
					what := fmt.Sprintf("%d rows, %d columns, depth %d", rows, columns, depth)
					near(t, what, dst, want, 0)
					checkGuards(t, what, all, len(dst))
				}
			}
		}
	})
}

func TestGather(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		for n := 1; n <= Columns; n++ {
			depth := 1 + r.IntN(9)
			_, src := guarded(r, 3*n+10)
			offsets := make([]int, depth)
			for i := range offsets {
				offsets[i] = r.IntN(len(src) - n + 1)
			}
			offsets[0] = len(src) - n
			all, panel := guarded(r, (depth-1)*Columns+n)
			want := append([]float32(nil), panel...)
			for i, at := range offsets {
				copy(want[i*Columns:], src[at:at+n])
			}
			k.gatherRows(panel, src, offsets, n)
			near(t, fmt.Sprintf("%d columns", n), panel, want, 0)
			checkGuards(t, "panel", all, len(panel))
		}
	})
}

func TestGatherPattern(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		for span := 1; span <= PatternSpan; span++ {
			for n := 1; n <= PatternColumns; n++ {
				depth := 1 + r.IntN(5)
				_, src := guarded(r, span+20)
				offsets := make([]int, depth)
				for i := range offsets {
					offsets[i] = r.IntN(len(src) - span + 1)
				}
				offsets[0] = len(src) - span
				var pattern [PatternColumns]int32
				for j := range n {
					pattern[j] = int32(r.IntN(span))
				}
				pattern[n-1] = int32(span - 1)
				all, panel := guarded(r, (depth-1)*Columns+n)
				want := append([]float32(nil), panel...)
				for i, at := range offsets {
					for j := range n {
						want[i*Columns+j] = src[at+int(pattern[j])]
					}
				}
				k.gatherPattern(panel, src, offsets, &pattern, span, n)
				near(t, fmt.Sprintf("%d columns of %d", n, span), panel, want, 0)
				checkGuards(t, "panel", all, len(panel))
			}
		}
	})
}

func TestTaps(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		for n := 1; n <= 230; n += 1 + n/40 {
			rows, taps := 1+r.IntN(3), 1+r.IntN(26)
			srcStride, dstStride := 2*n+r.IntN(5), n+r.IntN(3)
			_, src := guarded(r, rows*srcStride+100)
			_, weights := guarded(r, taps)
			offsets := make([]int, taps)
			for i := range offsets {
				offsets[i] = r.IntN(len(src) - (rows-1)*srcStride - n + 1)
			}
			offsets[taps-1] = len(src) - (rows-1)*srcStride - n
			all, dst := guarded(r, (rows-1)*dstStride+n)
			want := append([]float32(nil), dst...)
			for i := range rows {
				for j := range n {
					sum := 0.5
					for tap, at := range offsets {
						sum += float64(weights[tap]) * float64(src[i*srcStride+j+at])
					}
					want[i*dstStride+j] = float32(sum)
				}
			}
			k.slide(dst, dstStride, src, srcStride, rows, n, weights, offsets, 0.5)
			what := fmt.Sprintf("%d columns, %d taps", n, taps)
			near(t, what, dst, want, 1e-5)
			checkGuards(t, what, all, len(dst))
		}
	})
}

func TestLargest(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		for n := 1; n <= 70; n++ {
			for step := 1; step <= 2; step++ {
				rows, taps := 1+r.IntN(3), 1+r.IntN(9)
				width := (n-1)*step + 1
				srcStride, dstStride := width+r.IntN(5), n+r.IntN(3)
				_, src := guarded(r, (rows-1)*srcStride+width+r.IntN(40))
				src[r.IntN(len(src))] = float32(math.NaN())
				offsets := make([]int, taps)
				for i := range offsets {
					offsets[i] = r.IntN(len(src) - (rows-1)*srcStride - width + 1)
				}
				offsets[taps-1] = len(src) - (rows-1)*srcStride - width
				all, dst := guarded(r, (rows-1)*dstStride+n)
				want := append([]float32(nil), dst...)
				for i := range rows {
					for j := range n {
						largest := src[i*srcStride+j*step+offsets[0]]
						for _, at := range offsets {
							if v := src[i*srcStride+j*step+at]; v > largest {
								largest = v
							}
						}
						want[i*dstStride+j] = largest
					}
				}
				k.greatest(dst, dstStride, src, srcStride, rows, n, offsets, step)
				what := fmt.Sprintf("%d columns, %d taps, step %d", n, taps, step)
				near(t, what, dst, want, 0)
				checkGuards(t, what, all, len(dst))
			}
		}
	})
}

func TestRamp(t *testing.T) {
	infinite := float32(math.Inf(1))
	type function struct {
		ramp Ramp
		gate bool
		f    func(x float64) float64
	}
	functions := map[string]function{
		"Relu":        {Ramp{Alpha: 1, High: infinite, Scale: 1}, false, func(x float64) float64 { return max(x, 0) }},
		"HardSigmoid": {Ramp{Alpha: 0.2, Beta: 0.5, High: 1, Scale: 1}, false, func(x float64) float64 { return min(max(0.2*x+0.5, 0), 1) }},
		"HardSwish":   {Ramp{Alpha: 1, Beta: 3, High: 6, Scale: 1. / 6}, true, func(x float64) float64 { return x * min(max(x+3, 0), 6) / 6 }},
		"scaled":      {Ramp{1, 3, 0, 6, 2, -1}, true, func(x float64) float64 { return 2*x*min(max(x+3, 0), 6) - 1 }},
	}
	eachKernels(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		for name, function := range functions {
			for n := 1; n < 150; n++ {
				rows, stride := 1+r.IntN(4), n+r.IntN(3)
				all, data := guarded(r, (rows-1)*stride+n)
				for i := range data {
					data[i] *= 4
				}
				data[r.IntN(n)] = float32(math.NaN())
				want := append([]float32(nil), data...)
				ramps := []Ramp{function.ramp}
				each := r.IntN(2) == 0
				if each {
					ramps = make([]Ramp, rows)
				}
				for row := range rows {
					factor := float32(1)
					if each {
						ramps[row] = function.ramp
						factor = float32(1 + row)
						ramps[row].Scale *= factor
						ramps[row].Offset *= factor
					}
					for i := range n {
						want[row*stride+i] = factor * float32(function.f(float64(want[row*stride+i])))
					}
				}
				k.apply(ramps, function.gate, data, stride, rows, n)
				near(t, name, data, want, 1e-4)
				checkGuards(t, name, all, len(data))
			}
		}
	})
}

func TestWiden(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		for depth := range 12 {
			var scales, zeros [Rows]float32
			for i := range scales {
				scales[i], zeros[i] = float32(r.NormFloat64()), float32(r.IntN(256)-128)
			}
			q := make([]int8, depth*Rows)
			all, dst := guarded(r, len(q))
			want := make([]float32, len(q))
			for i := range q {
				q[i] = int8(r.IntN(256) - 128)
				want[i] = (float32(q[i]) - zeros[i%Rows]) * scales[i%Rows]
			}
			k.widenBlock(dst, q, &scales, &zeros)
			near(t, "weights", dst, want, 0)
			checkGuards(t, "weights", all, len(dst))
		}
	})
}

func BenchmarkMultiply(b *testing.B) {
	for _, k := range available() {
		for _, columns := range []int{48, 32, 16} {
			b.Run(fmt.Sprintf("%s/%d", k.name, columns), func(b *testing.B) {
				const depth = 128
				a, panel, dst := make([]float32, depth*Rows), make([]float32, depth*Columns), make([]float32, Rows*Columns)
				var bias [Rows]float32
				for b.Loop() {
					k.multiply(dst, Columns, a, panel, depth, &bias, Rows, columns)
				}
				b.ReportMetric(float64(2*depth*Rows*columns)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}

func BenchmarkTaps(b *testing.B) {
	for _, k := range available() {
		b.Run(k.name, func(b *testing.B) {
			src, dst, weights, offsets := make([]float32, 16*84), make([]float32, 12*80), make([]float32, 25), make([]int, 25)
			for i := range offsets {
				offsets[i] = i/5*84 + i%5
			}
			for b.Loop() {
				k.slide(dst, 80, src, 84, 12, 80, weights, offsets, 0)
			}
			b.ReportMetric(float64(2*25*12*80)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}
