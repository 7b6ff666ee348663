package runtime

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// int8Weight is a float weight as 8 bits by channel, made here by the book.
type int8Weight struct {
	q      []int8
	scales []float32
}

// quantizeColumns quantizes a rows×columns weight with a scale for each column.
func quantizeColumns(w *tensor.Tensor) int8Weight {
	data, _ := tensor.Data[float32](w)
	columns := w.Shape()[w.Rank()-1]
	r := int8Weight{q: make([]int8, len(data)), scales: make([]float32, columns)}
	for j := range columns {
		largest := float32(0)
		for i := j; i < len(data); i += columns {
			largest = max(largest, data[i], -data[i])
		}
		r.scales[j] = 1
		if largest > 0 {
			r.scales[j] = largest / 127
		}
		for i := j; i < len(data); i += columns {
			r.q[i] = int8(math.RoundToEven(float64(data[i] / r.scales[j])))
		}
	}
	return r
}

// rewritten is what stands for a weight in a rewritten graph: its initializers.
func (w int8Weight) initializers(name string, shape ...int64) []*onnx.Tensor {
	return []*onnx.Tensor{
		onnx.Int8Tensor(name+"_q", shape, w.q),
		onnx.FloatTensor(name+"_s", []int64{int64(len(w.scales))}, w.scales),
		onnx.Int8Tensor(name+"_z", []int64{int64(len(w.scales))}, make([]int8, len(w.scales))),
	}
}

func dequantizing(name string, axis int64) *onnx.Node {
	return node("DequantizeLinear", name+"_q,"+name+"_s,"+name+"_z", name+"_d", onnx.IntAttr("axis", axis))
}

func turned(w *tensor.Tensor) *tensor.Tensor {
	data, _ := tensor.Data[float32](w)
	return tensor.New([]int{w.Shape()[1], w.Shape()[0]}, transposed(data, w.Shape()[0], w.Shape()[1]))
}

var inputX = []*onnx.Value{value("x", nil)}

// pairs are models and their rewritten forms, honest ones and others.
type pair struct {
	original, rewritten *onnx.Graph
	in                  feeds
	sites               int
	held                string // "yes", "no", or "" if there is no bound
	reason              string // of what is not within
}

