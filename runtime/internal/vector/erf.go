package vector

import "math"

// Erf writes the error function of x to y, with an error of at most 2 ulp.
func Erf(y, x []float32) { best.erf(y[:len(x)], x) }

func erfGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = erf(v)
	}
}

// erf is x + x·p(x²) for |x| below 15/16 and 1 - e^q(|x|) from there on, where q
// stands for the logarithm of 1 - erf. p makes the largest relative error least
// (9e-10 for coefficients rounded to float32), q the largest absolute one (2e-9).
func erf(x float32) float32 {
	size := float32(math.Abs(float64(x)))
	var y float32
	if size < 0.9375 {
		square := float32(x * x)
		p := float32(0x1.4faa3ep-14)
		p = step(p, square, -0x1.a61840p-11)
		p = step(p, square, 0x1.544b0ap-8)
		p = step(p, square, -0x1.b80124p-6)
		p = step(p, square, 0x1.ce2d64p-4)
		p = step(p, square, -0x1.812740p-2)
		p = step(p, square, 0x1.06eba8p-3)
		y = step(p, size, size)
	} else {
		if size > 4 { // where the result rounds to 1
			size = 4
		}
		q := float32(0x1.98d268p-13)
		q = step(q, size, -0x1.8da0ccp-9)
		q = step(q, size, 0x1.6b8e64p-6)
		q = step(q, size, -0x1.a9653ap-4)
		q = step(q, size, -0x1.4647b4p-1)
		q = step(q, size, -0x1.20ac30p+0)
		q = step(q, size, -0x1.b225ccp-13)
		y = 1 - exp(q)
	}
	return float32(math.Copysign(float64(y), float64(x)))
}

// Gelu writes ½x·(1 + erf(x/√2)) to y. The error is at most 3 ulp for positive x;
// for negative x, where the sum in brackets cancels, it is at most 2⁻²⁴·|x|.
func Gelu(y, x []float32) { best.gelu(y[:len(x)], x) }

func geluGeneric(y, x []float32) {
	for i, v := range x {
		half := float32(v * 0.5)
		y[i] = step(erf(float32(v*0x1.6a09e6p-1)), half, half)
	}
}

// FastGelu writes ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) to y, which is x times
// the sigmoid of twice the hyperbolic tangent's argument. The error is at most
// 4 + 5·|argument| ulp, or 2⁻¹⁴⁹·|x| where the power is subnormal.
func FastGelu(y, x []float32) { best.fastGelu(y[:len(x)], x) }

func fastGeluGeneric(y, x []float32) {
	for i, v := range x {
		// 2·√(2/π)·(1 + 0.044715·x²)
		factor := step(float32(v*v), 0x1.2444f2p-4, 0x1.988454p+0)
		y[i] = sigmoidTimes(float32(factor*v), v)
	}
}
