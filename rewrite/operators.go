package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// operator says where an operator keeps weights, and how they lie.
type operator struct {
	domain, name string
	// inputs are the places where a weight may stand.
	inputs []int
	// read gives the layout of a constant in one of those places.
	read func(node *onnx.Node, input int, dims []int64) (layout, string)
	// narrow says that under W8A16 the operator computes in 16 bit. The others
	// keep their type, for the reason in wide, and only store int8.
	narrow bool
	wide   string
	// lookup says that the operator picks rows of a table: it picks int8 rows
	// and their scales instead, so that no whole table is ever dequantized.
	lookup bool
}

// layout is how a weight lies.
type layout struct {
	// transpose says that the weight has to be stored transposed, so that the
	// new node reads it with no transpose of its own.
	transpose bool
	dims      []int64 // as stored
	axis      int     // of dims, along which output channels lie; -1: there is one
	// reduction is the axis of a matrix along which products are summed, and
	// blocks may lie; -1: the weight is no matrix.
	reduction int
	// batched says that the weight is a batch of matrices, such as experts, that
	// have scales of their own: products are summed along the one of its last two
	// axes that is not axis.
	batched bool
}

const microsoft = "com.microsoft"

// operators is the table of all operators whose weights can be quantized; the
// first two are what a Recipe takes by default.
var operators = []operator{
	{name: "MatMul", inputs: []int{1, 0}, read: readLinear, narrow: true},
	{name: "Gemm", inputs: []int{1, 0}, read: readLinear, narrow: true},
	{name: "Conv", inputs: []int{1}, read: channelsFirst, narrow: true},
	{name: "ConvTranspose", inputs: []int{1}, read: transposedChannels, narrow: true},
	{name: "Einsum", inputs: []int{1, 0, 2, 3}, read: readEinsum, narrow: true},
	{name: "LSTM", inputs: []int{1, 2}, read: channelsSecond, wide: "its state would gather errors in 16 bit"},
	{name: "GRU", inputs: []int{1, 2}, read: channelsSecond, wide: "its state would gather errors in 16 bit"},
	{name: "RNN", inputs: []int{1, 2}, read: channelsSecond, wide: "its state would gather errors in 16 bit"},
	{name: "Gather", inputs: []int{0}, read: readRows, lookup: true, wide: "a lookup computes nothing"},
	{name: "GatherElements", inputs: []int{0}, read: readWhole, lookup: true, wide: "a lookup computes nothing"},
	{domain: microsoft, name: "FusedMatMul", inputs: []int{1, 0}, read: readLinear, narrow: true},
	{domain: microsoft, name: "FusedGemm", inputs: []int{1, 0}, read: readLinear, narrow: true},
	{domain: microsoft, name: "Attention", inputs: []int{1}, read: channelsLast, wide: "its softmax is not safe in 16 bit"},
}

// defaultOperators counts those at the table's start.
const defaultOperators = 2

// operatorOf finds a node's line of the table, if it has one.
func operatorOf(node *onnx.Node) *operator {
	domain := node.Domain
	if domain == "ai.onnx" {
		domain = ""
	}
	for i := range operators {
		if operators[i].name == node.OpType && operators[i].domain == domain {
			return &operators[i]
		}
	}
	return nil
}

// String is the operator's name as recipes and reports give it.
func (o *operator) String() string {
	if o.domain == "" {
		return o.name
	}
	return o.domain + "." + o.name
}

// Operators lists the operators whose weights a Recipe can quantize.
func Operators() []string {
	names := make([]string, len(operators))
	for i := range operators {
		names[i] = operators[i].String()
	}
	return names
}

// DefaultOperators lists those that a Recipe takes unless it names others.
func DefaultOperators() []string { return Operators()[:defaultOperators] }

// transposeAttr names the attribute that transposes an operand of Gemm and its kin.
var transposeAttr = [2]string{"transA", "transB"}

