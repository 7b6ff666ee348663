package quantops

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkPackedProduct(b *testing.B) {
	random := rand.New(rand.NewPCG(39, 40))
	for _, size := range [][3]int{{1, 1024, 4096}, {1, 4096, 4096}, {4, 1024, 4096}, {6, 1024, 4096}, {8, 1024, 4096}, {16, 1024, 4096}, {32, 1024, 4096}, {128, 768, 3072}, {512, 768, 768}} {
		m, k, n := size[0], size[1], size[2]
		dst, a := make([]float32, m*n), normals(random, m*k)
		right := normals(random, k*n)
		w := randomInt8(random, k, n, 0, false, false)
		for _, level := range productLevels() {
			if level == productAVXVNNI || level == productVNNI {
				continue // as the level that they build on
			}
			for _, threads := range []int{1, 2} {
				workers := NewWorkers(threads)
				for name, product := range map[string]packedProduct{
					"float32": packFloat32(level, right, k, n, packing{b: Rows{right, n}}), "int8": packInt8(level, w),
				} {
					b.Run(fmt.Sprintf("%s/%dx%dx%d/%s/%d", name, m, k, n, level, threads), func(b *testing.B) {
						for b.Loop() {
							product.MatMul(Rows{dst, n}, Rows{a, k}, m, Epilogue{}, workers)
						}
						b.ReportMetric(2*float64(m)*float64(k)*float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
					})
				}
				workers.Close()
			}
		}
	}
}
