// Package vector holds loops over float32 slices: elementwise operations,
// transcendental functions, sums and normalizations of rows.
//
// Every loop has a generic twin in Go, which is its documentation, and twins in
// AVX2 and AVX-512 assembly; the best one that the processor can run is chosen
// once. The twins do the same operations in the same order, multiplications and
// additions fused where the generic one says so, and give the same numbers on
// every machine.
//
// A result y may be the very slice that an operand is, but must not overlap it
// otherwise; it must be at least as long as the operand that its documentation
// calls x, a or y itself, and every other operand as long as that too. Errors are
// stated in ulp, units in the last place of the exact result. NaNs are passed on.
package vector

//go:generate go run -C ../asm ./vector ../vector
