package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// findONNXRuntime is the C library of ONNX Runtime: the one that is named, else
// the one of the Python package of TINYQ_PYTHON's environment.
func findONNXRuntime(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	python := os.Getenv("TINYQ_PYTHON")
	if python == "" {
		return "", errors.New("which ONNX Runtime? Name its library with --onnxruntime, or set TINYQ_PYTHON to a Python that has the package onnxruntime")
	}
	pattern := filepath.Join(filepath.Dir(python), "..", "lib", "python3*", "site-packages", "onnxruntime", "capi", "libonnxruntime.so*")
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("no ONNX Runtime at %s: install the package onnxruntime for %s, or name the library with --onnxruntime", pattern, python)
	}
	return filepath.Abs(found[0])
}

// openONNXRuntime loads the library for the whole process.
func openONNXRuntime(path string) error {
	ort.SetSharedLibraryPath(path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// peerSession is a model in ONNX Runtime, with inputs and outputs that stay
// where they are from run to run.
type peerSession struct {
	session         *ort.DynamicAdvancedSession
	inputs, outputs []ort.Value
}

// peerOptions are the session options of every comparison: one thread pool of a
// size, nothing run beside it, everything else as it comes, and the entries given.
func peerOptions(threads int, entries map[string]string) (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(o.SetIntraOpNumThreads(threads), o.SetInterOpNumThreads(1))
	for key, value := range entries {
		err = errors.Join(err, o.AddSessionConfigEntry(key, value))
	}
	if err != nil {
		o.Destroy()
		return nil, err
	}
	return o, nil
}

// newPeerSession makes a session of a file; ready to run, but never run.
func newPeerSession(path string, inputs, outputs []string, threads int, entries map[string]string) (*peerSession, error) {
	o, err := peerOptions(threads, entries)
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	s, err := ort.NewDynamicAdvancedSession(path, inputs, outputs, o)
	if err != nil {
		return nil, err
	}
	return &peerSession{session: s, outputs: make([]ort.Value, len(outputs))}, nil
}

// feed copies the inputs in the order that the session was made with.
func (s *peerSession) feed(names []string, feeds map[string]tensor.Value) error {
	for _, name := range names {
		t, ok := feeds[name].(*tensor.Tensor)
		if !ok {
			return fmt.Errorf("input %q is no tensor", name)
		}
		v, err := peerTensor(t)
		if err != nil {
			return fmt.Errorf("input %q: %w", name, err)
		}
		s.inputs = append(s.inputs, v)
	}
	return nil
}

func peerTensor(t *tensor.Tensor) (ort.Value, error) {
	shape := ort.Shape{}
	for _, size := range t.Shape() {
		shape = append(shape, int64(size))
	}
	switch data := t.Any().(type) {
	case []float32:
		return ort.NewTensor(shape, slices.Clone(data))
	case []int64:
		return ort.NewTensor(shape, slices.Clone(data))
	case []int32:
		return ort.NewTensor(shape, slices.Clone(data))
	}
	return nil, fmt.Errorf("values of type %v are not passed on to ONNX Runtime", t.DType())
}

// run computes into the same outputs each time; the first run makes them.
func (s *peerSession) run() error { return s.session.Run(s.inputs, s.outputs) }

// results are the float32 outputs of the last run.
func (s *peerSession) results() ([][]float32, error) {
	list := make([][]float32, len(s.outputs))
	for i, v := range s.outputs {
		t, ok := v.(*ort.Tensor[float32])
		if !ok {
			return nil, fmt.Errorf("output %s is of another type than float32", strconv.Itoa(i))
		}
		list[i] = t.GetData()
	}
	return list, nil
}

func (s *peerSession) close() {
	for _, v := range append(slices.Clone(s.inputs), s.outputs...) {
		if v != nil {
			v.Destroy()
		}
	}
	s.session.Destroy()
}

// portNames are the names of a model's inputs without those that initializers
// give, and of its outputs.
func portNames(m *onnx.Model) (inputs, outputs []string) {
	initial := map[string]bool{}
	for _, t := range m.Graph.Initializers {
		initial[t.Name] = true
	}
	for _, v := range m.Graph.Inputs {
		if !initial[v.Name] {
			inputs = append(inputs, v.Name)
		}
	}
	for _, v := range m.Graph.Outputs {
		outputs = append(outputs, v.Name)
	}
	return inputs, outputs
}

// closeONNXRuntime lets the library go; another one may be opened then.
func closeONNXRuntime() error { return ort.DestroyEnvironment() }
