package main

import (
	"fmt"

	"github.com/gomlx/gomlx/backends/simplego"
	symbolic "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
	gomlx "github.com/gomlx/onnx-gomlx/onnx"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// gomlxSession is a model in gomlx's backend in plain Go.
type gomlxSession struct {
	exec   *context.Exec
	feeds  []any
	result *tensors.Tensor
}

func newGomlxSession(path string, inputs []string, feeds map[string]tensor.Value) (s session, err error) {
	defer recovered(&err) // gomlx panics on what it does not know
	if len(inputs) != 1 {
		return nil, fmt.Errorf("only models with one input are passed on to gomlx")
	}
	t := feeds[inputs[0]].(*tensor.Tensor)
	data, ok := tensor.Data[float32](t)
	if !ok {
		return nil, fmt.Errorf("input %q is of type %v, not float32", inputs[0], t.DType())
	}
	backend, err := simplego.New("")
	if err != nil {
		return nil, err
	}
	model, err := gomlx.ReadFile(path)
	if err != nil {
		return nil, err
	}
	variables := context.New()
	if err := model.VariablesToContext(variables); err != nil {
		return nil, err
	}
	exec, err := context.NewExec(backend, variables.Reuse(), func(ctx *context.Context, x *symbolic.Node) *symbolic.Node {
		return model.CallGraph(ctx, x.Graph(), map[string]*symbolic.Node{inputs[0]: x})[0]
	})
	if err != nil {
		return nil, err
	}
	return &gomlxSession{exec: exec, feeds: []any{tensors.FromFlatDataAndDimensions(data, t.Shape()...)}}, nil
}

func (s *gomlxSession) run() (err error) {
	defer recovered(&err)
	s.result, err = s.exec.Exec1(s.feeds...)
	return err
}

func (s *gomlxSession) results() (list [][]float32, err error) {
	err = tensors.ConstFlatData(s.result, func(data []float32) {
		list = append(list, append([]float32(nil), data...))
	})
	return list, err
}

func (s *gomlxSession) close() { s.exec.Finalize() }
