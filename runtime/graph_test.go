package runtime

import (
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// These make small models in code.

func node(op string, inputs, outputs string, attrs ...*onnx.Attr) *onnx.Node {
	return &onnx.Node{OpType: op, Inputs: names(inputs), Outputs: names(outputs), Attrs: attrs}
}

// names splits a list at commas; "_" is a name that is left out.
func names(list string) []string {
	if list == "" {
		return nil
	}
	split := strings.Split(list, ",")
	for i, name := range split {
		if split[i] = strings.TrimSpace(name); split[i] == "_" {
			split[i] = ""
		}
	}
	return split
}

func floatType(dims ...int64) *onnx.Type { return typed(onnx.Float, dims...) }

// typed is a tensor's type; a dimension of -1 is free.
func typed(t onnx.DType, dims ...int64) *onnx.Type {
	shape := make([]onnx.Dim, len(dims))
	for i, d := range dims {
		shape[i] = onnx.Dim{Known: d >= 0, Size: max(d, 0)}
	}
	return &onnx.Type{Kind: onnx.TensorKind, DType: t, HasShape: true, Shape: shape}
}

func value(name string, t *onnx.Type) *onnx.Value { return &onnx.Value{Name: name, Type: t} }

// graphOf makes a graph; outputs are names.
func graphOf(inputs []*onnx.Value, outputs string, nodes []*onnx.Node, initializers ...*onnx.Tensor) *onnx.Graph {
	g := &onnx.Graph{Name: "g", Inputs: inputs, Nodes: nodes, Initializers: initializers}
	for _, name := range names(outputs) {
		g.Outputs = append(g.Outputs, &onnx.Value{Name: name})
	}
	return g
}

func modelOf(opset int64, g *onnx.Graph) *onnx.Model {
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetImport{{Version: opset}}, Graph: g}
}

func floats(shape []int, data ...float32) *tensor.Tensor { return tensor.New(shape, data) }

// ramp is a tensor of small numbers that differ.
func ramp(shape ...int) *tensor.Tensor {
	data := make([]float32, tensor.Count(shape))
	for i := range data {
		data[i] = float32((i*37)%23-11) / 8
	}
	return tensor.New(shape, data)
}

// stored makes an initializer of a tensor.
func stored(t testing.TB, name string, v *tensor.Tensor) *onnx.Tensor {
	t.Helper()
	s, err := tensor.ToONNX(name, v)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type feeds = map[string]tensor.Value

// run compiles and runs a model.
func run(t testing.TB, m *onnx.Model, in feeds) feeds {
	t.Helper()
	s, err := Compile(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// same wants a value to be exactly another.
func same(t testing.TB, what string, got, want tensor.Value) {
	t.Helper()
	if err := (Tolerance{}).Equal(got, want); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// wantError wants an error that says all of the given words.
func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one that says %q", words)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error %q does not say %q", err, word)
		}
	}
}

// operators lists the operators of a plan's steps in order; a fused product is
// in brackets.
func operators(s *Session) string {
	var list []string
	for _, st := range s.plan.steps {
		name := st.node.OpType
		if st.product != nil || st.packed {
			name = "[" + name + "]"
		}
		list = append(list, name)
	}
	return strings.Join(list, " ")
}
