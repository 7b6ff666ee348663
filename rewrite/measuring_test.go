package rewrite

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestScalesAreLetGo wants the scales of a weight to be forgotten once what
// depends on them is written, and a model that is written twice, or whose scales
// are not kept in between, to be written the same.
func TestScalesAreLetGo(t *testing.T) {
	for _, recipe := range []Recipe{
		{Granularity: PerBlock, Block: 16},
		{Granularity: PerBlock, Block: 16, Asymmetric: true},
		{Granularity: PerBlock, Block: 16, Asymmetric: true, Target: Fold},
		{Granularity: PerBlock, Block: 16, Asymmetric: true, Target: ORT},
		{Granularity: PerBlock, Block: 16, Activations: W8A16},
		{Granularity: PerBlock, Block: 16, Activations: W8A16, SixteenBit: onnx.BFloat16},
		{Granularity: PerChannel, Activations: W8A8},
	} {
		t.Run(fmt.Sprintf("%+v", recipe), func(t *testing.T) {
			m := sketch{
				opset:   21,
				weights: []*onnx.Tensor{ramp("w", onnx.Float, 64, 8), ramp("v", onnx.Float, 8, 48)},
				nodes:   []*onnx.Node{op("MatMul", "h", "x", "w"), with(op("Gemm", "y", "h", "v"), onnx.FloatAttr("alpha", 2))},
			}.model(t)
			encoded := func(late bool, kept int64) []byte {
				plan, err := New(m, recipe)
				if err != nil {
					t.Fatal(err)
				}
				plan.Late = late
				plan.quantizer.kept.Store(kept)
				result, err := plan.Apply(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var first []byte
				for range 2 {
					var b bytes.Buffer
					if err := onnx.Encode(&b, result.Model); err != nil {
						t.Fatal(err)
					}
					if first == nil {
						first = b.Bytes()
					} else if !bytes.Equal(first, b.Bytes()) {
						t.Error("what is written twice is not the same")
					}
					for _, w := range plan.quantizer.ordered {
						if held := w.round != nil; held != w.kept {
							t.Errorf("late %v: the scales of %s are held: %v, to be kept: %v", late, w.name, held, w.kept)
						}
						if w.kept && (late || kept > 0) {
							t.Errorf("late %v: the scales of %s are kept", late, w.name)
						}
					}
				}
				if err := result.Complete(); err != nil {
					t.Fatal(err)
				}
				return first
			}
			kept := encoded(false, 0)
			if !bytes.Equal(kept, encoded(false, keptScales)) {
				t.Error("with scales that are not kept the model is another")
			}
			if recipe.Activations != W8A16 && !bytes.Equal(kept, encoded(true, 0)) {
				t.Error("measured late the model is another")
			}
		})
	}
}
