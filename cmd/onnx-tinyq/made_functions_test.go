package main

import (
	"bytes"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// local is the domain of the made models' functions.
const local = "made.local"

// function adds a local function whose body is a sketch of its own; weights in
// it become Constant nodes, since a function has no initializers.
func (s *sketch) function(name string, opset int64, inputs []string, output string, build func(body *sketch)) {
	body := newSketch()
	build(body)
	f := &onnx.Function{Domain: local, Name: name, Inputs: inputs, Outputs: []string{output},
		Opsets: []onnx.OpsetImport{{Version: opset}, {Domain: local, Version: 1}}}
	for _, w := range body.g.Initializers {
		f.Nodes = append(f.Nodes, &onnx.Node{Name: "node " + w.Name, OpType: "Constant", Outputs: []string{w.Name},
			Attrs: []*onnx.Attr{onnx.TensorAttr("value", w)}})
	}
	f.Nodes = append(f.Nodes, body.g.Nodes...)
	s.functions = append(s.functions, f)
}

// call is node for a local function.
func (s *sketch) call(function, output string, inputs ...string) string {
	s.node(function, output, inputs)
	s.g.Nodes[len(s.g.Nodes)-1].Domain = local
	return output
}

// layer has the sketch compute MatMul, Add and Relu with weights of its own.
func (s *sketch) layer(output, input string) string {
	p := s.node("MatMul", output+"_p", []string{input, s.weight(output+"_w", 24, 24)})
	return s.node("Relu", output, []string{s.node("Add", output+"_s", []string{p, s.weight(output+"_b", 24)})})
}

// free is a float value of a rank that is not said.
func free(name string) *onnx.Value {
	return &onnx.Value{Name: name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float}}
}