func (p pair) check(t *testing.T) *Report {
	t.Helper()
	in := p.in
	if in == nil {
		in = feeds{"x": ramp(5, 24)}
	}
	r, err := Compare(t.Context(), modelOf(21, p.original), modelOf(21, p.rewritten), CompareOptions{Feeds: []feeds{in}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Sites {
		t.Logf("%s: K %d, N %d, of bound %.3g, %.1f dB %s", s.Node, s.K, s.N, s.OfBound, s.SQNR, s.Note)
	}
	if len(r.Sites) != p.sites {
		t.Errorf("%d sites were found, want %d", len(r.Sites), p.sites)
	}
	held := ""
	if r.BoundHeld != nil {
		held = map[bool]string{true: "yes", false: "no"}[*r.BoundHeld]
	}
	if held != p.held {
		t.Errorf("whether the bound held: %q, want %q; %v", held, p.held, r.Reasons)
	}
	if within := p.reason == ""; r.Within != within {
		t.Errorf("within is %v, want %v: %v", r.Within, within, r.Reasons)
	}
	if all := strings.Join(r.Reasons, "; "); !strings.Contains(all, p.reason) {
		t.Errorf("the reasons %q do not say %q", all, p.reason)
	}
	return r
}

const k, n = 24, 10

// TestCompareHoldsHonestForms judges forms of layers that keep their bound.
func TestCompareHoldsHonestForms(t *testing.T) {
	w := ramp(k, n)
	q := quantizeColumns(w)
	plain, initializers := stored(t, "w", w), q.initializers("w", k, n)
	bias := stored(t, "b", ramp(n))
	layer := node("MatMul", "x,w", "y")
	half := func(name string) *onnx.Node {
		return node("Cast", name, name+"16", onnx.IntAttr("to", int64(onnx.Float16)))
	}
	brain := func(name string) *onnx.Node {
		return node("Cast", name, name+"16", onnx.IntAttr("to", int64(onnx.BFloat16)))
	}
	wide := func(name, to string) *onnx.Node { return node("Cast", name, to, onnx.IntAttr("to", int64(onnx.Float))) }
	w3 := ramp(2, k, n)
	q3 := quantizeColumns(w3)
	v := ramp(n, n)
	qv := quantizeColumns(v)
	turnedQ := quantizeColumns(turned(w))
	zeroed := ramp(k, n)
	list, _ := tensor.Data[float32](zeroed)
	for i := 3; i < len(list); i += n {
		list[i] = 0
	}
	qz := quantizeColumns(zeroed)
	maps := ramp(4, 3, 2, 2)
	qm := quantizeColumns(turned(maps.WithShape([]int{4, 12})))
	// MatMulNBits: channel by channel, 16 of a block, around 128.
	nbits := node("MatMulNBits", "x,w_q,w_s", "y", onnx.IntAttr("K", 32), onnx.IntAttr("N", n), onnx.IntAttr("bits", 8), onnx.IntAttr("block_size", 16))
	nbits.Domain = "com.microsoft"
	blocks := quantizeColumns(turned(turned(ramp(32, n)).WithShape([]int{2 * n, 16})))
	packedScales, packed := blocks.scales, make([]byte, 32*n)
	for i, v := range transposed(blocks.q, 16, 2*n) {
		packed[i] = byte(int(v) + 128)
	}
	tests := map[string]pair{
		"DequantizeLinear": {graphOf(inputX, "y", []*onnx.Node{layer}, plain),
			graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 1), node("MatMul", "x,w_d", "y")}, initializers...), nil, 1, "yes", ""},
		"Cast and Mul": {graphOf(inputX, "y", []*onnx.Node{layer}, plain),
			graphOf(inputX, "y", []*onnx.Node{wide("w_q", "c"), node("Mul", "c,w_s", "d"), node("MatMul", "x,d", "y")}, initializers[:2]...), nil, 1, "yes", ""},
		"a bias that stays": {graphOf(inputX, "y", []*onnx.Node{node("MatMul", "x,w", "p"), node("Add", "p,b", "y")}, plain, bias),
			graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 1), node("MatMul", "x,w_d", "p"), node("Add", "p,b", "y")}, append(initializers, bias)...), nil, 1, "yes", ""},
		"Gemm brought to the layout [K,N]": {
			graphOf(inputX, "y", []*onnx.Node{node("Gemm", "x,w,b", "y", onnx.IntAttr("transB", 1), onnx.FloatAttr("alpha", -2), onnx.FloatAttr("beta", 0.5))}, stored(t, "w", turned(w)), bias),
			graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 1), node("Gemm", "x,w_d,b", "y", onnx.FloatAttr("alpha", -2), onnx.FloatAttr("beta", 0.5))}, append(initializers, bias)...),
			nil, 1, "yes", ""},
		"on the left": {graphOf(inputX, "y", []*onnx.Node{node("MatMul", "w,x", "y")}, stored(t, "w", turned(w))),
			graphOf(inputX, "y", []*onnx.Node{node("DequantizeLinear", "q,s", "d", onnx.IntAttr("axis", 0)), node("MatMul", "d,x", "y")},
				onnx.Int8Tensor("q", []int64{n, k}, transposed(q.q, k, n)), onnx.FloatTensor("s", []int64{n}, q.scales)), feeds{"x": ramp(k, 3)}, 1, "yes", ""},
		"a batch of weights": {graphOf(inputX, "y", []*onnx.Node{layer}, stored(t, "w", w3)),
			graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 2), node("MatMul", "x,w_d", "y")}, q3.initializers("w", 2, k, n)...), feeds{"x": ramp(2, 3, k)}, 1, "yes", ""},
		"a weight in a Constant behind a Transpose": {
			graphOf(inputX, "y", []*onnx.Node{node("Constant", "", "c", onnx.TensorAttr("value", stored(t, "v", turned(w)))), node("Transpose", "c", "w"), layer}),
			graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 1), node("MatMul", "x,w_d", "y")}, initializers...), nil, 1, "yes", ""},
		"a channel of zeros": {graphOf(inputX, "y", []*onnx.Node{layer}, stored(t, "w", zeroed)),
			graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 1), node("MatMul", "x,w_d", "y")}, qz.initializers("w", k, n)...), nil, 1, "yes", ""},
		"float16 around the layer": {graphOf(inputX, "y", []*onnx.Node{layer}, plain),
			graphOf(inputX, "y", []*onnx.Node{half("x"), dequantizing("w", 1), half("w_d"), node("MatMul", "x16,w_d16", "p"), wide("p", "y")}, initializers...), nil, 1, "yes", ""},
		"float16 around the layer and its bias": {graphOf(inputX, "y", []*onnx.Node{node("MatMul", "x,w", "p"), node("Add", "p,b", "y")}, plain, bias),
			graphOf(inputX, "y", []*onnx.Node{half("x"), dequantizing("w", 1), half("w_d"), node("MatMul", "x16,w_d16", "p16"), half("b"), node("Add", "p16,b16", "s"), wide("s", "y")},
				append(initializers, bias)...), nil, 1, "yes", ""},
		"bfloat16": {graphOf(inputX, "y", []*onnx.Node{layer}, plain),
			graphOf(inputX, "y", []*onnx.Node{brain("x"), dequantizing("w", 1), brain("w_d"), node("MatMul", "x16,w_d16", "p"), wide("p", "y")}, initializers...), nil, 1, "yes", ""},
		"neighbours whose casts cancel": {
			graphOf(inputX, "y", []*onnx.Node{node("MatMul", "x,w", "p"), node("Add", "p,b", "h"), node("MatMul", "h,v", "y")}, plain, bias, stored(t, "v", v)),
			graphOf(inputX, "y", []*onnx.Node{half("x"), dequantizing("w", 1), half("w_d"), node("MatMul", "x16,w_d16", "p16"), half("b"), node("Add", "p16,b16", "h16"),
				dequantizing("v", 1), half("v_d"), node("MatMul", "h16,v_d16", "y16"), wide("y16", "y")}, slices.Concat(initializers, qv.initializers("v", n, n), []*onnx.Tensor{bias})...),
			nil, 2, "yes", ""},
		"a model of float16": {graphOf(inputX, "y", []*onnx.Node{layer}, stored(t, "w", narrow(t, onnx.Float16, w))),
			graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 1), half("w_d"), node("MatMul", "x,w_d16", "y")}, initializers...),
			feeds{"x": narrow(t, onnx.Float16, ramp(5, k))}, 1, "yes", ""},
		"a vector": {graphOf(inputX, "y", []*onnx.Node{layer}, stored(t, "w", ramp(k))),
			graphOf(inputX, "y", []*onnx.Node{node("DequantizeLinear", "q,s", "d"), node("MatMul", "x,d", "y")},
				onnx.Int8Tensor("q", []int64{k}, quantizeColumns(ramp(k).WithShape([]int{k, 1})).q),
				onnx.FloatTensor("s", nil, quantizeColumns(ramp(k).WithShape([]int{k, 1})).scales)), nil, 1, "yes", ""},
		"activations that are not finite": {graphOf(inputX, "y", []*onnx.Node{layer}, plain),
			graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 1), node("MatMul", "x,w_d", "y")}, initializers...),
			feeds{"x": tensor.New([]int{1, k}, append([]float32{float32(math.NaN())}, make([]float32, k-1)...))}, 1, "yes", ""},
		"two products added, all in float16": {
			graphOf(inputX, "y", []*onnx.Node{node("MatMul", "x,w", "p"), node("MatMul", "x,v", "r"), node("Add", "p,r", "y")}, plain, stored(t, "v", ramp(k, n))),
			graphOf(inputX, "y", []*onnx.Node{half("x"), dequantizing("w", 1), half("w_d"), dequantizing("v", 1), half("v_d"),
				node("MatMul", "x16,w_d16", "p16"), node("MatMul", "x16,v_d16", "r16"), node("Add", "p16,r16", "y16"), wide("y16", "y")},
				slices.Concat(initializers, quantizeColumns(ramp(k, n)).initializers("v", k, n))...), nil, 2, "yes", ""},
		"a convolution": {
			graphOf(inputX, "y", []*onnx.Node{node("Conv", "x,w,b", "y", onnx.IntsAttr("pads", []int64{1, 0, 0, 1}), onnx.IntAttr("group", 2))}, stored(t, "w", maps), stored(t, "b", ramp(4))),
			graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 0), node("Conv", "x,w_d,b", "y", onnx.IntsAttr("pads", []int64{1, 0, 0, 1}), onnx.IntAttr("group", 2))},
				onnx.Int8Tensor("w_q", []int64{4, 3, 2, 2}, transposed(qm.q, 12, 4)), onnx.FloatTensor("w_s", []int64{4}, qm.scales), onnx.Int8Tensor("w_z", []int64{4}, make([]int8, 4)), stored(t, "b", ramp(4))),
			feeds{"x": ramp(1, 6, 5, 5)}, 1, "yes", ""},
		"8 bits by block": {graphOf(inputX, "y", []*onnx.Node{node("MatMul", "x,w", "y")}, stored(t, "w", ramp(32, n))),
			graphOf(inputX, "y", []*onnx.Node{nbits}, onnx.NewTensor("w_q", onnx.Uint8, []int64{n, 2, 16}, onnx.Bytes(packed)), onnx.FloatTensor("w_s", []int64{2 * n}, packedScales)),
			feeds{"x": ramp(5, 32)}, 1, "yes", ""},
		"nothing was rewritten": {graphOf(inputX, "y", []*onnx.Node{layer}, plain), graphOf(inputX, "y", []*onnx.Node{layer}, stored(t, "w", w)), nil, 0, "", ""},
		"8-bit activations, which have no bound": {graphOf(inputX, "y", []*onnx.Node{layer}, plain),
			graphOf(inputX, "y", []*onnx.Node{node("DynamicQuantizeLinear", "x", "xq,xs,xz"), node("MatMulInteger", "xq,w_q,xz", "i"), wide("i", "f"),
				node("Mul", "xs,w_s", "m"), node("Mul", "f,m", "y")}, initializers...), nil, 1, "", ""},
		"weights by row, transposed by the graph": {graphOf(inputX, "y", []*onnx.Node{layer}, stored(t, "w", turned(w).WithShape([]int{n, k}))),
			graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 1), node("MatMul", "x,w_d", "y")}, turnedQ.initializers("w", n, k)...), feeds{"x": ramp(5, n)}, 1, "yes", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test.check(t) })
	}
}

