package rewrite

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// sketch is a small model for a test, made from the parts that matter to it.
type sketch struct {
	ir        int64 // 8 if zero
	opset     int64 // 17 if zero
	input     onnx.DType
	inputs    []string // x if nil
	outputs   []string // y if nil
	weights   []*onnx.Tensor
	nodes     []*onnx.Node
	functions []*onnx.Function
}

// model makes the model and passes it through its encoding, so that what the
// test sees are views over bytes as they are of a file.
func (s sketch) model(t testing.TB) *onnx.Model {
	t.Helper()
	or := func(v, otherwise int64) int64 {
		if v == 0 {
			return otherwise
		}
		return v
	}
	if s.inputs == nil {
		s.inputs = []string{"x"}
	}
	if s.outputs == nil {
		s.outputs = []string{"y"}
	}
	if s.input == onnx.Undefined {
		s.input = onnx.Float
	}
	m := &onnx.Model{
		IRVersion: or(s.ir, 8),
		Opsets:    []onnx.OpsetImport{{Version: or(s.opset, 17)}},
		Graph:     &onnx.Graph{Name: "g", Initializers: s.weights, Nodes: s.nodes},
		Functions: s.functions,
	}
	if len(s.functions) > 0 {
		m.Opsets = append(m.Opsets, onnx.OpsetImport{Domain: "local", Version: 1})
	}
	for _, name := range s.inputs {
		m.Graph.Inputs = append(m.Graph.Inputs, &onnx.Value{Name: name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: s.input}})
	}
	for _, name := range s.outputs {
		m.Graph.Outputs = append(m.Graph.Outputs, &onnx.Value{Name: name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: s.input}})
	}
	var b bytes.Buffer
	if err := onnx.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	decoded, err := onnx.Decode(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := onnx.Check(decoded); err != nil {
		t.Fatalf("the test's model is not valid: %v", err)
	}
	return decoded
}

// ramp is a tensor of a float type whose elements grow, so that no two channels
// share a scale.
func ramp(name string, dtype onnx.DType, dims ...int64) *onnx.Tensor {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i+1) / 64 * float32(1-2*(i%2))
	}
	return floatTensor(name, dtype, dims, values)
}

// floatTensor stores values in a float type.
func floatTensor(name string, dtype onnx.DType, dims []int64, values []float32) *onnx.Tensor {
	var data onnx.Bytes
	for _, v := range values {
		switch dtype {
		case onnx.Float:
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		case onnx.Double:
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(float64(v)))
		case onnx.Float16:
			data = binary.LittleEndian.AppendUint16(data, uint16(quantops.Float16FromFloat32(v)))
		case onnx.BFloat16:
			data = binary.LittleEndian.AppendUint16(data, uint16(quantops.BFloat16FromFloat32(v)))
		}
	}
	return onnx.NewTensor(name, dtype, dims, data)
}

// op is a node of the default domain.
func op(opType, output string, inputs ...string) *onnx.Node {
	return &onnx.Node{OpType: opType, Outputs: []string{output}, Inputs: inputs}
}

// with adds attributes to a node.
func with(n *onnx.Node, attrs ...*onnx.Attr) *onnx.Node {
	n.Attrs = append(n.Attrs, attrs...)
	return n
}

// apply plans and applies a recipe.
func apply(t testing.TB, m *onnx.Model, recipe Recipe) *Result {
	t.Helper()
	plan, err := New(m, recipe)
	if err != nil {
		t.Fatal(err)
	}
	result, err := plan.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return result
}
