package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/cmd/onnx-tinyq/internal/npy"
	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// sample is one set of input values for a model. What it does not hold is made up.
type sample struct {
	name   string // of the file or folder that it is from
	values map[string]tensor.Value
}

// sampleReader reads a folder of samples. Each sample is one of these:
//
//	DIR/SAMPLE.npz            an archive with an array for each input, by name
//	DIR/SAMPLE/NAME.npy       a sub-folder with a file for each input, by name; .pb too
//	DIR/SAMPLE/input_0.pb     a sub-folder as ONNX's test cases have them, in the inputs' order
//	DIR/SAMPLE.npy            a file alone, for a model with one input; .pb too,
//	                          and only if there are none of the others
//
// A folder that holds the files of one sample itself is that sample. Other files,
// such as a test case's model and its outputs, are passed over.
type sampleReader struct {
	inputs []string // the model's, without those that have an initializer
}

// readSamples reads every sample of a folder, in the order of their names.
func readSamples(folder string, m *onnx.Model) ([]sample, error) {
	initializers := map[string]bool{}
	for _, t := range m.Graph.Initializers {
		initializers[t.Name] = true
	}
	var r sampleReader
	for _, input := range m.Graph.Inputs {
		if !initializers[input.Name] {
			r.inputs = append(r.inputs, input.Name)
		}
	}
	samples, err := r.folder(folder)
	if err != nil {
		return nil, err
	}
	if len(samples) == 0 {
		return nil, fmt.Errorf("%s holds no samples for the inputs %s: it wants a .npz file for each sample, or a sub-folder with a file NAME.npy or input_N.pb for each input",
			folder, strings.Join(r.inputs, ", "))
	}
	return samples, nil
}

func (r *sampleReader) folder(folder string) ([]sample, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(entries, func(a, b fs.DirEntry) int { return compareNumbered(a.Name(), b.Name()) })
	itself, err := r.files(folder, entries)
	if err != nil {
		return nil, err
	}
	if len(itself) > 0 {
		return []sample{{folder, itself}}, nil
	}
	var samples, loose []sample
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		info, err := os.Stat(path) // which follows a link that the entry may be
		if err != nil {
			return nil, err
		}
		extension := strings.ToLower(filepath.Ext(path))
		var values map[string]tensor.Value
		switch {
		case info.IsDir():
			var inside []fs.DirEntry
			if inside, err = os.ReadDir(path); err == nil {
				values, err = r.files(path, inside)
			}
		case extension == ".npz":
			values, err = r.archive(path)
		case len(r.inputs) == 1 && (extension == ".npy" || extension == ".pb"):
			loose = append(loose, sample{name: path})
		}
		if err != nil {
			return nil, err
		}
		if len(values) > 0 {
			samples = append(samples, sample{path, values})
		}
	}
	if len(samples) > 0 {
		return samples, nil
	}
	for i, s := range loose {
		value, err := readValue(s.name, r.inputs[0])
		if err != nil {
			return nil, err
		}
		loose[i].values = map[string]tensor.Value{r.inputs[0]: value}
	}
	return loose, nil
}

// files reads the files of one sample: by the inputs' names, as run writes them,
// or by their numbers.
func (r *sampleReader) files(folder string, entries []fs.DirEntry) (map[string]tensor.Value, error) {
	there := map[string]bool{}
	for _, entry := range entries {
		there[entry.Name()] = true
	}
	values := map[string]tensor.Value{}
	for i, input := range r.inputs {
		for _, base := range []string{fileName(input), fmt.Sprintf("input_%d", i)} {
			for _, extension := range []string{".npy", ".pb"} {
				file := base + extension
				if values[input] != nil || !there[file] {
					continue
				}
				value, err := readValue(filepath.Join(folder, file), input)
				if err != nil {
					return nil, fmt.Errorf("input %q: %w", input, err)
				}
				values[input] = value
			}
		}
	}
	return values, nil
}

// archive reads the arrays of an .npz file that have inputs' names; one array is
// for a model's one input, whatever its name.
func (r *sampleReader) archive(path string) (map[string]tensor.Value, error) {
	names, err := npy.ArchiveNames(path)
	if err != nil {
		return nil, err
	}
	values := map[string]tensor.Value{}
	for _, input := range r.inputs {
		if !slices.Contains(names, input) && !(len(names) == 1 && len(r.inputs) == 1) {
			continue
		}
		value, err := npy.ReadArchive(path, input)
		if err != nil {
			return nil, err
		}
		values[input] = value
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("%s has the arrays %s, and none of the model's inputs %s", path, strings.Join(names, ", "), strings.Join(r.inputs, ", "))
	}
	return values, nil
}

// compareNumbered orders names that end in numbers by those: sample_2 before
// sample_10.
func compareNumbered(a, b string) int {
	digits := func(s string) string {
		s = strings.TrimSuffix(s, filepath.Ext(s))
		return s[:len(strings.TrimRight(s, "0123456789"))]
	}
	if digits(a) == digits(b) && len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