// TestCompareSeesThrough judges rewrites that are wrong in ways that an output's
// signal-to-noise ratio might not tell.
func TestCompareSeesThrough(t *testing.T) {
	w := uneven()
	plain, bias := stored(t, "w", w), stored(t, "b", ramp(n))
	original := graphOf(inputX, "y", []*onnx.Node{node("MatMul", "x,w", "p"), node("Add", "p,b", "y")}, plain, bias)
	form := func(change func(q *int8Weight), nodes ...*onnx.Node) *onnx.Graph {
		q := quantizeColumns(w)
		if change != nil {
			change(&q)
		}
		if nodes == nil {
			nodes = []*onnx.Node{dequantizing("w", 1), node("MatMul", "x,w_d", "p"), node("Add", "p,b", "y")}
		}
		return graphOf(inputX, "y", nodes, append(q.initializers("w", k, n), bias)...)
	}
	zeroed := uneven()
	list, _ := tensor.Data[float32](zeroed)
	for i := 3; i < len(list); i += n {
		list[i] = 0
	}
	withZeros := graphOf(inputX, "y", []*onnx.Node{node("MatMul", "x,w", "p"), node("Add", "p,b", "y")}, stored(t, "w", zeroed), bias)
	off := "off by more than what is proven"
	tests := map[string]pair{
		"a scale that is too large": {original, form(func(q *int8Weight) {
			q.scales[4] *= 1.02 // with fitting integers, all errors are below half of it
			data, _ := tensor.Data[float32](w)
			for i := 4; i < len(data); i += n {
				q.q[i] = int8(math.RoundToEven(float64(data[i] / q.scales[4])))
			}
		}), nil, 1, "no", "channel 4: its scale is"},
		"a weight that is off by two steps": {original, form(func(q *int8Weight) { q.q[7*n+2] += 2 }), feeds{"x": oneHot(7)}, 1, "no", off},
		"scales in the wrong order":         {original, form(func(q *int8Weight) { slices.Reverse(q.scales) }), nil, 1, "no", off},
		"integers in the wrong order":       {original, form(func(q *int8Weight) { slices.Reverse(q.q) }), nil, 1, "no", off},
		"a channel of zeros with a scale": {withZeros, form(func(q *int8Weight) {
			*q = quantizeColumns(zeroed)
			q.scales[3] = 1e-3
		}), nil, 1, "no", "channel 3: its scale is"},
		"a channel of zeros that is none": {withZeros, form(func(q *int8Weight) {
			*q = quantizeColumns(zeroed)
			q.q[3] = 1
		}), nil, 1, "no", off},
		"a bias that is lost": {original, form(nil, dequantizing("w", 1), node("MatMul", "x,w_d", "y")), nil, 1, "no", off},
		"a factor that is lost": {graphOf(inputX, "y", []*onnx.Node{node("Gemm", "x,w,b", "y", onnx.FloatAttr("alpha", 2))}, plain, bias),
			form(nil, dequantizing("w", 1), node("Gemm", "x,w_d,b", "y")), nil, 1, "no", off},
		"another weight of the same name": {original, graphOf(inputX, "y", original.Nodes, stored(t, "w", zeroed), bias), nil, 1, "no", off},
		"8 bits in disguise": {original, form(nil, dequantizing("w", 1), node("DynamicQuantizeLinear", "x", "a,s,z"), node("DequantizeLinear", "a,s,z", "r"),
			node("MatMul", "r,w_d", "p"), node("Add", "p,b", "y")), nil, 1, "", ""},
		"an overflow behind the layer": {original, form(nil, node("Constant", "", "huge", onnx.FloatAttr("value_float", 3e38)),
			dequantizing("w", 1), node("MatMul", "x,w_d", "p"), node("Mul", "p,huge", "h"), node("Add", "h,b", "y")),
			nil, 1, "yes", "NaN or infinite where the original's are not"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test.check(t) })
	}
}

