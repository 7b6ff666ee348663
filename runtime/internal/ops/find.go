package ops

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// findFamily holds the operators that turn values into positions and back.
var findFamily = []Kernel{
	{Op: "NonZero", Since: 9, Build: needs(1, Single(buildNonZero))},
	{Op: "OneHot", Since: 9, Build: needs(3, Single(buildOneHot))},
	{Op: "Unique", Since: 11, Build: needs(1, Tensors(buildUnique))},
}

func buildNonZero(*Node) (single, error) {
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		rank := in[0].Rank()
		shape := in[0].Shape()
		positions := elementsIn(numeric(in[0])).nonZero()
		found := len(positions)
		coordinates := make([]int64, rank*found)
		for axis := rank - 1; axis >= 0; axis-- {
			for i, position := range positions {
				coordinates[axis*found+i] = int64(position % shape[axis])
				positions[i] = position / shape[axis]
			}
		}
		return tensor.New([]int{rank, found}, coordinates), nil
	}, nil
}

// numeric gives 16-bit floats as float32, whose zeros and order Go knows;
// tensors of other types as they are.
func numeric(t *tensor.Tensor) *tensor.Tensor {
	switch data := t.Any().(type) {
	case []quantops.Float16:
		return tensor.New(t.Shape(), widenReals[float32](data, quantops.WidenFloat16))
	case []quantops.BFloat16:
		return tensor.New(t.Shape(), widenReals[float32](data, quantops.WidenBFloat16))
	}
	return t
}

func buildOneHot(n *Node) (single, error) {
	first := n.Int("axis", -1)
	fromEnd := n.Opset >= 11
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		indices, err := wholeNumbers(in[0])
		if err != nil {
			return nil, fmt.Errorf("indices: %w", err)
		}
		depth, err := wholeNumber(in[1])
		if err != nil {
			return nil, fmt.Errorf("depth: %w", err)
		}
		if in[2].Len() != 2 {
			return nil, fmt.Errorf("values of shape %v: want an off and an on value", in[2].Shape())
		}
		axis, err := resolveAxis(first, in[0].Rank()+1)
		if err != nil {
			return nil, err
		}
		shape := slices.Insert(slices.Clone(in[0].Shape()), axis, depth)
		count, err := checkedCount(shape)
		if err != nil {
			return nil, err
		}
		if err := c.fits(count, bytesEach(in[2])); err != nil {
			return nil, err
		}
		after := tensor.Count(in[0].Shape()[axis:])
		hot := make([]int, 0, len(indices))
		for i, index := range indices {
			if index < 0 && fromEnd {
				index += depth
			}
			if index >= 0 && index < depth {
				hot = append(hot, (i/after*depth+index)*after+i%after)
			}
		}
		values := elementsIn(in[2])
		result := values.like(count)
		result.fill(values)
		on := values.take(c, 1, 2, slices.Repeat([]int{1}, len(hot)), 1)
		result.put(hot, 1, on)
		return result.tensor(shape), nil
	}, nil
}

func buildUnique(n *Node) (several, error) {
	flat, axis, sorted := !n.Has("axis"), n.Int("axis", 0), n.Int("sorted", 1) != 0
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		data := in[0]
		if flat {
			data = data.WithShape([]int{data.Len()})
		}
		axis, err := resolveAxis(axis, data.Rank())
		if err != nil {
			return nil, err
		}
		groups, err := groupSlices(data, axis)
		if err != nil {
			return nil, err
		}
		if !sorted {
			slices.SortFunc(groups, func(a, b []int) int { return a[0] - b[0] })
		}
		firsts, counts := make([]int, len(groups)), make([]int, len(groups))
		inverse := make([]int, data.Shape()[axis])
		for i, group := range groups {
			firsts[i], counts[i] = group[0], len(group)
			for _, member := range group {
				inverse[member] = i
			}
		}
		unique, err := gather(c, data, axis, firsts, []int{len(firsts)})
		if err != nil {
			return nil, err
		}
		return []*tensor.Tensor{unique, intsTensor(firsts), intsTensor(inverse), intsTensor(counts)}, nil
	}, nil
}

// groupSlices gathers the indices of equal slices of t along an axis, each
// group's in ascending order, the groups in the order of their slices.
func groupSlices(t *tensor.Tensor, axis int) ([][]int, error) {
	order := []int{axis}
	for other := range t.Rank() {
		if other != axis {
			order = append(order, other)
		}
	}
	leading, err := transpose(nil, t, order)
	if err != nil {
		return nil, err
	}
	compare, err := comparison(leading)
	if err != nil {
		return nil, err
	}
	size := tensor.Count(leading.Shape()[1:])
	compareSlices := func(a, b int) int {
		for i := range size {
			if c := compare(a*size+i, b*size+i); c != 0 {
				return c
			}
		}
		return 0
	}
	members := make([]int, t.Shape()[axis])
	for i := range members {
		members[i] = i
	}
	slices.SortStableFunc(members, compareSlices)
	var groups [][]int
	for from := 0; from < len(members); {
		to := from + 1
		for to < len(members) && compareSlices(members[from], members[to]) == 0 {
			to++
		}
		groups = append(groups, members[from:to])
		from = to
	}
	return groups, nil
}

// comparison orders a tensor's elements by their positions. NaNs are equal and
// come last, false comes before true, strings are ordered by their bytes.
func comparison(t *tensor.Tensor) (func(i, j int) int, error) {
	switch data := t.Any().(type) {
	case []string:
		return func(i, j int) int { return strings.Compare(data[i], data[j]) }, nil
	case []bool:
		return func(i, j int) int {
			switch {
			case data[i] == data[j]:
				return 0
			case data[j]:
				return -1
			}
			return 1
		}, nil
	}
	n, err := numbersIn(t)
	if err != nil {
		return nil, err
	}
	return n.comparison(t)
}

func (n numbersOf[S, C]) comparison(t *tensor.Tensor) (func(i, j int) int, error) {
	data, err := n.values(t)
	return func(i, j int) int {
		a, b := data[i], data[j]
		if math.IsNaN(float64(a)) || math.IsNaN(float64(b)) {
			return -cmp.Compare(a, b) // which has NaN first
		}
		return cmp.Compare(a, b)
	}, err
}
