package ops

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// einsumFamily holds Einsum, the sum of products that an equation describes.
var einsumFamily = []Kernel{
	{Op: "Einsum", Since: 12, Build: needs(1, Single(buildEinsum))},
}

func buildEinsum(n *Node) (single, error) {
	e, err := parseEinsum(n.Text("equation", ""))
	return e.run, err
}

// einsum is a parsed equation. A label is the letter that names an axis; the
// axes of an ellipsis get negative numbers, from the last one on.
type einsum struct {
	terms    []string // of the operands: letters, and ellipsis for "..."
	result   string
	implicit bool // the equation does not state its result
}

// ellipsis stands for "..." in a term.
const ellipsis = "."

func parseEinsum(equation string) (*einsum, error) {
	plain := strings.ReplaceAll(strings.ReplaceAll(equation, " ", ""), "...", ellipsis)
	left, right, explicit := strings.Cut(plain, "->")
	e := &einsum{terms: strings.Split(left, ","), result: right, implicit: !explicit}
	for _, term := range append(slices.Clone(e.terms), right) {
		for _, letter := range term {
			if string(letter) != ellipsis && (letter < 'A' || letter > 'Z' && letter < 'a' || letter > 'z') {
				return nil, fmt.Errorf("equation %q: %q is not a letter", equation, letter)
			}
		}
		if strings.Count(term, ellipsis) > 1 {
			return nil, fmt.Errorf("equation %q: a term has two ellipses", equation)
		}
	}
	for i, letter := range right {
		if strings.ContainsRune(right[:i], letter) {
			return nil, fmt.Errorf("equation %q: label %q is twice in the result", equation, letter)
		}
		if !strings.ContainsRune(left, letter) && string(letter) != ellipsis {
			return nil, fmt.Errorf("equation %q: label %q of the result is in no operand", equation, letter)
		}
	}
	return e, nil
}

// labeled is a tensor whose axes have labels, each another one.
type labeled struct {
	t      *tensor.Tensor
	labels []rune
}

func (e *einsum) run(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
	if len(in) != len(e.terms) {
		return nil, fmt.Errorf("the equation has %d terms, for %d operands", len(e.terms), len(in))
	}
	operands := make([]labeled, len(in))
	dots := 0 // the most axes that any ellipsis stands for
	var err error
	for i, t := range in {
		if t == nil {
			return nil, fmt.Errorf("operand %d is missing", i)
		}
		if strings.Contains(e.terms[i], ellipsis) {
			dots = max(dots, t.Rank()-len(e.terms[i])+1)
		}
		if t, err = cast(c, t, einsumType(t.DType()), rounding{}); err != nil {
			return nil, err
		}
		if operands[i], err = label(t, e.terms[i]); err != nil {
			return nil, fmt.Errorf("operand %d, term %q: %w", i, e.terms[i], err)
		}
	}
	result := e.resultLabels(dots)
	sum := operands[0]
	for i := range operands {
		needed := slices.Clone(result)
		for _, later := range operands[i+1:] {
			needed = append(needed, later.labels...)
		}
		if i == 0 {
			sum, err = sum.keepOnly(c, needed)
		} else {
			sum, err = contract(c, sum, operands[i], needed)
		}
		if err != nil {
			return nil, err
		}
	}
	t, err := sum.arranged(result)
	if err != nil {
		return nil, err
	}
	return cast(c, t, in[0].DType(), rounding{})
}

// einsumType is the type that products are summed in: short integers wrap around
// in int32 as they would in their own.
func einsumType(t onnx.DType) onnx.DType {
	switch t {
	case onnx.Float16, onnx.BFloat16:
		return onnx.Float
	case onnx.Int8, onnx.Int16, onnx.Uint8, onnx.Uint16:
		return onnx.Int32
	}
	return t
}

// dotLabels are the labels of an ellipsis of count axes; they align at the last.
func dotLabels(count int) []rune {
	labels := make([]rune, count)
	for i := range labels {
		labels[i] = rune(i - count)
	}
	return labels
}

// termLabels are the labels of a term whose ellipsis stands for dots axes.
func termLabels(term string, dots int) []rune {
	var labels []rune
	for _, letter := range term {
		if string(letter) == ellipsis {
			labels = append(labels, dotLabels(dots)...)
		} else {
			labels = append(labels, letter)
		}
	}
	return labels
}

// resultLabels are those of the result. One that is not stated has the axes of
// the ellipsis and then, in alphabetical order, the letters that are there once.
func (e *einsum) resultLabels(dots int) []rune {
	if !e.implicit {
		return termLabels(e.result, dots)
	}
	all := strings.Join(e.terms, "")
	var once []rune
	for _, letter := range all {
		if string(letter) != ellipsis && strings.Count(all, string(letter)) == 1 {
			once = append(once, letter)
		}
	}
	slices.Sort(once)
	return append(dotLabels(dots), once...)
}

