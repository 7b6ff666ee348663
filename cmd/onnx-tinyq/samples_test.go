package main

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/cmd/onnx-tinyq/internal/npy"
	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestReadSamples reads folders of every form, and what is none.
func TestReadSamples(t *testing.T) {
	one, two := []string{"x"}, []string{"a/b", "c"}
	for _, test := range []struct {
		name   string
		inputs []string
		files  []string // each with the number that it holds
		want   []string // of each sample, its name and its values by input
		err    string
	}{
		{name: "archives", inputs: two, files: []string{"s2.npz:a/b=2,c=20", "s10.npz:a/b=10", "README.txt:"},
			want: []string{"s2.npz a/b=2 c=20", "s10.npz a/b=10"}},
		{name: "archive of one array", inputs: one, files: []string{"s.npz:arr_0=3"}, want: []string{"s.npz x=3"}},
		{name: "sub-folders by name", inputs: two, files: []string{"s0/a_b.npy:1", "s0/c.npy:2", "s1/c.npy:3"},
			want: []string{"s0 a/b=1 c=2", "s1 c=3"}},
		{name: "a test case", inputs: two, files: []string{"model.onnx:", "test_data_set_0/input_0.pb:1", "test_data_set_0/input_1.pb:2", "test_data_set_0/output_0.pb:9", "test_data_set_1/input_1.pb:4"},
			want: []string{"test_data_set_0 a/b=1 c=2", "test_data_set_1 c=4"}},
		{name: "a data set itself", inputs: two, files: []string{"input_0.pb:1", "input_1.pb:2"}, want: []string{" a/b=1 c=2"}},
		{name: "files for one input", inputs: one, files: []string{"cat.npy:1", "dog.pb:2"}, want: []string{"cat.npy x=1", "dog.pb x=2"}},
		{name: "a test case with other files", inputs: one, files: []string{"labels.npy:7", "test_data_set_0/input_0.pb:1"}, want: []string{"test_data_set_0 x=1"}},
		{name: "the input's own file", inputs: one, files: []string{"x.npy:1"}, want: []string{" x=1"}},
		{name: "empty", inputs: one, files: []string{"README.txt:"}, err: "holds no samples for the inputs x"},
		{name: "other arrays", inputs: two, files: []string{"s.npz:u=1,v=2"}, err: "has the arrays u, v, and none of the model's inputs a/b, c"},
		{name: "not an array", inputs: one, files: []string{"s/x.npy:!"}, err: `input "x": `},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "_"), func(t *testing.T) {
			folder := t.TempDir()
			for _, file := range test.files {
				path, content, _ := strings.Cut(file, ":")
				writeSample(t, filepath.Join(folder, path), content)
			}
			m := &onnx.Model{Graph: &onnx.Graph{Initializers: []*onnx.Tensor{{Name: "w"}}}}
			for _, name := range append([]string{"w"}, test.inputs...) {
				m.Graph.Inputs = append(m.Graph.Inputs, &onnx.Value{Name: name})
			}
			samples, err := readSamples(folder, m)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one that says %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range samples {
				line := strings.TrimPrefix(strings.TrimPrefix(s.name, folder), string(filepath.Separator))
				for _, input := range test.inputs {
					if v, ok := s.values[input]; ok {
						line += " " + input + "=" + firstValues(v.(*tensor.Tensor))
					}
				}
				got = append(got, line)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("samples %q, want %q", got, test.want)
			}
		})
	}
}

// writeSample writes a file with a number, or an archive of named ones.
func writeSample(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	number := func(text string) *tensor.Tensor {
		v := int64(0)
		for _, digit := range text {
			v = 10*v + int64(digit-'0')
		}
		return tensor.New([]int{1}, []int64{v})
	}
	var out bytes.Buffer
	switch extension := filepath.Ext(path); {
	case content == "!" || content == "":
		out.WriteString(content)
	case extension == ".npz":
		archive := zip.NewWriter(&out)
		for pair := range strings.SplitSeq(content, ",") {
			name, text, _ := strings.Cut(pair, "=")
			member, err := archive.Create(name + ".npy")
			if err != nil {
				t.Fatal(err)
			}
			if err := npy.Write(member, number(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := archive.Close(); err != nil {
			t.Fatal(err)
		}
	case extension == ".npy":
		if err := npy.Write(&out, number(content)); err != nil {
			t.Fatal(err)
		}
	case extension == ".pb":
		value, _ := tensor.Data[int64](number(content))
		if err := onnx.EncodeTensor(&out, onnx.Int64Tensor("", []int64{1}, value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
