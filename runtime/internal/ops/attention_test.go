package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// attentionCase is an Attention node by its parts.
type attentionCase struct {
	batch, queryHeads, keyHeads, queries, keys, size, valueSize int
	q, k, v                                                     *tensor.Tensor
}

func drawAttention(random *rand.Rand) attentionCase {
	a := attentionCase{batch: 1 + random.IntN(2), keyHeads: 1 + random.IntN(2), queries: 1 + random.IntN(20), keys: 1 + random.IntN(6), size: 1 + random.IntN(4), valueSize: 1 + random.IntN(4)}
	a.queryHeads = a.keyHeads * (1 + random.IntN(3))
	a.q = noise(random, a.batch, a.queryHeads, a.queries, a.size)
	a.k = noise(random, a.batch, a.keyHeads, a.keys, a.size)
	a.v = noise(random, a.batch, a.keyHeads, a.keys, a.valueSize)
	return a
}

// naively attends by the definition; bias says what is added to the score of a
// key, and a query that no key may be seen by gets zeros.
func (a attentionCase) naively(t *testing.T, scale, softcap float64, bias func(sample, head, query, key int) float64) []float64 {
	t.Helper()
	q, k, v := floats(t, a.q), floats(t, a.k), floats(t, a.v)
	var y []float64
	for sample := range a.batch {
		for head := range a.queryHeads {
			shared := sample*a.keyHeads + head*a.keyHeads/a.queryHeads
			for query := range a.queries {
				row := q[((sample*a.queryHeads+head)*a.queries+query)*a.size:][:a.size]
				weights, sum := make([]float64, a.keys), 0.0
				for key := range weights {
					score := scale * dot(row, k[(shared*a.keys+key)*a.size:])
					if softcap > 0 {
						score = softcap * math.Tanh(score/softcap)
					}
					weights[key] = math.Exp(score + bias(sample, head, query, key))
					sum += weights[key]
				}
				for i := range a.valueSize {
					total := 0.0
					for key, weight := range weights {
						if weight != 0 {
							total += weight / sum * v[(shared*a.keys+key)*a.valueSize+i]
						}
					}
					y = append(y, total)
				}
			}
		}
	}
	return y
}

func (a attentionCase) shape() []int { return []int{a.batch, a.queryHeads, a.queries, a.valueSize} }

func TestAttentionIsItsDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 21))
	hidden := math.Inf(-1)
	for i := range 200 {
		a := drawAttention(random)
		scale, softcap := 0.25+random.Float64(), float64(random.IntN(2))*1.5
		causal, left, right := random.IntN(2) == 0, random.IntN(5)-1, random.IntN(4)-1
		attrs := []*onnx.Attr{
			onnx.FloatAttr("scale", float32(scale)), onnx.FloatAttr("softcap", float32(softcap)),
			onnx.IntAttr("left_window_size", int64(left)), onnx.IntAttr("right_window_size", int64(right)),
		}
		if causal {
			attrs = append(attrs, onnx.IntAttr("is_causal", 1))
		}
		in := values(a.q, a.k, a.v)
		mask := func(sample, head, query, key int) float64 { return 0 }
		switch random.IntN(4) {
		case 1: // numbers for each head
			m := noise(random, a.queryHeads, a.queries, a.keys)
			data := floats(t, m)
			in, mask = append(in, m), func(_, head, query, key int) float64 { return data[(head*a.queries+query)*a.keys+key] }
		case 2: // truth for each sample
			data := make([]bool, a.batch*a.keys)
			for i := range data {
				data[i] = random.IntN(3) > 0
			}
			in = append(in, tensor.New([]int{a.batch, 1, 1, a.keys}, data))
			mask = func(sample, _, _, key int) float64 {
				if data[sample*a.keys+key] {
					return 0
				}
				return hidden
			}
		case 3: // which ends before the keys do
			width := 1 + random.IntN(a.keys)
			m := noise(random, width)
			data := floats(t, m)
			in, mask = append(in, m), func(_, _, _, key int) float64 {
				if key < width {
					return data[key]
				}
				return hidden
			}
		}
		offsets, lengths := make([]int, a.batch), make([]int64, a.batch)
		for sample := range lengths {
			lengths[sample] = int64(a.keys)
		}
		if random.IntN(2) == 0 {
			for sample := range lengths {
				lengths[sample] = int64(random.IntN(a.keys + 1))
				offsets[sample] = int(lengths[sample]) - a.queries
			}
			for len(in) < 6 {
				in = append(in, nil)
			}
			in = append(in, list(lengths...))
		}
		want := a.naively(t, float64(float32(scale)), softcap, func(sample, head, query, key int) float64 {
			position := query + offsets[sample]
			if causal && key > position || left >= 0 && key < position-left || right >= 0 && key > position+right || key >= int(lengths[sample]) {
				return hidden
			}
			return mask(sample, head, query, key)
		})
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			wantClose(t, compute(t, "Attention", 25, 1, attrs, in...)[0], a.shape(), want, 1e-5)
		})
	}
}

