package ops

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestBroadcastShapes(t *testing.T) {
	tests := []struct {
		shapes [][]int
		want   []int
		err    string
	}{
		{shapes: [][]int{{}, {}}, want: []int{}},
		{shapes: [][]int{{2, 3}, {}}, want: []int{2, 3}},
		{shapes: [][]int{{4, 1}, {3}}, want: []int{4, 3}},
		{shapes: [][]int{{1, 5}, {2, 1, 1}, {4, 1}}, want: []int{2, 4, 5}},
		{shapes: [][]int{{0}, {1}}, want: []int{0}},
		{shapes: [][]int{{3, 1}, {0}}, want: []int{3, 0}},
		{shapes: [][]int{{0}, {2}}, err: "sizes 0 and 2"},
		{shapes: [][]int{{2, 3}, {2}}, err: "sizes 3 and 2"},
		{shapes: [][]int{{1 << 20, 1}, {1 << 20}}, err: "too large"},
	}
	for _, test := range tests {
		got, err := broadcastShapes(test.shapes...)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v: got %v and the error %v, want one that says %q", test.shapes, got, err, test.err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%v: got %v, %v; want %v", test.shapes, got, err, test.want)
		}
	}
}

// Blocks of expanded operands against the definition: element by element, the
// index along an axis of size 1 is 0.
func TestExpandedBlocks(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		shape := make([]int, random.IntN(6))
		if random.IntN(50) == 0 {
			shape = make([]int, 11) // more than a block's own few axes
		}
		for axis := range shape {
			shape[axis] = 1 + random.IntN(4)
			if len(shape) > 6 {
				shape[axis] = 1 + random.IntN(2)
			}
		}
		own := slices.Clone(shape[random.IntN(len(shape)+1):])
		for axis := range own {
			if random.IntN(2) == 0 {
				own[axis] = 1
			}
		}
		data := make([]int32, tensor.Count(own))
		for i := range data {
			data[i] = int32(i)
		}
		var want []int32
		dense := rowMajor(own)
		eachIndex(shape, func(index []int) {
			at := slices.Clone(index[len(shape)-len(own):])
			for axis, size := range own {
				if size == 1 {
					at[axis] = 0
				}
			}
			want = append(want, data[dense.at(at).offset])
		})
		e := expandOperand(data, own, shape)
		lo := random.IntN(len(want))
		hi := lo + random.IntN(len(want)-lo+1)
		if got := e.block(lo, hi, make([]int32, hi-lo+1)); !slices.Equal(got, want[lo:hi]) {
			t.Fatalf("%v as %v, elements %d to %d: got %v, want %v", own, shape, lo, hi, got, want[lo:hi])
		}
	}
}

// Every type computes in blocks, of which there are several here, and the 16-bit
// ones round once.
func TestBlocksOfEveryType(t *testing.T) {
	const rows, columns = 50, 70
	for _, dtype := range []onnx.DType{
		onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64,
		onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64,
	} {
		t.Run(dtype.String(), func(t *testing.T) {
			c := &Call{Context: t.Context(), Workers: workers(t, 2)}
			as := func(data []float64, shape ...int) *tensor.Tensor {
				converted, err := cast(c, tensor.New(shape, data), dtype, rounding{})
				if err != nil {
					t.Fatal(err)
				}
				return converted
			}
			a, b, want := make([]float64, rows*columns), make([]float64, columns), make([]float64, rows*columns)
			for i := range b {
				b[i] = float64(i % 3)
			}
			for i := range a {
				a[i] = float64(i % 60)
				want[i] = a[i]*b[i%columns] + float64(i/columns%7)
			}
			rest := make([]float64, rows)
			for i := range rest {
				rest[i] = float64(i % 7)
			}
			product, err := runNode(t, nodeTest{op: "Mul", opset: 14, in: []tensor.Value{as(a, rows, columns), as(b, columns)}})
			if err != nil {
				t.Fatal(err)
			}
			sum, err := runNode(t, nodeTest{op: "Add", opset: 14, in: []tensor.Value{as(rest, rows, 1), product[0]}})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := show(sum...), show(as(want, rows, columns)); got != want {
				t.Errorf("got %.200s\nwant %.200s", got, want)
			}
		})
	}
}

func TestSixteenBitsRoundOnce(t *testing.T) {
	half := func(list ...float32) *tensor.Tensor {
		data := make([]quantops.Float16, len(list))
		quantops.NarrowFloat16(data, list)
		return tensor.New([]int{len(data)}, data)
	}
	// Rounded after each addition, the sum would stay 2048.
	got, err := runNode(t, nodeTest{op: "Sum", opset: 13, in: []tensor.Value{half(2048), half(1), half(1)}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(got...), show(half(2050)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMixedTypesAreRefused(t *testing.T) {
	for _, op := range []string{"Add", "Max", "Less", "BitwiseAnd", "And", "Where", "Equal"} {
		in := []tensor.Value{list[int32](1), list[int64](1)}
		if op == "Where" {
			in = []tensor.Value{list(true), list[int32](1), list[int64](1)}
		}
		if got, err := runNode(t, nodeTest{op: op, opset: 28, in: in}); err == nil {
			t.Errorf("%s of int32 and int64 gives %s: want an error", op, fmt.Sprint(show(got...)))
		}
	}
}
