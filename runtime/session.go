package runtime

import (
	"context"
	"fmt"
	"sync"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// Session is a compiled model. It is safe for use by several goroutines.
type Session struct {
	plan    *plan
	ports   []Port // the main graph's inputs, in order
	outputs []Port
	observe func(node *onnx.Node, name string, v tensor.Value)
	trace   traceFunc
	threads int
	memory  int64 // see Options
	fast    bool

	resting   sync.Mutex
	rooms     []*room      // that no run is in
	lent      []ops.Loan   // results that may be given back, the oldest first
	returned  []*ops.Block // that were, for the next run
	overwrite bool         // see ops.Memory
}

// Fast says whether products of float32 are computed in 16-bit fixed point: as
// Options.Fast allows, if the model has any for which it can be done.
func (s *Session) Fast() bool { return s.fast }

// Port is an input or output of a model.
type Port struct {
	Name    string
	Type    *onnx.Type // nil: not stated
	Default bool       // an input that may be left out, as an initializer gives its value
}

// declare lists the model's inputs and outputs.
func (s *Session) declare(m *onnx.Model) {
	initializers := map[string]bool{}
	for _, t := range m.Graph.Initializers {
		initializers[t.Name] = true
	}
	for _, v := range m.Graph.Inputs {
		s.ports = append(s.ports, Port{v.Name, v.Type, initializers[v.Name]})
	}
	for _, v := range m.Graph.Outputs {
		s.outputs = append(s.outputs, Port{Name: v.Name, Type: v.Type})
	}
}

// Inputs lists what Run may be fed with. An initializer that an old model (IR
// version 3 or less) lists among its inputs is a constant and not listed.
func (s *Session) Inputs() []Port {
	var list []Port
	for i, p := range s.ports {
		if s.plan.inputs[i] != absent {
			list = append(list, p)
		}
	}
	return list
}

// Outputs lists what Run gives.
func (s *Session) Outputs() []Port { return append([]Port(nil), s.outputs...) }

// Run computes the model's outputs, by name, from its inputs. Values are shared,
// not copied: feeds and results may share elements, and neither may be written
// to, nor are they by any other Run unless they are given to Recycle. An input
// that is missing, unknown, or of another type or shape than the model declares is
// an error; so is a node that fails, a *NodeError, which may hold a *LimitError,
// and a context that ends.
func (s *Session) Run(ctx context.Context, feeds map[string]tensor.Value) (map[string]tensor.Value, error) {
	in, err := s.arrange(feeds)
	if err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	r := s.enter()
	results, err := s.plan.runIn(r, &ops.Call{Context: ctx, Workers: r.workers, Memory: r.memory, Left: s.allowance()}, in)
	if err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	s.lend(r.memory, results)
	s.leave(r)
	outputs := make(map[string]tensor.Value, len(results))
	for i, v := range results {
		outputs[s.plan.names[i]] = v
	}
	return outputs, nil
}
