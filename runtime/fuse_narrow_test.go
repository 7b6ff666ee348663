package runtime

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestFusedNarrowProducts has products in 16 bit with what stands around them.
// Taken in, it rounds where it did apart: as long as somebody else reads what is
// between, steps stay apart, and the bits are to be the same.
func TestFusedNarrowProducts(t *testing.T) {
	const k, n = 300, 530 // several pieces of a row
	for _, narrowType := range []onnx.DType{onnx.Float16, onnx.BFloat16} {
		to := func(d onnx.DType) *onnx.Attr { return onnx.IntAttr("to", int64(d)) }
		dequantize := node("DequantizeLinear", "q,s", "w", onnx.IntAttr("axis", 1))
		narrowing, widening := node("Cast", "x", "h", to(narrowType)), func(in, out string) *onnx.Node { return node("Cast", in, out, to(onnx.Float)) }
		product := node("MatMul", "h,w", "p")
		tests := map[string]struct {
			nodes []*onnx.Node
			steps string
			apart string // with every value put out
		}{
			"casts": {[]*onnx.Node{narrowing, dequantize, product, widening("p", "y")},
				"[Cast]", "Cast DequantizeLinear [MatMul] Cast"},
			"a bias in float32": {[]*onnx.Node{narrowing, dequantize, product, widening("p", "f"), node("Add", "f,c", "y")},
				"[Add]", "Cast DequantizeLinear [MatMul] Cast Add"},
			"a bias in 16 bit": {[]*onnx.Node{narrowing, dequantize, product, node("Add", "c16,p", "b"), widening("b", "y")},
				"[Cast]", "Cast DequantizeLinear [MatMul] Add Cast"},
			"a bias and no cast": {[]*onnx.Node{narrowing, dequantize, product, node("Add", "p,c16", "y")},
				"[Add]", "Cast DequantizeLinear [MatMul] Add"},
			"a Gemm": {[]*onnx.Node{narrowing, dequantize, node("Gemm", "h,w,c16", "p"), widening("p", "y")},
				"[Cast]", "Cast DequantizeLinear [Gemm] Cast"},
			"a Gemm whose addend is no bias": {[]*onnx.Node{narrowing, dequantize, node("Gemm", "h,w,a16", "p"), widening("p", "y")},
				"[Cast]", "Cast DequantizeLinear [Gemm] Cast"},
		}
		for name, test := range tests {
			t.Run(narrowType.String()+" "+name, func(t *testing.T) {
				model := func(outputs string) *onnx.Model {
					return modelOf(21, graphOf([]*onnx.Value{value("x", nil)}, outputs, test.nodes, stored(t, "q", quantized(k, n)), stored(t, "s", narrow(t, narrowType, scalesOf(n))),
						stored(t, "c", ramp(n)), stored(t, "c16", narrow(t, narrowType, ramp(n))), stored(t, "a16", narrow(t, narrowType, ramp(3, 1)))))
				}
				outputs := ""
				for _, nd := range test.nodes {
					outputs += "," + nd.Outputs[0]
				}
				results := [2]tensor.Value{}
				for i, m := range []*onnx.Model{model("y"), model(outputs[1:])} {
					s, err := Compile(m, Options{Threads: 2})
					if err != nil {
						t.Fatal(err)
					}
					if got, want := operators(s), []string{test.steps, test.apart}[i]; got != want {
						t.Errorf("the steps are %q, want %q", got, want)
					}
					y, err := s.Run(t.Context(), feeds{"x": ramp(3, k)})
					if err != nil {
						t.Fatal(err)
					}
					results[i] = y["y"]
				}
				if err := (Tolerance{}).Equal(results[0], results[1]); err != nil {
					t.Errorf("fused, apart: %v", err)
				}
			})
		}
	}
}

// TestFusedNarrowProductOfDoubles rounds once, as the Cast that is taken in does.
func TestFusedNarrowProductOfDoubles(t *testing.T) {
	m := modelOf(21, graphOf([]*onnx.Value{value("x", nil)}, "y", []*onnx.Node{
		node("Cast", "x", "h", onnx.IntAttr("to", int64(onnx.Float16))), node("DequantizeLinear", "q,s", "w", onnx.IntAttr("axis", 1)), node("MatMul", "h,w", "y"),
	}, stored(t, "q", tensor.New([]int{1, 1}, []int8{1})), stored(t, "s", narrow(t, onnx.Float16, scalar(float32(1))))))
	s, err := Compile(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	// Beyond the middle of two neighbours by less than float32 has.
	y, err := s.Run(t.Context(), feeds{"x": tensor.New([]int{1, 1}, []float64{1 + 0x1p-11 + 0x1p-40})})
	if err != nil {
		t.Fatal(err)
	}
	if err := (Tolerance{}).Equal(y["y"], narrow(t, onnx.Float16, tensor.New([]int{1, 1}, []float32{1 + 0x1p-10}))); err != nil {
		t.Error(err)
	}
}
