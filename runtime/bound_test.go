package runtime

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// normal is a tensor of normally distributed numbers, some of them far out.
func normal(random *rand.Rand, size float64, shape ...int) *tensor.Tensor {
	data := make([]float32, tensor.Count(shape))
	for i := range data {
		data[i] = float32(random.NormFloat64() * size)
		if random.IntN(20) == 0 {
			data[i] *= 16
		}
	}
	return tensor.New(shape, data)
}

// TestBoundHoldsOnRandomLayers has layers of all sizes and magnitudes, down to
// where float16 is subnormal, in each form and type, with constants that go through
// each: what is proven has to hold.
func TestBoundHoldsOnRandomLayers(t *testing.T) {
	types := []onnx.DType{onnx.Float, onnx.Float16, onnx.BFloat16}
	random := rand.New(rand.NewPCG(7, 7))
	for number := range 540 {
		from, to, via := types[number%3], types[number/3%3], types[number/9%3]
		rows, depth, columns := 1+random.IntN(5), 1+random.IntN(60), 1+random.IntN(8)
		xSize, wSize := math.Pow(10, random.Float64()*8-6), math.Pow(10, random.Float64()*5-4)
		if random.IntN(2) == 0 {
			depth = 1 + random.IntN(3) // errors of few products do not cancel each other
		}
		t.Run(fmt.Sprintf("%d %v in %v by way of %v, x %.2g, w %.2g", number, from, to, via, xSize, wSize), func(t *testing.T) {
			x := narrow(t, from, normal(random, xSize, rows, depth))
			w := narrow(t, from, normal(random, wSize, depth, columns))
			b := narrow(t, from, normal(random, xSize*wSize*float64(depth), columns))
			wide, err := w.Float64s()
			if err != nil {
				t.Fatal(err)
			}
			single := make([]float32, len(wide))
			for i, v := range wide {
				single[i] = float32(v)
			}
			q := quantizeColumns(tensor.New(w.Shape(), single))
			cast := func(name, out string, as onnx.DType) *onnx.Node {
				return node("Cast", name, out, onnx.IntAttr("to", int64(as)))
			}
			original := graphOf(inputX, "y", []*onnx.Node{node("MatMul", "x,w", "p"), node("Add", "p,b", "y")}, stored(t, "w", w), stored(t, "b", b))
			nodes := []*onnx.Node{cast("x", "x1", to), dequantizing("w", 1), cast("w_d", "w_v", via), cast("w_v", "w1", to), node("MatMul", "x1,w1", "p1"), cast("b", "b_v", via), cast("b_v", "b1", to), node("Add", "p1,b1", "y1"), cast("y1", "y", from)}
			if number%2 == 0 { // the bias outside, in the model's type
				nodes = append(nodes[:5:5], cast("p1", "p", from), node("Add", "p,b", "y"))
			}
			rewritten := graphOf(inputX, "y", nodes, append(q.initializers("w", int64(depth), int64(columns)), stored(t, "b", b))...)
			r, err := Compare(t.Context(), modelOf(21, original), modelOf(21, rewritten), CompareOptions{Feeds: []feeds{{"x": x}}})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Sites) != 1 || r.BoundHeld == nil || !*r.BoundHeld {
				t.Errorf("%+v", r)
			}
		})
	}
}
