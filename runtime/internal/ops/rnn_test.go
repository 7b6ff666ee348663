package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// recurrentCase is a recurrent operator with operands for two directions.
type recurrentCase struct {
	op             string
	gates, outputs int
	attrs          []*onnx.Attr
	x, w, r, b     *tensor.Tensor
	h, c, p        *tensor.Tensor // c and p only for LSTM
}

const (
	testSteps  = 5
	testBatch  = 3
	testHidden = 4
)

func recurrentCases() []recurrentCase {
	random := rand.New(rand.NewPCG(9, 9))
	var cases []recurrentCase
	for _, kind := range []recurrentCase{
		{op: "RNN", gates: 1, outputs: 2},
		{op: "GRU", gates: 3, outputs: 2},
		{op: "GRU", gates: 3, outputs: 2, attrs: []*onnx.Attr{onnx.IntAttr("linear_before_reset", 1)}},
		{op: "LSTM", gates: 4, outputs: 3},
		{op: "LSTM", gates: 4, outputs: 3, attrs: []*onnx.Attr{onnx.IntAttr("input_forget", 1), onnx.FloatAttr("clip", 0.4)}},
	} {
		rows := kind.gates * testHidden
		kind.x, kind.w, kind.r = noise(random, testSteps, testBatch, 2), noise(random, 2, rows, 2), noise(random, 2, rows, testHidden)
		kind.b, kind.h = noise(random, 2, 2*rows), noise(random, 2, testBatch, testHidden)
		if kind.op == "LSTM" {
			kind.c, kind.p = noise(random, 2, testBatch, testHidden), noise(random, 2, 3*testHidden)
		}
		cases = append(cases, kind)
	}
	return cases
}

// one is the case with the operands of one direction.
func (k recurrentCase) one(direction int) recurrentCase {
	for _, operand := range []**tensor.Tensor{&k.w, &k.r, &k.b, &k.h, &k.c, &k.p} {
		if *operand != nil {
			*operand = part(*operand, 0, direction, direction+1)
		}
	}
	return k
}

func (k recurrentCase) run(t *testing.T, lengths []int32, attrs ...*onnx.Attr) []*tensor.Tensor {
	t.Helper()
	in := []tensor.Value{k.x, k.w, k.r, k.b, nil, k.h}
	if lengths != nil {
		in[4] = list(lengths...)
	}
	if k.c != nil {
		in = append(in, k.c, k.p)
	}
	return compute(t, k.op, 14, k.outputs, append(attrs, k.attrs...), in...)
}

func direction(name string) *onnx.Attr { return onnx.StringAttr("direction", name) }

func TestRecurrentDirections(t *testing.T) {
	for i, k := range recurrentCases() {
		t.Run(fmt.Sprint(i, k.op), func(t *testing.T) {
			both := k.run(t, nil, direction("bidirectional"))
			forward := k.one(0).run(t, nil)
			back := k.one(1).run(t, nil, direction("reverse"))
			for output := range both {
				axis := 0
				if output == 0 {
					axis = 1
				}
				wantSame(t, both[output], joined(t, axis, forward[output], back[output]), 0)
			}
			turned := k.one(1)
			turned.x = backwards(k.x, 0)
			straight := turned.run(t, nil)
			wantSame(t, backwards(back[0], 0), straight[0], 0)
			for output := 1; output < k.outputs; output++ {
				wantSame(t, back[output], straight[output], 0)
			}
		})
	}
}

// A sequence may be run in parts, each from the state that the one before left.
func TestRecurrentStates(t *testing.T) {
	for i, k := range recurrentCases() {
		t.Run(fmt.Sprint(i, k.op), func(t *testing.T) {
			k = k.one(0)
			whole := k.run(t, nil)
			first, second := k, k
			first.x, second.x = part(k.x, 0, 0, 2), part(k.x, 0, 2, testSteps)
			begun := first.run(t, nil)
			second.h = begun[1]
			if k.c != nil {
				second.c = begun[2]
			}
			ended := second.run(t, nil)
			wantSame(t, joined(t, 0, begun[0], ended[0]), whole[0], 1e-6)
			wantSame(t, ended[k.outputs-1], whole[k.outputs-1], 1e-6)
			wantSame(t, part(whole[0], 0, testSteps-1, testSteps).WithShape(whole[1].Shape()), whole[1], 0)
		})
	}
}

