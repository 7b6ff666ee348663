package vector

import (
	"math"
	"math/rand/v2"
	"testing"
)

// wantRow compares a row with what float64 gives; bound is absolute.
func wantRow(t *testing.T, what string, got []float32, want func(i int) float64, bound func(i int) float64) {
	t.Helper()
	for i, v := range got {
		if difference := math.Abs(float64(v) - want(i)); !(difference <= bound(i)) {
			t.Fatalf("%s: element %d of %d is %v, %g from %v: at most %g is allowed", what, i, len(got), v, difference, want(i), bound(i))
		}
	}
}

func TestRows(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{1, 2, 15, 33, 128, 768, 1024, 1025, 5000} {
		x, scale, bias, mask, y := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		var sum, sizes, squares float64
		for i := range x {
			x[i], scale[i], bias[i] = float32(random.NormFloat64()*3+1), float32(random.NormFloat64()), float32(random.NormFloat64())
			if random.IntN(4) == 0 {
				mask[i] = float32(math.Inf(-1))
			}
			sum += float64(x[i])
			sizes += math.Abs(float64(x[i]))
			squares += float64(x[i]) * float64(x[i])
		}
		mask[n/2] = 0
		const sumError = (sumPiece/strands + 5) * 0x1p-24
		if got := Sum(x); math.Abs(got-sum) > sumError*sizes {
			t.Errorf("sum of %d: %v, want %v", n, got, sum)
		}
		if got := SquareSum(x, 0); math.Abs(got-squares) > 2*sumError*squares {
			t.Errorf("sum of %d squares: %v, want %v", n, got, squares)
		}
		if got := Dot(x, x); math.Abs(got-squares) > 2*sumError*squares {
			t.Errorf("dot product of %d: %v, want %v", n, got, squares)
		}

		mean, variance := sum/float64(n), 0.0
		for _, v := range x {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(n)
		}
		const epsilon = 1e-5
		root := math.Sqrt(variance + epsilon)
		LayerNorm(y, x, scale, bias, epsilon)
		wantRow(t, "LayerNorm", y, func(i int) float64 {
			return (float64(x[i])-mean)/root*float64(scale[i]) + float64(bias[i])
		}, func(i int) float64 {
			// At one element the mean is that element; else the mean's error is
			// what counts, over the deviation.
			return 4e-6 + 8e-6*math.Abs(float64(scale[i]))*(1+math.Abs(mean)/root)
		})
		RMSNorm(y, x, scale, epsilon)
		mean2 := math.Sqrt(squares/float64(n) + epsilon)
		wantRow(t, "RMSNorm", y, func(i int) float64 { return float64(x[i]) / mean2 * float64(scale[i]) },
			func(i int) float64 { return 4e-6 * math.Abs(float64(x[i])/mean2*float64(scale[i])) })

		powers := 0.0
		for i, v := range x {
			powers += math.Exp(float64(v)/2 + float64(mask[i]))
		}
		probability := func(i int) float64 { return math.Exp(float64(x[i])/2+float64(mask[i])) / powers }
		MaskedSoftmax(y, x, mask, 0.5)
		wantRow(t, "MaskedSoftmax", y, probability, func(i int) float64 { return 3e-6 * probability(i) })
	}
	nan, infinite := float32(math.NaN()), float32(math.Inf(-1))
	row := make([]float32, 40)
	for i := range row {
		row[i] = infinite
	}
	Softmax(row, row)
	if row[0] == row[0] {
		t.Errorf("Softmax of nothing but -Inf is %v, want NaN", row[0])
	}
	row[17] = nan
	if got := Largest(row); got == got {
		t.Errorf("the largest of NaN and -Inf is %v, want NaN", got)
	}
	if got := Largest(nil); got != infinite {
		t.Errorf("the largest of nothing is %v, want -Inf", got)
	}
}
