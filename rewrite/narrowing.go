package rewrite

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// safe is what is known of an operator that may compute in 16 bit: from which
// opset on it takes bfloat16. Every one of them takes float16 since opset 7.
type safe struct{ bfloat16 int64 }

// safeOperators lists the operators that compute in 16 bit when the whole graph
// does. What is not listed keeps float32: see unsafeOperators for the known
// reasons, the others are not known well enough.
var safeOperators = map[string]safe{
	"Add": {13}, "Sub": {13}, "Mul": {13}, "Div": {13}, "Neg": {13}, "Abs": {13}, "Min": {13}, "Max": {13},
	"Relu": {13}, "LeakyRelu": {16}, "PRelu": {16}, "Sigmoid": {13}, "Tanh": {13}, "Erf": {13}, "Clip": {13},
	"Gelu": {20}, "HardSigmoid": {22}, "HardSwish": {22}, "Elu": {22}, "Softsign": {22}, "Swish": {24},
	"Identity": {13}, "Reshape": {13}, "Transpose": {13}, "Squeeze": {13}, "Unsqueeze": {13}, "Flatten": {13},
	"Concat": {13}, "Split": {13}, "Slice": {13}, "Gather": {13}, "GatherElements": {13}, "GatherND": {13},
	"Expand": {13}, "Tile": {13}, "Pad": {13}, "Where": {16}, "DepthToSpace": {13}, "SpaceToDepth": {13},
	"ScatterND": {13}, "ScatterElements": {13}, "MaxPool": {22}, "AveragePool": {22},
	"MatMul": {13}, "Gemm": {13}, "Conv": {22}, "ConvTranspose": {22}, "Einsum": {99},
}

// unsafeOperators gives the reasons why operators keep float32 in a graph that
// computes in 16 bit.
var unsafeOperators = map[string]string{
	"Pow":     "powers leave the range of 16 bit",
	"Exp":     "exponentials leave the range of 16 bit",
	"Softmax": "its sum of exponentials needs float32", "LogSoftmax": "its sum of exponentials needs float32",
	"LayerNormalization": "its variance needs float32", "RMSNormalization": "its mean square needs float32",
	"InstanceNormalization": "its variance needs float32", "GroupNormalization": "its variance needs float32",
	"BatchNormalization": "its variance needs float32", "LpNormalization": "its norm needs float32",
	"ReduceSum": "sums of many numbers need float32", "ReduceMean": "sums of many numbers need float32",
	"ReduceSumSquare": "sums of squares need float32", "ReduceL1": "sums of many numbers need float32",
	"ReduceL2": "sums of squares need float32", "ReduceProd": "products leave the range of 16 bit",
	"ReduceLogSum": "sums of many numbers need float32", "ReduceLogSumExp": "exponentials leave the range of 16 bit",
	"CumSum": "sums of many numbers need float32", "GlobalAveragePool": "sums of many numbers need float32",
	"Sqrt": "it follows a variance, whose small numbers 16 bit does not hold", "Reciprocal": "it leaves the range of 16 bit",
	"Resize": "its scales are float32", "Upsample": "its scales are float32", "Range": "it counts, which 16 bit does up to 2048",
	"LSTM": "its state would gather errors in 16 bit", "GRU": "its state would gather errors in 16 bit", "RNN": "its state would gather errors in 16 bit",
}

// bounding lists the operators whose results lie in a small range whatever they
// read.
var bounding = []string{
	"Softmax", "Sigmoid", "Tanh", "Erf", "HardSigmoid", "Softsign", "Sin", "Cos",
	"LayerNormalization", "RMSNormalization", "InstanceNormalization", "Sqrt",
}

// keeps says why a node does not compute in 16 bit, or nothing.
func (h *halver) keeps(scope *onnx.Scope, node *onnx.Node) string {
	if body := h.callee(node); body != nil {
		return h.borders[body].reason()
	}
	if len(node.Bodies()) > 0 {
		return h.bodiesKeep(scope, node)
	}
	reason, known := h.reasons[node]
	if !known {
		reason = h.keepsOperator(scope, node)
		h.reasons[node] = reason
	}
	return reason
}

