package runtime

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// convolutions puts convolutions with packed weights in the place of those whose
// weights are constant, floats or dequantized, and takes in what follows them:
//
//	(DequantizeLinear, or Cast → Mul) → Conv → (BatchNormalization, Mul and Add of constants)
//	  → (Relu, Clip, HardSigmoid, HardSwish, or the nodes that compute these) → (Mul and Add of constants)
//
// What stands before the function is multiplied into the weights and added to
// the bias, in float64, so weights and bias are rounded once more. It reports
// whether there was one.
func (f *fuser) convolutions() bool {
	if !slices.ContainsFunc(f.scope.plan.steps, func(st *step) bool { return isOperator(st.node, "Conv") }) {
		return false
	}
	users := f.users()
	found := false
	for _, st := range f.scope.plan.steps {
		n := st.node
		if !isOperator(n, "Conv") || len(st.in) < 2 || st.packed {
			continue
		}
		constants := f.convWeights(st.in[1])
		if constants == nil {
			continue
		}
		bias := slotAt(st.in, 2)
		t := &convTail{fuser: f, users: users, last: st, maps: constants.Shape[0], rank: len(constants.Shape)}
		if bias == absent || f.fixedTensor(bias) != nil {
			if !t.begin(f.fixedTensor(bias)) {
				continue
			}
			if constants.Type == onnx.Float {
				t.follow(st.out[0])
			}
			constants.Factors, constants.Bias, constants.End = t.factors(), t.bias(), t.end()
			bias = absent
		}
		opset := int(f.scope.compiler.inlined.opset(n))
		conv, err := ops.NewConstantConv(&ops.Node{Node: n, Opset: opset}, *constants)
		if err != nil {
			continue // running the node tells what is wrong
		}
		f.take(st, t, []int{st.in[0], bias}, runConv(conv, n, t.last.node))
		if bias == absent && constants.Type == onnx.Float && conv.InLanes() {
			f.packedConvs[t.last] = conv
		}
		found = true
	}
	return found
}

// take makes the last step that a convolution has taken in compute it; sweep
// leaves out the others, whose results nobody reads then.
func (f *fuser) take(conv *step, t *convTail, in []int, run ops.Run) {
	for _, st := range append(t.taken, conv) {
		st.packed = true
	}
	for _, slot := range t.last.in {
		f.readers[slot]--
	}
	for _, slot := range in {
		f.readers[slot]++
	}
	t.last.in, t.last.run = in, run
}

// runConv is the kernel of a convolution that the step of another node may have.
func runConv(conv *ops.ConstantConv, own, last *onnx.Node) ops.Run {
	return func(c *ops.Call, in []tensor.Value) ([]tensor.Value, error) {
		x, ok := in[0].(*tensor.Tensor)
		if !ok {
			return nil, errNoTensor(in[0])
		}
		bias, ok := in[1].(*tensor.Tensor)
		if in[1] != nil && !ok {
			return nil, errNoTensor(in[1])
		}
		y, err := conv.Run(c, x, bias)
		if err != nil && own != last {
			return nil, fmt.Errorf("computed with node %s before it: %w", nodeLabel(own), err)
		}
		return []tensor.Value{y}, err
	}
}

// isOperator says whether a node is of one of ONNX's own operators.
func isOperator(n *onnx.Node, names ...string) bool {
	return (n.Domain == "" || n.Domain == "ai.onnx") && slices.Contains(names, n.OpType)
}

// convWeights reads the weights in a slot; nil if they are not constant, or are
// nothing that can be packed.
func (f *fuser) convWeights(slot int) *ops.ConvConstants {
	if t := f.fixedTensor(slot); t != nil {
		return floatWeights(t)
	}
	w := f.dequantizedWeight(slot)
	if w == nil || w.integers.Rank() < 3 || w.axis != 0 && w.axis != absent {
		return nil
	}
	c := &ops.ConvConstants{Type: w.scales.DType(), Shape: w.integers.Shape()}
	if c.Integers, c.Scales, c.Zeros = w.perChannel(c.Shape[0]); c.Integers == nil {
		return nil
	}
	return c
}

func floatWeights(t *tensor.Tensor) *ops.ConvConstants {
	if t.Rank() < 3 {
		return nil
	}
	c := &ops.ConvConstants{Type: t.DType(), Shape: t.Shape()}
	switch data := t.Any().(type) {
	case []float32:
		c.Floats = data
	case []quantops.Float16:
		c.Floats = make([]float32, len(data))
		quantops.WidenFloat16(c.Floats, data)
	case []quantops.BFloat16:
		c.Floats = make([]float32, len(data))
		quantops.WidenBFloat16(c.Floats, data)
	default:
		return nil
	}
	return c
}
