package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// controlFamily holds the operators that run bodies.
var controlFamily = []Kernel{
	{Op: "If", Since: 1, Build: needs(1, buildIf)},
	{Op: "Loop", Since: 1, Build: buildLoop},
	{Op: "Scan", Since: 8, Build: buildScanBatched},
	{Op: "Scan", Since: 9, Build: buildScan},
}

func buildIf(n *Node) (Run, error) {
	branches := map[bool]Body{}
	for _, when := range []bool{true, false} { // in this order, so that an error is always the same
		name := "else_branch"
		if when {
			name = "then_branch"
		}
		body, err := n.Body(name)
		if err != nil {
			return nil, err
		}
		if body.Inputs() != 0 || body.Outputs() != len(n.Outputs) {
			return nil, fmt.Errorf("%s has %d inputs and %d outputs: want none and the node's %d",
				name, body.Inputs(), body.Outputs(), len(n.Outputs))
		}
		branches[when] = body
	}
	return func(c *Call, in []tensor.Value) ([]tensor.Value, error) {
		condition, err := truth(in, 0)
		if err != nil {
			return nil, err
		}
		return branches[condition].Run(c, nil)
	}, nil
}

// truth reads an operand that is one bool.
func truth(in []tensor.Value, i int) (bool, error) {
	t, err := tensorOperand(in, i)
	if err != nil {
		return false, err
	}
	data, ok := tensor.Data[bool](t)
	if !ok || len(data) != 1 {
		return false, fmt.Errorf("operand %d is %v of shape %v: a condition is one bool", i, t.DType(), t.Shape())
	}
	return data[0], nil
}

// loop is what a Loop node states: a body from (iteration, condition, carried
// values) to (condition, carried values, one slice of each stacked output).
type loop struct {
	body    Body
	carried int
	stacked []*onnx.Value // the body's declarations of the slices
}

func buildLoop(n *Node) (Run, error) {
	body, err := n.Body("body")
	if err != nil {
		return nil, err
	}
	l := loop{body: body, carried: body.Inputs() - 2}
	if given := max(0, len(n.Inputs)-2); l.carried < 0 || given != l.carried {
		return nil, fmt.Errorf("the body has %d inputs: want 2 and the %d carried values", body.Inputs(), given)
	}
	count := body.Outputs() - 1 - l.carried
	if count < 0 || len(n.Outputs) > l.carried+count {
		return nil, fmt.Errorf("the body has %d outputs: want the condition, the %d carried values and one for each of the node's other outputs",
			body.Outputs(), l.carried)
	}
	l.stacked = n.Attr("body").G.Outputs[1+l.carried:]
	return l.run, nil
}

func (l loop) run(c *Call, in []tensor.Value) ([]tensor.Value, error) {
	trips, limited := 0, len(in) > 0 && in[0] != nil
	if limited {
		t, err := tensorOperand(in, 0)
		if err != nil {
			return nil, err
		}
		if trips, err = wholeNumber(t); err != nil {
			return nil, fmt.Errorf("trip count: %w", err)
		}
	}
	going := true
	if len(in) > 1 && in[1] != nil {
		var err error
		if going, err = truth(in, 1); err != nil {
			return nil, err
		}
	}
	values := make([]tensor.Value, 2+l.carried)
	if l.carried > 0 {
		copy(values[2:], in[2:])
	}
	slices := make([][]*tensor.Tensor, len(l.stacked))
	for i := 0; going && (!limited || i < trips); i++ {
		if err := c.Context.Err(); err != nil {
			return nil, err
		}
		values[0], values[1] = tensor.Scalar(int64(i)), tensor.Scalar(going)
		results, err := l.body.Run(c, values)
		if err != nil {
			return nil, err
		}
		if going, err = truth(results, 0); err != nil {
			return nil, fmt.Errorf("the body's condition: %w", err)
		}
		copy(values[2:], results[1:1+l.carried])
		for j := range slices {
			slice, err := tensorOperand(results, 1+l.carried+j)
			if err != nil {
				return nil, fmt.Errorf("the body's outputs: %w", err)
			}
			slices[j] = append(slices[j], slice)
		}
	}
	out := append([]tensor.Value{}, values[2:]...)
	for j, parts := range slices {
		stacked, err := stackSlices(parts, 0, l.stacked[j])
		if err != nil {
			return nil, fmt.Errorf("the body's output %q: %w", l.stacked[j].Name, err)
		}
		out = append(out, stacked)
	}
	return out, nil
}

// stackSlices joins what a body gave in each of its runs along a new axis. Of a
// body that did not run the declaration says what there is none of.
func stackSlices(parts []*tensor.Tensor, axis int, declared *onnx.Value) (*tensor.Tensor, error) {
	if len(parts) > 0 {
		return stack(nil, parts, axis)
	}
	if declared.Type == nil || declared.Type.Kind != onnx.TensorKind {
		return nil, fmt.Errorf("the body did not run and does not state the type of this output")
	}
	shape := []int{}
	for _, d := range declared.Type.Shape {
		size := 0
		if d.Known && d.Size > 0 {
			size = int(d.Size)
		}
		shape = append(shape, size)
	}
	at, err := resolveAxis(axis, len(shape)+1)
	if err != nil {
		return nil, err
	}
	shape = append(shape[:at:at], append([]int{0}, shape[at:]...)...)
	return tensor.Zeros(declared.Type.DType, shape)
}
