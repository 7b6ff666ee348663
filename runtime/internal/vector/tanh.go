package vector

import "math"

// Tanh writes the hyperbolic tangent of x to y, with an error of at most 2 ulp.
func Tanh(y, x []float32) { best.tanh(y[:len(x)], x) }

func tanhGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = tanh(v)
	}
}

// tanh is x + x³·p(x²) for |x| below 9/16, where p makes the largest relative
// error least (1.4e-9 for coefficients rounded to float32), and 1 - 2/(e²ˣ + 1)
// from there on, where no digits cancel.
func tanh(x float32) float32 {
	size := float32(math.Abs(float64(x)))
	var y float32
	if size < 0.5625 {
		square := float32(x * x)
		p := float32(-0x1.9454f0p-8)
		p = step(p, square, 0x1.5811f6p-6)
		p = step(p, square, -0x1.b905c4p-5)
		p = step(p, square, 0x1.110c5ep-3)
		p = step(p, square, -0x1.555548p-2)
		y = step(p, float32(square*size), size)
	} else {
		if size > 9.25 { // where the result rounds to 1
			size = 9.25
		}
		y = 1 - 2/float32(exp(float32(size+size))+1)
	}
	return float32(math.Copysign(float64(y), float64(x)))
}
