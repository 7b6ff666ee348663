package ops

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// move against its definition, on boxes of all ranks with strides in any
// order, of either sign, and zero in the source.
func TestMoveIsItsDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for trial := range 2000 {
		rank := random.IntN(6)
		shape := make([]int, rank)
		for axis := range shape {
			shape[axis] = random.IntN(4)
			if trial%10 == 0 {
				shape[axis] *= 12 // several tiles, and more than one
			}
		}
		if tensor.Count(shape) > 1<<16 {
			continue
		}
		to, toLen := randomLayout(random, shape, false)
		from, fromLen := randomLayout(random, shape, true)
		source := make(elementsOf[int32], fromLen)
		for i := range source {
			source[i] = int32(i + 1)
		}
		got, want := make(elementsOf[int32], toLen), make([]int32, toLen)
		move(got, to, source, from, shape)
		eachIndex(shape, func(index []int) { want[to.at(index).offset] = source[from.at(index).offset] })
		if !slices.Equal(got, want) {
			t.Fatalf("box %v from %v to %v: got %v, want %v", shape, from, to, got, want)
		}
	}
}

// randomLayout gives a layout of a box, in which no two elements meet unless
// strides may be 0, and how long a slice it needs.
func randomLayout(random *rand.Rand, shape []int, zeros bool) (layout, int) {
	l := layout{strides: make([]int, len(shape))}
	step := 1 + random.IntN(2)
	for _, axis := range random.Perm(len(shape)) {
		size := max(shape[axis], 1)
		switch {
		case zeros && random.IntN(4) == 0:
			continue
		case random.IntN(3) == 0:
			l.strides[axis] = -step
			l.offset += (size - 1) * step
		default:
			l.strides[axis] = step
		}
		step *= size + random.IntN(2)
	}
	return l, step + 1
}

func eachIndex(shape []int, visit func(index []int)) {
	index := make([]int, len(shape))
	for i := range tensor.Count(shape) {
		for axis := len(shape) - 1; axis >= 0; axis-- {
			index[axis] = i % shape[axis]
			i /= shape[axis]
		}
		visit(index)
	}
}

// Every element type goes through the operators that move elements.
func TestEveryElementTypeMoves(t *testing.T) {
	for _, pair := range []*tensor.Tensor{
		list[float32](1, 2), list[float64](1, 2), list[int8](1, 2), list[int16](1, 2), list[int32](1, 2), list[int64](1, 2),
		list[uint8](1, 2), list[uint16](1, 2), list[uint32](1, 2), list[uint64](1, 2), list(true, false), list("a", "b"),
		list[complex64](1, 2i), list[complex128](1, 2i), list[quantops.Float16](1, 2), list[quantops.BFloat16](1, 2),
		list[quantops.Float8E4M3FN](1, 2), list[quantops.Float8E4M3FNUZ](1, 2), list[quantops.Float8E5M2](1, 2),
		list[quantops.Float8E5M2FNUZ](1, 2), list[quantops.Float8E8M0](1, 2), list[quantops.Float4E2M1](1, 2),
		list[quantops.Float6E2M3](1, 2), list[quantops.Float6E3M2](1, 2), list[quantops.Int4](1, 2),
		list[quantops.Uint4](1, 2), list[quantops.Int2](1, 0), list[quantops.Uint2](1, 2),
	} {
		t.Run(pair.DType().String(), func(t *testing.T) {
			run := func(op string, attrs []*onnx.Attr, in ...tensor.Value) string {
				got, err := runNode(t, nodeTest{op: op, opset: 28, attrs: attrs, in: in})
				if err != nil {
					t.Fatal(err)
				}
				return show(got...)
			}
			swapped := run("Gather", nil, pair, list[int64](1, 0))
			if got := run("Slice", nil, pair, list[int64](-1), list[int64](-9), list[int64](0), list[int64](-1)); got != swapped {
				t.Errorf("Slice backwards gives %s, Gather of 1 and 0 gives %s", got, swapped)
			}
			if got := run("ScatterElements", nil, pair, list[int64](1, 0), pair); got != swapped {
				t.Errorf("ScatterElements to 1 and 0 gives %s, Gather from there %s", got, swapped)
			}
			if got, want := run("Pad", nil, pair, list[int64](-1, -1)), fmt.Sprintf("%v[0][]", pair.DType()); got != want {
				t.Errorf("Pad by -1 on both sides gives %s, want %s", got, want)
			}
			tiled := run("Tile", nil, pair, list[int64](2))
			if got := run("Concat", []*onnx.Attr{onnx.IntAttr("axis", 0)}, pair, pair); got != tiled {
				t.Errorf("Concat of two gives %s, Tile by two %s", got, tiled)
			}
		})
	}
}

// TestMoveTogether has several threads move a box as one does.
func TestMoveTogether(t *testing.T) {
	shape := []int{1, 53, 60, 70}
	count := tensor.Count(shape)
	source := make(elementsOf[int32], count)
	for i := range source {
		source[i] = int32(i + 1)
	}
	c := &Call{Context: t.Context(), Workers: workers(t, 3)}
	for _, to := range [][]int{{0, 1, 2, 3}, {3, 1, 0, 2}, {2, 3, 1, 0}} {
		dense := rowMajor(permuted(shape, to))
		target := layout{strides: make([]int, len(shape))}
		for i, axis := range to {
			target.strides[axis] = dense.strides[i]
		}
		got, want := make(elementsOf[int32], count), make(elementsOf[int32], count)
		moveTogether(c, got, target, source, rowMajor(shape), shape)
		move(want, target, source, rowMajor(shape), shape)
		if !slices.Equal(got, want) {
			t.Errorf("axes in the order %v: the threads' elements are others", to)
		}
	}
}