// packed is an operand (batch, heads, positions, size) with the heads of each
// position side by side.
func packed(t *testing.T, v *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	moved, err := transpose(nil, v, []int{0, 2, 1, 3})
	if err != nil {
		t.Fatal(err)
	}
	s := moved.Shape()
	return moved.WithShape([]int{s[0], s[1], s[2] * s[3]})
}

func TestAttentionOfPackedHeads(t *testing.T) {
	random := rand.New(rand.NewPCG(22, 22))
	for range 20 {
		a := drawAttention(random)
		want := compute(t, "Attention", 23, 3, nil, a.q, a.k, a.v)
		heads := []*onnx.Attr{onnx.IntAttr("q_num_heads", int64(a.queryHeads)), onnx.IntAttr("kv_num_heads", int64(a.keyHeads))}
		got := compute(t, "Attention", 23, 3, heads, packed(t, a.q), packed(t, a.k), packed(t, a.v))
		wantSame(t, got[0], packed(t, want[0]), 1e-6)
		wantSame(t, got[1], a.k, 0)
		wantSame(t, got[2], a.v, 0)
	}
}

// Keys and values may come in parts: causally, the queries of a later part give
// what they give when all keys come at once.
func TestAttentionWithAPast(t *testing.T) {
	random := rand.New(rand.NewPCG(23, 23))
	causal := []*onnx.Attr{onnx.IntAttr("is_causal", 1), onnx.IntAttr("left_window_size", 3)}
	for range 20 {
		a := drawAttention(random)
		a.queries = a.keys
		a.q = noise(random, a.batch, a.queryHeads, a.queries, a.size)
		whole := compute(t, "Attention", 25, 1, causal, a.q, a.k, a.v)[0]
		cut := random.IntN(a.keys + 1)
		got := compute(t, "Attention", 25, 3, causal, part(a.q, 2, cut, a.keys), part(a.k, 2, cut, a.keys), part(a.v, 2, cut, a.keys), nil, part(a.k, 2, 0, cut), part(a.v, 2, 0, cut))
		wantSame(t, got[0], part(whole, 2, cut, a.keys), 1e-6)
		wantSame(t, got[1], a.k, 0)
		wantSame(t, got[2], a.v, 0)
	}
}

func TestAttentionShowsItsInnerResults(t *testing.T) {
	q, k, v := shaped([]int{1, 1, 1, 1}, 4.0), shaped([]int{1, 1, 2, 1}, 1.0, 2), shaped([]int{1, 1, 2, 1}, 1.0, 0)
	mask := list(0, math.Inf(-1))
	capped := func(x float64) float64 { return 3 * math.Tanh(x/3) }
	for mode, want := range [][]float64{{4, 8}, {capped(4), capped(8)}, {capped(4), math.Inf(-1)}, {1, 0}} {
		attrs := []*onnx.Attr{onnx.IntAttr("qk_matmul_output_mode", int64(mode)), onnx.FloatAttr("softcap", 3)}
		shown := floats(t, compute(t, "Attention", 23, 4, attrs, q, k, v, mask)[3])
		for i := range want {
			if math.Abs(shown[i]-want[i]) > 1e-12 {
				t.Errorf("mode %d shows %v, want %v", mode, shown, want)
				break
			}
		}
	}
	// Where all is hidden nothing is shown and nothing comes out, whatever the
	// products are.
	infinite := shaped([]int{1, 1, 1, 1}, math.Inf(1))
	got := compute(t, "Attention", 23, 4, []*onnx.Attr{onnx.IntAttr("qk_matmul_output_mode", 3)}, infinite, k, v, list(false, false))
	wantClose(t, got[0], []int{1, 1, 1, 1}, []float64{0}, 0)
	wantClose(t, got[3], []int{1, 1, 1, 2}, []float64{0, 0}, 0)
}

