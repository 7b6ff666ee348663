package onnx

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCheckPassesSharedCases(t *testing.T) {
	for _, path := range sharedModels(t) {
		m := openModel(t, path)
		if warnings, err := Check(m); err != nil {
			t.Errorf("%s: %v", path, err)
		} else if len(warnings) > 0 {
			t.Logf("%s: %v", path, warnings)
		}
	}
}

func TestCheckPassesNodeTests(t *testing.T) {
	for _, path := range nodeTestModels(t) {
		m, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Check(m); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		m.Close()
	}
}

// soundModel has something of everything that Check looks at.
func soundModel() *Model {
	f32 := func(name string) *Value {
		return &Value{Name: name, Type: &Type{Kind: TensorKind, DType: Float, HasShape: true, Shape: []Dim{{Known: true, Size: 2}}}}
	}
	body := func(name string) *Graph {
		return &Graph{Name: name, Nodes: []*Node{node("Add", name+"_y", names("x", "w"))}, Outputs: []*Value{f32(name + "_y")}}
	}
	m := graphModel(21, &Graph{
		Name:         "main",
		Inputs:       []*Value{f32("x"), {Name: "go"}},
		Outputs:      []*Value{f32("y")},
		Initializers: []*Tensor{FloatTensor("w", []int64{2}, []float32{1, 2})},
		Nodes: []*Node{
			node("If", "chosen", names("go"), GraphAttr("then_branch", body("then")), GraphAttr("else_branch", body("else"))),
			{OpType: "Twice", Domain: "local", Name: "call", Inputs: names("chosen"), Outputs: names("y"), Attrs: []*Attr{FloatAttr("alpha", 2)}},
		},
	})
	m.Opsets = append(m.Opsets, OpsetImport{Domain: "local", Version: 1})
	m.Functions = []*Function{{
		Domain: "local", Name: "Twice", Inputs: names("a"), Outputs: names("b"), Attributes: names("alpha"), Opsets: m.Opsets,
		Nodes: []*Node{
			node("Constant", "k", nil, &Attr{Name: "value_float", Type: AttrFloat, RefName: "alpha"}),
			node("Mul", "b", names("a", "k")),
		},
	}}
	return m
}

