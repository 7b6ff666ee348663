package quantops

// MatMulFloat32 writes dst = a·b, all row-major: a is m×k, b k×n, dst m×n. dst
// overlaps neither operand. It is summed as [PackedFloat32.MatMul] does, which is
// faster for a matrix that is multiplied often.
func MatMulFloat32(dst, a, b []float32, m, k, n int, workers *Workers) {
	if m < 0 || k < 0 || n < 0 || len(dst) != m*n || len(a) != m*k || len(b) != k*n {
		panic("quantops: the matrices are not as large as m, k and n say")
	}
	products := Float32Products{M: m, K: k, N: n, Dst: Rows{dst, n}, A: Rows{a, k}, B: Rows{b, n}, Count: 1}
	products.Run(workers)
}
