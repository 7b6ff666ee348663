package vector

import "math"

// Sigmoid writes 1/(1 + e⁻ˣ) to y, with an error of at most 2 ulp, subnormal
// results included.
func Sigmoid(y, x []float32) { best.sigmoid(y[:len(x)], x) }

func sigmoidGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = sigmoidTimes(v, 1)
	}
}

// sigmoidTimes is by/(1 + e⁻ˣ), which for negative x is by·eˣ/(1 + eˣ): no power
// overflows, and none of the result's digits cancel.
func sigmoidTimes(x, by float32) float32 {
	e := exp(-float32(math.Abs(float64(x))))
	numerator := by
	if math.Signbit(float64(x)) {
		numerator = by * e
	}
	return numerator / float32(e+1)
}

// Swish writes x/(1 + e^(-alpha·x)) to y. With alpha 1 it is Silu, with an error
// of at most 3 ulp, or 2⁻¹⁴⁹·|x| where the power is subnormal; another alpha
// rounds the exponent, which adds an error of |alpha·x| ulp.
func Swish(y, x []float32, alpha float32) { best.swish(y[:len(x)], x, alpha) }

func swishGeneric(y, x []float32, alpha float32) {
	for i, v := range x {
		y[i] = sigmoidTimes(float32(v*alpha), v)
	}
}
