package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// sequenceFamily holds the operators on sequences and optionals as such; those
// that join or split tensors are with Concat and Split.
var sequenceFamily = []Kernel{
	{Op: "SequenceEmpty", Since: 11, Build: buildSequenceEmpty},
	{Op: "SequenceConstruct", Since: 11, Build: needs(1, buildSequenceConstruct)},
	{Op: "SequenceAt", Since: 11, Build: needs(2, sequenceOperator(sequenceAt))},
	{Op: "SequenceInsert", Since: 11, Build: needs(2, sequenceOperator(sequenceInsert))},
	{Op: "SequenceErase", Since: 11, Build: needs(1, sequenceOperator(sequenceErase))},
	{Op: "SequenceLength", Since: 11, Build: needs(1, sequenceOperator(sequenceLength))},
	{Op: "SequenceMap", Since: 17, Build: needs(1, buildSequenceMap)},
	{Op: "Optional", Since: 15, Build: buildOptional},
	{Op: "OptionalGetElement", Since: 15, Build: needs(1, buildOptionalGetElement)},
	{Op: "OptionalHasElement", Since: 15, Build: buildOptionalHasElement},
}

// sequenceOperand is value i of a list that must be there and be a sequence.
func sequenceOperand(in []tensor.Value, i int) (*tensor.Sequence, error) {
	sequence, ok := in[i].(*tensor.Sequence)
	if !ok {
		return nil, fmt.Errorf("operand %d is a %T, not a sequence", i, in[i])
	}
	return sequence, nil
}

func buildSequenceEmpty(n *Node) (Run, error) {
	empty := &tensor.Sequence{Elem: onnx.DType(n.Int("dtype", int(onnx.Float)))}
	return func(*Call, []tensor.Value) ([]tensor.Value, error) { return []tensor.Value{empty}, nil }, nil
}

func buildSequenceConstruct(*Node) (Run, error) {
	return func(_ *Call, in []tensor.Value) ([]tensor.Value, error) {
		sequence := &tensor.Sequence{Values: slices.Clone(in)}
		for i := range in {
			t, err := tensorOperand(in, i)
			if err != nil {
				return nil, err
			}
			if i == 0 {
				sequence.Elem = t.DType()
			}
			if t.DType() != sequence.Elem {
				return nil, fmt.Errorf("operand %d is of type %v, operand 0 of type %v", i, t.DType(), sequence.Elem)
			}
		}
		return []tensor.Value{sequence}, nil
	}, nil
}

// sequenceOperator makes a Builder of a function of a sequence and the operands
// after it.
func sequenceOperator(run func(sequence *tensor.Sequence, rest []tensor.Value) (tensor.Value, error)) Builder {
	return func(*Node) (Run, error) {
		return func(_ *Call, in []tensor.Value) ([]tensor.Value, error) {
			sequence, err := sequenceOperand(in, 0)
			if err != nil {
				return nil, err
			}
			v, err := run(sequence, in[1:])
			if err != nil {
				return nil, err
			}
			return []tensor.Value{v}, nil
		}, nil
	}
}

// position reads the operand that says where in a sequence, which counts from
// the end where it is negative and may be up to last; otherwise where it is left out.
func position(rest []tensor.Value, i, length, last, otherwise int) (int, error) {
	if i >= len(rest) || rest[i] == nil {
		return otherwise, nil
	}
	t, err := tensorOperand(rest, i)
	if err != nil {
		return 0, err
	}
	at, err := wholeNumber(t)
	if err != nil {
		return 0, fmt.Errorf("position: %w", err)
	}
	if at < -length || at > last {
		return 0, fmt.Errorf("position %d is out of range: the sequence has %d values", at, length)
	}
	if at < 0 {
		at += length
	}
	return at, nil
}

func sequenceAt(sequence *tensor.Sequence, rest []tensor.Value) (tensor.Value, error) {
	length := len(sequence.Values)
	at, err := position(rest, 0, length, length-1, 0)
	if err != nil {
		return nil, err
	}
	return sequence.Values[at], nil
}

