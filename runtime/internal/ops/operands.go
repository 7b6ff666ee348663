package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// single and several are what Builders of operators on tensors alone prepare;
// see Single and Tensors.
type (
	single  = func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error)
	several = func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error)
)

// needs makes a Builder refuse nodes that leave out one of the first count
// operands, so that kernels need not look.
func needs(count int, build Builder) Builder {
	return func(n *Node) (Run, error) {
		for i := range count {
			if i >= len(n.Inputs) || n.Inputs[i] == "" {
				return nil, fmt.Errorf("operand %d is missing: the operator needs the first %d", i, count)
			}
		}
		return build(n)
	}
}

// integers reads an int64 or int32 operand that lists indices, sizes or axes.
func integers(t *tensor.Tensor) ([]int, error) {
	if t.DType() != onnx.Int64 && t.DType() != onnx.Int32 {
		return nil, fmt.Errorf("operand of type %v: want int64 or int32", t.DType())
	}
	return wholeNumbers(t)
}

// optionalIntegers is integers of operand i, nil where it is left out.
func optionalIntegers(in []*tensor.Tensor, i int) ([]int, error) {
	t := operand(in, i)
	if t == nil {
		return nil, nil
	}
	return integers(t)
}

// wholeNumbers is integers that may also come in another number type, as some
// operators and the first versions of others let them; fractions are cut off.
func wholeNumbers(t *tensor.Tensor) ([]int, error) {
	n, err := numbersIn(t)
	if err != nil {
		return nil, err
	}
	return n.whole(t)
}

func (n numbersOf[S, C]) whole(t *tensor.Tensor) ([]int, error) {
	data, err := n.values(t)
	list := make([]int, len(data))
	for i, v := range data {
		list[i] = int(v)
	}
	return list, err
}

// wholeNumber reads an operand that holds one number, a scalar or a list of one.
func wholeNumber(t *tensor.Tensor) (int, error) {
	list, err := wholeNumbers(t)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("operand of shape %v: want one number", t.Shape())
	}
	if err != nil {
		return 0, err
	}
	return list[0], nil
}

// operand is operand i, nil where it is left out.
func operand(in []*tensor.Tensor, i int) *tensor.Tensor {
	if i < len(in) {
		return in[i]
	}
	return nil
}

// tensorOperand is value i of a list that must be there and be a tensor.
func tensorOperand(in []tensor.Value, i int) (*tensor.Tensor, error) {
	t, err := asTensor(i, in[i])
	if err == nil && t == nil {
		err = fmt.Errorf("operand %d is missing", i)
	}
	return t, err
}

// intsTensor is the int64 tensor of rank 1 that shape operators give.
func intsTensor(list []int) *tensor.Tensor {
	data := make([]int64, len(list))
	for i, v := range list {
		data[i] = int64(v)
	}
	return tensor.New([]int{len(data)}, data)
}

// resolveAxis turns an axis that counts from the end where it is negative into
// one from 0 to rank-1.
func resolveAxis(axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, fmt.Errorf("axis %d is out of range: the rank is %d", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// markAxes marks the listed axes, which may count from the end, each once.
func markAxes(axes []int, rank int) ([]bool, error) {
	marked := make([]bool, rank)
	for _, a := range axes {
		axis, err := resolveAxis(a, rank)
		if err != nil {
			return nil, err
		}
		if marked[axis] {
			return nil, fmt.Errorf("axis %d is listed twice in %v", axis, axes)
		}
		marked[axis] = true
	}
	return marked, nil
}

// resolveIndices turns indices that count from the end where they are negative
// into ones from 0 to size-1, in place.
func resolveIndices(indices []int, size int) error {
	for i, index := range indices {
		if index < -size || index >= size {
			return fmt.Errorf("index %d is out of range: the axis has size %d", index, size)
		}
		if index < 0 {
			indices[i] = index + size
		}
	}
	return nil
}

// checkedCount is the number of elements of a shape that comes from data.
func checkedCount(shape []int) (int, error) { return tensor.CheckedCount(shape) }
