package main

import "github.com/onnx-tinyq/onnx-tinyq/onnx"

// addBodies adds models whose layers stand in the bodies of other nodes, and
// graphs that are not 16 bit everywhere when they are as a whole.
func addBodies(add func(name string, sites int, build func(s *sketch))) {
	scalar := func(name string, dtype onnx.DType) *onnx.Value { return tensorValue(name, dtype, 0) }
	add("loop with a carried value", 2, func(s *sketch) {
		inner := newSketch()
		inner.g.Inputs = []*onnx.Value{scalar("i", onnx.Int64), scalar("go_on", onnx.Bool), matrixValue("h", 4, 24)}
		inner.node("Tanh", "t", []string{inner.node("MatMul", "p", []string{"h", inner.weight("inner", 24, 24)})})
		inner.node("Add", "next", []string{"t", "shift"})
		inner.node("Identity", "still", []string{"go_on"})
		inner.g.Outputs = []*onnx.Value{scalar("still", onnx.Bool), free("next"), free("t")}
		h := s.node("MatMul", "first", []string{s.in("x", 4, 16), s.weight("w", 16, 24)})
		s.node("Relu", "shift", []string{h})
		s.g.Initializers = append(s.g.Initializers, onnx.Int64Tensor("count", nil, []int64{3}))
		s.g.Nodes = append(s.g.Nodes, &onnx.Node{Name: "loop", OpType: "Loop", Inputs: []string{"count", "", h}, Outputs: []string{"last", "all"},
			Attrs: []*onnx.Attr{onnx.GraphAttr("body", inner.g)}})
		s.node("Neg", "y", []string{"last"})
		s.out("y", 2)
		s.out("all", 3)
	})
	add("scan", 1, func(s *sketch) {
		s.scan(func(inner *sketch) {
			inner.node("Add", "sum", []string{inner.node("MatMul", "p", []string{"h", inner.weight("inner", 24, 24)}), "step"})
			inner.node("Tanh", "next", []string{"sum"})
		})
	})
	add("operators that keep float32", 2, func(s *sketch) {
		h := s.node("MatMul", "h", []string{s.in("x", 4, 24), s.weight("w", 24, 24)})
		square := s.node("Pow", "square", []string{h, s.floats("two", []float32{2})})
		mean := s.node("ReduceMean", "mean", []string{square}, ints("axes", -1))
		norm := s.node("Div", "norm", []string{h, s.node("Sqrt", "root", []string{s.node("Add", "safe", []string{mean, s.floats("epsilon", []float32{1e-6})})})})
		mask := s.node("Mul", "mask", []string{s.node("Sub", "left", []string{s.floats("one", []float32{1}), s.node("Sigmoid", "gate", []string{h})}), s.floats("lowest", []float32{-3.4e38})})
		weights := s.node("Softmax", "weights", []string{s.node("Max", "masked", []string{norm, mask})})
		image := s.node("Reshape", "image", []string{weights, s.integers("shape", 1, 4, 4, 6)})
		larger := s.node("Resize", "larger", []string{image, "", s.floats("scales", []float32{1, 1, 2, 2}, 4)}, onnx.StringAttr("mode", "linear"))
		filled := s.node("ConstantOfShape", "filled", []string{s.node("Shape", "sizes", []string{larger})}, onnx.TensorAttr("value", onnx.FloatTensor("", []int64{1}, []float32{0.25})))
		s.node("Conv", "y", []string{s.node("Add", "sum", []string{larger, filled}), s.weight("k", 8, 4, 3, 3)})
		s.out("y", 4)
	})
	// In float16, these transposes bring ONNX Runtime down when they are loaded.
	add("batch axes moved before products", 3, func(s *sketch) {
		moved := func(part string, perm []int64, dims ...int64) {
			r := s.node("Relu", "relu_"+part, []string{s.in("x_"+part, dims...)})
			turned := s.node("Transpose", "turned_"+part, []string{r}, ints("perm", perm...))
			s.node("MatMul", "y_"+part, []string{turned, s.weight("w_"+part, 24, 16)})
			s.out("y_"+part, len(dims))
		}
		moved("a", []int64{1, 0, 2}, 3, 4, 24)
		moved("b", []int64{1, 2, 0}, 24, 3, 4)
		moved("c", []int64{1, 2, 0, 3}, 5, 3, 4, 24)
	})
}

// scan has the sketch go through five matrices x, with a state h that the body
// makes next of it and a step.
func (s *sketch) scan(build func(body *sketch)) {
	inner := newSketch()
	inner.g.Inputs = []*onnx.Value{matrixValue("h", 4, 24), matrixValue("step", 4, 24)}
	build(inner)
	inner.node("Identity", "seen", []string{"next"})
	inner.g.Outputs = []*onnx.Value{free("next"), free("seen")}
	s.g.Nodes = append(s.g.Nodes, &onnx.Node{Name: "scan", OpType: "Scan", Inputs: []string{s.in("h0", 4, 24), s.in("x", 5, 4, 24)}, Outputs: []string{"last", "y"},
		Attrs: []*onnx.Attr{onnx.GraphAttr("body", inner.g), onnx.IntAttr("num_scan_inputs", 1)}})
	s.out("last", 2)
	s.out("y", 3)
}
