package vector

import (
	"math"
	"math/rand/v2"
	"testing"
)

// loop is one loop in a form that all of them can be brought into: it gets three
// operands, and gives its results in y and as a number.
type loop struct {
	name string
	run  func(k kernels, y, a, b, c []float32, p, q float32) float32
}

func unary(name string, of func(k kernels) func(y, x []float32)) loop {
	return loop{name, func(k kernels, y, a, _, _ []float32, _, _ float32) float32 { of(k)(y, a); return 0 }}
}

func withNumber(name string, of func(k kernels) func(y, x []float32, p float32)) loop {
	return loop{name, func(k kernels, y, a, _, _ []float32, p, _ float32) float32 { of(k)(y, a, p); return 0 }}
}

func paired(name string, of func(k kernels) func(y, a, b []float32)) loop {
	return loop{name, func(k kernels, y, a, b, _ []float32, _, _ float32) float32 { of(k)(y, a, b); return 0 }}
}

func reduction(name string, of func(k kernels, a, b []float32, p float32) float32) loop {
	return loop{name, func(k kernels, _, a, b, _ []float32, p, _ float32) float32 { return of(k, a, b, p) }}
}

var loops = []loop{
	unary("exp", func(k kernels) func(y, x []float32) { return k.exp }),
	unary("sigmoid", func(k kernels) func(y, x []float32) { return k.sigmoid }),
	unary("tanh", func(k kernels) func(y, x []float32) { return k.tanh }),
	unary("erf", func(k kernels) func(y, x []float32) { return k.erf }),
	unary("gelu", func(k kernels) func(y, x []float32) { return k.gelu }),
	unary("fastGelu", func(k kernels) func(y, x []float32) { return k.fastGelu }),
	unary("relu", func(k kernels) func(y, x []float32) { return k.relu }),
	unary("hardSwish", func(k kernels) func(y, x []float32) { return k.hardSwish }),
	unary("abs", func(k kernels) func(y, x []float32) { return k.abs }),
	unary("neg", func(k kernels) func(y, x []float32) { return k.neg }),
	unary("sqrt", func(k kernels) func(y, x []float32) { return k.sqrt }),
	withNumber("elu", func(k kernels) func(y, x []float32, p float32) { return k.elu }),
	withNumber("swish", func(k kernels) func(y, x []float32, p float32) { return k.swish }),
	withNumber("leakyRelu", func(k kernels) func(y, x []float32, p float32) { return k.leakyRelu }),
	withNumber("addNumber", func(k kernels) func(y, x []float32, p float32) { return k.addNumber }),
	withNumber("subNumber", func(k kernels) func(y, x []float32, p float32) { return k.subNumber }),
	withNumber("subFrom", func(k kernels) func(y, x []float32, p float32) { return k.subFrom }),
	withNumber("mulNumber", func(k kernels) func(y, x []float32, p float32) { return k.mulNumber }),
	withNumber("divNumber", func(k kernels) func(y, x []float32, p float32) { return k.divNumber }),
	withNumber("divFrom", func(k kernels) func(y, x []float32, p float32) { return k.divFrom }),
	withNumber("maxNumber", func(k kernels) func(y, x []float32, p float32) { return k.maxNumber }),
	withNumber("minNumber", func(k kernels) func(y, x []float32, p float32) { return k.minNumber }),
	paired("add", func(k kernels) func(y, a, b []float32) { return k.add }),
	paired("sub", func(k kernels) func(y, a, b []float32) { return k.sub }),
	paired("mul", func(k kernels) func(y, a, b []float32) { return k.mul }),
	paired("div", func(k kernels) func(y, a, b []float32) { return k.div }),
	paired("max", func(k kernels) func(y, a, b []float32) { return k.max }),
	paired("min", func(k kernels) func(y, a, b []float32) { return k.min }),
	{"mulAdd", func(k kernels, y, a, b, c []float32, _, _ float32) float32 { k.mulAdd(y, a, b, c); return 0 }},
	{"affine", func(k kernels, y, a, _, _ []float32, p, q float32) float32 { k.affine(y, a, p, q); return 0 }},
	{"standardize", func(k kernels, y, a, _, _ []float32, p, q float32) float32 { k.standardize(y, a, p, q, p*q); return 0 }},
	{"clip", func(k kernels, y, a, _, _ []float32, p, q float32) float32 {
		k.clip(y, a, min(p, q), max(p, q))
		return 0
	}},
	{"hardSigmoid", func(k kernels, y, a, _, _ []float32, p, q float32) float32 { k.hardSigmoid(y, a, p, q); return 0 }},
	reduction("sum", func(k kernels, a, _ []float32, _ float32) float32 { return k.sum(a) }),
	reduction("largest", func(k kernels, a, _ []float32, _ float32) float32 { return k.largest(a) }),
	reduction("squareSum", func(k kernels, a, _ []float32, p float32) float32 { return k.squareSum(a, p) }),
	reduction("dot", func(k kernels, a, b []float32, _ float32) float32 { return k.dot(a, b) }),
	{"expSum", func(k kernels, y, a, _, _ []float32, p, _ float32) float32 { return k.expSum(y, a, p) }},
	withNumber("addScaled", func(k kernels) func(y, x []float32, p float32) { return k.addScaled }),
	{"mulScaled", func(k kernels, y, a, b, _ []float32, p, _ float32) float32 { k.mulScaled(y, a, b, p); return 0 }},
	{"normalize", func(k kernels, y, a, b, c []float32, p, q float32) float32 { k.normalize(y, a, b, c, p, q); return 0 }},
}

