package runtime

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// fuzzSeeds are small models that between them have what Compile and Run do:
// bodies, functions, fused products, constants of every kind.
func fuzzSeeds(f *testing.F) []*onnx.Model {
	x := []*onnx.Value{value("x", floatType(2, 3))}
	branch := func(op string) *onnx.Graph { return graphOf(nil, "r"+op, []*onnx.Node{node(op, "x", "r"+op)}) }
	body := graphOf([]*onnx.Value{value("i", nil), value("c", nil), value("a", nil)}, "c,b,b", []*onnx.Node{node("MatMul", "a,w", "b")})
	body.Outputs[2].Type = floatType(2, 3)
	sum := graphOf([]*onnx.Value{value("s", floatType(3)), value("row", floatType(3))}, "t,t", []*onnx.Node{node("Add", "s,row", "t")})
	sum.Outputs[1].Type = floatType(3)
	return []*onnx.Model{
		modelOf(17, graphOf(x, "y", []*onnx.Node{node("MatMul", "x,w", "p"), node("Add", "p,b", "s"), node("Softmax", "s", "y")},
			stored(f, "w", ramp(3, 4)), stored(f, "b", ramp(4)))),
		modelOf(21, graphOf(x, "y", []*onnx.Node{node("DequantizeLinear", "q,s,z", "w", onnx.IntAttr("axis", 1)), node("Gemm", "x,w,b", "y", onnx.FloatAttr("alpha", 2))},
			stored(f, "q", quantized(3, 4)), stored(f, "s", scalesOf(4)), onnx.Int8Tensor("z", []int64{4}, make([]int8, 4)), stored(f, "b", ramp(4)))),
		modelOf(13, graphOf(x, "y", []*onnx.Node{node("Cast", "q", "f", onnx.IntAttr("to", 1)), node("Mul", "f,s", "w"), node("MatMul", "x,w", "p"), node("Add", "p,s", "y")},
			stored(f, "q", quantized(3, 4)), stored(f, "s", scalesOf(4)))),
		modelOf(17, graphOf(x, "y", []*onnx.Node{node("ReduceMax", "x", "m", onnx.IntAttr("keepdims", 0)), node("Greater", "m,zero", "c"),
			node("If", "c", "y", onnx.GraphAttr("then_branch", branch("Neg")), onnx.GraphAttr("else_branch", branch("Exp")))}, onnx.FloatTensor("zero", nil, []float32{0}))),
		modelOf(17, graphOf(x, "y,z", []*onnx.Node{node("Loop", "m,_,x", "y,z", onnx.GraphAttr("body", body))}, stored(f, "w", ramp(3, 3)), onnx.Int64Tensor("m", nil, []int64{3}))),
		modelOf(17, graphOf(x, "y,z", []*onnx.Node{node("Scan", "b,x", "y,z", onnx.GraphAttr("body", sum), onnx.IntAttr("num_scan_inputs", 1))}, stored(f, "b", ramp(3)))),
		withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling("F", "x", "h", onnx.FloatAttr("slope", 3)), calling("F", "h", "y")})),
			function("F", "a", "r", 17, node("LeakyRelu", "a", "t", referring("alpha", "slope", onnx.AttrFloat)), node("Neg", "t", "r"))),
		modelOf(17, graphOf(x, "y", []*onnx.Node{node("Reshape", "x,shape", "r"), node("Transpose", "r", "t", onnx.IntsAttr("perm", []int64{1, 0, 2})),
			node("Slice", "t,from,to,axes", "s"), node("Concat", "s,s", "c", onnx.IntAttr("axis", 2)), node("Gather", "c,from", "y")},
			onnx.Int64Tensor("shape", []int64{3}, []int64{3, 1, -1}), onnx.Int64Tensor("from", []int64{1}, []int64{0}), onnx.Int64Tensor("to", []int64{1}, []int64{1}), onnx.Int64Tensor("axes", []int64{1}, []int64{1}))),
	}
}

// FuzzRun compiles and runs models whose bytes were changed: whatever they say,
// there is an error or a result, soon, and no kernel falls over.
func FuzzRun(f *testing.F) {
	for _, m := range fuzzSeeds(f) {
		var b bytes.Buffer
		if err := onnx.Encode(&b, m); err != nil {
			f.Fatal(err)
		}
		if err := tryModel(f.Context(), b.Bytes()); err != nil {
			f.Fatalf("a seed does not run: %v", err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		begin := time.Now()
		err := tryModel(t.Context(), data)
		var fallen *PanicError
		if errors.As(err, &fallen) {
			t.Errorf("%v\n%s", err, fallen.Stack)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// errLarge is given for models that ask for much memory, honestly: a fuzzer
// finds nothing in them but the end of it.
var errLarge = errors.New("the model is too large for this test")

func tryModel(ctx context.Context, data []byte) error {
	m, err := onnx.Decode(data)
	if err != nil {
		return err
	}
	if large(m.Graph) {
		return errLarge
	}
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	in, err := makeFeeds(m, FeedOptions{}, 10*time.Millisecond)
	if err != nil {
		return err
	}
	s, err := Compile(m, Options{Threads: 2})
	if err != nil {
		return err
	}
	_, err = s.Run(ctx, in)
	return err
}

// large says whether a graph has numbers that may be large shapes.
func large(g *onnx.Graph) bool {
	beyond := func(list []int64) bool {
		count := int64(1)
		for _, v := range list {
			if v = max(v, -v, 1); v > 1<<10 || count*v > 1<<16 {
				return true
			}
			count *= v
		}
		return false
	}
	for _, t := range g.Initializers {
		if v, err := t.Int64s(); err == nil && t.Type == onnx.Int64 && beyond(v) {
			return true
		}
	}
	for _, v := range g.Inputs {
		if v.Type == nil {
			continue
		}
		for _, d := range v.Type.Shape {
			if beyond([]int64{d.Size}) {
				return true
			}
		}
	}
	for _, n := range g.Nodes {
		for _, a := range n.Attrs {
			if beyond(a.Ints) || beyond([]int64{a.I}) || a.G != nil && large(a.G) {
				return true
			}
			if a.T != nil && large(&onnx.Graph{Initializers: []*onnx.Tensor{a.T}}) {
				return true
			}
		}
	}
	return false
}
