package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/onnx-tinyq/onnx-tinyq/cmd/onnx-tinyq/internal/npy"
	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// feedFlags are the flags that say what a model is run on.
type feedFlags struct {
	inputs  []string
	shapes  []string
	seed    uint64
	threads int
}

func (f *feedFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.inputs, "input", "i", nil, "an input's value, `NAME=FILE`: .npy, .npz or TensorProto .pb; repeatable")
	flags.StringArrayVar(&f.shapes, "shape", nil, "an input's sizes where the model leaves them free, `NAME=1,3,224,224`; repeatable")
	flags.Uint64Var(&f.seed, "seed", 0, "what inputs that are not given are made from")
	registerThreads(flags, &f.threads)
}

func registerThreads(flags *pflag.FlagSet, threads *int) {
	flags.IntVarP(threads, "threads", "j", 0, "how many threads to use; 0: all cores")
}

// make gives a value for every input of a model that needs one.
func (f *feedFlags) make(m *onnx.Model) (map[string]tensor.Value, error) {
	o, err := f.options(m)
	if err != nil {
		return nil, err
	}
	return runtime.MakeFeeds(m, o)
}

// options are what the flags say about a model's inputs.
func (f *feedFlags) options(m *onnx.Model) (runtime.FeedOptions, error) {
	o := runtime.FeedOptions{Seed: f.seed, Shapes: map[string][]int{}, Given: map[string]tensor.Value{}}
	for _, spec := range f.shapes {
		name, text, err := f.split("--shape", spec, m)
		if err != nil {
			return o, err
		}
		shape, err := parseShape(text)
		if err != nil {
			return o, usagef("--shape %s: %w", spec, err)
		}
		o.Shapes[name] = shape
	}
	for _, spec := range f.inputs {
		name, path, err := f.split("--input", spec, m)
		if err != nil {
			return o, err
		}
		value, err := readValue(path, name)
		if err != nil {
			return o, fmt.Errorf("input %q: %w", name, err)
		}
		o.Given[name] = value
	}
	return o, nil
}

// split takes NAME=VALUE apart; the name has to be an input's.
func (f *feedFlags) split(flag, spec string, m *onnx.Model) (name, value string, err error) {
	// A name may hold an equals sign itself: the longest input that fits is meant.
	for _, input := range m.Graph.Inputs {
		if rest, ok := strings.CutPrefix(spec, input.Name+"="); ok && len(input.Name) >= len(name) {
			name, value = input.Name, rest
		}
	}
	switch {
	case name != "":
		return name, value, nil
	case !strings.Contains(spec, "="):
		return "", "", usagef("%s %s: it wants the form NAME=VALUE", flag, spec)
	}
	var names []string
	for _, input := range m.Graph.Inputs {
		names = append(names, input.Name)
	}
	name, _, _ = strings.Cut(spec, "=")
	return "", "", usagef("%s %s: the model has no input %q; it has %s", flag, spec, name, strings.Join(names, ", "))
}

func parseShape(text string) ([]int, error) {
	shape := []int{}
	if text == "" {
		return shape, nil // a scalar
	}
	for field := range strings.SplitSeq(text, ",") {
		d, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || d < 0 {
			return nil, fmt.Errorf("%q is not a size", field)
		}
		shape = append(shape, d)
	}
	return shape, nil
}

// readValue reads the value of the input called name from a file.
func readValue(path, name string) (tensor.Value, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npy":
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		t, err := npy.Read(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return t, nil
	case ".npz":
		t, err := npy.ReadArchive(path, name)
		if err != nil {
			return nil, err
		}
		return t, nil
	case ".pb":
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		stored, err := onnx.DecodeTensor(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		t, err := tensor.FromONNX(stored)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return t, nil
	}
	return nil, usagef("%s: values are read from .npy, .npz and .pb files", path)
}
