package onnxgo

import (
	"bytes"
	"strings"
	"testing"

	backendapi "github.com/owulveryck/onnx-go"
	gorgonia "gorgonia.org/tensor"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// encoded is a model with one node and inputs and outputs of float.
func encoded(t *testing.T, opset int64, inputs, outputs []string, initializers []*onnx.Tensor, nodes ...*onnx.Node) []byte {
	t.Helper()
	g := &onnx.Graph{Name: "test", Nodes: nodes, Initializers: initializers}
	matrix := &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Known: true, Size: 2}, {Known: true, Size: 3}}}
	for _, name := range inputs {
		g.Inputs = append(g.Inputs, &onnx.Value{Name: name, Type: matrix})
	}
	for _, name := range outputs {
		g.Outputs = append(g.Outputs, &onnx.Value{Name: name, Type: matrix})
	}
	var b bytes.Buffer
	m := &onnx.Model{IRVersion: 4, Graph: g, Opsets: []onnx.OpsetImport{{Version: opset}}}
	if err := onnx.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func loaded(t *testing.T, data []byte) (*Backend, *backendapi.Model) {
	t.Helper()
	backend := New()
	model := backendapi.NewModel(backend)
	if err := model.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	return backend, model
}

func matrix(v ...float32) *gorgonia.Dense {
	return gorgonia.New(gorgonia.WithShape(2, 3), gorgonia.WithBacking(v))
}

// run sets the first input, runs, and gives the first output's elements.
func run(t *testing.T, backend *Backend, model *backendapi.Model, input gorgonia.Tensor) []float32 {
	t.Helper()
	if err := model.SetInput(0, input); err != nil {
		t.Fatal(err)
	}
	if err := backend.Run(); err != nil {
		t.Fatal(err)
	}
	outputs, err := model.GetOutputTensors()
	if err != nil {
		t.Fatal(err)
	}
	return outputs[0].Data().([]float32)
}

func expect(t *testing.T, got []float32, want ...float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestOneValueInTwoPlaces(t *testing.T) {
	square := &onnx.Node{OpType: "Mul", Inputs: []string{"x", "x"}, Outputs: []string{"y"}}
	backend, model := loaded(t, encoded(t, 9, []string{"x"}, []string{"y"}, nil, square))
	expect(t, run(t, backend, model, matrix(1, 2, 3, 4, 5, 6)), 1, 4, 9, 16, 25, 36)
	expect(t, run(t, backend, model, matrix(0, 1, 0, -1, 0, 2)), 0, 1, 0, 1, 0, 4)
}

// TestResultsAreTheirOwn keeps a result from changing with the input that it came from.
func TestResultsAreTheirOwn(t *testing.T) {
	same := &onnx.Node{OpType: "Identity", Inputs: []string{"x"}, Outputs: []string{"y"}}
	backend, model := loaded(t, encoded(t, 9, []string{"x"}, []string{"y"}, nil, same))
	input := []float32{1, 2, 3, 4, 5, 6}
	got := run(t, backend, model, matrix(input...))
	input[0] = 100
	expect(t, got, 1, 2, 3, 4, 5, 6)
}

func TestOperandLeftOut(t *testing.T) {
	clip := &onnx.Node{OpType: "Clip", Inputs: []string{"x", "", "high"}, Outputs: []string{"y"}}
	high := onnx.FloatTensor("high", []int64{1}, []float32{2})
	high.Dims = nil
	backend := New()
	backend.Opset = 11
	model := backendapi.NewModel(backend)
	if err := model.UnmarshalBinary(encoded(t, 11, []string{"x"}, []string{"y"}, []*onnx.Tensor{high}, clip)); err != nil {
		t.Fatal(err)
	}
	expect(t, run(t, backend, model, matrix(-1, 0, 1, 2, 3, 4)), -1, 0, 1, 2, 2, 2)
}

// columnsFrom1 is the range 1 to 4.
type columnsFrom1 struct{}

func (columnsFrom1) Start() int { return 1 }
func (columnsFrom1) End() int   { return 4 }
func (columnsFrom1) Step() int  { return 1 }

// TestViews feeds tensors whose elements do not lie in row-major order.
func TestViews(t *testing.T) {
	same := &onnx.Node{OpType: "Neg", Inputs: []string{"x"}, Outputs: []string{"y"}}
	backend, model := loaded(t, encoded(t, 9, []string{"x"}, []string{"y"}, nil, same))
	transposed := gorgonia.New(gorgonia.WithShape(3, 2), gorgonia.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	if err := transposed.T(); err != nil {
		t.Fatal(err)
	}
	expect(t, run(t, backend, model, transposed), -1, -3, -5, -2, -4, -6)
	columns, err := gorgonia.New(gorgonia.WithShape(2, 4), gorgonia.WithBacking([]float32{1, 2, 3, 4, 5, 6, 7, 8})).Slice(nil, columnsFrom1{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, run(t, backend, model, columns), -2, -3, -4, -6, -7, -8)
}

// TestIntermediateOutput gives an output that another node reads.
func TestIntermediateOutput(t *testing.T) {
	backend, model := loaded(t, encoded(t, 9, []string{"x"}, []string{"y", "z"}, nil,
		&onnx.Node{OpType: "Neg", Inputs: []string{"x"}, Outputs: []string{"y"}},
		&onnx.Node{OpType: "Abs", Inputs: []string{"y"}, Outputs: []string{"z"}}))
	expect(t, run(t, backend, model, matrix(1, 2, 3, 4, 5, 6)), -1, -2, -3, -4, -5, -6)
	outputs, err := model.GetOutputTensors()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, outputs[1].Data().([]float32), 1, 2, 3, 4, 5, 6)
}

func TestRefusals(t *testing.T) {
	unknown := &onnx.Node{OpType: "Frobnicate", Inputs: []string{"x"}, Outputs: []string{"y"}}
	err := backendapi.NewModel(New()).UnmarshalBinary(encoded(t, 9, []string{"x"}, []string{"y"}, nil, unknown))
	if _, ok := err.(*backendapi.ErrNotImplemented); !ok || !strings.Contains(err.Error(), "Frobnicate") {
		t.Errorf("an unknown operator gives %v, want an ErrNotImplemented that names it", err)
	}
	if err := New().Run(); err == nil || !strings.Contains(err.Error(), "decode a model first") {
		t.Errorf("a backend without a graph gives %v", err)
	}
	weights := onnx.Int8Tensor("w", []int64{2}, []int8{1, 2})
	cast := &onnx.Node{OpType: "Cast", Inputs: []string{"w"}, Outputs: []string{"y"}, Attrs: []*onnx.Attr{onnx.IntAttr("to", 1)}}
	if err := backendapi.NewModel(New()).UnmarshalBinary(encoded(t, 9, []string{"x"}, []string{"y"}, []*onnx.Tensor{weights}, cast)); err == nil {
		t.Error("onnx-go's decoder reads int8 weights: the package's documentation says that it does not")
	}
}
