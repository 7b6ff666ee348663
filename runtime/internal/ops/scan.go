package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// scan is what a Scan node states: a body from (states, one slice of each
// scanned input) to (states, one slice of each stacked output).
type scan struct {
	body                              Body
	states, inputs                    int
	outputs                           []*onnx.Value // the body's declarations of the slices
	inputAxes, outputAxes             []int
	inputDirections, outputDirections []int // 1: from the end
}

func readScan(n *Node, operands int) (*scan, error) {
	body, err := n.Body("body")
	if err != nil {
		return nil, err
	}
	s := &scan{body: body, inputs: n.Int("num_scan_inputs", 0)}
	s.states = operands - s.inputs
	if s.inputs < 1 || s.states < 0 || body.Inputs() != operands {
		return nil, fmt.Errorf("num_scan_inputs is %d with %d operands and %d inputs of the body", s.inputs, operands, body.Inputs())
	}
	if body.Outputs() < s.states || len(n.Outputs) > body.Outputs() {
		return nil, fmt.Errorf("the body has %d outputs: want the %d states and one for each of the node's other outputs", body.Outputs(), s.states)
	}
	s.outputs = n.Attr("body").G.Outputs[s.states:]
	return s, nil
}

// listed is an attribute with one number for each of count, 0 where it is not stated.
func (n *Node) listed(name string, count int) ([]int, error) {
	list := n.Ints(name)
	if list == nil {
		list = make([]int, count)
	}
	if len(list) != count {
		return nil, fmt.Errorf("attribute %s has %d numbers: want %d", name, len(list), count)
	}
	return list, nil
}

func buildScan(n *Node) (Run, error) {
	s, err := readScan(n, len(n.Inputs))
	if err != nil {
		return nil, err
	}
	for _, attribute := range []struct {
		name  string
		count int
		to    *[]int
	}{
		{"scan_input_axes", s.inputs, &s.inputAxes},
		{"scan_output_axes", len(s.outputs), &s.outputAxes},
		{"scan_input_directions", s.inputs, &s.inputDirections},
		{"scan_output_directions", len(s.outputs), &s.outputDirections},
	} {
		if *attribute.to, err = n.listed(attribute.name, attribute.count); err != nil {
			return nil, err
		}
	}
	return func(c *Call, in []tensor.Value) ([]tensor.Value, error) {
		scanned, length, err := s.scanned(in)
		if err != nil {
			return nil, err
		}
		return s.run(c, in[:s.states], scanned, length)
	}, nil
}

// scanned checks the scanned inputs, which must be equally long.
func (s *scan) scanned(in []tensor.Value) (list []*tensor.Tensor, length int, err error) {
	list = make([]*tensor.Tensor, s.inputs)
	for i := range list {
		if list[i], err = tensorOperand(in, s.states+i); err != nil {
			return nil, 0, err
		}
		axis, err := resolveAxis(s.inputAxes[i], list[i].Rank())
		if err != nil {
			return nil, 0, fmt.Errorf("scanned input %d: %w", i, err)
		}
		size := list[i].Shape()[axis]
		if i > 0 && size != length {
			return nil, 0, fmt.Errorf("scanned inputs 0 and %d are %d and %d long", i, length, size)
		}
		length = size
	}
	return list, length, nil
}

// run runs the body length times.
func (s *scan) run(c *Call, states []tensor.Value, scanned []*tensor.Tensor, length int) ([]tensor.Value, error) {
	values := make([]tensor.Value, s.states+s.inputs)
	copy(values, states)
	parts := make([][]*tensor.Tensor, len(s.outputs))
	for i := range length {
		if err := c.Context.Err(); err != nil {
			return nil, err
		}
		for j, t := range scanned {
			at := i
			if s.inputDirections[j] == 1 {
				at = length - 1 - i
			}
			slice, err := sliceAt(t, s.inputAxes[j], at)
			if err != nil {
				return nil, err
			}
			values[s.states+j] = slice
		}
		results, err := s.body.Run(c, values)
		if err != nil {
			return nil, err
		}
		copy(values, results[:s.states])
		for j := range parts {
			slice, err := tensorOperand(results, s.states+j)
			if err != nil {
				return nil, fmt.Errorf("the body's outputs: %w", err)
			}
			parts[j] = append(parts[j], slice)
		}
	}
	out := append([]tensor.Value{}, values[:s.states]...)
	for j := range parts {
		if s.outputDirections[j] == 1 {
			slices.Reverse(parts[j])
		}
		stacked, err := stackSlices(parts[j], s.outputAxes[j], s.outputs[j])
		if err != nil {
			return nil, fmt.Errorf("the body's output %q: %w", s.outputs[j].Name, err)
		}
		out = append(out, stacked)
	}
	return out, nil
}

