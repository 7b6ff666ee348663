//go:build !race

package runtime

// slowdown is how much longer kernels may take: see race_on_test.go.
const slowdown = 1
