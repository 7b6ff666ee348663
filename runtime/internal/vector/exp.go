package vector

import "math"

// Exp writes eˣ to y, with an error of at most 1 ulp, subnormal results included.
func Exp(y, x []float32) { best.exp(y[:len(x)], x) }

func expGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = exp(v)
	}
}

const (
	log2e = 0x1.715476p+0
	// ln 2 in two parts, the first rounded to float32.
	ln2High = 0x1.62e43p-1
	ln2Low  = -0x1.05c61p-29
	// Adding 1.5·2²³ leaves no room for a fraction, and puts the whole number
	// into the low bits.
	roundMagic = 0x1.8p+23
	// Beyond these, eˣ is no finite number, or none that differs from 0.
	expMost, expLeast = 89, -105
)

// reduced writes x as n·ln 2 + r with |r| ≤ ½·ln 2 and gives eʳ - 1, with a
// relative error of about 1 ulp, and n. eʳ - 1 is r + r²·q(r), where q is of
// degree 4 and makes the largest relative error of eʳ least (Lawson's algorithm;
// 3.4e-9 with coefficients rounded to float32).
func reduced(x float32) (expm1, n float32) {
	n = step(x, log2e, roundMagic) - roundMagic
	r := step(-n, ln2High, x)
	r = step(-n, ln2Low, r)
	q := float32(0x1.6a4b98p-10)
	q = step(q, r, 0x1.123e5cp-7)
	q = step(q, r, 0x1.5558bap-5)
	q = step(q, r, 0x1.55548cp-3)
	q = step(q, r, 0x1.fffffcp-2)
	return step(q, float32(r*r), r), n
}

func exp(x float32) float32 {
	if x > expMost {
		x = expMost
	}
	if x < expLeast {
		x = expLeast
	}
	p, n := reduced(x)
	// In two steps, for 2ⁿ need not be a float32: only the second one rounds.
	whole := int32(n)
	half := whole >> 1
	e := float32(p + 1)
	e *= powerOfTwo(half)
	return e * powerOfTwo(whole-half)
}

// powerOfTwo is 2ⁿ for n from -126 to 127.
func powerOfTwo(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// expm1 is eˣ - 1 for x from -87 to 88.
func expm1(x float32) float32 {
	p, n := reduced(x)
	power := powerOfTwo(int32(n))
	return step(p, power, power-1)
}

// Elu writes x to y where x is not negative, else alpha·(eˣ - 1), with an error
// of at most 3 ulp.
func Elu(y, x []float32, alpha float32) { best.elu(y[:len(x)], x, alpha) }

func eluGeneric(y, x []float32, alpha float32) {
	for i, v := range x {
		if v < 0 {
			v = expm1(max(v, -20)) * alpha // e⁻²⁰ is nothing beside 1
		}
		y[i] = v
	}
}
