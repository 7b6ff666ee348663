package runtime

import (
	"errors"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func scalar[T tensor.Element](v T) *tensor.Tensor { return tensor.Scalar(v) }

func TestCompileReportsAllMissingOperators(t *testing.T) {
	x := []*onnx.Value{value("x", floatType(2)), value("c", typed(onnx.Bool))}
	branch := func(op string) *onnx.Graph { return graphOf(nil, "r", []*onnx.Node{node(op, "x", "r")}) }
	m := modelOf(17, graphOf(x, "y", []*onnx.Node{
		node("Missing", "x", "a"),
		{OpType: "Missing", Domain: "elsewhere", Inputs: []string{"a"}, Outputs: []string{"b"}, Name: "second"},
		node("Missing", "b", "d"),
		node("If", "c", "y", onnx.GraphAttr("then_branch", branch("AlsoMissing")), onnx.GraphAttr("else_branch", branch("Neg"))),
	}))
	_, err := Compile(m, Options{})
	var unsupported *UnsupportedError
	if !errors.As(err, &unsupported) {
		t.Fatalf("%v is no *UnsupportedError", err)
	}
	if len(unsupported.Operators) != 3 {
		t.Errorf("%d operators are missing, want 3", len(unsupported.Operators))
	}
	wantError(t, err, `Missing (opset 17, first at node "a" (Missing))`, `elsewhere.Missing (opset 1, first at node "second"`, "AlsoMissing")
}

func TestCompileRefuses(t *testing.T) {
	x := []*onnx.Value{value("x", floatType(2))}
	broken := onnx.NewTensor("w", onnx.Float, []int64{4}, onnx.Bytes{1, 2, 3})
	huge := onnx.NewTensor("w", onnx.Float, []int64{1 << 40, 1 << 40}, onnx.Bytes{})
	tests := map[string]struct {
		model *onnx.Model
		words []string
	}{
		"a name that nothing defines": {
			modelOf(17, graphOf(x, "y", []*onnx.Node{node("Add", "x,nothing", "y")})), []string{`node "y" (Add)`, "operand 1", `"nothing"`}},
		"nodes out of order": {
			modelOf(17, graphOf(x, "y", []*onnx.Node{node("Neg", "t", "y"), node("Neg", "x", "t")})), []string{`node "y" (Neg)`, `"t"`}},
		"an output that nothing defines": {
			modelOf(17, graphOf(x, "nothing", []*onnx.Node{node("Neg", "x", "y")})), []string{`output "nothing"`}},
		"an operand that the operator needs": {
			modelOf(17, graphOf(x, "y", []*onnx.Node{node("Add", "x,_", "y")})), []string{`node "y" (Add)`, "operand 1 is missing"}},
		"an attribute of another type": {
			modelOf(17, graphOf(x, "y", []*onnx.Node{node("LeakyRelu", "x", "y", onnx.IntAttr("alpha", 1))})), []string{`node "y" (LeakyRelu)`, `"alpha"`, "INT", "FLOAT"}},
		"an attribute without type and value": {
			modelOf(17, graphOf(x, "y", []*onnx.Node{node("LeakyRelu", "x", "y", &onnx.Attr{Name: "alpha"})})), []string{`"alpha"`, "UNDEFINED", "FLOAT"}},
		"an initializer that is too short": {
			modelOf(17, graphOf(x, "y", []*onnx.Node{node("Add", "x,w", "y")}, broken)), []string{`"w"`, "16 bytes"}},
		"an initializer beyond all memory": {
			modelOf(17, graphOf(x, "y", []*onnx.Node{node("Add", "x,w", "y")}, huge)), []string{`"w"`, "too large"}},
		"a branch with an input": {
			modelOf(17, graphOf([]*onnx.Value{value("c", typed(onnx.Bool))}, "y", []*onnx.Node{node("If", "c", "y",
				onnx.GraphAttr("then_branch", graphOf([]*onnx.Value{value("i", nil)}, "i", nil)),
				onnx.GraphAttr("else_branch", graphOf(nil, "c", nil)))})), []string{"then_branch has 1 inputs"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(test.model, Options{})
			wantError(t, err, test.words...)
		})
	}
}

func TestCompileFolds(t *testing.T) {
	x := []*onnx.Value{value("x", floatType(2))}
	w := onnx.FloatTensor("w", []int64{2}, []float32{1, 2})
	large := onnx.Int8Tensor("q", []int64{128, 256}, make([]int8, 128*256))
	scale := onnx.FloatTensor("s", nil, []float32{0.5})
	tests := map[string]struct {
		graph *onnx.Graph
		steps string
	}{
		"what depends on nothing": {
			graphOf(x, "y", []*onnx.Node{
				node("Constant", "", "c", onnx.FloatAttr("value_float", 2)), node("Mul", "w,c", "d"), node("Neg", "d", "e"), node("Add", "x,e", "y")}, w), "Add"},
		"not what is random": {
			graphOf(x, "y", []*onnx.Node{node("RandomUniformLike", "w", "r"), node("Add", "x,r", "y")}, w), "RandomUniformLike Add"},
		"not the floats of a large quantized weight": {
			graphOf(x, "y", []*onnx.Node{node("DequantizeLinear", "q,s", "d"), node("ReduceSum", "d", "r"), node("Add", "x,r", "y")}, large, scale),
			"DequantizeLinear ReduceSum Add"},
		"not what fails": { // it may never run
			graphOf(x, "y", []*onnx.Node{node("Reshape", "w,shape", "r"), node("Add", "x,r", "y")}, w, onnx.Int64Tensor("shape", []int64{1}, []int64{3})), "Reshape Add"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := Compile(modelOf(17, test.graph), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := operators(s); got != test.steps {
				t.Errorf("the steps are %q, want %q", got, test.steps)
			}
		})
	}
}

// TestDefaultsAreNotFolded has an initializer that a caller may override, and
// the same in a model of an old IR version, where it is a constant.
func TestDefaultsAreNotFolded(t *testing.T) {
	inputs := []*onnx.Value{value("x", floatType(2)), value("w", floatType(2))}
	g := graphOf(inputs, "y", []*onnx.Node{node("Neg", "w", "n"), node("Add", "x,n", "y")}, onnx.FloatTensor("w", []int64{2}, []float32{1, 2}))
	x, w := floats([]int{2}, 10, 10), floats([]int{2}, 5, 5)

	m := modelOf(8, g)
	same(t, "by default", run(t, m, feeds{"x": x})["y"], floats([]int{2}, 9, 8))
	same(t, "overridden", run(t, m, feeds{"x": x, "w": w})["y"], floats([]int{2}, 5, 5))

	old := modelOf(8, g)
	old.IRVersion = 3
	same(t, "IR version 3", run(t, old, feeds{"x": x})["y"], floats([]int{2}, 9, 8))
	s, err := Compile(old, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if list := s.Inputs(); len(list) != 1 || list[0].Name != "x" || list[0].Default {
		t.Errorf("the inputs are %v, want x alone", list)
	}
	_, err = s.Run(t.Context(), feeds{"x": x, "w": w})
	wantError(t, err, `"w"`, "IR version 3")
}

// TestSessionOutlivesTheModel closes the file before the session runs.
func TestSessionOutlivesTheModel(t *testing.T) {
	m, err := onnx.Open("../testdata/models/digits_vit/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	in, err := MakeFeeds(m, FeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Compile(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), in); err != nil {
		t.Error(err)
	}
}

// TestLargeWeightsOutliveTheModel: weights that are not copied while the model is
// compiled are packed or copied before it is closed.
func TestLargeWeightsOutliveTheModel(t *testing.T) {
	const k, n = 512, 256
	q := quantized(k, n)
	unsigned := unsignedOf(q)
	dequantize := func(w, scales, out string) *onnx.Node {
		return node("DequantizeLinear", w+","+scales, out, onnx.IntAttr("axis", 1))
	}
	cast := func(w, out string) *onnx.Node { return node("Cast", w, out, onnx.IntAttr("to", int64(onnx.Float))) }
	inputs := []*onnx.Value{value("x", floatType(3, k)), value("i", typed(onnx.Int64, 2)), value("b", typed(onnx.Bool)), value("image", floatType(1, 8, 6, 6))}
	m := modelOf(17, graphOf(inputs, "y,rows,z,whole,product,cast rows,map,small", []*onnx.Node{
		cast("multiplied", "m"), node("Mul", "m,s", "ms"), node("MatMul", "x,ms", "product"), // packed
		cast("cast table", "c"), node("Gather", "c,i", "cast rows"), // cast in every run
		cast("filters", "w"), node("Mul", "w,one", "ws"), node("Conv", "image,ws", "map"), // packed
		cast("small table", "t"), node("Cast", "b", "row", onnx.IntAttr("to", int64(onnx.Int64))), node("Gather", "t,row", "small"),
		dequantize("fused", "s", "f"), node("MatMul", "x,f", "y"), // packed
		dequantize("table", "s", "d"), node("Gather", "d,i", "rows"), // dequantized in every run
		dequantize("unsigned", "s", "u"), node("MatMul", "x,u", "z"),
		node("If", "b", "whole", onnx.GraphAttr("then_branch", graphOf(nil, "r", []*onnx.Node{dequantize("captured", "s", "r")})),
			onnx.GraphAttr("else_branch", graphOf(nil, "r", []*onnx.Node{dequantize("captured", "s", "e"), node("Neg", "e", "r")}))),
	}, stored(t, "multiplied", q), stored(t, "cast table", q), stored(t, "filters", quantized(8, 8, 3, 3)), stored(t, "small table", quantized(10, 20)),
		stored(t, "one", ramp(8, 1, 1, 1)), stored(t, "fused", q), stored(t, "table", q), stored(t, "unsigned", unsigned), stored(t, "captured", q), stored(t, "s", scalesOf(n))))
	in := feeds{"x": ramp(3, k), "i": tensor.New([]int{2}, []int64{5, 300}), "b": tensor.Scalar(true), "image": ramp(1, 8, 6, 6)}
	want := run(t, m, in)
	payloads := [][]byte{}
	for _, init := range m.Graph.Initializers {
		b, err := init.RawBytes()
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, b)
	}
	for _, threads := range []int{1, 2} {
		s, err := Compile(m, Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(payloads)
		for i, b := range payloads { // as if the file were no more
			before[i] = slices.Clone(b)
			clear(b)
		}
		got, err := s.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for name := range want {
			same(t, name, got[name], want[name])
		}
		for i, b := range payloads {
			copy(b, before[i])
		}
	}
}
