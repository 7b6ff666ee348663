package vector

import "math"

// step is a·b + c as a fused instruction gives it, for all but about one in 2²⁹
// operands: the product is exact in float64, and the sum is rounded to float64
// before it is rounded to float32.
func step(a, b, c float32) float32 { return float32(float64(a)*float64(b) + float64(c)) }

// fused is step for operands that may have few digits, for which it is not rare
// that the sum in float64 seems to lie half way between two float32. (For
// subnormal ones that may be anywhere.)
func fused(a, b, c float32) float32 {
	sum := float64(a)*float64(b) + float64(c)
	if math.Float64bits(sum)<<35 == 1<<63 || math.Abs(sum) < 0x1p-126 {
		return oddSum(float64(a)*float64(b), float64(c))
	}
	return float32(sum)
}

// oddSum is a + b, first cut off and with the last bit set if anything was lost:
// what is rounded from there on is rounded as if from the exact sum. (Boldo and
// Melquiond, "When double rounding is odd"; the error is Knuth's.)
func oddSum(a, b float64) float32 {
	sum := a + b
	part := sum - a
	lost := (a - (sum - part)) + (b - part)
	if lost == 0 {
		return float32(sum)
	}
	bits := math.Float64bits(sum)
	if math.Signbit(lost) != math.Signbit(sum) {
		bits--
	}
	return float32(math.Float64frombits(bits | 1))
}
