package runtime

import (
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

const local = "local"

// calling makes a call of a local function.
func calling(name, inputs, outputs string, attrs ...*onnx.Attr) *onnx.Node {
	n := node(name, inputs, outputs, attrs...)
	n.Domain = local
	return n
}

func function(name, inputs, outputs string, opset int64, nodes ...*onnx.Node) *onnx.Function {
	return &onnx.Function{
		Domain: local, Name: name, Inputs: names(inputs), Outputs: names(outputs), Nodes: nodes,
		Opsets: []onnx.OpsetImport{{Version: opset}, {Domain: local, Version: 1}},
	}
}

func referring(name, of string, t onnx.AttrType) *onnx.Attr {
	return &onnx.Attr{Name: name, RefName: of, Type: t}
}

func withFunctions(m *onnx.Model, functions ...*onnx.Function) *onnx.Model {
	m.Functions = functions
	m.Opsets = append(m.Opsets, onnx.OpsetImport{Domain: local, Version: 1})
	return m
}

func TestInlineComputesWhatTheFunctionSays(t *testing.T) {
	x := []*onnx.Value{value("x", floatType(2))}
	in := feeds{"x": floats([]int{2}, 1, -3)}
	leaky := function("Leaky", "a", "b", 17, node("LeakyRelu", "a", "t", referring("alpha", "slope", onnx.AttrFloat)), node("Neg", "t", "b"))
	leaky.AttributeDefaults = []*onnx.Attr{onnx.FloatAttr("slope", 0.5)}
	tests := map[string]struct {
		model *onnx.Model
		want  []float32
	}{
		"attribute by default": {
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling("Leaky", "x", "y")})), leaky), []float32{-1, 1.5}},
		"attribute from the call": {
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling("Leaky", "x", "y", onnx.FloatAttr("slope", 2))})), leaky), []float32{-1, 6}},
		"attribute that neither gives": { // LeakyRelu's own default
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling("F", "x", "y")})),
				function("F", "a", "b", 17, node("LeakyRelu", "a", "b", referring("alpha", "slope", onnx.AttrFloat)))), []float32{1, -0.03}},
		"called twice, with names that both use": {
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling("Leaky", "x", "t"), calling("Leaky", "t", "y")})), leaky), []float32{0.5, -1.5}},
		"function that calls another, which is stated later": {
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling("Twice", "x", "y")})),
				function("Twice", "a", "b", 17, calling("Leaky", "a", "t"), calling("Leaky", "t", "b")), leaky), []float32{0.5, -1.5}},
		"output that is an input": {
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling("F", "x", "s,y")})),
				function("F", "a", "n,a", 17, node("Neg", "a", "n"))), []float32{1, -3}},
		"output that is put out twice": {
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling("F", "x", "s,y")})),
				function("F", "a", "n,n", 17, node("Neg", "a", "n"))), []float32{-1, 3}},
		"input and output that are left out": {
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling("F", "x", "_,y")})),
				function("F", "a,low", "n,b", 17, node("Neg", "a", "n"), node("Clip", "n,low", "b"))), []float32{-1, 3}},
		"the function's own opset": { // ReduceSum has its axes as an attribute before 13
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling("F", "x", "y")})),
				function("F", "a", "b", 11, node("ReduceSum", "a", "b", onnx.IntsAttr("axes", []int64{0})))), []float32{-2}},
		"names inside that the model has too": {
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{node("Neg", "x", "y::t"), calling("Leaky", "x", "z"), node("Add", "z,y::t", "y")})), leaky),
			[]float32{-2, 4.5}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := floats([]int{len(test.want)}, test.want...)
			same(t, "y", run(t, test.model, in)["y"], want)
		})
	}
}