func TestAttentionErrors(t *testing.T) {
	x := counting(1, 2, 3, 4)
	run := func(name, err string, attrs []*onnx.Attr, in ...tensor.Value) nodeTest {
		return nodeTest{op: "Attention", opset: 25, name: name, attrs: attrs, in: in, err: err}
	}
	one := func(name string, v int64) []*onnx.Attr { return []*onnx.Attr{onnx.IntAttr(name, v)} }
	runNodeTests(t, []nodeTest{
		run("ranks", "one rank", nil, x, x, counting(1, 3, 4)),
		run("packed without heads", "0 heads", nil, counting(1, 2, 4), counting(1, 2, 4), counting(1, 2, 4)),
		run("heads", "do not fit", nil, counting(1, 3, 3, 4), x, x),
		run("sizes", "do not fit", nil, x, counting(1, 2, 3, 5), x),
		run("batches", "batch is 1", nil, x, counting(2, 2, 3, 4), x),
		run("half a past", "together", nil, x, x, x, nil, x),
		run("another past", "do not fit", nil, x, x, x, nil, x, counting(1, 2, 2, 4)),
		run("past and lengths", "lengths", nil, x, x, x, nil, x, x, list[int64](1)),
		run("lengths", "batch is 1", nil, x, x, x, nil, nil, nil, list[int64](1, 1)),
		run("mask", "broadcast", nil, x, x, x, counting(2, 3)),
		run("mask of text", "number", nil, x, x, x, list("a", "b", "c")),
		run("precision", "softmax_precision", one("softmax_precision", 7), x, x, x),
		run("window", "-1 or more", one("left_window_size", -2), x, x, x),
		run("mode", "from 0 to 3", one("qk_matmul_output_mode", 4), x, x, x),
	})
}

// tensorBody is a body of FlexAttention: a function of one tensor.
type tensorBody func(*tensor.Tensor) *tensor.Tensor

func (tensorBody) Inputs() int  { return 1 }
func (tensorBody) Outputs() int { return 1 }
func (b tensorBody) Run(_ *Call, in []tensor.Value) ([]tensor.Value, error) {
	return []tensor.Value{b(in[0].(*tensor.Tensor))}, nil
}