// sliceAt is the slice of t at one index of an axis, without that axis.
func sliceAt(t *tensor.Tensor, axis, index int) (*tensor.Tensor, error) {
	axis, err := resolveAxis(axis, t.Rank())
	if err != nil {
		return nil, err
	}
	from := rowMajor(t.Shape())
	from.offset = index * from.strides[axis]
	from.strides = slices.Delete(from.strides, axis, axis+1)
	return pick(nil, t, from, slices.Delete(slices.Clone(t.Shape()), axis, axis+1)), nil
}

// buildScanBatched is Scan as it was at first: every operand has a batch axis
// in front, the scanned one comes second, and the first operand may say how
// long each batch entry's sequence is.
func buildScanBatched(n *Node) (Run, error) {
	s, err := readScan(n, len(n.Inputs)-1)
	if err != nil {
		return nil, err
	}
	if s.inputDirections, err = n.listed("directions", s.inputs); err != nil {
		return nil, err
	}
	s.inputAxes = make([]int, s.inputs)
	s.outputAxes, s.outputDirections = make([]int, len(s.outputs)), make([]int, len(s.outputs))
	return s.runBatched, nil
}

func (s *scan) runBatched(c *Call, in []tensor.Value) ([]tensor.Value, error) {
	operands := make([]*tensor.Tensor, len(in)-1)
	for i := range operands {
		t, err := tensorOperand(in, i+1)
		if err != nil {
			return nil, err
		}
		if t.Rank() == 0 || t.Shape()[0] != operands0(operands, t).Shape()[0] {
			return nil, fmt.Errorf("operand %d has the shape %v: its first axis is not the batch of the first one", i+1, t.Shape())
		}
		operands[i] = t
	}
	batch := operands[0].Shape()[0]
	var lengths []int
	if in[0] != nil {
		t, err := tensorOperand(in, 0)
		if err != nil {
			return nil, err
		}
		if lengths, err = integers(t); err != nil {
			return nil, err
		}
		if len(lengths) != batch {
			return nil, fmt.Errorf("sequence_lens has %d lengths for a batch of %d", len(lengths), batch)
		}
	}
	outputs := make([][]*tensor.Tensor, s.states+len(s.outputs))
	for b := range batch {
		entry := make([]tensor.Value, len(operands))
		for i, t := range operands {
			slice, err := sliceAt(t, 0, b)
			if err != nil {
				return nil, err
			}
			entry[i] = slice
		}
		scanned, longest, err := s.scanned(entry)
		if err != nil {
			return nil, err
		}
		length := longest
		if lengths != nil {
			if length = lengths[b]; length < 0 || length > longest {
				return nil, fmt.Errorf("sequence_lens says %d, the scanned inputs are %d long", length, longest)
			}
		}
		results, err := s.run(c, entry[:s.states], scanned, length)
		if err != nil {
			return nil, err
		}
		for i, v := range results {
			t, err := tensorOperand(results, i)
			if err != nil {
				return nil, fmt.Errorf("the body's outputs: %w", err)
			}
			if i >= s.states {
				if t, err = lengthened(v.(*tensor.Tensor), longest); err != nil {
					return nil, err
				}
			}
			outputs[i] = append(outputs[i], t)
		}
	}
	out := make([]tensor.Value, len(outputs))
	for i, parts := range outputs {
		if len(parts) == 0 {
			return nil, fmt.Errorf("the batch is empty")
		}
		t, err := stack(c, parts, 0)
		if err != nil {
			return nil, err
		}
		out[i] = t
	}
	return out, nil
}

// operands0 is the first of the operands read so far, or else t.
func operands0(operands []*tensor.Tensor, t *tensor.Tensor) *tensor.Tensor {
	if operands[0] != nil {
		return operands[0]
	}
	return t
}

// lengthened is t with zeros behind it along the first axis, length long in all.
func lengthened(t *tensor.Tensor, length int) (*tensor.Tensor, error) {
	shape := slices.Clone(t.Shape())
	if shape[0] == length {
		return t, nil
	}
	shape[0] = length - shape[0]
	rest, err := tensor.Zeros(t.DType(), shape)
	if err != nil {
		return nil, err
	}
	return concat(nil, []*tensor.Tensor{t, rest}, 0)
}