func sequenceInsert(sequence *tensor.Sequence, rest []tensor.Value) (tensor.Value, error) {
	length := len(sequence.Values)
	at, err := position(rest, 1, length, length, length)
	if err != nil {
		return nil, err
	}
	t, err := tensorOperand(rest, 0)
	if err != nil {
		return nil, err
	}
	if sequence.Elem != onnx.Undefined && t.DType() != sequence.Elem {
		return nil, fmt.Errorf("a tensor of type %v cannot go into a sequence of type %v", t.DType(), sequence.Elem)
	}
	return &tensor.Sequence{Elem: t.DType(), Values: slices.Insert(slices.Clone(sequence.Values), at, tensor.Value(t))}, nil
}

func sequenceErase(sequence *tensor.Sequence, rest []tensor.Value) (tensor.Value, error) {
	length := len(sequence.Values)
	if length == 0 {
		return nil, fmt.Errorf("an empty sequence has nothing to erase")
	}
	at, err := position(rest, 0, length, length-1, length-1)
	if err != nil {
		return nil, err
	}
	return &tensor.Sequence{Elem: sequence.Elem, Values: slices.Delete(slices.Clone(sequence.Values), at, at+1)}, nil
}

func sequenceLength(sequence *tensor.Sequence, _ []tensor.Value) (tensor.Value, error) {
	return tensor.Scalar(int64(len(sequence.Values))), nil
}

// buildSequenceMap runs the body once for each value of the first sequence; of
// the other operands, sequences give the value at the same position and
// tensors themselves.
func buildSequenceMap(n *Node) (Run, error) {
	body, err := n.Body("body")
	if err != nil {
		return nil, err
	}
	return func(c *Call, in []tensor.Value) ([]tensor.Value, error) {
		first, err := sequenceOperand(in, 0)
		if err != nil {
			return nil, err
		}
		mapped := make([]*tensor.Sequence, body.Outputs())
		for i := range mapped {
			mapped[i] = new(tensor.Sequence)
		}
		for at := range first.Values {
			operands := slices.Clone(in)
			for i, v := range in {
				sequence, ok := v.(*tensor.Sequence)
				if !ok {
					continue
				}
				if len(sequence.Values) != len(first.Values) {
					return nil, fmt.Errorf("operand %d is a sequence of %d values, operand 0 one of %d", i, len(sequence.Values), len(first.Values))
				}
				operands[i] = sequence.Values[at]
			}
			results, err := body.Run(c, operands)
			if err != nil {
				return nil, fmt.Errorf("value %d of the sequence: %w", at, err)
			}
			for i, sequence := range mapped {
				t, err := tensorOperand(results, i)
				if err != nil {
					return nil, fmt.Errorf("output of the body: %w", err)
				}
				sequence.Elem = t.DType()
				sequence.Values = append(sequence.Values, t)
			}
		}
		out := make([]tensor.Value, len(mapped))
		for i, sequence := range mapped {
			out[i] = sequence
		}
		return out, nil
	}, nil
}

func buildOptional(*Node) (Run, error) {
	return func(_ *Call, in []tensor.Value) ([]tensor.Value, error) {
		optional := new(tensor.Optional)
		if len(in) > 0 {
			optional.Value = in[0]
		}
		return []tensor.Value{optional}, nil
	}, nil
}

// contained is what an optional holds, nil if nothing; other values are their own.
func contained(in []tensor.Value) tensor.Value {
	if len(in) == 0 {
		return nil
	}
	if optional, ok := in[0].(*tensor.Optional); ok {
		return optional.Value
	}
	return in[0]
}

func buildOptionalGetElement(*Node) (Run, error) {
	return func(_ *Call, in []tensor.Value) ([]tensor.Value, error) {
		v := contained(in)
		if v == nil {
			return nil, fmt.Errorf("the optional is empty")
		}
		return []tensor.Value{v}, nil
	}, nil
}

func buildOptionalHasElement(*Node) (Run, error) {
	return func(_ *Call, in []tensor.Value) ([]tensor.Value, error) {
		return []tensor.Value{tensor.Scalar(contained(in) != nil)}, nil
	}, nil
}