// A sample that is shorter is as if it were alone: its state is its own last
// one, what lies behind it is zero, and reversed it begins at its own end.
func TestRecurrentLengths(t *testing.T) {
	lengths := []int32{5, 0, 3}
	for i, k := range recurrentCases() {
		t.Run(fmt.Sprint(i, k.op), func(t *testing.T) {
			all := k.run(t, lengths, direction("bidirectional"))
			for sample, length := range lengths {
				alone := k
				alone.x = part(part(k.x, 0, 0, int(length)), 1, sample, sample+1)
				alone.h = part(k.h, 1, sample, sample+1)
				if k.c != nil {
					alone.c = part(k.c, 1, sample, sample+1)
				}
				want := alone.run(t, nil, direction("bidirectional"))
				own := part(all[0], 2, sample, sample+1)
				wantSame(t, part(own, 0, 0, int(length)), want[0], 1e-6)
				rest := part(own, 0, int(length), testSteps)
				wantSame(t, rest, tensor.Make[float32](rest.Shape()), 0)
				for output := 1; output < k.outputs; output++ {
					wantSame(t, part(all[output], 1, sample, sample+1), want[output], 1e-6)
				}
			}
		})
	}
}

func TestRecurrentLayout(t *testing.T) {
	for i, k := range recurrentCases() {
		t.Run(fmt.Sprint(i, k.op), func(t *testing.T) {
			want := k.run(t, []int32{4, 5, 2}, direction("bidirectional"))
			k.x, k.h = swapped(t, k.x), swapped(t, k.h)
			if k.c != nil {
				k.c = swapped(t, k.c)
			}
			got := k.run(t, []int32{4, 5, 2}, direction("bidirectional"), onnx.IntAttr("layout", 1))
			y, err := transpose(nil, want[0], []int{2, 0, 1, 3})
			if err != nil {
				t.Fatal(err)
			}
			wantSame(t, got[0], y, 0)
			for output := 1; output < k.outputs; output++ {
				wantSame(t, got[output], swapped(t, want[output]), 0)
			}
		})
	}
}

// One step of one hidden element, by the operators' equations.
func TestRecurrentEquations(t *testing.T) {
	s := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	row := func(v ...float64) *tensor.Tensor { return shaped([]int{1, len(v), 1}, v...) }
	x, h, c := shaped([]int{1, 1, 1}, 0.5), shaped([]int{1, 1, 1}, -0.25), shaped([]int{1, 1, 1}, 0.75)
	flat := func(v ...float64) *tensor.Tensor { return shaped([]int{1, len(v)}, v...) }

	plain := compute(t, "RNN", 14, 2, nil, x, row(2), row(3), flat(0.1, 0.2), nil, h)
	wantClose(t, plain[1], []int{1, 1, 1}, []float64{math.Tanh(0.5*2 - 0.25*3 + 0.1 + 0.2)}, 1e-15)

	z, r := s(0.5*1-0.25*4+0.1+0.4), s(0.5*2-0.25*5+0.2+0.5)
	for linear, g := range []float64{
		math.Tanh(0.5*3 + r*-0.25*6 + 0.3 + 0.6),
		math.Tanh(0.5*3 + r*(-0.25*6+0.6) + 0.3),
	} {
		got := compute(t, "GRU", 14, 2, []*onnx.Attr{onnx.IntAttr("linear_before_reset", int64(linear))},
			x, row(1, 2, 3), row(4, 5, 6), flat(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), nil, h)
		wantClose(t, got[1], []int{1, 1, 1}, []float64{(1-z)*g + z*-0.25}, 1e-15)
	}

	bias, peepholes := flat(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8), flat(0.9, -0.9, 0.6)
	i, g := s(0.5*1-0.25*5+0.1+0.5+0.9*0.75), math.Tanh(0.5*4-0.25*8+0.4+0.8)
	for coupled, f := range []float64{s(0.5*3 - 0.25*7 + 0.3 + 0.7 + 0.6*0.75), 1 - i} {
		cell := f*0.75 + i*g
		o := s(0.5*2 - 0.25*6 + 0.2 + 0.6 - 0.9*cell)
		got := compute(t, "LSTM", 14, 3, []*onnx.Attr{onnx.IntAttr("input_forget", int64(coupled))},
			x, row(1, 2, 3, 4), row(5, 6, 7, 8), bias, nil, h, c, peepholes)
		wantClose(t, got[2], []int{1, 1, 1}, []float64{cell}, 1e-15)
		wantClose(t, got[1], []int{1, 1, 1}, []float64{o * math.Tanh(cell)}, 1e-15)
	}
}

