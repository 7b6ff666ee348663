package runtime

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// limitAlone is what limits are, element by element.
func limitAlone(s *weightSteps, l matrixLayout, weight []float32, e terms) []float64 {
	g := s.groups(l)
	each := func(f func(b, k, n, at int)) {
		for b := range l.batches {
			for k := range l.k {
				for n := range l.n {
					f(b, k, n, l.at(b, k, n))
				}
			}
		}
	}
	each(func(b, k, n, at int) { g.of(b, k, n).widen(float64(weight[at]), float64(weight[at])) })
	limits := make([]float64, len(weight))
	each(func(b, k, n, at int) {
		off, err := g.of(b, k, n).off(s, s.at(b, k, n))
		if err != nil {
			off = math.NaN()
		}
		limits[at] = off + e.relative*(math.Abs(float64(weight[at]))+off) + e.underflow
	})
	return limits
}

// TestWeightLimits holds limits that several threads fill in to those of each
// element alone, in every layout and with scales of every kind.
func TestWeightLimits(t *testing.T) {
	random := rand.New(rand.NewPCG(51, 52))
	workers := quantops.NewWorkers(3)
	defer workers.Close()
	e := terms{relative: 1e-3, underflow: 1e-9}
	for round := range 120 {
		batches, k, n := 1+round%3, 1+random.IntN(40), 1+random.IntN(600)
		l := matrixLayout{batches: batches, k: k, n: n, batch: k * n, product: n, channel: 1}
		if round%2 == 1 {
			l.product, l.channel = 1, k
		}
		weight := make([]float32, batches*k*n)
		for i := range weight {
			weight[i] = float32(random.NormFloat64())
		}
		s := &weightSteps{batches: batches, k: k, n: n, levels: 127, rounding: 0x1p-24, byChannel: true, asymmetric: round%5 == 0}
		switch kind := round % 4; kind {
		case 0:
			s.scales = 1
		case 1:
			s.scales = n
		case 2:
			s.scales = batches * n
		default:
			s.block, s.byChannel = 8, false
			s.scales = batches * n * ((k + 7) / 8)
		}
		s.step = make([]float64, batches*k*n)
		for i := range s.step {
			s.step[i] = 1e-3 * (1 + random.Float64())
		}
		want := limitAlone(s, l, weight, e)
		got := make([]float64, len(weight))
		w := tensor.New([]int{len(weight)}, weight)
		if round%7 == 0 {
			wide := make([]float64, len(weight))
			for i, v := range weight {
				wide[i] = float64(v)
			}
			w = tensor.New([]int{len(weight)}, wide)
		}
		err := s.limitsOf(got, l, w, e, workers)
		failed := false
		for i, v := range want {
			failed = failed || v != v
			if v == v && err == nil && got[i] != v {
				t.Fatalf("round %d: element %d of %+v with %+v is limited by %g, want %g", round, i, l, s.scales, got[i], v)
			}
		}
		if failed != (err != nil) {
			t.Errorf("round %d: the error is %v, one is wanted: %v", round, err, failed)
		}
	}
	s := &weightSteps{batches: 1, k: 2, n: 300, levels: 127, rounding: 0x1p-24, byChannel: true, scales: 300, step: make([]float64, 300)}
	for i := range s.step {
		s.step[i] = 1
	}
	l := matrixLayout{batches: 1, k: 2, n: 300, batch: 600, product: 300, channel: 1}
	weight := make([]float32, 600)
	weight[270], weight[290] = 1, 1
	err := s.limitsOf(make([]float64, 600), l, tensor.New([]int{2, 300}, weight), e, workers)
	if err == nil || err.Error() != "channel 270: its scale is 1, but weights between 0 and 1 ask for at most 0.007874015748031496" {
		t.Errorf("a scale that is too large: %v", err)
	}
}

func TestStepsByChannel(t *testing.T) {
	l := matrixLayout{batches: 2, k: 3, n: 2, batch: 6, product: 2, channel: 1}
	turned := matrixLayout{batches: 2, k: 3, n: 2, batch: 6, product: 1, channel: 3}
	for _, test := range []struct {
		layout    matrixLayout
		wide      []float32
		byChannel bool
		want      float64 // of batch 1, k 2, channel 1
	}{
		{l, []float32{1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4}, true, 4},
		{l, []float32{1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 5}, false, 5},
		{turned, []float32{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4}, true, 4},
		{turned, []float32{1, 1, 1, 2, 2, 7, 3, 3, 3, 4, 4, 4}, false, 4},
	} {
		s := &weightSteps{batches: 2, k: 3, n: 2, byChannel: true, step: make([]float64, 4)}
		fillSteps(s, test.layout, test.wide)
		if s.byChannel != test.byChannel || s.at(1, 2, 1) != test.want {
			t.Errorf("%v in %+v: by channel %v, a step is %v", test.wide, test.layout, s.byChannel, s.at(1, 2, 1))
		}
	}
}
