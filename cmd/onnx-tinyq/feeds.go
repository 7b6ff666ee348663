package main

import (
	"fmt"
	"maps"
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
	memory  int64 // MiB; 0: see memoryLimit
}

func (f *feedFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.inputs, "input", "i", nil, "an input's value, `NAME=FILE`: .npy, .npz or TensorProto .pb; repeatable. Or DIR, a folder of samples: an .npz for each, or a sub-folder with NAME.npy or input_N.pb for each input (ONNX's test_data_set_N is one)")
	flags.StringArrayVar(&f.shapes, "shape", nil, "an input's sizes where the model leaves them free, `NAME=1,3,224,224`; repeatable")
	flags.Uint64Var(&f.seed, "seed", 0, "what inputs that are not given are made from")
	registerThreads(flags, &f.threads)
	f.registerMemory(flags)
}

func registerFast(flags *pflag.FlagSet, fast *bool) {
	flags.BoolVar(fast, "fast", false, "multiply quantized weights by float32 activations in 16-bit fixed point, where the processor gains by that: faster, with a relative error of up to some 1e-4")
}

// fastNote is what a result computed with --fast says about it.
func fastNote(asked, done bool) string {
	switch {
	case done:
		return "fast: quantized weights are multiplied by activations in 16-bit fixed point\n"
	case asked:
		return "fast: nothing here gains by it; computed as without\n"
	}
	return ""
}

func registerThreads(flags *pflag.FlagSet, threads *int) {
	flags.IntVarP(threads, "threads", "j", 0, "how many threads to use; 0: all cores")
}

// make gives a value for every input of a model that needs one, for each of the
// samples that it is to run on: one if the flags name no folder of them.
func (f *feedFlags) make(m *onnx.Model) ([]map[string]tensor.Value, error) {
	o, samples, err := f.options(m)
	if err != nil {
		return nil, err
	}
	return makeFeeds(m, o, samples)
}

// makeFeeds makes up what samples do not hold.
func makeFeeds(m *onnx.Model, o runtime.FeedOptions, samples []sample) ([]map[string]tensor.Value, error) {
	var feeds []map[string]tensor.Value
	for _, s := range samples {
		each := o
		each.Given = maps.Clone(s.values)
		maps.Copy(each.Given, o.Given) // what is given by name is for all of them
		made, err := runtime.MakeFeeds(m, each)
		if err != nil {
			if s.name != "" {
				err = fmt.Errorf("%s: %w", s.name, err)
			}
			return nil, err
		}
		feeds = append(feeds, made)
	}
	return feeds, nil
}

// one is make for a command that runs a model on one sample.
func (f *feedFlags) one(m *onnx.Model) (map[string]tensor.Value, error) {
	feeds, err := f.make(m)
	if err != nil {
		return nil, err
	}
	if len(feeds) > 1 {
		return nil, usagef("--input names %d samples, and this runs on one: name its folder, or its files by input", len(feeds))
	}
	return feeds[0], nil
}

// options are what the flags say about a model's inputs, and the samples of the
// folder that they name.
func (f *feedFlags) options(m *onnx.Model) (runtime.FeedOptions, []sample, error) {
	if f.memory < 0 || f.memory > 1<<40 {
		return runtime.FeedOptions{}, nil, usagef("--memory %d: that is no amount of memory", f.memory)
	}
	o := runtime.FeedOptions{Seed: f.seed, Memory: f.memoryLimit(m), Shapes: map[string][]int{}, Given: map[string]tensor.Value{}}
	var samples []sample
	for _, spec := range f.shapes {
		name, text, err := f.split("--shape", spec, m)
		if err != nil {
			return o, nil, err
		}
		shape, err := parseShape(text)
		if err != nil {
			return o, nil, usagef("--shape %s: %w", spec, err)
		}
		o.Shapes[name] = shape
	}
	for _, spec := range f.inputs {
		if info, err := os.Stat(spec); err == nil && info.IsDir() {
			more, err := readSamples(spec, m)
			if err != nil {
				return o, nil, err
			}
			samples = append(samples, more...)
			continue
		}
		name, path, err := f.split("--input", spec, m)
		if err != nil {
			return o, nil, err
		}
		value, err := readValue(path, name)
		if err != nil {
			return o, nil, fmt.Errorf("input %q: %w", name, err)
		}
		o.Given[name] = value
	}
	if len(samples) == 0 {
		samples = []sample{{values: map[string]tensor.Value{}}}
	}
	return o, samples, nil
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
	case !strings.Contains(spec, "=") && flag == "--input":
		return "", "", usagef("%s %s: it wants the form NAME=FILE, or a folder of samples, and there is none of that name", flag, spec)
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
