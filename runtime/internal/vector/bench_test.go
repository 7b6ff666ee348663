package vector

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// BenchmarkLoops measures every loop of every twin on slices that stay in the
// second-level cache. MB/s count the elements of one operand.
func BenchmarkLoops(b *testing.B) {
	const n = 16 << 10
	operands := make([][]float32, 4)
	for i := range operands {
		operands[i] = make([]float32, n)
		for j := range operands[i] {
			operands[i][j] = rand.Float32()*16 - 8
		}
	}
	for _, l := range loops {
		for _, twin := range twins() {
			b.Run(l.name+"/"+twin.name, func(b *testing.B) {
				b.SetBytes(4 * n)
				for b.Loop() {
					l.run(twin.kernels, operands[0], operands[1], operands[2], operands[3], 0.75, -1.25)
				}
			})
		}
	}
}

// BenchmarkRows measures what is made of several loops, at rows of usual widths.
func BenchmarkRows(b *testing.B) {
	for _, n := range []int{128, 768, 4096} {
		x, y, scale, bias := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range x {
			x[i], scale[i] = rand.Float32()*4-2, 1
		}
		for name, row := range map[string]func(){
			"softmax":   func() { Softmax(y, x) },
			"layerNorm": func() { LayerNorm(y, x, scale, bias, 1e-5) },
			"rmsNorm":   func() { RMSNorm(y, x, scale, 1e-5) },
		} {
			b.Run(name+"/"+strconv.Itoa(n), func(b *testing.B) {
				b.SetBytes(int64(4 * n))
				for b.Loop() {
					row()
				}
			})
		}
	}
}
