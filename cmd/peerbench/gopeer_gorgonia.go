package main

import (
	"fmt"
	"os"

	onnxgo "github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/x/gorgonnx"
	gorgonia "gorgonia.org/tensor"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// gorgoniaSession is a model that onnx-go has Gorgonia run.
type gorgoniaSession struct {
	model *onnxgo.Model
	graph *gorgonnx.Graph
}

func newGorgoniaSession(path string, inputs []string, feeds map[string]tensor.Value) (s session, err error) {
	defer recovered(&err) // onnx-go panics on what it does not know
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	graph := gorgonnx.NewGraph()
	model := onnxgo.NewModel(graph)
	if err := model.UnmarshalBinary(content); err != nil {
		return nil, err
	}
	for i, name := range inputs {
		t := feeds[name].(*tensor.Tensor)
		data, ok := tensor.Data[float32](t)
		if !ok {
			return nil, fmt.Errorf("input %q is of type %v, not float32", name, t.DType())
		}
		if err := model.SetInput(i, gorgonia.New(gorgonia.WithShape(t.Shape()...), gorgonia.WithBacking(data))); err != nil {
			return nil, err
		}
	}
	return &gorgoniaSession{model, graph}, nil
}

func (s *gorgoniaSession) run() (err error) {
	defer recovered(&err)
	return s.graph.Run()
}

func (s *gorgoniaSession) results() (list [][]float32, err error) {
	outputs, err := s.model.GetOutputTensors()
	if err != nil {
		return nil, err
	}
	for i, t := range outputs {
		data, ok := t.Data().([]float32)
		if !ok {
			return nil, fmt.Errorf("output %d is not float32", i)
		}
		list = append(list, data)
	}
	return list, nil
}

func (s *gorgoniaSession) close() {}

// recovered makes an error of a panic.
func recovered(err *error) {
	if said := recover(); said != nil {
		*err = fmt.Errorf("it panics: %v", said)
	}
}
