package ops

import (
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
)

// mean is the arithmetic mean, of a sum that does not drift however long a row of
// float32 is; see vector.Sum.
func mean[T real](x []T) T { return T(total(x) / float64(len(x))) }

func total[T real](x []T) float64 {
	if floats, ok := any(x).([]float32); ok {
		return vector.Sum(floats)
	}
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

// variance is the population variance: the mean of (x - center)².
func variance[T real](x []T, center T) T {
	if floats, ok := any(x).([]float32); ok {
		return T(vector.SquareSum(floats, float32(center)) / float64(len(x)))
	}
	var sum float64
	for _, v := range x {
		d := float64(v - center)
		sum += d * d
	}
	return T(sum / float64(len(x)))
}

// lpNorm is (Σ |x|^p)^(1/p).
func lpNorm[T real](x []T, p float64) T {
	var sum float64
	for _, v := range x {
		sum += absolutePower(float64(v), p)
	}
	switch p {
	case 1:
		return T(sum)
	case 2:
		return T(math.Sqrt(sum))
	}
	return T(math.Pow(sum, 1/p))
}

// inverseDeviation is 1/√(variance + epsilon).
func inverseDeviation[T real](variance T, epsilon float32) T {
	return T(1 / math.Sqrt(float64(variance)+float64(epsilon)))
}

// standardize writes (x - center)·scale + term to y.
func standardize[T real](y, x []T, center, scale, term T) {
	if floats, ok := any(x).([]float32); ok {
		vector.Standardize(any(y).([]float32), floats, float32(center), float32(scale), float32(term))
		return
	}
	y = y[:len(x)]
	for i, v := range x {
		y[i] = (v-center)*scale + term
	}
}
