package ops

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// rows is a tensor seen as a table, for operators that work along some of its
// axes: count rows of width elements, which run over those axes.
type rows struct {
	call         *Call
	table        *tensor.Tensor // the tensor with those axes last
	order        []int          // axis order[i] of the tensor is axis i of the table
	count, width int
}

// layRows makes the marked axes of t the rows. It copies t only if they are not
// its last ones.
func layRows(c *Call, t *tensor.Tensor, marked []bool) (*rows, error) {
	r := &rows{call: c, order: make([]int, 0, len(marked)), count: 1, width: 1}
	for _, along := range []bool{false, true} {
		for axis, size := range t.Shape() {
			switch {
			case marked[axis] != along:
				continue
			case along:
				r.width *= size
			default:
				r.count *= size
			}
			r.order = append(r.order, axis)
		}
	}
	var err error
	r.table, err = transpose(c, t, r.order)
	return r, err
}

// layAxis makes one axis of t the rows.
func layAxis(c *Call, t *tensor.Tensor, axis int) (*rows, error) {
	marked, err := markAxes([]int{axis}, t.Rank())
	if err != nil {
		return nil, err
	}
	return layRows(c, t, marked)
}

// layTail makes all axes of t from the given one on the rows.
func layTail(c *Call, t *tensor.Tensor, axis int) (*rows, error) {
	if axis != t.Rank() { // which leaves rows of one element
		var err error
		if axis, err = resolveAxis(axis, t.Rank()); err != nil {
			return nil, err
		}
	}
	marked := make([]bool, t.Rank())
	for i := axis; i < len(marked); i++ {
		marked[i] = true
	}
	return layRows(c, t, marked)
}

// back puts a result that has r's rows, along one axis and of any width, into
// the order of the tensor's axes.
func (r *rows) back(t *tensor.Tensor, width int) (*tensor.Tensor, error) {
	shape := slices.Clone(r.table.Shape())
	shape[len(shape)-1] = width
	return r.unlay(t.WithShape(shape))
}

// unlay puts a result of the table's shape into the order of the tensor's axes.
func (r *rows) unlay(t *tensor.Tensor) (*tensor.Tensor, error) {
	inverse := make([]int, len(r.order))
	for i, axis := range r.order {
		inverse[axis] = i
	}
	return transpose(r.call, t, inverse)
}

// eachRow calls f for every row, in parallel, with the row's elements, which f
// only reads.
func (n numbersOf[S, C]) eachRow(c *Call, r *rows, f func(i int, row []C)) error {
	elements, err := n.reader(r.table, r.table.Shape())
	if err != nil {
		return err
	}
	return parallel(c, r.count, r.width, func(from, to int) {
		var room []C
		if n.widen != nil {
			room = buffer[C](c, r.width)
		}
		for i := from; i < to; i++ {
			f(i, elements.block(i*r.width, (i+1)*r.width, room))
		}
	})
}

// rowFunction is a function that makes of each row one as long.
type rowFunction struct {
	name string
	// What CumSum and CumProd say about their direction, and whether an element
	// is part of its own sum.
	reverse, exclusive bool
}

func (n numbersOf[S, C]) mapRows(c *Call, f rowFunction, r *rows) (*tensor.Tensor, error) {
	apply, err := rowLoop[C](f, r.table.DType())
	if err != nil {
		return nil, err
	}
	y := buffer[S](c, r.count*r.width)
	direct, native := any(y).([]C)
	err = n.eachRow(c, r, func(i int, row []C) {
		lo, hi := i*r.width, (i+1)*r.width
		if native {
			apply(direct[lo:hi], row)
			return
		}
		apply(row, row) // the row is a widened copy
		n.narrow(y[lo:hi], row)
	})
	return tensor.New(r.table.Shape(), y), err
}