// addFunctions adds models whose layers stand in local functions.
func addFunctions(add func(name string, sites int, build func(s *sketch))) {
	add("function called twice", 1, func(s *sketch) {
		s.function("Layer", 17, []string{"a"}, "o", func(f *sketch) { f.layer("o", "a") })
		s.call("Layer", "y", s.call("Layer", "h", s.in("x", 4, 24)))
		s.out("y", 2)
	})
	add("function between layers", 3, func(s *sketch) {
		s.function("Layer", 17, []string{"a"}, "o", func(f *sketch) { f.layer("o", "a") })
		h := s.layer("h", s.in("x", 4, 24))
		k := s.node("Tanh", "k", []string{s.call("Layer", "c", h)})
		s.layer("y", s.call("Layer", "d", k))
		s.out("y", 2)
		s.out("c", 2)
	})
	add("function with a branch", 2, func(s *sketch) {
		s.function("Either", 17, []string{"a", "c"}, "o", func(f *sketch) {
			h := f.layer("h", "a")
			left, right := newSketch(), newSketch()
			left.node("MatMul", "l", []string{h, f.weight("w", 24, 24)})
			left.g.Outputs = []*onnx.Value{free("l")}
			right.node("Neg", "r", []string{h})
			right.g.Outputs = []*onnx.Value{free("r")}
			f.node("If", "i", []string{"c"}, onnx.GraphAttr("then_branch", left.g), onnx.GraphAttr("else_branch", right.g))
			f.node("Tanh", "o", []string{"i"})
		})
		x := s.in("x", 4, 24)
		sum := s.node("ReduceSum", "sum", []string{x}, onnx.IntAttr("keepdims", 0))
		yes := s.node("Greater", "yes", []string{sum, s.floats("nought", []float32{0})})
		s.call("Either", "y", s.call("Either", "h", x, yes), s.node("Not", "no", []string{yes}))
		s.out("y", 2)
	})
	add("function with a loop", 2, func(s *sketch) {
		s.function("Repeated", 17, []string{"a", "count"}, "o", func(f *sketch) {
			h := f.layer("h", "a")
			inner := newSketch()
			inner.g.Inputs = []*onnx.Value{tensorValue("i", onnx.Int64, 0), tensorValue("go_on", onnx.Bool, 0), free("v")}
			inner.node("Tanh", "next", []string{inner.node("Add", "u", []string{inner.node("MatMul", "t", []string{"v", inner.weight("inner", 24, 24)}), h})})
			inner.node("Identity", "still", []string{"go_on"})
			inner.g.Outputs = []*onnx.Value{tensorValue("still", onnx.Bool, 0), free("next")}
			f.node("Loop", "last", []string{"count", "", h}, onnx.GraphAttr("body", inner.g))
			f.node("Neg", "o", []string{"last"})
		})
		s.g.Initializers = append(s.g.Initializers, onnx.Int64Tensor("count", nil, []int64{3}))
		s.call("Repeated", "y", s.node("Relu", "r", []string{s.in("x", 4, 24)}), "count")
		s.out("y", 2)
	})
	add("function that calls a function", 2, func(s *sketch) {
		s.function("Inner", 17, []string{"a"}, "o", func(f *sketch) { f.layer("o", "a") })
		s.function("Outer", 17, []string{"a"}, "o", func(f *sketch) {
			h := f.node("MatMul", "h", []string{f.call("Inner", "i", "a"), f.weight("w", 24, 24)})
			f.node("Add", "o", []string{f.call("Inner", "j", f.node("Tanh", "t", []string{h})), "a"})
		})
		s.call("Inner", "y", s.call("Outer", "h", s.in("x", 4, 24)))
		s.out("y", 2)
	})
	add("function called in a body", 1, func(s *sketch) {
		s.function("Layer", 17, []string{"a"}, "o", func(f *sketch) { f.layer("o", "a") })
		s.scan(func(inner *sketch) {
			inner.node("Tanh", "next", []string{inner.node("Add", "sum", []string{inner.call("Layer", "p", "h"), "step"})})
		})
	})
	add("function of an older opset", 2, func(s *sketch) {
		s.opset = 18
		s.function("Layer", 15, []string{"a"}, "o", func(f *sketch) { f.layer("o", "a") })
		s.layer("y", s.call("Layer", "h", s.in("x", 4, 24)))
		s.out("y", 2)
	})
	add("function with an operator that keeps float32", 1, func(s *sketch) {
		s.function("Attended", 17, []string{"a", "b"}, "o", func(f *sketch) {
			scores := f.node("MatMul", "scores", []string{"a", f.weight("w", 24, 24)})
			f.node("Mul", "o", []string{f.node("Softmax", "shares", []string{scores}), "b"})
		})
		h := s.node("Relu", "h", []string{s.in("x", 4, 24)})
		s.call("Attended", "y", s.call("Attended", "k", h, h), h)
		s.out("y", 2)
	})
	// The recipes in 16 bit leave some of these weights to the caller's type.
	add("function with the caller's weights", -1, func(s *sketch) {
		s.function("Linear", 17, []string{"a", "w", "b"}, "o", func(f *sketch) {
			f.node("Relu", "o", []string{f.node("Add", "s", []string{f.node("MatMul", "p", []string{"a", "w"}), "b"})})
		})
		h := s.call("Linear", "h", s.in("x", 4, 24), s.weight("w1", 24, 16), s.weight("b1", 16))
		s.call("Linear", "y", s.node("Tanh", "t", []string{h}), s.weight("w2", 16, 24), s.weight("b2", 24))
		s.out("y", 2)
	})
	add("function of an older opset with the caller's weights", -1, func(s *sketch) {
		s.opset = 21
		s.function("Linear", 17, []string{"a", "w", "b"}, "o", func(f *sketch) {
			f.node("Tanh", "o", []string{f.node("Add", "s", []string{f.node("MatMul", "p", []string{"a", "w"}), "b"})})
		})
		h := s.call("Linear", "h", s.in("x", 4, 24), s.weight("w1", 24, 16), s.weight("b1", 16))
		s.call("Linear", "y", h, s.weight("w2", 16, 24), s.weight("b2", 24))
		s.out("y", 2)
	})
	add("function with the caller's weights in two types", -1, func(s *sketch) {
		s.function("Linear", 17, []string{"a", "w"}, "o", func(f *sketch) {
			f.node("MatMul", "o", []string{"a", "w"})
		})
		h := s.call("Linear", "h", s.in("x", 4, 24), s.weight("w1", 24, 16))
		wide := s.node("Cast", "wide", []string{h}, onnx.IntAttr("to", int64(onnx.Double)))
		table := s.node("Cast", "w2_double", []string{s.weight("w2", 16, 24)}, onnx.IntAttr("to", int64(onnx.Double)))
		s.node("Cast", "y", []string{s.call("Linear", "k", wide, table)}, onnx.IntAttr("to", int64(onnx.Float)))
		s.out("y", 2)
	})
}

// TestFunctionsAreThere guards the made models: each has the functions that it
// is named for, and calls them.
func TestFunctionsAreThere(t *testing.T) {
	for name, made := range madeModels() {
		if len(made.sketch.functions) == 0 {
			continue
		}
		var b bytes.Buffer
		if err := onnx.Encode(&b, made.sketch.model()); err != nil {
			t.Fatal(err)
		}
		m, err := onnx.Decode(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		index, err := onnx.NewIndex(m)
		if err != nil {
			t.Fatal(err)
		}
		called := map[*onnx.Function]bool{}
		for _, scope := range index.Scopes() {
			for _, node := range scope.Nodes() {
				if f := index.Function(node); f != nil {
					called[f] = true
				}
			}
		}
		if len(called) != len(m.Functions) {
			t.Errorf("%s: %d of %d functions are called", name, len(called), len(m.Functions))
		}
	}
}
