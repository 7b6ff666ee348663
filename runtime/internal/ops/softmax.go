package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// softmaxFamily holds the operators that compute a row of an axis from the whole
// row. Before version 13, the Softmax kind's rows ran over all axes from the
// stated one on.
var softmaxFamily = []Kernel{
	{Op: "Softmax", Since: 1, Build: needs(1, Single(buildSoftmaxOfTail))},
	{Op: "Softmax", Since: 13, Build: needs(1, Single(buildSoftmax))},
	{Op: "LogSoftmax", Since: 1, Build: needs(1, Single(buildSoftmaxOfTail))},
	{Op: "LogSoftmax", Since: 13, Build: needs(1, Single(buildSoftmax))},
	{Op: "Hardmax", Since: 1, Build: needs(1, Single(buildSoftmaxOfTail))},
	{Op: "Hardmax", Since: 13, Build: needs(1, Single(buildSoftmax))},
	{Op: "CumSum", Since: 11, Build: needs(2, Single(buildCumulative))},
	{Op: "CumProd", Since: 26, Build: needs(2, Single(buildCumulative))},
}

// rowLoop gives the loop of a row function; y is as long as x and may be x. The
// result is stored as t.
func rowLoop[C number](f rowFunction, t onnx.DType) (func(y, x []C), error) {
	switch f.name {
	case "Softmax":
		if loop, ok := any(softmaxStoredAs(t)).(func(y, x []C)); ok && t != onnx.Float {
			return loop, nil
		}
		return softmaxTo[C], nil
	case "LogSoftmax":
		return logSoftmaxTo[C], nil
	case "Hardmax":
		return hardmaxTo[C], nil
	case "CumSum":
		return cumulativeRow(f, 0, func(a, b C) C { return a + b }), nil
	case "CumProd":
		return cumulativeRow(f, 1, func(a, b C) C { return a * b }), nil
	}
	return nil, fmt.Errorf("there is no row function %q", f.name)
}

// softmaxTo takes the largest element off first, so that no power overflows.
func softmaxTo[C number](y, x []C) {
	if from, ok := any(x).([]float32); ok {
		vector.Softmax(any(y).([]float32), from)
		return
	}
	largest, sum := largestOf(x), 0.0
	for i, v := range x {
		e := math.Exp(float64(v - largest))
		sum += e
		y[i] = C(e)
	}
	for i, v := range y {
		y[i] = C(float64(v) / sum)
	}
}

// softmaxStoredAs is softmaxTo for 16-bit types.
func softmaxStoredAs(t onnx.DType) func(y, x []float32) {
	return func(y, x []float32) {
		copy(y, x)
		softmaxInSteps(y, t)
	}
}

// softmaxInSteps computes the softmax of a row in place with each step rounded
// to a type, as the standard defines it: by other operators on that type.
func softmaxInSteps[T real](row []T, t onnx.DType) {
	if floats, ok := any(row).([]float32); ok {
		softmaxFloatsInSteps(floats, t)
		return
	}
	largest := largestOf(row)
	for i, v := range row {
		row[i] = v - largest
	}
	roundTo(t, row)
	for i, v := range row {
		row[i] = T(math.Exp(float64(v)))
	}
	roundTo(t, row)
	sum := sumStoredAs(t, row)
	for i := range row {
		row[i] /= sum
	}
	roundTo(t, row)
}

// softmaxFloatsInSteps is softmaxInSteps; only 16-bit types have steps to round.
func softmaxFloatsInSteps(row []float32, t onnx.DType) {
	if t != onnx.Float16 && t != onnx.BFloat16 {
		vector.Softmax(row, row)
		return
	}
	vector.SubNumber(row, row, vector.Largest(row))
	roundTo(t, row)
	vector.Exp(row, row)
	roundTo(t, row)
	vector.DivNumber(row, row, sumStoredAs(t, row))
	roundTo(t, row)
}

