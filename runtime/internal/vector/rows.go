package vector

import "math"

const (
	// strands is how many partial sums a loop keeps: element i is added to
	// strand i modulo strands, and then the strands in pairs.
	strands = 32
	// sumPiece is how many elements are added up in float32; the sums of such
	// pieces are added in float64. So a sum's error is at most
	// (sumPiece/strands + 5)·2⁻²⁴ times that of the elements' sizes, however
	// many they are: 2e-6 of it, and far less where signs and errors mix.
	sumPiece = 1024
)

// Sum is the sum of x; see sumPiece for its error.
func Sum(x []float32) float64 {
	var sum float64
	for len(x) > sumPiece {
		sum += float64(best.sum(x[:sumPiece]))
		x = x[sumPiece:]
	}
	return sum + float64(best.sum(x))
}

// SquareSum is the sum of (x - center)², with the error of a sum.
func SquareSum(x []float32, center float32) float64 {
	var sum float64
	for len(x) > sumPiece {
		sum += float64(best.squareSum(x[:sumPiece], center))
		x = x[sumPiece:]
	}
	return sum + float64(best.squareSum(x, center))
}

// Dot is the sum of a·b, with the error of a sum.
func Dot(a, b []float32) float64 {
	b = b[:len(a)]
	var sum float64
	for len(a) > sumPiece {
		sum += float64(best.dot(a[:sumPiece], b[:sumPiece]))
		a, b = a[sumPiece:], b[sumPiece:]
	}
	return sum + float64(best.dot(a, b))
}

// ExpSum writes e^(x - shift) to y and gives the sum of that, with the error of a sum.
func ExpSum(y, x []float32, shift float32) float64 {
	y = y[:len(x)]
	var sum float64
	for len(x) > sumPiece {
		sum += float64(best.expSum(y[:sumPiece], x[:sumPiece], shift))
		y, x = y[sumPiece:], x[sumPiece:]
	}
	return sum + float64(best.expSum(y, x, shift))
}

// Largest is the largest element, NaN if one is NaN, and -Inf of none.
func Largest(x []float32) float32 { return best.largest(x) }

// AddScaled adds factor·x to y, rounded once.
func AddScaled(y, x []float32, factor float32) { best.addScaled(y[:len(x)], x, factor) }

// MulScaled writes a·factor·b to y.
func MulScaled(y, a, b []float32, factor float32) { best.mulScaled(y[:len(a)], a, b[:len(a)], factor) }

// Normalize writes (x - center)·factor·scale + bias to y, where the last product
// and the sum are rounded once.
func Normalize(y, x, scale, bias []float32, center, factor float32) {
	best.normalize(y[:len(x)], x, scale[:len(x)], bias[:len(x)], center, factor)
}

// Softmax writes to y the powers eˣ divided by their sum, with the largest x
// taken off each before. Beside the error that x - largest has, which is rounded,
// that is 3 ulp and that of a sum of as many positive numbers.
func Softmax(y, x []float32) {
	sum := ExpSum(y, x, Largest(x))
	MulNumber(y, y[:len(x)], float32(1/sum))
}

// MaskedSoftmax is Softmax of x·factor + mask.
func MaskedSoftmax(y, x, mask []float32, factor float32) {
	y, mask = y[:len(x)], mask[:len(x)]
	copy(y, mask)
	AddScaled(y, x, factor)
	Softmax(y, y)
}

// LayerNorm writes to y the elements of x less their mean, divided by √(variance
// + epsilon), times scale and plus bias. The mean and the population variance are
// those of sums, rounded to float32, and are returned as the mean and 1/√(variance
// + epsilon).
func LayerNorm(y, x, scale, bias []float32, epsilon float32) (mean, inverse float32) {
	mean = float32(Sum(x) / float64(len(x)))
	inverse = inverseRoot(SquareSum(x, mean)/float64(len(x)), epsilon)
	Normalize(y, x, scale, bias, mean, inverse)
	return mean, inverse
}

// RMSNorm writes to y the elements of x, divided by the root of their mean square
// + epsilon, times scale; it returns the inverse of that root.
func RMSNorm(y, x, scale []float32, epsilon float32) (inverse float32) {
	inverse = inverseRoot(SquareSum(x, 0)/float64(len(x)), epsilon)
	MulScaled(y, x, scale, inverse)
	return inverse
}

func inverseRoot(square float64, epsilon float32) float32 {
	return float32(1 / math.Sqrt(float64(float32(square))+float64(epsilon)))
}

// strandSum is a sum that is kept in strands.
type strandSum [strands]float32

// total adds strands that are half as far apart each time.
func (s *strandSum) total() float32 {
	for half := strands / 2; half > 0; half /= 2 {
		for i := range half {
			s[i] += s[i+half]
		}
	}
	return s[0]
}

func sumGeneric(x []float32) float32 {
	var sum strandSum
	for i, v := range x {
		sum[i%strands] += v
	}
	return sum.total()
}

func squareSumGeneric(x []float32, center float32) float32 {
	var sum strandSum
	for i, v := range x {
		d := float32(v - center)
		sum[i%strands] = fused(d, d, sum[i%strands])
	}
	return sum.total()
}

func dotGeneric(a, b []float32) float32 {
	var sum strandSum
	b = b[:len(a)]
	for i, v := range a {
		sum[i%strands] = fused(v, b[i], sum[i%strands])
	}
	return sum.total()
}

func expSumGeneric(y, x []float32, shift float32) float32 {
	var sum strandSum
	y = y[:len(x)]
	for i, v := range x {
		e := exp(float32(v - shift))
		sum[i%strands] += e
		y[i] = e
	}
	return sum.total()
}

func largestGeneric(x []float32) float32 {
	largest := float32(math.Inf(-1))
	for _, v := range x {
		largest = max(largest, v)
	}
	return largest
}

func addScaledGeneric(y, x []float32, factor float32) {
	for i, v := range x {
		y[i] = fused(v, factor, y[i])
	}
}

func mulScaledGeneric(y, a, b []float32, factor float32) {
	for i, v := range a {
		y[i] = float32(v*factor) * b[i]
	}
}

func normalizeGeneric(y, x, scale, bias []float32, center, factor float32) {
	for i, v := range x {
		y[i] = fused(float32(float32(v-center)*factor), scale[i], bias[i])
	}
}
