package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// reduceFamily holds the operators that make one element of many. The axes were
// an attribute before they became an operand.
var reduceFamily = []Kernel{
	{Op: "ReduceSum", Since: 1, Build: needs(1, Single(buildReduce))},
	{Op: "ReduceMean", Since: 1, Build: needs(1, Single(buildReduce))},
	{Op: "ReduceMax", Since: 1, Build: needs(1, Single(buildReduce))},
	{Op: "ReduceMin", Since: 1, Build: needs(1, Single(buildReduce))},
	{Op: "ReduceProd", Since: 1, Build: needs(1, Single(buildReduce))},
	{Op: "ReduceL1", Since: 1, Build: needs(1, Single(buildReduce))},
	{Op: "ReduceL2", Since: 1, Build: needs(1, Single(buildReduce))},
	{Op: "ReduceSumSquare", Since: 1, Build: needs(1, Single(buildReduce))},
	{Op: "ReduceLogSum", Since: 1, Build: needs(1, Single(buildReduce))},
	{Op: "ReduceLogSumExp", Since: 1, Build: needs(1, Single(buildReduce))},
}

// rowReduction gives the function that reduces a row, which may be empty. Sums
// of floats are kept in float64 (pieces of those of float32 in float32, see
// vector.Sum), those of integers in their own type, in which they wrap around. It is nil for a reduction that there is not.
func rowReduction[C number](reduction string) func(row []C) C {
	if loop, ok := any(floatReduction(reduction)).(func(row []C) C); ok && loop != nil {
		return loop
	}
	switch reduction {
	case "ReduceSum":
		if !isInteger[C]() {
			return func(row []C) C { return C(floatSum(row)) }
		}
		return func(row []C) C { return sumOf(row, func(v C) C { return v }) }
	case "ReduceMean":
		return func(row []C) C { return C(floatSum(row) / float64(len(row))) }
	case "ReduceL1":
		return func(row []C) C { return sumOf(row, absolute[C]) }
	case "ReduceSumSquare":
		return func(row []C) C { return sumOf(row, func(v C) C { return v * v }) }
	case "ReduceL2":
		return func(row []C) C { return C(math.Sqrt(squareSum(row))) }
	case "ReduceLogSum":
		return func(row []C) C { return C(math.Log(floatSum(row))) }
	case "ReduceLogSumExp":
		return logSumExp[C]
	case "ReduceProd":
		if !isInteger[C]() { // no product on the way is infinite unless the last is
			return func(row []C) C {
				product := 1.0
				for _, v := range row {
					product *= float64(v)
				}
				return C(product)
			}
		}
		return func(row []C) C {
			product := C(1)
			for _, v := range row {
				product *= v
			}
			return product
		}
	case "ReduceMax":
		return func(row []C) C {
			if len(row) == 0 {
				return lowest[C]()
			}
			return largestOf(row)
		}
	case "ReduceMin":
		return func(row []C) C {
			least := highest[C]()
			for _, v := range row {
				least = min(least, v)
			}
			return least
		}
	}
	return nil
}

// floatReduction is a reduction of rows of float32 that has a vector loop.
func floatReduction(reduction string) func(row []float32) float32 {
	switch reduction {
	case "ReduceSum":
		return func(row []float32) float32 { return float32(vector.Sum(row)) }
	case "ReduceMean":
		return func(row []float32) float32 { return float32(vector.Sum(row) / float64(len(row))) }
	case "ReduceSumSquare":
		return func(row []float32) float32 { return float32(vector.SquareSum(row, 0)) }
	case "ReduceL2":
		return func(row []float32) float32 { return float32(math.Sqrt(vector.SquareSum(row, 0))) }
	case "ReduceMax":
		return vector.Largest
	}
	return nil
}

// floatSum sums in four strands, which do not wait for one another.
func floatSum[C number](row []C) float64 {
	var s0, s1, s2, s3 float64
	for ; len(row) >= 4; row = row[4:] {
		s0 += float64(row[0])
		s1 += float64(row[1])
		s2 += float64(row[2])
		s3 += float64(row[3])
	}
	for _, v := range row {
		s0 += float64(v)
	}
	return (s0 + s1) + (s2 + s3)
}

