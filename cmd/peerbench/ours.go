package main

import (
	"context"
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// ourSession is a model in our executor.
type ourSession struct {
	session *runtime.Session
	feeds   map[string]tensor.Value
	names   []string // of the outputs, in order
	last    map[string]tensor.Value
}

// newOurSession opens and compiles a file.
func newOurSession(path string, options runtime.Options) (*ourSession, error) {
	m, err := onnx.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s, err := runtime.Compile(m, options)
	if err != nil {
		return nil, err
	}
	_, outputs := portNames(m)
	return &ourSession{session: s, names: outputs}, nil
}

// run lets go of the last run's results, as the peer computes into the same
// outputs each time.
func (s *ourSession) run() (err error) {
	s.session.Recycle(s.last)
	s.last, err = s.session.Run(context.Background(), s.feeds)
	return err
}

func (s *ourSession) results() ([][]float32, error) {
	list := make([][]float32, len(s.names))
	for i, name := range s.names {
		t, ok := s.last[name].(*tensor.Tensor)
		if !ok {
			return nil, fmt.Errorf("output %q is no tensor", name)
		}
		if list[i], ok = tensor.Data[float32](t); !ok {
			return nil, fmt.Errorf("output %q is of type %v, not float32", name, t.DType())
		}
	}
	return list, nil
}

func (s *ourSession) close() {}