func TestRecurrentActivations(t *testing.T) {
	for _, test := range []struct {
		name        string
		alpha, beta []float32
		want        func(x float64) float64
	}{
		{name: "Relu", want: func(x float64) float64 { return max(x, 0) }},
		{name: "sigmoid", want: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
		{name: "Affine", alpha: []float32{2}, beta: []float32{0.5}, want: func(x float64) float64 { return 2*x + 0.5 }},
		{name: "LeakyRelu", want: func(x float64) float64 { return max(x, 0.01*x) }},
		{name: "ThresholdedRelu", want: func(x float64) float64 { return math.Floor(max(x, 0)) * x }}, // of 1, for |x| < 2
		{name: "ScaledTanh", alpha: []float32{0.5}, beta: []float32{2}, want: func(x float64) float64 { return 0.5 * math.Tanh(2*x) }},
		{name: "HardSigmoid", want: func(x float64) float64 { return min(max(0.2*x+0.5, 0), 1) }},
		{name: "Elu", want: func(x float64) float64 { return max(x, 0) + min(math.Expm1(x), 0) }},
		{name: "Softsign", want: func(x float64) float64 { return x / (1 + math.Abs(x)) }},
		{name: "Softplus", want: func(x float64) float64 { return math.Log1p(math.Exp(x)) }},
	} {
		attrs := []*onnx.Attr{onnx.StringsAttr("activations", []string{test.name}), onnx.FloatsAttr("activation_alpha", test.alpha), onnx.FloatsAttr("activation_beta", test.beta)}
		for _, x := range []float64{-1.5, -0.25, 0, 0.5, 1.75} {
			one := func(v float64) *tensor.Tensor { return shaped([]int{1, 1, 1}, v) }
			got := compute(t, "RNN", 14, 2, attrs, one(x), one(1), one(0))
			wantClose(t, got[1], []int{1, 1, 1}, []float64{test.want(x)}, 1e-7) // alphas are floats
		}
	}
	// Alphas go to the functions that take one, in order.
	one := func(v ...float64) *tensor.Tensor { return shaped([]int{1, len(v), 1}, v...) }
	got := compute(t, "GRU", 14, 2, []*onnx.Attr{
		onnx.StringsAttr("activations", []string{"Relu", "LeakyRelu"}), onnx.FloatsAttr("activation_alpha", []float32{0.25}),
	}, one(-2), one(0, 0, 1), one(0, 0, 0))
	wantClose(t, got[1], []int{1, 1, 1}, []float64{-0.5}, 0)
}

func TestRecurrentErrors(t *testing.T) {
	x, w, r := counting(2, 1, 3), counting(1, 4, 3), counting(1, 4, 4)
	names := func(v ...string) []*onnx.Attr { return []*onnx.Attr{onnx.StringsAttr("activations", v)} }
	runNodeTests(t, []nodeTest{
		{op: "RNN", opset: 7, name: "direction", attrs: []*onnx.Attr{direction("sideways")}, in: values(x, w, r), err: "sideways"},
		{op: "RNN", opset: 7, name: "two directions", attrs: []*onnx.Attr{direction("bidirectional")}, in: values(x, w, r), err: "[2 4 3]"},
		{op: "RNN", opset: 7, name: "rank", in: values(counting(2, 3), w, r), err: "rank 3"},
		{op: "RNN", opset: 7, name: "length", in: values(x, w, r, nil, list[int32](3)), err: "length 3"},
		{op: "RNN", opset: 7, name: "state", in: values(x, w, r, nil, nil, counting(1, 2, 4)), err: "initial hidden state"},
		{op: "RNN", opset: 7, name: "activation", attrs: names("Swish"), in: values(x, w, r), err: "Swish"},
		{op: "GRU", opset: 7, name: "activations", attrs: names("Tanh"), in: values(x, w, r), err: "want 2"},
		{op: "RNN", opset: 7, name: "too many steps", in: values(counting(1<<40, 1, 0), counting(1, 4, 0), r), err: "too large"},
	})
}