// uneven is a weight whose channels have ranges of their own.
func uneven() *tensor.Tensor {
	w := ramp(k, n)
	data, _ := tensor.Data[float32](w)
	for i := range data {
		data[i] *= float32(1 + i%n)
	}
	return w
}

// oneHot is a row whose only element that is not 0 is the given one.
func oneHot(at int) *tensor.Tensor {
	data := make([]float32, k)
	data[at] = 1
	return tensor.New([]int{1, k}, data)
}

// TestCompareInScopes judges layers in bodies and functions.
func TestCompareInScopes(t *testing.T) {
	w := ramp(n, n)
	q := quantizeColumns(w)
	plain, initializers := stored(t, "w", w), q.initializers("w", n, n)
	before := []*onnx.Node{node("MatMul", "a,w", "r")}
	after := []*onnx.Node{dequantizing("w", 1), node("MatMul", "a,w_d", "r")}
	wrong := append(slices.Clone(after[:1]), node("MatMul", "a,w_d", "t"), node("Add", "t,t", "r"))

	loop := func(nodes []*onnx.Node, outer ...*onnx.Tensor) *onnx.Graph {
		body := graphOf([]*onnx.Value{value("i", nil), value("c", nil), value("a", nil)}, "c,r", nodes)
		return graphOf(inputX, "y", []*onnx.Node{node("Loop", "m,_,x", "y", onnx.GraphAttr("body", body))}, append(outer, onnx.Int64Tensor("m", nil, []int64{3}))...)
	}
	branch := func(nodes []*onnx.Node, taken bool, outer ...*onnx.Tensor) *onnx.Graph {
		then := graphOf(nil, "r", nodes)
		return graphOf(inputX, "y", []*onnx.Node{
			node("Constant", "", "if", onnx.TensorAttr("value", stored(t, "v", scalar(taken)))), node("Neg", "x", "a"),
			node("If", "if", "y", onnx.GraphAttr("then_branch", then), onnx.GraphAttr("else_branch", graphOf(nil, "a", nil)))}, outer...)
	}
	in := feeds{"x": ramp(2, n)}
	tests := map[string]pair{
		"a loop":                     {loop(before, plain), loop(after, initializers...), in, 1, "yes", ""},
		"a loop, wrong":              {loop(before, plain), loop(wrong, initializers...), in, 1, "no", "off by more"},
		"a branch":                   {branch(before, true, plain), branch(after, true, initializers...), in, 1, "yes", ""},
		"a branch, wrong":            {branch(before, true, plain), branch(wrong, true, initializers...), in, 1, "no", "off by more"},
		"a branch that does not run": {branch(before, false, plain), branch(wrong, false, initializers...), in, 1, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test.check(t) })
	}

	t.Run("a function", func(t *testing.T) {
		call := graphOf(inputX, "y", []*onnx.Node{calling("F", "x", "h"), calling("F", "h", "y")})
		constant := func(name string, v *onnx.Tensor) *onnx.Node {
			return node("Constant", "", name, onnx.TensorAttr("value", v))
		}
		original := withFunctions(modelOf(21, call), function("F", "a", "r", 21, append([]*onnx.Node{constant("w", plain)}, before...)...))
		nodes := []*onnx.Node{constant("w_q", initializers[0]), constant("w_s", initializers[1]), constant("w_z", initializers[2])}
		rewritten := withFunctions(modelOf(21, call), function("F", "a", "r", 21, append(nodes, after...)...))
		r, err := Compare(t.Context(), original, rewritten, CompareOptions{Feeds: []feeds{in}})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Sites) != 2 || r.BoundHeld == nil || !*r.BoundHeld {
			t.Errorf("%d sites, held %v: %+v", len(r.Sites), r.BoundHeld, r.Sites)
		}
	})
}
