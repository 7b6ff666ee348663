package runtime

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// TestFast has float32 products computed in fixed point where that is asked for,
// and where there are any that can be.
func TestFast(t *testing.T) {
	const k, n = 300, 70
	layer := func(zeroPoint int8) *onnx.Model {
		zeros := make([]int8, n)
		for i := range zeros {
			zeros[i] = zeroPoint
		}
		return modelOf(21, graphOf([]*onnx.Value{value("x", nil)}, "y", []*onnx.Node{
			node("DequantizeLinear", "q,s,z", "w", onnx.IntAttr("axis", 1)), node("MatMul", "x,w", "p"), node("Add", "p,c", "y"),
		}, stored(t, "q", quantized(k, n)), stored(t, "s", scalesOf(n)), onnx.Int8Tensor("z", []int64{n}, zeros), stored(t, "c", ramp(n))))
	}
	for _, rows := range []int{1, 5, 20} {
		in := feeds{"x": ramp(rows, k)}
		exact, err := Compile(layer(0), Options{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := exact.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		fast, err := Compile(layer(0), Options{Fast: true})
		if err != nil {
			t.Fatal(err)
		}
		got, err := fast.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if exact.Fast() || fast.Fast() != quantops.FixedIsFast() {
			t.Errorf("Fast is %t without the option and %t with it; the processor gains by it: %t", exact.Fast(), fast.Fast(), quantops.FixedIsFast())
		}
		if err := (Tolerance{Relative: 1e-3, Absolute: 1e-2}).Equal(got["y"], want["y"]); err != nil {
			t.Errorf("%d rows: %v", rows, err)
		}
	}
	if s, err := Compile(layer(3), Options{Fast: true}); err != nil || s.Fast() {
		t.Errorf("weights with zero points: %v, Fast %t", err, s.Fast())
	}
}
