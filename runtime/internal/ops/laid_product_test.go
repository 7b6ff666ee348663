package ops

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestLaidProduct holds products of matrices that lie in any order to the same
// step by step.
func TestLaidProduct(t *testing.T) {
	random := rand.New(rand.NewPCG(31, 32))
	c := inMemory(t)
	for round := range 400 {
		rank := 2 + random.IntN(3)
		a, b := make([]int, rank), make([]int, rank-random.IntN(rank-1))
		for i := range rank - 2 {
			a[i] = 1 + random.IntN(3)
			if at := i - (rank - len(b)); at >= 0 {
				if b[at] = a[i]; random.IntN(3) == 0 {
					b[at] = 1
				}
			}
		}
		m, k, n := 1+random.IntN(70), random.IntN(40), 1+random.IntN(70)
		a[rank-2], a[rank-1], b[len(b)-2], b[len(b)-1] = m, k, k, n
		p := &LaidProduct{}
		left, right := a, b
		if random.IntN(3) > 0 {
			p.A, left = drawOrder(random, a, LeftLies)
		}
		if random.IntN(3) > 0 {
			p.B, right = drawOrder(random, b, RightLies)
		}
		if random.IntN(2) == 0 {
			p.Y, _ = drawOrder(random, a, ResultLies)
		}
		if p.Y == nil || rank > 2 {
			p.Factor = tensor.New([][]int{{}, {1}, {1, 1, 1}}[random.IntN(3)], []float32{0.125})
		}
		if p.A != nil && random.IntN(3) == 0 {
			p.A, p.PartA, left = drawPart(random, p.A, left)
		}
		if p.B != nil && random.IntN(3) == 0 {
			p.B, p.PartB, right = drawPart(random, p.B, right)
		}
		x, w := normalTensor(random, left), normalTensor(random, right)
		got, err := p.Run(c, x, w)
		if err != nil {
			t.Fatal(err)
		}
		want, err := p.stepByStep(&Call{Context: t.Context()}, x, w)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("round %d: %v by %v as %+v", round, left, right, *p)
		if !slices.Equal(got.Shape(), want.Shape()) {
			t.Fatalf("%s has the shape %v, want %v", name, got.Shape(), want.Shape())
		}
		y, _ := tensor.Data[float32](got)
		exact, _ := tensor.Data[float32](want)
		for i, v := range y {
			if far := v - exact[i]; far > 1e-4 || far < -1e-4 || v != v {
				t.Fatalf("%s: element %d is %v, want %v", name, i, v, exact[i])
			}
		}
		c.Memory.End(0)
	}
}

// drawOrder draws an order of axes that lies as asked, and the shape of what has
// the given shape in that order.
func drawOrder(random *rand.Rand, shape []int, lies func([]int) bool) (order, source []int) {
	for order == nil || !lies(order) {
		order = random.Perm(len(shape))
	}
	source = make([]int, len(shape))
	for i, axis := range order {
		source[axis] = shape[i]
	}
	return order, source
}

// drawPart makes an operand a part of a tensor with one more axis, which comes
// first in order.
func drawPart(random *rand.Rand, order, source []int) ([]int, *Part, []int) {
	of := 1 + random.IntN(3)
	axis := random.IntN(len(source)) // the last one stays it
	whole := []int{axis}
	for _, a := range order {
		if a >= axis {
			a++
		}
		whole = append(whole, a)
	}
	part := &Part{Index: random.IntN(of), Of: of}
	if random.IntN(2) == 0 {
		part = &Part{Index: part.Index - of}
	}
	return whole, part, slices.Insert(slices.Clone(source), axis, of)
}

func normalTensor(random *rand.Rand, shape []int) *tensor.Tensor {
	data := make([]float32, tensor.Count(shape))
	for i := range data {
		data[i] = float32(random.NormFloat64())
	}
	return tensor.New(shape, data)
}

func TestLaidProductOfOtherTypes(t *testing.T) {
	a, b := tensor.New([]int{3, 2}, []float64{1, 2, 3, 4, 5, 6}), tensor.New([]int{2, 3}, []float64{1, 0, 1, 0, 1, 1})
	p := &LaidProduct{B: []int{1, 0}, Y: []int{1, 0}}
	if _, err := p.Run(inMemory(t), a, b); err == nil {
		t.Error("3×2 by 3×2 is no error")
	}
	p.A, p.B = []int{0, 1}, nil
	y, err := p.Run(inMemory(t), a, b)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := tensor.Data[float64](y)
	if want := []float64{1, 3, 5, 2, 4, 6, 3, 7, 11}; !slices.Equal(data, want) {
		t.Errorf("the product is %v, want %v", data, want)
	}
	for _, wrong := range []*LaidProduct{{A: []int{0, 1, 2}}, {A: []int{1, 1}}, {Y: []int{0, 1, 2}}, {PartA: &Part{Index: 3}}, {PartB: &Part{Of: 3}}} {
		if _, err := wrong.Run(inMemory(t), a, b); err == nil {
			t.Errorf("%+v of matrices is no error", *wrong)
		}
	}
}
