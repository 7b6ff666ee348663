package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// rankingFamily holds the operators that order elements by size. A NaN counts as
// larger than every number, as in NumPy.
var rankingFamily = []Kernel{
	{Op: "ArgMax", Since: 1, Build: needs(1, Single(buildArg))},
	{Op: "ArgMin", Since: 1, Build: needs(1, Single(buildArg))},
	{Op: "TopK", Since: 1, Build: needs(1, Tensors(buildTopK))},
}

// ranking is an order of elements.
type ranking struct {
	largest bool // else the smallest comes first
	last    bool // of equal ones the last comes first, else the first
}

// precedes says whether a comes before b, which is not so if they are equal.
func precedes[C number](a, b C, order ranking) bool {
	if order.largest {
		return a > b || a != a && b == b
	}
	return a < b || b != b && a == a
}

// extremeOf is the position of the element that comes first; row is not empty.
func extremeOf[C number](row []C, order ranking) int {
	first := 0
	for i, v := range row {
		if precedes(v, row[first], order) || order.last && !precedes(row[first], v, order) {
			first = i
		}
	}
	return first
}

func (n numbersOf[S, C]) extreme(c *Call, order ranking, r *rows) ([]int64, error) {
	if r.width == 0 && r.count > 0 {
		return nil, fmt.Errorf("an axis of size 0 has no extreme element")
	}
	positions := make([]int64, r.count)
	err := n.eachRow(c, r, func(i int, row []C) { positions[i] = int64(extremeOf(row, order)) })
	return positions, err
}

func (n numbersOf[S, C]) top(c *Call, order ranking, k int, r *rows) (*tensor.Tensor, []int64, error) {
	values, positions := make([]C, r.count*k), make([]int64, r.count*k)
	err := n.eachRow(c, r, func(i int, row []C) {
		for j, at := range firstOf(row, order, k) {
			values[i*k+j], positions[i*k+j] = row[at], int64(at)
		}
	})
	return n.tensor([]int{len(values)}, values), positions, err
}

// firstOf gives the positions of the k elements that come first, in order; of
// equal ones the first comes first. k is at most len(row).
func firstOf[C number](row []C, order ranking, k int) []int {
	before := func(i, j int) bool {
		return precedes(row[i], row[j], order) || i < j && !precedes(row[j], row[i], order)
	}
	// A heap that has the last of the best k so far on top.
	heap := make([]int, 0, k)
	for i := range row {
		switch {
		case len(heap) < k:
			heap = append(heap, i)
			for at := len(heap) - 1; at > 0 && before(heap[(at-1)/2], heap[at]); at = (at - 1) / 2 {
				heap[at], heap[(at-1)/2] = heap[(at-1)/2], heap[at]
			}
		case k > 0 && before(i, heap[0]):
			heap[0] = i
			for at := 0; 2*at+1 < k; {
				child := 2*at + 1
				if child+1 < k && before(heap[child], heap[child+1]) {
					child++
				}
				if before(heap[child], heap[at]) {
					break
				}
				heap[at], heap[child] = heap[child], heap[at]
				at = child
			}
		}
	}
	slices.SortFunc(heap, func(i, j int) int {
		if before(i, j) {
			return -1
		}
		return 1
	})
	return heap
}

func buildArg(n *Node) (single, error) {
	axis, keep := n.Int("axis", 0), n.Int("keepdims", 1) != 0
	order := ranking{largest: n.OpType == "ArgMax", last: n.Int("select_last_index", 0) != 0}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		numbers, err := numbersIn(in[0])
		if err != nil {
			return nil, err
		}
		marked, err := markAxes([]int{axis}, in[0].Rank())
		if err != nil {
			return nil, err
		}
		r, err := layRows(c, in[0], marked)
		if err != nil {
			return nil, err
		}
		positions, err := numbers.extreme(c, order, r)
		if err != nil {
			return nil, err
		}
		return tensor.New(reducedShape(in[0].Shape(), marked, keep), positions), nil
	}, nil
}

// buildTopK builds TopK in all versions: k was an attribute at first, and the
// largest elements the only ones to ask for.
func buildTopK(n *Node) (several, error) {
	axis, stated := n.Int("axis", -1), n.Int("k", 0)
	order := ranking{largest: n.Int("largest", 1) != 0}
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		k := stated
		if count := operand(in, 1); count != nil {
			var err error
			if k, err = wholeNumber(count); err != nil {
				return nil, fmt.Errorf("k: %w", err)
			}
		}
		numbers, err := numbersIn(in[0])
		if err != nil {
			return nil, err
		}
		r, err := layAxis(c, in[0], axis)
		if err != nil {
			return nil, err
		}
		if k < 0 || k > r.width {
			return nil, fmt.Errorf("k is %d: want 0 to %d, the size of axis %d", k, r.width, axis)
		}
		values, positions, err := numbers.top(c, order, k, r)
		if err != nil {
			return nil, err
		}
		if values, err = r.back(values, k); err != nil {
			return nil, err
		}
		indices, err := r.back(tensor.New([]int{len(positions)}, positions), k)
		return []*tensor.Tensor{values, indices}, err
	}, nil
}