// keepsOperator is keeps for an operator of the default domain, or of another.
func (h *halver) keepsOperator(scope *onnx.Scope, node *onnx.Node) string {
	if node.Domain != "" && node.Domain != "ai.onnx" {
		return "operators of " + node.Domain + " are not known well enough"
	}
	if reason := otherOpset(scope, h.opset); reason != "" {
		return reason
	}
	line, ok := safeOperators[node.OpType]
	if reason := unsafeOperators[node.OpType]; reason != "" {
		return reason
	}
	if !ok {
		return "it is not known to be safe in 16 bit"
	}
	if h.narrow == onnx.BFloat16 && scope.Opset("") < line.bfloat16 {
		return fmt.Sprintf("it takes no bfloat16 before opset %d", line.bfloat16)
	}
	if h.narrow == onnx.Float16 && movesBatch(node) && feedsProduct(scope, node.Output(0), 4) {
		return "it moves the batch axis of a product's operand, and ONNX Runtime from 1.24 on ends by a fault when it loads that in float16"
	}
	for _, name := range node.Inputs {
		if name == "" {
			continue
		}
		if kind := h.types.typeOf(scope, name); kind == onnx.Undefined {
			return fmt.Sprintf("the element type of %q is not known", name)
		} else if kind != onnx.Float {
			continue
		}
		if h.wild[value{scope.Lookup(name), name}] {
			return fmt.Sprintf("%q may hold numbers beyond %g", name, largest(h.narrow))
		}
		if c := scope.Constant(name); c != nil {
			if misfit := h.unfit(c, name); misfit.reason != "" {
				return misfit.reason
			}
		}
	}
	return ""
}

// movesBatch says whether a node is a Transpose that takes the first axis behind
// the other batch axes, with or without turning the matrices: what ONNX Runtime
// fuses with a product. In float16 that leaves a node without a definition, at
// which its transform for Conv falls over on x64 (its issue 28392); only a Cast
// between a Transpose of float32 and the product keeps it away.
func movesBatch(node *onnx.Node) bool {
	perm := node.Attr("perm")
	if node.OpType != "Transpose" || perm == nil || len(perm.Ints) < 3 {
		return false
	}
	rank := len(perm.Ints)
	for i, axis := range perm.Ints[:rank-2] {
		if axis != int64(i+1) {
			return false
		}
	}
	return true
}

// feedsProduct says whether a MatMul reads a value, behind so many casts at most.
func feedsProduct(scope *onnx.Scope, name string, casts int) bool {
	return slices.ContainsFunc(scope.Users(name), func(use onnx.Use) bool {
		switch use.Node.OpType {
		case "MatMul", "FusedMatMul":
			return true
		case "Cast":
			return casts > 0 && feedsProduct(use.Scope, use.Node.Output(0), casts-1)
		}
		return false
	})
}

// misfit is why a constant cannot be stored in 16 bit.
type misfit struct {
	reason string // empty: it can
	large  bool   // it would become infinite, not zero
}

// unfit says why a constant cannot be stored in 16 bit: it would become
// infinite, or a small number that is not zero would become zero or lose its
// digits.
func (h *halver) unfit(c *onnx.Constant, name string) misfit {
	var key any = c
	if len(c.Path) == 0 {
		key = c.Source
	}
	known, ok := h.fits[key]
	if !ok {
		known = h.measure(c, name)
		h.fits[key] = known
	}
	return known
}

func (h *halver) measure(c *onnx.Constant, name string) misfit {
	values, err := c.Tensor(name).Float32s()
	if err != nil {
		return misfit{reason: err.Error()}
	}
	narrow := floatTypes[h.narrow]
	for _, v := range values {
		r := narrow.Round(v)
		if r-r != 0 && v-v == 0 {
			return misfit{fmt.Sprintf("its constant %q holds %g, beyond %g", name, v, largest(h.narrow)), true}
		}
		if len(values) == 1 && math.Abs(float64(r-v)) > math.Abs(float64(v))/128 {
			return misfit{fmt.Sprintf("its constant %q is %g, too small for %v", name, v, h.narrow), false}
		}
	}
	return misfit{}
}
