//go:build race

package runtime

// slowdown is how much longer kernels may take where the race detector watches
// each of their steps.
const slowdown = 20