// label names t's axes as a term says; of axes with one label, the diagonal is taken.
func label(t *tensor.Tensor, term string) (labeled, error) {
	dots := t.Rank() - len(strings.ReplaceAll(term, ellipsis, ""))
	if dots < 0 || dots > 0 && !strings.Contains(term, ellipsis) {
		return labeled{}, fmt.Errorf("shape %v does not fit", t.Shape())
	}
	names := termLabels(term, dots)
	dense := rowMajor(t.Shape())
	var labels []rune
	var shape, strides []int
	for axis, name := range names {
		size, stride := t.Shape()[axis], dense.strides[axis]
		at := slices.Index(labels, name)
		if at < 0 {
			labels, shape, strides = append(labels, name), append(shape, size), append(strides, stride)
			continue
		}
		if shape[at] != size {
			return labeled{}, fmt.Errorf("shape %v has sizes %d and %d along label %q", t.Shape(), shape[at], size, name)
		}
		strides[at] += stride
	}
	if len(labels) < len(names) {
		t = pick(nil, t, layout{strides: strides}, shape)
	}
	return labeled{t, labels}, nil
}

// keepOnly sums over the axes whose labels are not needed.
func (l labeled) keepOnly(c *Call, needed []rune) (labeled, error) {
	marked := make([]bool, len(l.labels))
	kept := make([]rune, 0, len(l.labels))
	for axis, name := range l.labels {
		if marked[axis] = !slices.Contains(needed, name); !marked[axis] {
			kept = append(kept, name)
		}
	}
	if len(kept) == len(l.labels) {
		return l, nil
	}
	t, err := reduceAxes(c, "ReduceSum", l.t, marked, false)
	return labeled{t, kept}, err
}

// arranged brings the axes into an order; labels that the tensor does not have
// are left out there, as they are where no ellipsis stands for any axis.
func (l labeled) arranged(order []rune) (*tensor.Tensor, error) {
	var axes []int
	for _, name := range order {
		axes = append(axes, slices.Index(l.labels, name))
	}
	return transpose(nil, l.t, axes)
}

// size is that of the axis with a label.
func (l labeled) size(name rune) int { return l.t.Shape()[slices.Index(l.labels, name)] }

// contract multiplies two tensors and sums over the axes whose labels are not
// needed. It is a batched matrix product: labels that both have are the batch if
// they are needed, else what is summed over.
func contract(c *Call, a, b labeled, needed []rune) (labeled, error) {
	a, err := a.keepOnly(c, append(slices.Clone(needed), b.labels...))
	if err == nil {
		b, err = b.keepOnly(c, append(slices.Clone(needed), a.labels...))
	}
	if err == nil {
		a, b, err = a.sameSizes(b)
	}
	if err != nil {
		return labeled{}, err
	}
	var batch, summed, left, right []rune
	for _, name := range a.labels {
		switch {
		case !slices.Contains(b.labels, name):
			left = append(left, name)
		case slices.Contains(needed, name):
			batch = append(batch, name)
		default:
			summed = append(summed, name)
		}
	}
	for _, name := range b.labels {
		if !slices.Contains(a.labels, name) {
			right = append(right, name)
		}
	}
	first, err := a.matrices(batch, left, summed)
	if err != nil {
		return labeled{}, err
	}
	second, err := b.matrices(batch, summed, right)
	if err != nil {
		return labeled{}, err
	}
	multiply := matMul
	if len(summed) == 0 {
		multiply = outerProduct
	}
	product, err := multiply(c, first, second)
	if err != nil {
		return labeled{}, err
	}
	shape := []int{}
	for _, name := range slices.Concat(batch, left) {
		shape = append(shape, a.size(name))
	}
	for _, name := range right {
		shape = append(shape, b.size(name))
	}
	return labeled{product.WithShape(shape), slices.Concat(batch, left, right)}, nil
}

// outerProduct is matMul of columns and rows of one element each per matrix,
// which needs no sums.
func outerProduct(c *Call, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	numbers, err := numbersIn(a)
	if err != nil {
		return nil, err
	}
	return numbers.fold(c, "Mul", []*tensor.Tensor{a, b})
}

// matrices arranges the axes as (batch, rows, columns), a product of sizes each.
func (l labeled) matrices(batch, rows, columns []rune) (*tensor.Tensor, error) {
	t, err := l.arranged(slices.Concat(batch, rows, columns))
	if err != nil {
		return nil, err
	}
	shape := []int{1, 1, 1}
	for i, group := range [][]rune{batch, rows, columns} {
		for _, name := range group {
			shape[i] *= l.size(name)
		}
	}
	return t.WithShape(shape), nil
}

// sameSizes expands axes of size 1 to the size that the other tensor has under
// the same label.
func (l labeled) sameSizes(other labeled) (labeled, labeled, error) {
	sizes := map[rune]int{}
	for _, t := range []labeled{l, other} {
		for axis, name := range t.labels {
			if size := t.t.Shape()[axis]; sizes[name] <= 1 {
				sizes[name] = size
			} else if size != 1 && size != sizes[name] {
				return l, other, fmt.Errorf("sizes %d and %d along label %q", sizes[name], size, name)
			}
		}
	}
	expandSizes := func(t labeled) (labeled, error) {
		wanted := make([]int, len(t.labels))
		for axis, name := range t.labels {
			wanted[axis] = sizes[name]
		}
		if slices.Equal(wanted, t.t.Shape()) {
			return t, nil
		}
		expanded, err := expand(nil, t.t, wanted)
		return labeled{expanded, t.labels}, err
	}
	l, err := expandSizes(l)
	if err == nil {
		other, err = expandSizes(other)
	}
	return l, other, err
}