// readLinear is the layout of MatMul, Gemm and their kin: stored so that the
// node reads [K,N] on the right or [M,K] on the left. A batch of matrices, each of
// which has scales of its own, is stored as it lies.
func readLinear(node *onnx.Node, input int, dims []int64) (layout, string) {
	l := layout{dims: slices.Clone(dims), reduction: -1}
	rank := len(dims)
	if input > 1 {
		return l, "it is not a factor"
	}
	if strings.HasSuffix(node.OpType, "Gemm") && rank != 2 {
		return l, fmt.Sprintf("a Gemm weight of rank %d is not valid", rank)
	}
	for _, batch := range []string{"transBatchA", "transBatchB"} {
		if a := node.Attr(batch); a != nil && a.I != 0 {
			return l, "its " + batch + " moves the weight's axes"
		}
	}
	transposed := false
	if a := node.Attr(transposeAttr[input]); a != nil && a.RefName != "" {
		return l, "its " + a.Name + " is an attribute of the function's caller"
	} else if a != nil && a.I != 0 && rank >= 2 && node.OpType != "MatMul" {
		transposed = true
	}
	if l.batched = rank > 2; transposed && !l.batched {
		l.transpose, transposed = true, false
		l.dims[rank-2], l.dims[rank-1] = l.dims[rank-1], l.dims[rank-2]
	}
	switch {
	case rank == 1:
		l.axis = -1
	case (input == 1) != transposed:
		l.axis = rank - 1
	default:
		l.axis = rank - 2
	}
	if rank == 2 {
		l.reduction = 1 - l.axis
	}
	return l, ""
}

// along is a layout that is stored as it is.
func along(axis int, dims []int64) (layout, string) {
	if axis >= len(dims) {
		return layout{}, fmt.Sprintf("a weight of rank %d is not valid here", len(dims))
	}
	return layout{dims: dims, axis: axis, reduction: -1}, ""
}

// channelsFirst is the layout of a convolution's weight, [M, C/group, ...].
func channelsFirst(_ *onnx.Node, _ int, dims []int64) (layout, string) { return along(0, dims) }

// transposedChannels is the layout of a transposed convolution's weight, [C,
// M/group, ...]. The second axis counts the outputs of every group alike, so where
// there are several, each input channel has a scale, which is of one group: in a
// depthwise one that is the output channel's too.
func transposedChannels(node *onnx.Node, _ int, dims []int64) (layout, string) {
	if group := node.Attr("group"); group != nil && group.I > 1 {
		return along(0, dims)
	}
	return along(1, dims)
}

// channelsSecond is the layout of a recurrent layer's weight, [directions,
// gates·hidden, inputs], whose directions share scales.
func channelsSecond(_ *onnx.Node, _ int, dims []int64) (layout, string) { return along(1, dims) }

// channelsLast is the layout of Attention's weight, [inputs, 3·hidden].
func channelsLast(_ *onnx.Node, _ int, dims []int64) (layout, string) {
	return along(len(dims)-1, dims)
}

// readRows is the layout of a table whose rows are looked up: a scale for each row.
func readRows(node *onnx.Node, _ int, dims []int64) (layout, string) {
	axis := 0
	if a := node.Attr("axis"); a != nil {
		axis = int(a.I)
	}
	if axis < 0 {
		axis += len(dims)
	}
	l, reason := along(axis, dims)
	if axis < 0 || reason == "" && elements(dims) == dims[axis] {
		return layout{}, "it looks up numbers, not rows"
	}
	return l, reason
}

// elements is how many there are in a tensor.
func elements(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// readWhole is the layout of a table whose elements are looked up one by one:
// one scale for all, since an element may come from anywhere.
func readWhole(_ *onnx.Node, _ int, dims []int64) (layout, string) {
	return layout{dims: dims, axis: -1, reduction: -1}, ""
}

// readEinsum is the layout of an Einsum's operand: scales lie along the last of
// its axes that the result has and no other operand has. Along a summed axis a
// scale could not be taken out of the sum. An operand of which one of the last
// two axes is summed, and nothing else, is a batch of matrices.
func readEinsum(node *onnx.Node, input int, dims []int64) (layout, string) {
	equation := node.Attr("equation")
	if equation == nil || equation.RefName != "" {
		return layout{}, "its equation is not known"
	}
	text := strings.ReplaceAll(string(equation.S), " ", "")
	left, result, explicit := strings.Cut(text, "->")
	terms := strings.Split(left, ",")
	if !explicit || input >= len(terms) || strings.Contains(terms[input], ".") || len(terms[input]) != len(dims) {
		return layout{dims: dims, axis: -1, reduction: -1}, ""
	}
	axis := -1
	for i, label := range terms[input] {
		others := strings.Join(slices.Delete(slices.Clone(terms), input, input+1), "")
		if strings.ContainsRune(result, label) && !strings.ContainsRune(others, label) {
			axis = i
		}
	}
	l := layout{dims: dims, axis: axis, reduction: -1}
	if rank := len(dims); rank > 2 && axis >= rank-2 {
		summed := 2*rank - 3 - axis
		l.batched = true
		for i, label := range terms[input] {
			l.batched = l.batched && strings.ContainsRune(result, label) == (i != summed)
		}
	}
	return l, ""
}