// lengths are of nothing, of every number of lanes that can be left over, and
// of what goes round loops several times.
var lengths = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 16, 17, 19, 21, 23, 24, 25, 29, 31, 32, 33, 39, 40, 41, 47, 48, 49, 55, 56, 57, 63, 64, 65, 100, 257, 1000}

const guard = 0x7fa5a5a5 // a NaN that nothing computes

// guarded is n elements inside of a larger slice, a few elements behind its
// begin, with guards around them.
func guarded(n, offset int, value func() float32) (all, inner []float32) {
	all = make([]float32, n+offset+64)
	for i := range all {
		all[i] = math.Float32frombits(guard)
	}
	inner = all[offset : offset+n : offset+n]
	for i := range inner {
		inner[i] = value()
	}
	return all, inner
}

// same says whether two results are: of two NaNs, and of zeros whatever their
// signs, any are.
func same(a, b float32) bool { return a == b || a != a && b != b }

func TestTwinsGiveTheSameNumbers(t *testing.T) {
	for _, twin := range twins()[1:] {
		for _, l := range loops {
			t.Run(twin.name+"/"+l.name, func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(1, uint64(len(l.name))))
				for _, special := range []bool{false, true} {
					value := func() float32 {
						if special && random.IntN(8) == 0 {
							return math.Float32frombits(random.Uint32())
						}
						return float32(random.NormFloat64() * 4)
					}
					for _, n := range lengths {
						compareTwin(t, twin.kernels, l, n, random.IntN(17), value, same)
					}
				}
			})
		}
	}
}

func compareTwin(t *testing.T, k kernels, l loop, n, offset int, value func() float32, same func(a, b float32) bool) {
	t.Helper()
	_, a := guarded(n, offset, value)
	_, b := guarded(n, (offset+3)%17, value)
	_, c := guarded(n, (offset+5)%17, value)
	all, y := guarded(n, (offset+7)%17, value)
	p, q := float32(0.75), float32(-1.25)
	want := append([]float32(nil), y...)
	wanted, got := l.run(generic, want, a, b, c, p, q), l.run(k, y, a, b, c, p, q)
	if !same(got, wanted) {
		t.Errorf("%d elements: %v, want %v", n, got, wanted)
	}
	for i := range want {
		if !same(y[i], want[i]) {
			t.Errorf("element %d of %d, of %v, %v and %v: %v, want %v", i, n, a[i], b[i], c[i], y[i], want[i])
		}
	}
	for i, v := range all {
		if inside := i - (offset+7)%17; (inside < 0 || inside >= n) && math.Float32bits(v) != guard {
			t.Fatalf("%d elements: element %d is written", n, inside)
		}
	}
	// In place.
	l.run(k, a, a, b, c, p, q)
	if l.name == "addScaled" {
		return // which reads what it writes to
	}
	for i := range want {
		if reduces := l.name == "sum" || l.name == "largest" || l.name == "squareSum" || l.name == "dot"; !reduces && !same(a[i], want[i]) {
			t.Errorf("element %d of %d in place: %v, want %v", i, n, a[i], want[i])
		}
	}
}
