package runtime

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestFusedRecurrences compares recurrent layers on integers with the same nodes
// run one by one.
func TestFusedRecurrences(t *testing.T) {
	const steps, batch, inputs, hidden = 5, 3, 7, 10
	dequantize := func(of string, attrs ...*onnx.Attr) *onnx.Node {
		return node("DequantizeLinear", "q"+of+",s"+of+",z"+of, of, attrs...)
	}
	multiplied := func(of string) []*onnx.Node {
		return []*onnx.Node{node("Cast", "q"+of, "f"+of, onnx.IntAttr("to", int64(onnx.Float))), node("Mul", "f"+of+",s"+of, of)}
	}
	axis := onnx.IntAttr("axis", 1)
	forms := map[string]struct {
		nodes []*onnx.Node
		scale func(rows int) *tensor.Tensor
		zeros bool
	}{
		"by row":              {[]*onnx.Node{dequantize("w", axis), dequantize("r", axis)}, func(rows int) *tensor.Tensor { return scalesOf(rows) }, true},
		"cast and multiplied": {append(multiplied("w"), multiplied("r")...), func(rows int) *tensor.Tensor { return scalesOf(1, rows, 1) }, false},
	}
	bidirectional := onnx.StringAttr("direction", "bidirectional")
	layers := map[string]struct {
		op    string
		gates int
		attrs []*onnx.Attr
	}{
		"RNN":                      {"RNN", 1, nil},
		"GRU":                      {"GRU", 3, nil},
		"GRU, linear before reset": {"GRU", 3, []*onnx.Attr{onnx.IntAttr("linear_before_reset", 1)}},
		"LSTM":                     {"LSTM", 4, nil},
		"LSTM, both directions":    {"LSTM", 4, []*onnx.Attr{bidirectional}},
		"GRU, both directions":     {"GRU", 3, []*onnx.Attr{bidirectional}},
	}
	for layer, l := range layers {
		for form, f := range forms {
			t.Run(layer+", "+form, func(t *testing.T) {
				directions := 1
				if len(l.attrs) > 0 && l.attrs[0] == bidirectional {
					directions = 2
				}
				rows := l.gates * hidden
				attrs := append([]*onnx.Attr{onnx.IntAttr("hidden_size", hidden)}, l.attrs...)
				nodes := append(f.nodes[:len(f.nodes):len(f.nodes)], node(l.op, "x,w,r,b,lengths", "y,h", attrs...))
				g := graphOf([]*onnx.Value{value("x", nil)}, "y,h", nodes,
					stored(t, "qw", quantized(directions, rows, inputs)), stored(t, "sw", f.scale(rows)),
					stored(t, "qr", quantized(directions, rows, hidden)), stored(t, "sr", f.scale(rows)),
					stored(t, "b", ramp(directions, 2*rows)), stored(t, "lengths", tensor.New([]int{batch}, []int32{5, 2, 4})))
				if f.zeros {
					g.Initializers = append(g.Initializers, stored(t, "zw", quantized(rows)), stored(t, "zr", tensor.Make[int8]([]int{rows})))
				}
				compareFused(t, modelOf(21, g), feeds{"x": ramp(steps, batch, inputs)}, "["+l.op+"]", 0)
			})
		}
	}
}

// A weight whose scales are no one's of a row, or of which one alone is made of
// integers, stays float.
func TestRecurrencesThatStayFloat(t *testing.T) {
	const inputs, hidden, rows = 4, 5, 20
	g := graphOf([]*onnx.Value{value("x", nil)}, "h", []*onnx.Node{
		node("DequantizeLinear", "qw,sw", "w", onnx.IntAttr("axis", 2)), node("LSTM", "x,w,r", "_,h", onnx.IntAttr("hidden_size", hidden)),
	}, stored(t, "qw", quantized(1, rows, inputs)), stored(t, "sw", scalesOf(inputs)), stored(t, "r", ramp(1, rows, hidden)))
	compareFused(t, modelOf(21, g), feeds{"x": ramp(2, 1, inputs)}, "DequantizeLinear LSTM", 0)
}