// bfloat16Run is how many numbers are added up in bfloat16 itself.
const bfloat16Run = 8

// sumStoredAs adds up a row as the standard's reference does in a type: bfloat16
// is rounded after every addition, other types once. But only a run of a few is
// added up so, and the runs' sums exactly, for a sum of 256 in bfloat16 does not
// change by adding 1.
func sumStoredAs[T real](t onnx.DType, row []T) T {
	sum := []T{0}
	if t != onnx.BFloat16 {
		sum[0] = T(total(row))
		roundTo(t, sum)
		return sum[0]
	}
	var runs T
	for run := range slices.Chunk(row, bfloat16Run) {
		sum[0] = 0
		for _, v := range run {
			sum[0] += v
			roundTo(t, sum)
		}
		runs += sum[0]
	}
	sum[0] = runs
	roundTo(t, sum)
	return sum[0]
}

func logSoftmaxTo[C number](y, x []C) {
	largest, sum := largestOf(x), 0.0
	if from, ok := any(x).([]float32); ok {
		// y may be x, so the powers have to go elsewhere.
		sum = vector.ExpSum(make([]float32, len(x)), from, float32(largest))
	} else {
		for _, v := range x {
			sum += math.Exp(float64(v - largest))
		}
	}
	shift := float64(largest) + math.Log(sum)
	for i, v := range x {
		y[i] = C(float64(v) - shift)
	}
}

func hardmaxTo[C number](y, x []C) {
	if len(x) == 0 {
		return
	}
	first := extremeOf(x, ranking{largest: true})
	clear(y)
	y[first] = 1
}

func cumulativeRow[C number](f rowFunction, start C, combine func(a, b C) C) func(y, x []C) {
	return func(y, x []C) {
		sum := start
		for i := range x {
			if f.reverse {
				i = len(x) - 1 - i
			}
			before := sum
			sum = combine(sum, x[i])
			y[i] = sum
			if f.exclusive {
				y[i] = before
			}
		}
	}
}

// largestOf is the largest element, NaN if there is one, and 0 of none.
func largestOf[C number](x []C) C {
	if floats, ok := any(x).([]float32); ok && len(x) > 0 {
		return C(vector.Largest(floats))
	}
	var largest C
	for i, v := range x {
		if i == 0 {
			largest = v
		}
		largest = max(largest, v)
	}
	return largest
}

func buildSoftmax(n *Node) (single, error) {
	axis := n.Int("axis", -1)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		numbers, err := floatsIn(in[0])
		if err != nil {
			return nil, err
		}
		return alongAxis(c, numbers, rowFunction{name: n.OpType}, in[0], axis)
	}, nil
}

// alongAxis maps the rows along one axis of t.
func alongAxis(c *Call, numbers numbers, f rowFunction, t *tensor.Tensor, axis int) (*tensor.Tensor, error) {
	r, err := layAxis(c, t, axis)
	if err != nil {
		return nil, err
	}
	y, err := numbers.mapRows(c, f, r)
	if err != nil {
		return nil, err
	}
	return r.unlay(y)
}

func buildSoftmaxOfTail(n *Node) (single, error) {
	axis := n.Int("axis", 1)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		numbers, err := floatsIn(in[0])
		if err != nil {
			return nil, err
		}
		r, err := layTail(c, in[0], axis)
		if err != nil {
			return nil, err
		}
		return numbers.mapRows(c, rowFunction{name: n.OpType}, r)
	}, nil
}

func buildCumulative(n *Node) (single, error) {
	f := rowFunction{name: n.OpType, reverse: n.Int("reverse", 0) != 0, exclusive: n.Int("exclusive", 0) != 0}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		axis, err := wholeNumber(in[1])
		if err != nil {
			return nil, fmt.Errorf("axis: %w", err)
		}
		numbers, err := numbersIn(in[0])
		if err != nil {
			return nil, err
		}
		return alongAxis(c, numbers, f, in[0], axis)
	}, nil
}
