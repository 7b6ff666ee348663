package runtime

import (
	"context"
	"errors"
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// Reference holds the outputs of a model, so that many rewritten forms of it are
// compared with one run of the original. It compares outputs alone; Compare
// judges each layer too.
type Reference struct {
	options CompareOptions
	names   []string
	outputs []map[string]tensor.Value // of each of the options' feeds
}

// NewReference runs the original. Of the options, Feeds and Threads count.
func NewReference(ctx context.Context, original *onnx.Model, o CompareOptions) (*Reference, error) {
	if len(o.Feeds) == 0 {
		return nil, errors.New("runtime: there are no inputs to compare the models on")
	}
	r := &Reference{options: o}
	for _, v := range original.Graph.Outputs {
		r.names = append(r.names, v.Name)
	}
	var err error
	r.outputs, err = r.run(ctx, original, judged{literal: true})
	if err != nil {
		return nil, fmt.Errorf("the original: %w", err)
	}
	return r, nil
}

// Compare runs a rewritten form of the model and says how far each output is
// from the original's.
func (r *Reference) Compare(ctx context.Context, rewritten *onnx.Model) ([]OutputReport, error) {
	outputs, err := r.run(ctx, rewritten, judged{})
	if err != nil {
		return nil, fmt.Errorf("the rewritten model: %w", err)
	}
	return compareOutputs(r.names, outputs, r.outputs)
}

func (r *Reference) run(ctx context.Context, m *onnx.Model, how judged) (outputs []map[string]tensor.Value, err error) {
	err = m.Guard(func() error {
		flat, err := inline(m)
		if err != nil {
			return err
		}
		outputs, err = runAll(ctx, flat, r.options, how)
		return err
	})
	return outputs, err
}

// compareOutputs compares outputs by name, over all feeds.
func compareOutputs(names []string, gots, wants []map[string]tensor.Value) ([]OutputReport, error) {
	var reports []OutputReport
	for _, name := range names {
		d := &difference{}
		for i := range wants {
			got, ok := gots[i][name]
			if !ok {
				return nil, fmt.Errorf("runtime: the rewritten model has no output %q", name)
			}
			if err := d.addValue(got, wants[i][name]); err != nil {
				return nil, fmt.Errorf("runtime: output %q: %w", name, err)
			}
		}
		reports = append(reports, d.output(name))
	}
	return reports, nil
}
