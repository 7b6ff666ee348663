package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestSequenceFamily(t *testing.T) {
	ints := list[int64]
	a, b, c := ints(1), ints(2, 3), ints()
	at := func(i int64) *tensor.Tensor { return tensor.Scalar(i) }
	sequence := func(v ...tensor.Value) *tensor.Sequence { return &tensor.Sequence{Elem: onnx.Int64, Values: v} }
	full, empty := &tensor.Optional{Value: a}, &tensor.Optional{}
	runNodeTests(t, []nodeTest{
		{op: "SequenceEmpty", opset: 11, want: values(&tensor.Sequence{Elem: onnx.Float})},
		{op: "SequenceEmpty", opset: 11, name: "int64", attrs: []*onnx.Attr{onnx.IntAttr("dtype", int64(onnx.Int64))}, want: values(sequence())},
		{op: "SequenceConstruct", opset: 11, in: values(a, b), want: values(sequence(a, b))},
		{op: "SequenceConstruct", opset: 11, name: "two types", in: values(a, list("x")), err: "type"},
		{op: "SequenceAt", opset: 11, in: values(sequence(a, b, c), at(-2)), want: values(b)},
		{op: "SequenceAt", opset: 11, name: "beyond", in: values(sequence(a, b, c), at(3)), err: "position 3"},
		{op: "SequenceAt", opset: 11, name: "before", in: values(sequence(a, b, c), at(-4)), err: "position -4"},
		{op: "SequenceAt", opset: 11, name: "of a tensor", in: values(a, at(0)), err: "not a sequence"},
		{op: "SequenceInsert", opset: 11, name: "at the end", in: values(sequence(a), b), want: values(sequence(a, b))},
		{op: "SequenceInsert", opset: 11, name: "at 0", in: values(sequence(a), b, list[int32](0)), want: values(sequence(b, a))},
		{op: "SequenceInsert", opset: 11, name: "behind the last", in: values(sequence(a), b, at(1)), want: values(sequence(a, b))},
		{op: "SequenceInsert", opset: 11, name: "before the last", in: values(sequence(a), b, at(-1)), want: values(sequence(b, a))},
		{op: "SequenceInsert", opset: 11, name: "beyond", in: values(sequence(a), b, at(2)), err: "position 2"},
		{op: "SequenceInsert", opset: 11, name: "of another type", in: values(sequence(a), list("x")), err: "cannot go into"},
		{op: "SequenceErase", opset: 11, name: "the last", in: values(sequence(a, b)), want: values(sequence(a))},
		{op: "SequenceErase", opset: 11, in: values(sequence(a, b), at(-2)), want: values(sequence(b))},
		{op: "SequenceErase", opset: 11, name: "nothing", in: values(sequence()), err: "empty"},
		{op: "SequenceErase", opset: 11, name: "beyond", in: values(sequence(a), at(1)), err: "position 1"},
		{op: "SequenceLength", opset: 11, in: values(sequence(a, b)), want: values(at(2))},
		{op: "Optional", opset: 15, in: values(a), want: values(full)},
		{op: "Optional", opset: 15, name: "empty", want: values(empty)},
		{op: "OptionalGetElement", opset: 15, in: values(full), want: values(a)},
		{op: "OptionalGetElement", opset: 18, name: "of a sequence", in: values(sequence(a)), want: values(sequence(a))},
		{op: "OptionalGetElement", opset: 15, name: "of an empty one", in: values(empty), err: "empty"},
		{op: "OptionalHasElement", opset: 15, in: values(full), want: values(tensor.Scalar(true))},
		{op: "OptionalHasElement", opset: 15, name: "of an empty one", in: values(empty), want: values(tensor.Scalar(false))},
		{op: "OptionalHasElement", opset: 18, name: "of a tensor", in: values(a), want: values(tensor.Scalar(true))},
		{op: "OptionalHasElement", opset: 18, name: "of nothing", in: []tensor.Value{nil}, want: values(tensor.Scalar(false))},
		{op: "OptionalHasElement", opset: 18, name: "without operand", want: values(tensor.Scalar(false))},
	})
}

// swap is a body that gives its two inputs the other way round.
type swap struct{}

func (swap) Inputs() int  { return 2 }
func (swap) Outputs() int { return 2 }
func (swap) Run(_ *Call, in []tensor.Value) ([]tensor.Value, error) {
	return []tensor.Value{in[1], in[0]}, nil
}

func TestSequenceMap(t *testing.T) {
	kernel, _ := Lookup("", "SequenceMap", 17)
	run, err := kernel.Build(&Node{
		Node: &onnx.Node{OpType: "SequenceMap", Inputs: []string{"a", "b"}},
		Body: func(string) (Body, error) { return swap{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	one, two, text := list[int64](1), list[int64](2), list("x")
	numbers := &tensor.Sequence{Elem: onnx.Int64, Values: values(one, two)}
	texts := &tensor.Sequence{Elem: onnx.String, Values: values(text, text)}
	for _, second := range values(text, texts) {
		got, err := run(&Call{Context: t.Context()}, values(numbers, second))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := show(got...), show(texts, numbers); got != want {
			t.Errorf("with %s: got %s\nwant %s", show(second), got, want)
		}
	}
	texts.Values = texts.Values[:1]
	if _, err := run(&Call{Context: t.Context()}, values(numbers, texts)); err == nil {
		t.Error("sequences of unequal length give no error")
	}
	if _, err := run(&Call{Context: t.Context()}, values(text, texts)); err == nil {
		t.Error("a tensor as first operand gives no error")
	}
}
