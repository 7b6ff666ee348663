package runtime

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestIntegerProducts runs products of integers as they are compiled, in one
// step, and node by node.
func TestIntegerProducts(t *testing.T) {
	const k, n = 37, 45
	bytes := func(shape ...int) *tensor.Tensor {
		data := make([]uint8, tensor.Count(shape))
		for i := range data {
			data[i] = uint8(i * 37)
		}
		return tensor.New(shape, data)
	}
	chain := func(scale string, after ...*onnx.Node) []*onnx.Node {
		return append([]*onnx.Node{
			node("DynamicQuantizeLinear", "x", "q,xs,xz"), node("MatMulInteger", "q,w,xz,wz", "p"),
			node("Cast", "p", "f", onnx.IntAttr("to", int64(onnx.Float))), node("Mul", "xs,"+scale, "m"), node("Mul", "f,m", "s"),
		}, after...)
	}
	bias := node("Add", "c,s", "y")
	const front = "DynamicQuantizeLinear Mul "
	tests := map[string]struct {
		nodes    []*onnx.Node
		out      string
		weights  *tensor.Tensor
		wz       *tensor.Tensor
		x        *tensor.Tensor
		steps    string
		constant map[string]*tensor.Tensor
	}{
		"a bias":               {chain("ws", bias), "y", quantized(k, n), scalar(int8(0)), ramp(6, k), front + "[Add]", nil},
		"one row":              {chain("ws", bias), "y", quantized(k, n), scalar(int8(0)), ramp(1, k), front + "[Add]", nil},
		"a vector":             {chain("ws", bias), "y", quantized(k, n), scalar(int8(0)), ramp(k), front + "[Add]", nil},
		"a batch":              {chain("ws", bias), "y", quantized(k, n), scalar(int8(0)), ramp(2, 3, k), front + "[Add]", nil},
		"no bias":              {chain("ws"), "s", quantized(k, n), scalar(int8(0)), ramp(6, k), front + "[Mul]", nil},
		"one scale":            {chain("one"), "s", quantized(k, n), scalar(int8(0)), ramp(6, k), front + "[Mul]", nil},
		"unsigned":             {chain("ws", bias), "y", bytes(k, n), scalar(uint8(130)), ramp(6, k), front + "[Add]", nil},
		"zero points":          {chain("ws", bias), "y", bytes(k, n), bytes(n), ramp(6, k), front + "[Add]", nil},
		"scales of rows":       {chain("rows", bias), "y", quantized(k, n), scalar(int8(0)), ramp(6, k), front + "[Add]", map[string]*tensor.Tensor{"rows": ramp(6, 1)}},
		"scales make a batch":  {chain("many"), "s", quantized(k, n), scalar(int8(0)), ramp(6, k), front + "[Mul]", map[string]*tensor.Tensor{"many": ramp(2, 1, n)}},
		"the sums are read":    {chain("ws", bias), "y,p", quantized(k, n), scalar(int8(0)), ramp(6, k), "DynamicQuantizeLinear MatMulInteger Cast Mul Mul Add", nil},
		"floats are read":      {chain("ws", bias), "y,f", quantized(k, n), scalar(int8(0)), ramp(6, k), "DynamicQuantizeLinear MatMulInteger Cast Mul Mul Add", nil},
		"what is added varies": {chain("ws", node("Add", "s,xs", "y")), "y", quantized(k, n), scalar(int8(0)), ramp(6, k), front + "[Mul] Add", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := graphOf([]*onnx.Value{value("x", nil)}, test.out, test.nodes, stored(t, "w", test.weights), stored(t, "wz", test.wz),
				stored(t, "ws", scalesOf(n)), stored(t, "one", scalesOf(1)), stored(t, "c", ramp(n)))
			for name, v := range test.constant {
				g.Initializers = append(g.Initializers, stored(t, name, v))
			}
			compareFused(t, modelOf(17, g), feeds{"x": test.x}, test.steps, 0)
		})
	}
}