func TestFlexAttention(t *testing.T) {
	random := rand.New(rand.NewPCG(24, 24))
	a := drawAttention(random)
	flex := func(bodies map[string]Body, in ...tensor.Value) (*tensor.Tensor, error) {
		kernel, _ := Lookup("ai.onnx.preview", "FlexAttention", 1)
		node := &onnx.Node{OpType: "FlexAttention", Inputs: []string{"q", "k", "v"}, Outputs: []string{"y"}}
		for name := range bodies {
			node.Attrs = append(node.Attrs, onnx.GraphAttr(name, &onnx.Graph{}))
		}
		run, err := kernel.Build(&Node{Node: node, Opset: 1, Body: func(attr string) (Body, error) { return bodies[attr], nil }})
		if err != nil {
			t.Fatal(err)
		}
		out, err := run(&Call{Context: t.Context(), Workers: workers(t, 2)}, in)
		if err != nil {
			return nil, err
		}
		return out[0].(*tensor.Tensor), nil
	}
	plain, err := flex(nil, a.q, a.k, a.v)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, plain, compute(t, "Attention", 23, 1, nil, a.q, a.k, a.v)[0], 1e-6)

	// What is added to all scores alike changes nothing; a factor of all
	// probabilities is one of the result.
	shift := tensorBody(func(v *tensor.Tensor) *tensor.Tensor {
		return compute(t, "Add", 14, 1, nil, v, tensor.Scalar[float32](7))[0]
	})
	double := tensorBody(func(v *tensor.Tensor) *tensor.Tensor { return compute(t, "Add", 14, 1, nil, v, v)[0] })
	got, err := flex(map[string]Body{"score_mod": shift, "prob_mod": double}, a.q, a.k, a.v)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, got, compute(t, "Add", 14, 1, nil, plain, plain)[0], 1e-5)

	smaller := tensorBody(func(v *tensor.Tensor) *tensor.Tensor { return part(v, 0, 0, 0) })
	if _, err := flex(map[string]Body{"score_mod": smaller}, a.q, a.k, a.v); err == nil {
		t.Error("a body that changes the shape is no error")
	}
	// Scores of 16-bit operands are in float.
	seen := onnx.Undefined
	look := tensorBody(func(v *tensor.Tensor) *tensor.Tensor { seen = v.DType(); return v })
	half := func(v *tensor.Tensor) tensor.Value { return as(t, v, onnx.Float16) }
	if _, err := flex(map[string]Body{"prob_mod": look}, half(a.q), half(a.k), half(a.v)); err != nil || seen != onnx.Float {
		t.Errorf("a body saw %v (error %v), want float", seen, err)
	}
}

func TestRotaryEmbedding(t *testing.T) {
	random := rand.New(rand.NewPCG(25, 25))
	x := noise(random, 2, 3, 4, 6)
	angles := noise(random, 9, 2)
	cos, sin := compute(t, "Cos", 7, 1, nil, angles)[0], compute(t, "Sin", 7, 1, nil, angles)[0]
	ids := shaped[int64]([]int{2, 4}, 0, 1, 2, 3, 8, 7, 6, 5)
	partly := onnx.IntAttr("rotary_embedding_dim", 4)
	got := compute(t, "RotaryEmbedding", 23, 1, []*onnx.Attr{partly}, x, cos, sin, ids)[0]
	xs, cs, ss, where := floats(t, x), floats(t, cos), floats(t, sin), []int{0, 1, 2, 3, 8, 7, 6, 5}
	want := append([]float64{}, xs...)
	for i := 0; i < len(want); i += 6 {
		row := where[i/72*4+i/6%4]
		for j := range 2 {
			c, s := cs[2*row+j], ss[2*row+j]
			want[i+j], want[i+j+2] = c*xs[i+j]-s*xs[i+j+2], s*xs[i+j]+c*xs[i+j+2]
		}
	}
	wantClose(t, got, x.Shape(), want, 1e-6)

	// Neighbours instead of halves are the same of other elements.
	order := list[int64](0, 2, 1, 3, 4, 5)
	mixed := func(v *tensor.Tensor) *tensor.Tensor {
		return compute(t, "Gather", 13, 1, []*onnx.Attr{onnx.IntAttr("axis", -1)}, v, order)[0]
	}
	interleaved := compute(t, "RotaryEmbedding", 23, 1, []*onnx.Attr{partly, onnx.IntAttr("interleaved", 1)}, mixed(x), cos, sin, ids)[0]
	wantSame(t, mixed(interleaved), got, 0)

	heads := onnx.IntAttr("num_heads", 3)
	wantSame(t, compute(t, "RotaryEmbedding", 23, 1, []*onnx.Attr{partly, heads}, packed(t, x), cos, sin, ids)[0], packed(t, got), 0)
	chosen := func(v *tensor.Tensor) *tensor.Tensor { return compute(t, "Gather", 13, 1, nil, v, ids)[0] }
	wantSame(t, compute(t, "RotaryEmbedding", 23, 1, []*onnx.Attr{partly}, x, chosen(cos), chosen(sin))[0], got, 0)
	runNodeTests(t, []nodeTest{
		{op: "RotaryEmbedding", opset: 23, name: "table", in: values(x, cos, sin, ids), err: "last axis 3"},
		{op: "RotaryEmbedding", opset: 23, name: "no heads", in: values(packed(t, x), cos, sin, ids), err: "num_heads"},
		{op: "RotaryEmbedding", opset: 23, name: "odd", attrs: []*onnx.Attr{onnx.IntAttr("rotary_embedding_dim", 3)}, in: values(x, cos, sin, ids), err: "pairs"},
		{op: "RotaryEmbedding", opset: 23, name: "position", attrs: []*onnx.Attr{partly}, in: values(x, cos, sin, shaped[int64]([]int{2, 4}, 0, 1, 2, 3, 9, 7, 6, 5)), err: "position ids"},
		{op: "RotaryEmbedding", opset: 23, name: "positions", attrs: []*onnx.Attr{partly}, in: values(x, cos, sin, list[int64](0, 1)), err: "position ids"},
	})
}

