package vector

import "math"

// Add writes a + b to y.
func Add(y, a, b []float32) { best.add(y, a[:len(y)], b[:len(y)]) }

// Sub writes a - b to y.
func Sub(y, a, b []float32) { best.sub(y, a[:len(y)], b[:len(y)]) }

// Mul writes a·b to y.
func Mul(y, a, b []float32) { best.mul(y, a[:len(y)], b[:len(y)]) }

// Div writes a/b to y.
func Div(y, a, b []float32) { best.div(y, a[:len(y)], b[:len(y)]) }

// Max writes the larger of a and b to y, and NaN where one of them is NaN; of a
// positive and a negative zero, either.
func Max(y, a, b []float32) { best.max(y, a[:len(y)], b[:len(y)]) }

// Min writes the smaller of a and b to y, and NaN where one of them is NaN; of a
// positive and a negative zero, either.
func Min(y, a, b []float32) { best.min(y, a[:len(y)], b[:len(y)]) }

// AddNumber writes x + number to y.
func AddNumber(y, x []float32, number float32) { best.addNumber(y[:len(x)], x, number) }

// SubNumber writes x - number to y.
func SubNumber(y, x []float32, number float32) { best.subNumber(y[:len(x)], x, number) }

// SubFrom writes number - x to y.
func SubFrom(y, x []float32, number float32) { best.subFrom(y[:len(x)], x, number) }

// MulNumber writes x·number to y.
func MulNumber(y, x []float32, number float32) { best.mulNumber(y[:len(x)], x, number) }

// DivNumber writes x/number to y.
func DivNumber(y, x []float32, number float32) { best.divNumber(y[:len(x)], x, number) }

// DivFrom writes number/x to y.
func DivFrom(y, x []float32, number float32) { best.divFrom(y[:len(x)], x, number) }

// MaxNumber is Max of x and a number.
func MaxNumber(y, x []float32, number float32) { best.maxNumber(y[:len(x)], x, number) }

// MinNumber is Min of x and a number.
func MinNumber(y, x []float32, number float32) { best.minNumber(y[:len(x)], x, number) }

// MulAdd writes a·b + c, rounded once, to y.
func MulAdd(y, a, b, c []float32) { best.mulAdd(y, a[:len(y)], b[:len(y)], c[:len(y)]) }

// Affine writes x·factor + term, rounded once, to y.
func Affine(y, x []float32, factor, term float32) { best.affine(y[:len(x)], x, factor, term) }

// Standardize writes (x - center)·factor + term to y, where the product and the
// sum are rounded once.
func Standardize(y, x []float32, center, factor, term float32) {
	best.standardize(y[:len(x)], x, center, factor, term)
}

// Clip writes x to y, least where it is less, and most where it, or least, is
// more. The bounds are not NaN.
func Clip(y, x []float32, least, most float32) { best.clip(y[:len(x)], x, least, most) }

// Relu writes x to y, and 0 where it is negative.
func Relu(y, x []float32) { best.relu(y[:len(x)], x) }

// LeakyRelu writes x to y, and alpha·x where it is negative.
func LeakyRelu(y, x []float32, alpha float32) { best.leakyRelu(y[:len(x)], x, alpha) }

// HardSigmoid writes alpha·x + beta, rounded once and limited to 0 and 1, to y.
func HardSigmoid(y, x []float32, alpha, beta float32) { best.hardSigmoid(y[:len(x)], x, alpha, beta) }

// HardSwish writes x times x/6 + ½, limited to 0 and 1, to y, with an error of at
// most 2 ulp where x/6 + ½ does not cancel.
func HardSwish(y, x []float32) { best.hardSwish(y[:len(x)], x) }

// Abs writes |x| to y.
func Abs(y, x []float32) { best.abs(y[:len(x)], x) }

// Neg writes -x to y.
func Neg(y, x []float32) { best.neg(y[:len(x)], x) }

// Sqrt writes √x, rounded once, to y.
func Sqrt(y, x []float32) { best.sqrt(y[:len(x)], x) }

func addGeneric(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] + b[i]
	}
}

func subGeneric(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] - b[i]
	}
}

func mulGeneric(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] * b[i]
	}
}

func divGeneric(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] / b[i]
	}
}

func maxGeneric(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = max(a[i], b[i])
	}
}

func minGeneric(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = min(a[i], b[i])
	}
}

func addNumberGeneric(y, x []float32, number float32) {
	for i, v := range x {
		y[i] = v + number
	}
}

func subNumberGeneric(y, x []float32, number float32) {
	for i, v := range x {
		y[i] = v - number
	}
}

func subFromGeneric(y, x []float32, number float32) {
	for i, v := range x {
		y[i] = number - v
	}
}

func mulNumberGeneric(y, x []float32, number float32) {
	for i, v := range x {
		y[i] = v * number
	}
}

func divNumberGeneric(y, x []float32, number float32) {
	for i, v := range x {
		y[i] = v / number
	}
}

func divFromGeneric(y, x []float32, number float32) {
	for i, v := range x {
		y[i] = number / v
	}
}

func maxNumberGeneric(y, x []float32, number float32) {
	for i, v := range x {
		y[i] = max(v, number)
	}
}

func minNumberGeneric(y, x []float32, number float32) {
	for i, v := range x {
		y[i] = min(v, number)
	}
}

func mulAddGeneric(y, a, b, c []float32) {
	for i := range y {
		y[i] = fused(a[i], b[i], c[i])
	}
}

func affineGeneric(y, x []float32, factor, term float32) {
	for i, v := range x {
		y[i] = fused(v, factor, term)
	}
}

func standardizeGeneric(y, x []float32, center, factor, term float32) {
	for i, v := range x {
		y[i] = fused(v-center, factor, term)
	}
}

func clipGeneric(y, x []float32, least, most float32) {
	for i, v := range x {
		y[i] = clip(v, least, most)
	}
}

func clip(v, least, most float32) float32 {
	if v < least {
		v = least
	}
	if v > most {
		v = most
	}
	return v
}

func reluGeneric(y, x []float32) {
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		y[i] = v
	}
}

func leakyReluGeneric(y, x []float32, alpha float32) {
	for i, v := range x {
		if v < 0 {
			v *= alpha
		}
		y[i] = v
	}
}

func hardSigmoidGeneric(y, x []float32, alpha, beta float32) {
	for i, v := range x {
		y[i] = clip(fused(v, alpha, beta), 0, 1)
	}
}

func hardSwishGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = v * clip(fused(v, 0x1.555556p-3, 0.5), 0, 1)
	}
}

func absGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
	}
}

func negGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = -v
	}
}

func sqrtGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = float32(math.Sqrt(float64(v)))
	}
}
