package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestEinsum(t *testing.T) {
	m, square, row := counting(2, 3), counting(3, 3), counting(3)
	tests := []struct {
		equation string
		in       []tensor.Value
		want     *tensor.Tensor
		err      string
	}{
		{equation: "ij->ji", in: values(m), want: shaped[float32]([]int{3, 2}, 0, 3, 1, 4, 2, 5)},
		{equation: "ij", in: values(m), want: m},
		{equation: "ji", in: values(m), want: shaped[float32]([]int{3, 2}, 0, 3, 1, 4, 2, 5)}, // alphabetical
		{equation: "ij->", in: values(m), want: shaped[float32]([]int{}, 15)},
		{equation: "ii", in: values(square), want: shaped[float32]([]int{}, 12)},
		{equation: " i i -> i ", in: values(square), want: list[float32](0, 4, 8)},
		{equation: "ij,j->i", in: values(m, row), want: list[float32](5, 14)},
		{equation: "ij,j", in: values(m, row), want: list[float32](5, 14)},
		{equation: "ij,kj->ik", in: values(m, m), want: shaped[float32]([]int{2, 2}, 5, 14, 14, 50)},
		{equation: "i,i->i", in: values(row, row), want: list[float32](0, 1, 4)},
		{equation: "i,j->ij", in: values(list[float32](1, 2), row), want: shaped[float32]([]int{2, 3}, 0, 1, 2, 0, 2, 4)},
		{equation: "i,j->ji", in: values(list[float32](1, 2), row), want: shaped[float32]([]int{3, 2}, 0, 0, 1, 2, 2, 4)},
		{equation: "i,j->", in: values(list[float32](1, 2), row), want: shaped[float32]([]int{}, 9)},
		{equation: "bij,bjk->bik", in: values(counting(2, 1, 2), counting(2, 2, 1)), want: shaped[float32]([]int{2, 1, 1}, 1, 13)},
		{equation: "...ij,...jk->...ik", in: values(counting(2, 1, 2), counting(1, 2, 1)), want: shaped[float32]([]int{2, 1, 1}, 1, 3)},
		{equation: "...j,j", in: values(counting(2, 1, 3), row), want: shaped[float32]([]int{2, 1}, 5, 14)},
		{equation: "...,...->...", in: values(m, counting(3)), want: shaped[float32]([]int{2, 3}, 0, 1, 4, 0, 4, 10)},
		{equation: "j...->...", in: values(m), want: list[float32](3, 5, 7)},
		{equation: "i,j,k->k", in: values(list[float32](1, 2), list[float32](3), row), want: list[float32](0, 9, 18)},
		{equation: "ij,jk,kl->il", in: values(m, square, shaped[float32]([]int{3, 1}, 1, 1, 1)), want: shaped[float32]([]int{2, 1}, 54, 162)},
		{equation: "iI->i", in: values(m), want: list[float32](3, 12)},
		{equation: "ij,j->i", in: values(list[int8](100).WithShape([]int{1, 1}), list[int8](3)), want: list[int8](44)}, // wraps around
		{equation: "ij,j->i", in: values(shaped[float32]([]int{2, 0}), list[float32]()), want: list[float32](0, 0)},

		{equation: "ij,j->i", in: values(m), err: "2 terms"},
		{equation: "ijk->i", in: values(m), err: "does not fit"},
		{equation: "i->i", in: values(m), err: "does not fit"},
		{equation: "ii->i", in: values(m), err: "sizes 2 and 3"},
		{equation: "ij,j->i", in: values(m, list[float32](1, 2)), err: "sizes 3 and 2"},
		{equation: "ij->ii", in: values(m), err: "twice"},
		{equation: "ij->k", in: values(m), err: "no operand"},
		{equation: "i1->i", in: values(m), err: "not a letter"},
		{equation: "......->", in: values(m), err: "two ellipses"},
		{equation: "i,i->i", in: values(row, list[float64](1, 2, 3)), err: "type"},
	}
	var nodes []nodeTest
	for _, test := range tests {
		var want []tensor.Value
		if test.want != nil {
			want = values(test.want)
		}
		nodes = append(nodes, nodeTest{
			name: test.equation, op: "Einsum", opset: 12, attrs: attrs(onnx.StringAttr("equation", test.equation)),
			in: test.in, want: want, err: test.err,
		})
	}
	runNodeTests(t, nodes)
}