func TestLinearAttention(t *testing.T) {
	random := rand.New(rand.NewPCG(26, 26))
	heads := []*onnx.Attr{onnx.IntAttr("q_num_heads", 4), onnx.IntAttr("kv_num_heads", 2)}
	q, k, v := noise(random, 2, 7, 4*3), noise(random, 2, 7, 2*3), noise(random, 2, 7, 2*5)
	past, beta := noise(random, 2, 2, 3, 5), noise(random, 2, 7, 2)
	for _, test := range []struct {
		rule  string
		decay *tensor.Tensor
		beta  bool
	}{
		{rule: "linear"}, {rule: "delta", beta: true},
		{rule: "gated", decay: noise(random, 2, 7, 6)}, {rule: "gated_delta", decay: noise(random, 2, 7, 2), beta: true},
	} {
		attrs := append([]*onnx.Attr{text("update_rule", test.rule)}, heads...)
		run := func(from, to int, state *tensor.Tensor) []*tensor.Tensor {
			in := []tensor.Value{part(q, 1, from, to), part(k, 1, from, to), part(v, 1, from, to), state, nil, nil}
			if test.decay != nil {
				in[4] = part(test.decay, 1, from, to)
			}
			if test.beta {
				in[5] = part(beta, 1, from, to)
			}
			return compute(t, "LinearAttention", 27, 2, attrs, in...)
		}
		whole, first := run(0, 7, past), run(0, 3, past)
		second := run(3, 7, first[1])
		wantSame(t, joined(t, 1, first[0], second[0]), whole[0], 1e-6)
		wantSame(t, second[1], whole[1], 1e-6)
	}
	// Two positions of one head, by hand: a state of 10 decays to a half, then
	// moves towards 6 by a quarter of what is missing there.
	number := func(v ...float32) *tensor.Tensor { return shaped([]int{1, len(v), 1}, v...) }
	one := []*onnx.Attr{onnx.IntAttr("q_num_heads", 1), onnx.IntAttr("kv_num_heads", 1), onnx.FloatAttr("scale", 2)}
	half := float32(math.Log(0.5))
	got := compute(t, "LinearAttention", 27, 2, one, number(1, 3), number(1, 1), number(6, 6), shaped[float32]([]int{1, 1, 1, 1}, 10), number(half, 0), number(0.25, 1))
	wantClose(t, got[0], []int{1, 2, 1}, []float64{2 * 5.25, 6 * 6}, 1e-6)
	wantClose(t, got[1], []int{1, 1, 1, 1}, []float64{6}, 1e-6)
	runNodeTests(t, []nodeTest{
		{op: "LinearAttention", opset: 27, name: "rule", attrs: append([]*onnx.Attr{text("update_rule", "quadratic")}, heads...), in: values(q, k, v), err: "quadratic"},
		{op: "LinearAttention", opset: 27, name: "no decay", attrs: heads, in: values(q, k, v), err: "decay goes with"},
		{op: "LinearAttention", opset: 27, name: "heads", in: values(q, k, v), err: "multiple"},
		{op: "LinearAttention", opset: 27, name: "past", attrs: append([]*onnx.Attr{text("update_rule", "linear")}, heads...), in: values(q, k, v, counting(2, 2, 5, 3)), err: "past state"},
	})
}