func squareSum[C number](row []C) float64 {
	var sum float64
	for _, v := range row {
		sum += float64(v) * float64(v)
	}
	return sum
}

func sumOf[C number](row []C, term func(C) C) C {
	if isInteger[C]() {
		var sum C
		for _, v := range row {
			sum += term(v)
		}
		return sum
	}
	var sum float64
	for _, v := range row {
		sum += float64(term(v))
	}
	return C(sum)
}

// logSumExp takes the largest element off first, so that no power overflows.
func logSumExp[C number](row []C) C {
	if len(row) == 0 {
		return C(math.Inf(-1))
	}
	largest := float64(largestOf(row))
	if math.IsInf(largest, 0) {
		return C(largest)
	}
	var sum float64
	for _, v := range row {
		sum += math.Exp(float64(v) - largest)
	}
	return C(largest + math.Log(sum))
}

// highest is the largest number of a type: an infinity if it has one.
func highest[C number]() C {
	if !isInteger[C]() {
		return C(math.Inf(1))
	}
	all := C(1) // ones in all bits that count
	for 2*all+1 > all {
		all = 2*all + 1
	}
	return all
}

// lowest is the smallest number of a type: a negative infinity if it has one.
func lowest[C number]() C {
	if !isInteger[C]() {
		return C(math.Inf(-1))
	}
	return highest[C]() + 1 // which wraps around
}

func (n numbersOf[S, C]) reduce(c *Call, reduction string, r *rows) (*tensor.Tensor, error) {
	reduce := rowReduction[C](reduction)
	if reduce == nil {
		return nil, fmt.Errorf("there is no reduction %q", reduction)
	}
	y := buffer[C](c, r.count)
	err := n.eachRow(c, r, func(i int, row []C) { y[i] = reduce(row) })
	return n.tensor([]int{r.count}, y), err
}

func buildReduce(n *Node) (single, error) {
	stated, keep, none := n.Ints("axes"), n.Int("keepdims", 1) != 0, n.Int("noop_with_empty_axes", 0) != 0
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		axes := stated
		if list := operand(in, 1); list != nil {
			var err error
			if axes, err = integers(list); err != nil {
				return nil, fmt.Errorf("axes: %w", err)
			}
		}
		marked, err := markAxes(axes, in[0].Rank())
		if err != nil {
			return nil, err
		}
		if len(axes) == 0 && !none {
			fillWith(marked, true)
		}
		return reduceAxes(c, n.OpType, in[0], marked, keep)
	}, nil
}

// reduceAxes reduces t over the marked axes, which have size 1 in the result if
// they are kept and else are not in it. No axis marked reduces each element alone.
func reduceAxes(c *Call, reduction string, t *tensor.Tensor, marked []bool, keep bool) (*tensor.Tensor, error) {
	if t.DType() == onnx.Bool && (reduction == "ReduceMax" || reduction == "ReduceMin") {
		bytes, err := cast(c, t, onnx.Uint8, rounding{})
		if err == nil {
			bytes, err = reduceAxes(c, reduction, bytes, marked, keep)
		}
		if err != nil {
			return nil, err
		}
		return cast(c, bytes, onnx.Bool, rounding{})
	}
	numbers, err := numbersIn(t)
	if err != nil {
		return nil, err
	}
	r, err := layRows(c, t, marked)
	if err != nil {
		return nil, err
	}
	y, err := numbers.reduce(c, reduction, r)
	if err != nil {
		return nil, err
	}
	return y.WithShape(reducedShape(t.Shape(), marked, keep)), nil
}

func reducedShape(shape []int, marked []bool, keep bool) []int {
	reduced := []int{}
	for axis, size := range shape {
		switch {
		case !marked[axis]:
			reduced = append(reduced, size)
		case keep:
			reduced = append(reduced, 1)
		}
	}
	return reduced
}
