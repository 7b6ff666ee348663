// Package quantops holds the numbers: how weights become integers and what is
// computed with them. It knows no models and no graphs. The rewriter makes
// weights with it and the executor computes with it, so it is where both would
// be wrong together; hence it is plain, written to be checked against the
// formulas below, and tested against ONNX's own examples.
//
//	floats of a model ──Measure──▶ scales ─┐
//	        └──────────Quantize◀───────────┘──▶ int8 ──Dequantize──▶ floats
//	                                             └─PackInt8, MatMul─▶ y
//	activations ──DynamicQuantize──▶ uint8 ──MatMulInteger──▶ int32
//
// # Weights
//
// For the weights w that share a scale, in a symmetric [Scheme] of 8 bits:
//
//	scale = max|w| / 127            in float32, then rounded to the stored type
//	q     = clamp(round(w/scale))   −127 … 127
//	w′    = q·scale
//
// and in an asymmetric one, over a range that is made to hold 0:
//
//	scale = (max − min) / 255       in a 16-bit type rounded up
//	zero  = round(−128 − min/scale)
//	q     = clamp(round(w/scale) + zero)   −128 … 127
//	w′    = (q − zero)·scale
//
// round is to the nearest integer, ties to the even one; the quotient is that of a
// division, not a product with the reciprocal (the assembly multiplies, and divides
// where that could matter). This is ONNX's QuantizeLinear.
// The scale in all of these is the one that a reader of the model will see:
// rounded to float16 or bfloat16 where it is stored so. Then the error of one
// weight is
//
//	|w − w′| ≤ scale/2 + u·|w|,  u = 2⁻²⁴
//
// where the second term is the rounding of w/scale, and hence that of a layer
//
//	|y − y′|ⱼ ≤ ½·scaleⱼ·Σₖ|xₖ| + γ·Σₖ|xₖ||wₖⱼ|
//
// with γ from the summation in float32: see [PackedFloat32.MatMul] and [PackedInt8.MatMul].
// A 16-bit scale may be off by a factor of 1 ± 2⁻⁸. Symmetric, that moves the
// largest q by less than a half (127·2⁻⁸), so it still rounds to 127; the 255
// steps of an asymmetric scale have not that much room, hence the rounding up.
//
// Weights that have no such scale are said to be so, and never guessed at: zeros
// only, or so small that the scale would be subnormal (scale 1, all q 0, counted
// in Scales.Substituted); a scale that the 16-bit type cannot hold
// (Scales.Underflow, Scales.Overflow: the caller takes another form); NaN and
// infinities ([NonfiniteError]).
//
// # Element types
//
// Go has none of ONNX's narrow types. Here each is a defined type over its bits,
// with a Float32 method that is exact and a function XFromFloat32 that rounds
// half to even. A float64 is brought to them by way of [RoundToOdd], which keeps
// it from being rounded twice.
//
// # Kernels
//
// A right operand of a product lies in panels of 32 columns. An inner loop keeps
// the sums of some rows and one to four panels in registers and goes along k;
// what follows the sum (scale, bias, bounds) is done while they are in the
// nearest cache. Each inner loop is there as assembly for AVX-512 and AVX2, made
// by the generator in internal/asm, and as the plain loop that says what it
// computes; the processor decides which is taken. A result does not depend on how
// many goroutines computed it, and on the other rows beside it only where
// [PackedInt8.MatMul] says so: there, AMX multiplies bfloat16.
package quantops