func TestCheckFinds(t *testing.T) {
	if warnings, err := Check(soundModel()); err != nil || len(warnings) > 0 {
		t.Fatalf("the sound model: %v, warnings %v", err, warnings)
	}
	// What is broken, and a part of what is said of it.
	tests := []struct {
		name    string
		spoil   func(*Model)
		err     string
		warning string
	}{
		{name: "input defined nowhere", spoil: func(m *Model) { m.Graph.Nodes[1].Inputs[0] = "nowhere" },
			err: `onnx: graph: node "call" (Twice): input 0, "nowhere", is defined nowhere`},
		{name: "nodes out of order", spoil: func(m *Model) { n := m.Graph.Nodes; n[0], n[1] = n[1], n[0] },
			err: `input 0, "chosen", is used before it is defined`},
		{name: "a node that reads itself", spoil: func(m *Model) { m.Graph.Nodes[1].Inputs[0] = "y" }, err: `used before it is defined`},
		{name: "output twice", spoil: func(m *Model) { m.Graph.Nodes[1].Outputs[0] = "chosen" }, err: `output "chosen" is defined already`},
		{name: "output that is an input", spoil: func(m *Model) { m.Graph.Nodes[1].Outputs[0] = "x" }, err: `output "x" is defined already`},
		{name: "output that is an initializer", spoil: func(m *Model) { m.Graph.Nodes[1].Outputs[0] = "w" }, err: `output "w" is defined already`},
		{name: "input twice", spoil: func(m *Model) { m.Graph.Inputs[1].Name = "x" }, err: `graph: input "x" is defined already`},
		{name: "initializer twice", spoil: func(m *Model) { m.Graph.Initializers = append(m.Graph.Initializers, m.Graph.Initializers[0]) },
			err: `initializer "w" is there twice`},
		{name: "initializer without a name", spoil: func(m *Model) { m.Graph.Initializers[0].Name = "" }, err: `an initializer has no name`},
		{name: "graph output not defined", spoil: func(m *Model) { m.Graph.Outputs[0].Name = "z" }, err: `graph: output "z" is not defined`},
		{name: "function output not defined", spoil: func(m *Model) { m.Functions[0].Outputs[0] = "z" }, err: `function "local.Twice": output "z" is not defined`},
		{name: "body input not defined", spoil: func(m *Model) { m.Graph.Nodes[0].Attrs[1].G.Nodes[0].Inputs[0] = "q" },
			err: `onnx: graph: else_branch of node "chosen" (If): node "else_y" (Add): input 0, "q", is defined nowhere`},
		{name: "body reads its own node", spoil: func(m *Model) { m.Graph.Nodes[0].Attrs[1].G.Nodes[0].Inputs[0] = "chosen" }, err: `used before it is defined`},
		{name: "outer name in a function", spoil: func(m *Model) { m.Functions[0].Nodes[1].Inputs[0] = "w" }, err: `defined nowhere`},
		{name: "hidden name", spoil: func(m *Model) {
			g := m.Graph.Nodes[0].Attrs[0].G
			g.Initializers = []*Tensor{FloatTensor("w", []int64{2}, []float32{1, 2})}
		}, warning: `then_branch of node "chosen" (If): initializer "w" hides`},
		{name: "attribute twice", spoil: func(m *Model) {
			m.Graph.Nodes[1].Attrs = append(m.Graph.Nodes[1].Attrs, FloatAttr("alpha", 1))
		}, err: `attribute "alpha" is there twice`},
		{name: "attribute without its value", spoil: func(m *Model) { m.Graph.Nodes[0].Attrs[0].G = nil }, err: `attribute "then_branch" lacks the value`},
		{name: "attribute of the future", spoil: func(m *Model) { m.Graph.Nodes[1].Attrs[0].Type = 99 }, err: `unknown type 99`},
		{name: "reference outside a function", spoil: func(m *Model) { m.Graph.Nodes[1].Attrs[0].RefName = "beta" }, err: `refers to attribute "beta"`},
		{name: "attribute without type", spoil: func(m *Model) { m.Graph.Nodes[1].Attrs[0].Type = 0 }, warning: `neither type nor value`},
		{name: "no operator", spoil: func(m *Model) { m.Graph.Nodes[0].OpType = "" }, err: `it has no operator type`},
		{name: "unknown domain", spoil: func(m *Model) { m.Graph.Nodes[1].Domain = "elsewhere" }, warning: `domain "elsewhere" is not known here`},
		{name: "domain not imported", spoil: func(m *Model) { m.Graph.Nodes[1].Domain = "com.microsoft" }, warning: `domain "com.microsoft" is not imported`},
		{name: "opset of the future", spoil: func(m *Model) { m.Opsets[0].Version = 29 }, warning: `version 29 of domain ""`},
		{name: "IR version of the future", spoil: func(m *Model) { m.IRVersion = 99 }, warning: `IR version 99`},
		{name: "no IR version", spoil: func(m *Model) { m.IRVersion = 0 }, err: `no IR version`},
		{name: "no opset", spoil: func(m *Model) { m.Opsets = nil }, err: `imports no operator set`},
		{name: "two opsets", spoil: func(m *Model) { m.Opsets = append(m.Opsets, OpsetImport{"ai.onnx", 7}) }, err: `imported in versions 21 and 7`},
		{name: "function twice", spoil: func(m *Model) { m.Functions = append(m.Functions, m.Functions[0].Clone()) }, err: `function "local.Twice": it is defined twice`},
		{name: "too many arguments", spoil: func(m *Model) { m.Graph.Nodes[1].Inputs = names("chosen", "x") }, err: `2 inputs and 1 outputs, but function "local.Twice" has 1 and 1`},
		{name: "function that calls itself", spoil: func(m *Model) {
			m.Functions[0].Nodes[1] = &Node{OpType: "Twice", Domain: "local", Inputs: names("a"), Outputs: names("b")}
		}, err: `function "local.Twice": it calls itself`},
		{name: "functions that call each other", spoil: func(m *Model) {
			other := &Function{Domain: "local", Name: "Other", Inputs: names("a"), Outputs: names("b"),
				Nodes: []*Node{{OpType: "Twice", Domain: "local", Inputs: names("a"), Outputs: names("b")}}}
			m.Functions[0].Nodes[1] = &Node{OpType: "Other", Domain: "local", Inputs: names("a"), Outputs: names("b")}
			m.Functions = append(m.Functions, other)
		}, err: `calls itself, directly or by way of others`},
		{name: "too few bytes", spoil: func(m *Model) { m.Graph.Initializers[0].Dims[0] = 3 },
			err: `onnx: graph: tensor "w": dims [3] of type float ask for 12 bytes, there are 8`},
		{name: "a hundred gigabytes", spoil: func(m *Model) { m.Graph.Initializers[0].Dims[0] = 25 << 30 }, err: `ask for 107374182400 bytes, there are 8`},
		{name: "too many elements", spoil: func(m *Model) { m.Graph.Initializers[0].Dims = []int64{1 << 32, 1 << 32} }, err: `beyond 64 bits`},
		{name: "negative dimension", spoil: func(m *Model) { m.Graph.Initializers[0].Dims[0] = -2 }, err: `negative`},
		{name: "element type of the future", spoil: func(m *Model) { m.Graph.Initializers[0].Type = 99 }, err: `type dtype(99) has no size`},
		{name: "no element type", spoil: func(m *Model) { m.Graph.Initializers[0].Type = 0 }, err: `type undefined has no size`},
		{name: "too few strings", spoil: func(m *Model) { m.Graph.Initializers[0].Type = String }, err: `ask for 2 strings, there are 0`},
		{name: "sparse indices of another length", spoil: func(m *Model) {
			m.Graph.SparseInitializers = []*SparseTensor{{
				Values: FloatTensor("s", []int64{2}, []float32{1, 2}), Indices: Int64Tensor("", []int64{1}, []int64{0}), Dims: []int64{4},
			}}
		}, err: `indices of dims [1] do not fit`},
		{name: "sparse tensor without values", spoil: func(m *Model) { m.Graph.SparseInitializers = []*SparseTensor{{}} }, err: `lacks its values`},
		{name: "tensor in an attribute", spoil: func(m *Model) {
			m.Graph.Nodes[1].Attrs[0] = TensorAttr("t", NewTensor("", Int8, []int64{2}, Bytes{1}))
		}, err: `attribute "t": tensor "": dims [2]`},
		{name: "elements in two fields", spoil: func(m *Model) {
			x, err := DecodeTensor(bytes.Join([][]byte{varintField(1, 1), varintField(2, 3), field(5, []byte{1}), field(8, []byte("twice")), field(9, []byte{2})}, nil))
			if err != nil {
				t.Fatal(err)
			}
			m.Graph.Initializers = append(m.Graph.Initializers, x)
		}, warning: `tensor "twice" has elements in raw_data`},
		{name: "initializer that is no input", spoil: func(m *Model) { m.IRVersion = 3 }, warning: `initializer "w" is not an input too`},
		{name: "names that are no text", spoil: func(m *Model) { m.Graph.Nodes[1].Name = "\xff" }, warning: `not valid UTF-8`},
	}
	for _, test := range tests {
		m := soundModel()
		test.spoil(m)
		warnings, err := Check(m)
		if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.err)
		}
		if all := strings.Join(warnings, "\n"); !strings.Contains(all, test.warning) || test.warning == "" && test.err == "" && len(warnings) > 0 {
			t.Errorf("%s: warnings %q, want %q", test.name, warnings, test.warning)
		}
	}
}

