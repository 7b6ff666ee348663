// Package onnxgo makes the executor a backend of onnx-go
// (github.com/owulveryck/onnx-go), for programs that are written against it:
//
//	backend := onnxgo.New()
//	model := onnx.NewModel(backend)
//	err := model.UnmarshalBinary(data)
//	...
//	err = model.SetInput(0, input)
//	err = backend.Run()
//	...
//	outputs, err := model.GetOutputTensors()
//
// # What onnx-go's decoder does not read
//
// The file is decoded by onnx-go, whatever the backend. Its decoder knows tensors
// of float, double, int32, int64 and bool alone, so that a model with int8
// weights, as rewriting leaves them, is refused; so are one with float16 weights,
// with If, Loop or Scan, with external data, and one with sequences. Local
// functions are not read at all. For such models leave onnx-go out:
//
//	m, err := onnx.Open("model.onnx") // of this module
//	...
//	session, err := runtime.Compile(m, runtime.Options{})
//	...
//	outputs, err := session.Run(ctx, feeds)
//
// The decoder does not tell its backend which opset version the model states
// either. Operators are taken as they are in [DefaultOpset] unless the field
// Opset says otherwise, and an operator that only com.microsoft has is taken
// from there.
package onnxgo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	backendapi "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// DefaultOpset is the version of the operators that most models have which
// onnx-go can read.
const DefaultOpset = 9

// Backend collects the graph that onnx-go decodes, and runs it. It is not safe
// for use by several goroutines at once, as its nodes carry the values.
type Backend struct {
	// Opset is the version of the operators of the default domain that the model
	// states. Set it before the model is decoded.
	Opset int64
	// Options are how the model is compiled, on the first Run.
	Options runtime.Options

	nodes      []*node
	operations []*onnx.Node
	declared   int // how many nodes there were before the first operation: the declared values
	session    *runtime.Session
	feeds      []*node // what the session is fed with
	results    []*node // what it gives
}

var _ backendapi.Backend = (*Backend)(nil)

// New returns a backend without a graph, for onnx-go's NewModel.
func New() *Backend { return &Backend{Opset: DefaultOpset, declared: -1} }

const microsoft = "com.microsoft"

// ApplyOperation adds an operator whose results are the nodes given, and whose
// operands are the nodes that edges lead to from them. An operator that the
// executor lacks is an onnx-go ErrNotImplemented.
func (b *Backend) ApplyOperation(o backendapi.Operation, results ...graph.Node) error {
	n := &onnx.Node{OpType: o.Name}
	if kernel, _ := ops.Lookup("", o.Name, int(b.Opset)); kernel == nil {
		n.Domain = microsoft
		if kernel, _ := ops.Lookup(microsoft, o.Name, 1); kernel == nil {
			return &backendapi.ErrNotImplemented{Operator: o.Name, Message: fmt.Sprintf("the executor has no %s at opset %d", o.Name, b.Opset)}
		}
	}
	for i, result := range results {
		r, ok := result.(*node)
		if !ok {
			return fmt.Errorf("onnxgo: %s: result %d is a %T, not a node of this backend", o.Name, i, result)
		}
		r.produced = true
		n.Outputs = append(n.Outputs, r.label())
		if i == 0 {
			n.Inputs = r.operandLabels()
		}
	}
	for _, name := range sortedNames(o.Attributes) {
		a, err := attribute(name, o.Attributes[name])
		if err != nil {
			return fmt.Errorf("onnxgo: %s: %w", o.Name, err)
		}
		n.Attrs = append(n.Attrs, a)
	}
	b.operations = append(b.operations, n)
	b.session = nil
	return nil
}

// Run computes all results from the tensors that the nodes carry.
func (b *Backend) Run() error { return b.RunContext(context.Background()) }

// RunContext is Run with a context that can end it.
func (b *Backend) RunContext(ctx context.Context) error {
	if b.session == nil {
		if err := b.compile(); err != nil {
			return fmt.Errorf("onnxgo: %w", err)
		}
	}
	values := map[string]tensor.Value{}
	for _, n := range b.feeds {
		if n.carried == nil {
			return fmt.Errorf("onnxgo: %q has no tensor: set the model's inputs before it runs", n.name)
		}
		v, err := fromGorgonia(n.carried)
		if err != nil {
			return fmt.Errorf("onnxgo: %q: %w", n.name, err)
		}
		values[n.label()] = v
	}
	results, err := b.session.Run(ctx, values)
	if err != nil {
		return fmt.Errorf("onnxgo: %w", err)
	}
	for _, n := range b.results {
		if n.carried, err = toGorgonia(results[n.label()]); err != nil {
			return fmt.Errorf("onnxgo: %q: %w", n.name, err)
		}
	}
	return nil
}

// compile makes a model of the operations. Inputs and initializers are both fed:
// the decoder hands the two over in the same way.
func (b *Backend) compile() error {
	if len(b.operations) == 0 {
		return errors.New("there is no operation: decode a model first")
	}
	g := &onnx.Graph{Name: "onnx-go", Nodes: b.operations}
	read := map[string]bool{}
	for _, o := range b.operations {
		for _, name := range o.Inputs {
			read[name] = true
		}
	}
	b.feeds, b.results = nil, nil
	for _, n := range b.nodes {
		value := &onnx.Value{Name: n.label()}
		switch {
		case !n.produced && read[n.label()]:
			g.Inputs = append(g.Inputs, value)
			b.feeds = append(b.feeds, n)
		case n.produced && n.name != "" && (!read[n.label()] || int(n.id) < b.declared):
			g.Outputs = append(g.Outputs, value)
			b.results = append(b.results, n)
		}
	}
	model := &onnx.Model{IRVersion: 8, Graph: g, Opsets: []onnx.OpsetImport{{Version: b.Opset}, {Domain: microsoft, Version: 1}}}
	session, err := runtime.Compile(model, b.Options)
	if err != nil {
		return err
	}
	b.session = session
	return nil
}

// operandLabels are the names of a result's operands in order; those that are
// left out are empty.
func (n *node) operandLabels() []string {
	var labels []string
	for _, o := range n.operands {
		for len(labels) <= o.place {
			labels = append(labels, "")
		}
		if !o.node.absent() {
			labels[o.place] = o.node.label()
		}
	}
	// The decoder makes an operand up for an operator that has none.
	if only := n.operands; len(only) == 1 && only[0].node.madeUp() {
		return nil
	}
	return labels
}

// absent says whether a node stands for an operand that is left out.
func (n *node) absent() bool { return n.name == "" }

// madeUp says whether a node is the operand that the decoder gives to an
// operator without any: it has neither type nor value.
func (n *node) madeUp() bool {
	return strings.HasSuffix(n.name, "/input") && n.carried == nil && !n.produced
}

func sortedNames(attributes map[string]any) []string {
	var names []string
	for name := range attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
