package vector

import (
	"math"
	"testing"
)

// ulps is how far a result is from the exact one, in units of the exact one's
// last place as a float32.
func ulps(got float32, exact float64) float64 {
	rounded := float32(exact)
	switch {
	case got != got || exact != exact:
		if (got != got) == (exact != exact) {
			return 0
		}
		return math.Inf(1)
	case got == rounded:
		return 0 // among them the infinities
	case math.IsInf(float64(rounded), 0):
		rounded = math.MaxFloat32
	}
	_, exponent := math.Frexp(float64(rounded))
	unit := math.Ldexp(1, max(exponent-24, -149))
	return math.Abs(float64(got)-exact) / unit
}

// allExponents calls f with numbers of every sign and exponent, with samples of
// all fractions, among them infinities and NaNs, and some around 0.
func allExponents(f func(x []float32)) {
	const step = 4973 // a prime: all low bits occur
	x := make([]float32, 0, 4096)
	for bits := uint64(0); bits < 1<<32; bits += step {
		x = append(x, math.Float32frombits(uint32(bits)))
		if len(x) == cap(x) {
			f(x)
			x = x[:0]
		}
	}
	f(append(x, 0, float32(math.Copysign(0, -1)), 1, -1, float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, -math.MaxFloat32,
		math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, float32(math.NaN())))
}

// function is a transcendental loop, its exact value and the error allowed.
type function struct {
	name  string
	of    func(k kernels) func(y, x []float32)
	exact func(x float64) float64
	most  func(x, y float64) float64 // in ulp of y
}

func atMost(ulps float64) func(x, y float64) float64 {
	return func(_, _ float64) float64 { return ulps }
}

func exactSigmoid(x float64) float64 {
	if x < 0 {
		return math.Exp(x) / (1 + math.Exp(x))
	}
	return 1 / (1 + math.Exp(-x))
}

// exactGelu has no digits that cancel.
func exactGelu(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }

func fastGeluArgument(x float64) float64 { return math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x) }

// subnormalPower is what a subnormal power times x may be wrong by, in ulp of y.
func subnormalPower(x, y float64) float64 {
	if math.Abs(y) > math.Abs(x)*0x1p-125 {
		return 0
	}
	return math.Abs(x) * 0x1p-149 / math.Max(math.Abs(y)*0x1p-24, 0x1p-149)
}

var functions = []function{
	{"exp", func(k kernels) func(y, x []float32) { return k.exp }, math.Exp, atMost(1)},
	{"sigmoid", func(k kernels) func(y, x []float32) { return k.sigmoid }, exactSigmoid, atMost(2)},
	{"tanh", func(k kernels) func(y, x []float32) { return k.tanh }, math.Tanh, atMost(2)},
	{"erf", func(k kernels) func(y, x []float32) { return k.erf }, math.Erf, atMost(2)},
	{"elu", func(k kernels) func(y, x []float32) {
		return func(y, x []float32) { k.elu(y, x, 1.5) }
	}, func(x float64) float64 {
		if x < 0 {
			return 1.5 * math.Expm1(x)
		}
		return x
	}, atMost(3)},
	{"silu", func(k kernels) func(y, x []float32) {
		return func(y, x []float32) { k.swish(y, x, 1) }
	}, func(x float64) float64 { return x * exactSigmoid(x) }, func(x, y float64) float64 { return 3 + subnormalPower(x, y) }},
	{"gelu", func(k kernels) func(y, x []float32) { return k.gelu }, exactGelu, func(x, y float64) float64 {
		if x > 0 {
			return 3
		}
		return 3 + math.Abs(x)*0x1p-24/math.Max(math.Abs(y)*0x1p-23, 0x1p-149)
	}},
	{"fastGelu", func(k kernels) func(y, x []float32) { return k.fastGelu }, func(x float64) float64 {
		return x * exactSigmoid(2*fastGeluArgument(x))
	}, func(x, y float64) float64 { return 4 + 5*math.Abs(fastGeluArgument(x)) + subnormalPower(x, y) }},
	{"hardSwish", func(k kernels) func(y, x []float32) { return k.hardSwish }, func(x float64) float64 {
		return x * min(max(x/6+0.5, 0), 1)
	}, func(x, _ float64) float64 {
		if x > 0 {
			return 2
		}
		return 2 / max(x/6+0.5, 1e-7)
	}},
	{"sqrt", func(k kernels) func(y, x []float32) { return k.sqrt }, math.Sqrt, atMost(0.5)},
}

func TestAccuracy(t *testing.T) {
	for _, twin := range twins() {
		for _, f := range functions {
			t.Run(twin.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				loop := f.of(twin.kernels)
				y := make([]float32, 1<<13)
				worst, at := 0.0, float32(0)
				allExponents(func(x []float32) {
					loop(y[:len(x)], x)
					for i, v := range x {
						exact := f.exact(float64(v))
						difference := ulps(y[i], exact)
						if difference > worst {
							worst, at = difference, v
						}
						if difference > f.most(float64(v), exact) {
							t.Fatalf("%s(%v) is %v, %.2f ulp from %v", f.name, v, y[i], difference, exact)
						}
					}
				})
				t.Logf("at most %.3f ulp, at %v", worst, at)
			})
		}
	}
}
