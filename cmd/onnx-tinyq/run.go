package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnx-tinyq/onnx-tinyq/cmd/onnx-tinyq/internal/npy"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

type runReport struct {
	Model   string        `json:"model"`
	Fast    bool          `json:"fast,omitempty"` // --fast was given, and made a difference
	Outputs []valueReport `json:"outputs"`
}

// valueReport is a tensor among a model's outputs: an output, or an element of one.
type valueReport struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Dims []int  `json:"dims"`
	File string `json:"file,omitempty"`

	value *tensor.Tensor
}

func (a *app) runCommand() *cobra.Command {
	var f feedFlags
	folder, fast := "", false
	command := &cobra.Command{
		Use:     "run MODEL",
		Short:   "Run a model in the built-in executor",
		Example: "  onnx-tinyq run model.onnx -i image=image.npy -o results",
		Args:    arguments("MODEL"),
		RunE: func(command *cobra.Command, args []string) error {
			return a.run(command.Context(), args[0], &f, folder, fast)
		},
	}
	command.Flags().StringVarP(&folder, "output", "o", "", "write each output to this `DIR` as NAME.npy")
	f.register(command.Flags())
	registerFast(command.Flags(), &fast)
	return command
}

func (a *app) run(ctx context.Context, path string, f *feedFlags, folder string, fast bool) error {
	m, _, err := a.open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	session, err := runtime.Compile(m, runtime.Options{Threads: f.threads, Fast: fast, Memory: f.memoryLimit(m)})
	if err != nil {
		return err
	}
	feeds, err := f.one(m)
	if err != nil {
		return err
	}
	outputs, err := session.Run(ctx, feeds)
	if err != nil {
		return err
	}
	report := &runReport{Model: path, Fast: session.Fast(), Outputs: []valueReport{}}
	for _, port := range session.Outputs() {
		report.add(port.Name, outputs[port.Name])
	}
	if folder != "" {
		if err := report.write(folder); err != nil {
			return err
		}
	}
	return a.result(report, func() {
		t := newTable("output", "type", "shape", "values")
		for _, o := range report.Outputs {
			what := o.File
			if what == "" {
				what = firstValues(o.value)
			}
			t.AppendRow([]any{shorten(o.Name, nameWidth), o.Type, product(o.Dims), what})
		}
		fmt.Fprint(a.out, render(t)+fastNote(fast, session.Fast()))
	})
}

// add lists the tensors of a value; those inside it get the value's name and
// their place in it.
func (r *runReport) add(name string, value tensor.Value) {
	switch v := value.(type) {
	case *tensor.Tensor:
		r.Outputs = append(r.Outputs, valueReport{Name: name, Type: v.DType().String(), Dims: append([]int{}, v.Shape()...), value: v})
	case *tensor.Sequence:
		for i, element := range v.Values {
			r.add(fmt.Sprintf("%s[%d]", name, i), element)
		}
	case *tensor.Optional:
		r.add(name, v.Value)
	case *tensor.Map:
		r.add(name+".keys", v.Keys)
		r.add(name+".values", v.Values)
	}
}

// write puts each tensor into the folder, as an .npy file.
func (r *runReport) write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	taken := map[string]bool{}
	for i := range r.Outputs {
		o := &r.Outputs[i]
		base := fileName(o.Name)
		name := base
		for n := 2; taken[strings.ToLower(name)]; n++ { // lower case: some systems do not tell the cases apart
			name = fmt.Sprintf("%s_%d", base, n)
		}
		taken[strings.ToLower(name)] = true
		o.File = filepath.Join(folder, name+".npy")
		if err := writeArray(o.File, o.value); err != nil {
			return fmt.Errorf("output %q: %w", o.Name, err)
		}
	}
	return nil
}

func writeArray(path string, t *tensor.Tensor) error {
	return replaceFile(path, 0o644, func(w io.Writer) error { return npy.Write(w, t) })
}

// fileName is a name with _ for each character that some system's file names
// cannot hold.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
}

// firstValues shows the beginning of a tensor's elements.
func firstValues(t *tensor.Tensor) string {
	const most = 6
	elements := reflect.ValueOf(t.Any())
	var shown []string
	for i := range min(most, elements.Len()) {
		element := elements.Index(i).Interface()
		if narrow, ok := element.(interface{ Float32() float32 }); ok {
			element = narrow.Float32()
		}
		switch element.(type) {
		case float32, float64:
			shown = append(shown, fmt.Sprintf("%.5g", element))
		default:
			shown = append(shown, fmt.Sprint(element))
		}
	}
	if elements.Len() > most {
		shown = append(shown, "…")
	}
	return strings.Join(shown, " ")
}
