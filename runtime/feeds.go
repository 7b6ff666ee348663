package runtime

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// arrange checks feeds against the model's inputs and puts them in order, nil
// where an input takes its default. Everything that is wrong is reported.
func (s *Session) arrange(feeds map[string]tensor.Value) ([]tensor.Value, error) {
	in := make([]tensor.Value, len(s.ports))
	sizes := map[string]symbol{}
	var failures, missing []error
	taken := 0
	for i, p := range s.ports {
		v, fed := feeds[p.Name]
		if fed {
			taken++
		}
		switch {
		case fed && s.plan.inputs[i] == absent:
			failures = append(failures, fmt.Errorf("input %q is an initializer, and in a model of IR version 3 or less a constant: it cannot be fed", p.Name))
		case s.plan.inputs[i] == absent:
		case v != nil:
			if err := checkFeed(p, v, sizes); err != nil {
				failures = append(failures, fmt.Errorf("input %q: %w", p.Name, err))
			}
			in[i] = v
		case !p.Default:
			missing = append(missing, fmt.Errorf("input %q is missing: it is %s", p.Name, typeText(p.Type)))
		}
	}
	if taken < len(feeds) {
		failures = append(failures, s.unknownFeeds(feeds))
	}
	return in, errors.Join(append(failures, missing...)...)
}

func (s *Session) unknownFeeds(feeds map[string]tensor.Value) error {
	var known, unknown []string
	for _, p := range s.ports {
		known = append(known, p.Name)
	}
	for name := range feeds {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return fmt.Errorf("the model has no input %s; its inputs are %s", quoted(unknown), quoted(known))
}

func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(list, ", ")
}

// symbol is the size that a symbolic dimension has in one run, and where it was seen.
type symbol struct {
	size  int
	input string
}

// checkFeed holds a value to an input's declared type; sizes holds what the
// symbolic dimensions of the inputs before it turned out to be.
func checkFeed(p Port, v tensor.Value, sizes map[string]symbol) error {
	if p.Type == nil {
		return nil
	}
	switch v := v.(type) {
	case *tensor.Tensor:
		t := p.Type
		if t.Kind == onnx.OptionalKind && t.Elem != nil {
			t = t.Elem // a value that is there may stand for the optional that holds it
		}
		if t.Kind != onnx.TensorKind && t.Kind != onnx.UnknownKind {
			return fmt.Errorf("it is %s, not %s", describe(v), typeText(p.Type))
		}
		if t.DType != onnx.Undefined && t.DType != v.DType() {
			return fmt.Errorf("it is of type %v, the model wants %v", v.DType(), t.DType)
		}
		if t.HasShape {
			return checkShape(p.Name, t.Shape, v.Shape(), sizes)
		}
	case *tensor.Sequence:
		if p.Type.Kind != onnx.SequenceKind && p.Type.Kind != onnx.OptionalKind {
			return fmt.Errorf("it is %s, not %s", describe(v), typeText(p.Type))
		}
	case *tensor.Optional:
		if p.Type.Kind != onnx.OptionalKind {
			return fmt.Errorf("it is %s, not %s", describe(v), typeText(p.Type))
		}
	case *tensor.Map:
		if p.Type.Kind != onnx.MapKind {
			return fmt.Errorf("it is %s, not %s", describe(v), typeText(p.Type))
		}
	}
	return nil
}

func checkShape(input string, declared []onnx.Dim, shape []int, sizes map[string]symbol) error {
	if len(shape) != len(declared) {
		return fmt.Errorf("its shape is %v, the model wants %s", shape, shapeText(declared))
	}
	for axis, d := range declared {
		switch {
		case d.Known && d.Size >= 0 && int64(shape[axis]) != d.Size:
			return fmt.Errorf("its shape is %v, the model wants %s", shape, shapeText(declared))
		case !d.Known && d.Param != "":
			if before, seen := sizes[d.Param]; seen && before.size != shape[axis] {
				return fmt.Errorf("its shape is %v, so %s is %d here but %d in input %q; the model wants %s",
					shape, d.Param, shape[axis], before.size, before.input, shapeText(declared))
			}
			sizes[d.Param] = symbol{shape[axis], input}
		}
	}
	return nil
}

// typeText is a type as errors print it.
func typeText(t *onnx.Type) string {
	switch {
	case t == nil:
		return "of a type that the model does not state"
	case t.Kind == onnx.SequenceKind:
		return "a sequence of " + typeText(t.Elem)
	case t.Kind == onnx.OptionalKind:
		return "an optional " + typeText(t.Elem)
	case t.Kind == onnx.MapKind:
		return fmt.Sprintf("a map of %v", t.DType)
	case !t.HasShape:
		return fmt.Sprintf("%v of any shape", t.DType)
	}
	return t.DType.String() + shapeText(t.Shape)
}

func shapeText(shape []onnx.Dim) string {
	list := make([]string, len(shape))
	for i, d := range shape {
		switch {
		case d.Known:
			list[i] = fmt.Sprint(d.Size)
		case d.Param != "":
			list[i] = d.Param
		default:
			list[i] = "?"
		}
	}
	return "[" + strings.Join(list, ",") + "]"
}
