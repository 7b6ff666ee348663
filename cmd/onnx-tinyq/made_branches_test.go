package main

import "github.com/onnx-tinyq/onnx-tinyq/onnx"

// addBranches adds models whose branches and turns compute, and hand on what they
// have computed.
func addBranches(add func(name string, sites int, build func(s *sketch))) {
	branch := func(output string, build func(body *sketch)) *onnx.Graph {
		s := newSketch()
		build(s)
		s.g.Outputs = []*onnx.Value{free(output)}
		return s.g
	}
	add("branches in branches", 3, func(s *sketch) {
		x := s.in("x", 4, 24)
		h := s.layer("h", x)
		sum := s.node("ReduceSumSquare", "sum", []string{x}, onnx.IntAttr("keepdims", 0))
		yes := s.node("Greater", "yes", []string{sum, s.floats("nought", []float32{0})})
		no := s.node("Not", "no", []string{yes})
		constant := branch("fixed", func(b *sketch) {
			values := make([]float32, 4*24)
			for i := range values {
				values[i] = float32(i%7) / 4
			}
			b.node("Constant", "fixed", nil, onnx.TensorAttr("value", onnx.FloatTensor("", []int64{4, 24}, values)))
		})
		inner := branch("deep", func(b *sketch) {
			b.node("If", "deep", []string{yes},
				onnx.GraphAttr("then_branch", branch("l", func(d *sketch) { d.node("MatMul", "l", []string{h, d.weight("lw", 24, 24)}) })),
				onnx.GraphAttr("else_branch", branch("m", func(d *sketch) { d.node("Abs", "m", []string{h}) })))
		})
		other := branch("same", func(b *sketch) { b.node("Identity", "same", []string{h}) })
		s.node("If", "i", []string{no}, onnx.GraphAttr("then_branch", other), onnx.GraphAttr("else_branch", inner))
		positive := branch("positive", func(b *sketch) { b.node("Abs", "positive", []string{h}) })
		s.node("If", "j", []string{no}, onnx.GraphAttr("then_branch", constant), onnx.GraphAttr("else_branch", positive))
		s.layer("y", s.node("Add", "t", []string{"i", "j"}))
		s.out("y", 2)
		s.out("i", 2)
	})
	add("a loop that collects", 2, func(s *sketch) {
		h := s.layer("h", s.in("x", 4, 24))
		turn := newSketch()
		turn.g.Inputs = []*onnx.Value{tensorValue("turn", onnx.Int64, 0), tensorValue("go_on", onnx.Bool, 0), free("state")}
		turn.node("Tanh", "next", []string{turn.node("Add", "u", []string{turn.node("MatMul", "p", []string{"state", turn.weight("tw", 24, 24)}), h})})
		turn.node("Neg", "seen", []string{turn.node("Mul", "square", []string{"next", "next"})})
		turn.node("Identity", "still", []string{"go_on"})
		turn.g.Outputs = []*onnx.Value{tensorValue("still", onnx.Bool, 0), free("next"), free("seen")}
		s.g.Initializers = append(s.g.Initializers, onnx.Int64Tensor("count", nil, []int64{3}))
		s.node("Loop", "last", []string{"count", "", h}, onnx.GraphAttr("body", turn.g))
		loop := s.g.Nodes[len(s.g.Nodes)-1]
		loop.Outputs = append(loop.Outputs, "all")
		s.node("Add", "y", []string{s.node("Relu", "r", []string{"all"}), "last"})
		s.out("y", 3)
	})
}