// TestInlineInBodies has calls in a body, a body in a function that reads the
// function's own names, and a reference to an attribute in that body.
func TestInlineInBodies(t *testing.T) {
	body := func(slope *onnx.Attr) *onnx.Graph {
		return graphOf(nil, "r", []*onnx.Node{node("LeakyRelu", "t", "s", slope), node("Add", "s,a", "r")})
	}
	f := function("F", "a,c", "b", 17,
		node("Neg", "a", "t"),
		node("If", "c", "b",
			onnx.GraphAttr("then_branch", body(referring("alpha", "slope", onnx.AttrFloat))),
			onnx.GraphAttr("else_branch", body(onnx.FloatAttr("alpha", 1)))))
	inputs := []*onnx.Value{value("x", floatType(2)), value("c", typed(onnx.Bool))}
	call := func(out string) *onnx.Node { return calling("F", "x,c", out, onnx.FloatAttr("slope", 3)) }
	m := withFunctions(modelOf(17, graphOf(inputs, "y", []*onnx.Node{
		node("If", "c", "y",
			onnx.GraphAttr("then_branch", graphOf(nil, "p", []*onnx.Node{call("p")})),
			onnx.GraphAttr("else_branch", graphOf(nil, "q", []*onnx.Node{call("q")}))),
	})), f)
	x := floats([]int{2}, 1, -2)
	same(t, "then", run(t, m, feeds{"x": x, "c": scalar(true)})["y"], floats([]int{2}, -2, 0))
	same(t, "else", run(t, m, feeds{"x": x, "c": scalar(false)})["y"], floats([]int{2}, 0, 0))
}

// TestInlineNamesAreTheSame holds the inliner to naming what is inside a
// function by the call alone: a rewritten model has nodes that the original lacks.
func TestInlineNamesAreTheSame(t *testing.T) {
	x := []*onnx.Value{value("x", floatType(2))}
	f := function("F", "a", "b", 17, node("Neg", "a", "t"), node("Exp", "t", "b"))
	inner := func(nodes ...*onnx.Node) []string {
		flat, err := inline(withFunctions(modelOf(17, graphOf(x, "y", nodes)), f))
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, n := range flat.model.Graph.Nodes {
			list = append(list, n.Outputs...)
		}
		return list
	}
	before := inner(calling("F", "x", "z"), calling("F", "z", "y"))
	after := inner(node("Identity", "x", "new"), calling("F", "new", "z"), node("Identity", "z", "other"), calling("F", "other", "y"))
	for _, name := range before {
		if !slices.Contains(after, name) {
			t.Errorf("%q of %q is not among %q", name, before, after)
		}
	}
}

func TestInlineRefuses(t *testing.T) {
	x := []*onnx.Value{value("x", floatType(2))}
	call := []*onnx.Node{calling("F", "x", "y")}
	double := []*onnx.Function{function("F0", "a", "b", 17, node("Neg", "a", "b"))}
	last := "F0"
	for i := range 40 { // each calls the one before twice: 2⁴⁰ nodes
		next := "F" + string(rune('A'+i%26)) + string(rune('a'+i/26))
		double = append(double, function(next, "a", "b", 17, calling(last, "a", "t"), calling(last, "t", "b")))
		last = next
	}
	tests := map[string]struct {
		model *onnx.Model
		words []string
	}{
		"a function that calls itself": {
			withFunctions(modelOf(17, graphOf(x, "y", call)), function("F", "a", "b", 17, calling("F", "a", "b"))), []string{"local.F calls itself"}},
		"functions that call each other": {
			withFunctions(modelOf(17, graphOf(x, "y", call)),
				function("F", "a", "b", 17, calling("G", "a", "b")), function("G", "a", "b", 17, calling("F", "a", "b"))),
			[]string{"in function local.F", "in function local.G", "local.F calls itself"}},
		"too many operands": {
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling("F", "x,x", "y")})), function("F", "a", "b", 17, node("Neg", "a", "b"))),
			[]string{`"y" (local.F)`, "2 inputs", "has 1"}},
		"functions that multiply": {
			withFunctions(modelOf(17, graphOf(x, "y", []*onnx.Node{calling(last, "x", "y")})), double...), []string{"more than 262144 nodes"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(test.model, Options{})
			wantError(t, err, test.words...)
		})
	}
}