func TestCheckBoundsItsFindings(t *testing.T) {
	g := &Graph{}
	for i := range 1000 {
		n := node("Relu", fmt.Sprint(i), names("nowhere"))
		n.Name = "\xff"
		g.Nodes = append(g.Nodes, n)
	}
	warnings, err := Check(graphModel(13, g))
	if n := strings.Count(err.Error(), "\n"); n != maxFindings {
		t.Errorf("%d errors", n)
	}
	if !strings.HasSuffix(err.Error(), "and 900 errors more") || len(warnings) != maxFindings+1 {
		t.Errorf("the rest is not counted: %d warnings, %v", len(warnings), err)
	}
}

func TestCheckAndIndexAreLinear(t *testing.T) {
	const nodes = 300_000
	g := &Graph{Inputs: []*Value{{Name: "v0"}}, Outputs: []*Value{{Name: fmt.Sprintf("v%d", nodes)}}}
	for i := range nodes {
		g.Nodes = append(g.Nodes, node("Add", fmt.Sprintf("v%d", i+1), names(fmt.Sprintf("v%d", i), "v0")))
	}
	start := time.Now()
	if _, err := Check(graphModel(13, g)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestGraphInsideItself(t *testing.T) {
	g := &Graph{}
	g.Nodes = []*Node{node("If", "y", names(""), GraphAttr("then_branch", g))}
	m := graphModel(13, g)
	if _, err := NewIndex(m); err == nil {
		t.Error("it is indexed")
	}
	if _, err := Check(m); err == nil {
		t.Error("it is sound")
	}
	if err := Encode(discard{}, m); err == nil {
		t.Error("it is encoded")
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
