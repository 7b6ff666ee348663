package runtime

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// positive is a tensor of numbers above 0 that differ.
func positive(shape ...int) *tensor.Tensor {
	data := make([]float32, tensor.Count(shape))
	for i := range data {
		data[i] = float32(i%5+1) / 4
	}
	return tensor.New(shape, data)
}

// TestFusedConvolutions compares convolutions with constant weights, and what
// they take in, with the same nodes run one by one.
func TestFusedConvolutions(t *testing.T) {
	const maps, channels = 10, 3
	conv := node("Conv", "x,w,b", "y", onnx.IntsAttr("pads", []int64{1, 1, 1, 1}))
	to := func(inputs, output string) *onnx.Node {
		return node("Conv", inputs, output, onnx.IntsAttr("pads", []int64{1, 1, 1, 1}))
	}
	number := func(v float32) *tensor.Tensor { return tensor.Scalar(v) }
	x, w, b := ramp(2, channels, 7, 9), ramp(maps, channels, 3, 3), ramp(maps)
	each := ramp(maps, 1, 1)
	tests := map[string]struct {
		nodes     []*onnx.Node
		constants map[string]*tensor.Tensor
		outputs   string
		x         *tensor.Tensor
		steps     string
		within    float64
	}{
		"floats":  {nodes: []*onnx.Node{conv}, steps: "[Conv]"},
		"no bias": {nodes: []*onnx.Node{to("x,w", "y")}, steps: "[Conv]"},
		"a bias that is computed": {nodes: []*onnx.Node{node("ReduceMean", "x,axes", "m", onnx.IntAttr("keepdims", 0)), node("Concat", "m,m", "c", onnx.IntAttr("axis", 0)), to("x,w,c", "y")},
			constants: map[string]*tensor.Tensor{"axes": tensor.New([]int{3}, []int64{0, 2, 3}), "w": ramp(2*channels, channels, 3, 3)}, steps: "ReduceMean Concat [Conv]"},
		"float16": {nodes: []*onnx.Node{to("x,h", "c"), node("Relu", "c", "y")}, x: narrow(t, onnx.Float16, x),
			constants: map[string]*tensor.Tensor{"h": narrow(t, onnx.Float16, w)}, steps: "[Conv] Relu", within: 1e-3},
		"by channel": {nodes: []*onnx.Node{node("DequantizeLinear", "q,s,z", "v", onnx.IntAttr("axis", 0)), to("x,v,b", "y")},
			constants: map[string]*tensor.Tensor{"q": quantized(maps, channels, 3, 3), "s": scalesOf(maps), "z": quantized(maps)}, steps: "[Conv]"},
		"one scale": {nodes: []*onnx.Node{node("DequantizeLinear", "q,s", "v"), to("x,v", "y")},
			constants: map[string]*tensor.Tensor{"q": quantized(maps, channels, 3, 3), "s": number(0.25)}, steps: "[Conv]"},
		"unsigned": {nodes: []*onnx.Node{node("DequantizeLinear", "q,s,z", "v", onnx.IntAttr("axis", 0)), to("x,v", "y")},
			constants: map[string]*tensor.Tensor{"q": unsignedOf(quantized(maps, channels, 3, 3)), "s": scalesOf(maps), "z": unsignedOf(quantized(maps))}, steps: "[Conv]"},
		"cast and multiplied": {nodes: []*onnx.Node{node("Cast", "q", "f", onnx.IntAttr("to", int64(onnx.Float))), node("Mul", "f,s", "v"), to("x,v", "y")},
			constants: map[string]*tensor.Tensor{"q": quantized(maps, channels, 3, 3), "s": scalesOf(maps, 1, 1, 1)}, steps: "[Conv]"},
		"not: scales by input channel": {nodes: []*onnx.Node{node("DequantizeLinear", "q,s", "v", onnx.IntAttr("axis", 1)), to("x,v", "y")},
			constants: map[string]*tensor.Tensor{"q": quantized(maps, channels, 3, 3), "s": scalesOf(channels)}, steps: "DequantizeLinear Conv"},
		"sliding": {nodes: []*onnx.Node{node("DequantizeLinear", "q,s", "v", onnx.IntAttr("axis", 0)),
			node("Conv", "x,v", "c", onnx.IntAttr("group", channels), onnx.IntsAttr("strides", []int64{2, 2})), node("Mul", "c,e", "y")},
			constants: map[string]*tensor.Tensor{"q": quantized(2*channels, 1, 3, 3), "s": scalesOf(2 * channels), "e": ramp(1, 2*channels, 1, 1)}, steps: "[Mul]"},
		"groups": {nodes: []*onnx.Node{node("Conv", "x,v", "c", onnx.IntAttr("group", channels)), node("Relu", "c", "y")},
			constants: map[string]*tensor.Tensor{"v": ramp(5*channels, 1, 3, 3)}, steps: "[Relu]"},
		"BatchNormalization": {nodes: []*onnx.Node{to("x,w,b", "c"), node("BatchNormalization", "c,ones,b,means,variances", "y", onnx.FloatAttr("epsilon", 1e-3))},
			constants: map[string]*tensor.Tensor{"ones": ramp(maps), "means": ramp(maps), "variances": positive(maps)}, steps: "[BatchNormalization]"},
		"not: a BatchNormalization of other inputs": {nodes: []*onnx.Node{to("x,w", "c"), node("ReduceMean", "c,axes", "m", onnx.IntAttr("keepdims", 0)),
			node("BatchNormalization", "c,b,b,m,variances", "y")},
			constants: map[string]*tensor.Tensor{"axes": tensor.New([]int{3}, []int64{0, 2, 3}), "variances": positive(maps)}, steps: "[Conv] ReduceMean BatchNormalization"},
		"arithmetic": {nodes: []*onnx.Node{to("x,w,b", "c"), node("Mul", "e,c", "d"), node("Sub", "n,d", "f"), node("Div", "f,n", "g"), node("Add", "g,e", "y")},
			constants: map[string]*tensor.Tensor{"e": each, "n": number(3)}, steps: "[Add]"},
		"not: arithmetic along another axis": {nodes: []*onnx.Node{to("x,w", "c"), node("Mul", "c,e", "y")}, constants: map[string]*tensor.Tensor{"e": ramp(9)}, steps: "[Conv] Mul"},
		"not: more axes":                     {nodes: []*onnx.Node{to("x,w", "c"), node("Mul", "c,e", "y")}, constants: map[string]*tensor.Tensor{"e": positive(1, 1, 1, 1, 1)}, steps: "[Conv] Mul"},
		"not: factors out of range":          {nodes: []*onnx.Node{to("x,w", "c"), node("Mul", "c,n", "y")}, constants: map[string]*tensor.Tensor{"n": number(1e30)}, steps: "[Conv] Mul"},
		"Relu":                               {nodes: []*onnx.Node{to("x,w,b", "c"), node("Relu", "c", "y")}, steps: "[Relu]"},
		"Clip": {nodes: []*onnx.Node{to("x,w,b", "c"), node("Clip", "c,_,six", "d"), node("Mul", "d,e", "y")},
			constants: map[string]*tensor.Tensor{"six": number(6), "e": each}, steps: "[Mul]"},
		"HardSigmoid": {nodes: []*onnx.Node{to("x,w,b", "c"), node("HardSigmoid", "c", "y", onnx.FloatAttr("alpha", 0.1))}, steps: "[HardSigmoid]"},
		"HardSwish":   {nodes: []*onnx.Node{to("x,w,b", "c"), node("HardSwish", "c", "y")}, steps: "[HardSwish]"},
		"HardSwish in pieces": {nodes: []*onnx.Node{to("x,w,b", "a"), node("Mul", "e,a", "c"), node("Add", "c,three", "d"), node("Clip", "d,zero,six", "f"),
			node("Mul", "c,f", "g"), node("Div", "g,six", "h"), node("Add", "h,e", "y")},
			constants: map[string]*tensor.Tensor{"three": number(3), "zero": number(0), "six": number(6), "e": each}, steps: "[Add]"},
		"HardSigmoid times": {nodes: []*onnx.Node{to("x,w,b", "c"), node("HardSigmoid", "c", "d"), node("Mul", "d,c", "y")}, steps: "[Mul]"},
		"not: a gate that is read twice": {nodes: []*onnx.Node{to("x,w,b", "c"), node("HardSigmoid", "c", "d"), node("Mul", "d,c", "e"), node("Add", "e,d", "y")},
			steps: "[Conv] HardSigmoid Mul Add"},
		"not: a gate of another":        {nodes: []*onnx.Node{to("x,w,b", "c"), node("Relu", "c", "d"), node("Neg", "d", "f"), node("Mul", "f,c", "y")}, steps: "[Conv] Relu Neg Mul"},
		"not: a square":                 {nodes: []*onnx.Node{to("x,w,b", "c"), node("Mul", "c,c", "y")}, steps: "[Conv] Mul"},
		"the result is put out too":     {nodes: []*onnx.Node{to("x,w,b", "c"), node("Relu", "c", "y")}, outputs: "y,c", steps: "[Conv] Relu"},
		"one after the other":           {nodes: []*onnx.Node{to("x,w,b", "c"), node("Relu", "c", "d"), to("d,v", "e"), node("Relu", "e", "y")}, constants: map[string]*tensor.Tensor{"v": ramp(4, maps, 1, 1)}, steps: "[Relu]"},
		"a weight that two share":       {nodes: []*onnx.Node{to("x,w,b", "c"), to("x,w", "d"), node("Sub", "c,d", "y")}, steps: "[Conv] [Conv] Sub"},
		"the weight is put out too":     {nodes: []*onnx.Node{to("x,w,b", "c"), node("Relu", "c", "y")}, outputs: "y,w", steps: "[Relu]"},
		"along one axis":                {nodes: []*onnx.Node{node("Conv", "x,v", "c", onnx.IntsAttr("dilations", []int64{2})), node("Add", "c,e", "y")}, x: ramp(3, 4, 11), constants: map[string]*tensor.Tensor{"v": ramp(9, 4, 3), "e": ramp(9, 1)}, steps: "[Add]"},
		"far more padding than is read": {nodes: []*onnx.Node{node("Conv", "x,w,b", "c", onnx.IntsAttr("pads", []int64{400, 400, 400, 400}), onnx.IntsAttr("dilations", []int64{400, 400})), node("Relu", "c", "y")}, steps: "[Relu]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.outputs == "" {
				test.outputs = "y"
			}
			if test.x == nil {
				test.x = x
			}
			constants := map[string]*tensor.Tensor{"w": w, "b": b}
			for name, v := range test.constants {
				constants[name] = v
			}
			g := graphOf([]*onnx.Value{value("x", nil)}, test.outputs, test.nodes)
			for name, v := range constants {
				g.Initializers = append(g.Initializers, stored(t, name, v))
			}
			compareFused(t, modelOf(22, g), feeds{"x": test.x}, test.steps, test.within)
		})
	}
}

// A NaN that a function behind a convolution is given stays one.
func TestFusedConvolutionKeepsNaN(t *testing.T) {
	nan := float32(math.NaN())
	g := graphOf([]*onnx.Value{value("x", nil)}, "y", []*onnx.Node{node("Conv", "x,w", "c"), node("Relu", "c", "y")}, stored(t, "w", floats([]int{1, 1, 1}, 1)))
	y := run(t, modelOf(22, g), feeds{"x": floats([]int{1, 1, 3}, -1, nan, 2)})["y"].(*tensor.Tensor)
	got, _ := tensor.Data[float32](y)
	if got[0] != 0 || got[1] == got[1] || got[2] != 2 {
		t.Errorf("Relu of -1, NaN and 2 behind a convolution gives %v", got)
	}
}
