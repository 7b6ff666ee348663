package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// FeedOptions say how inputs are made up.
type FeedOptions struct {
	// Shapes are the shapes of inputs whose dimensions are free, by name.
	Shapes map[string][]int
	// Seed decides the values: one seed gives one input the same values.
	Seed uint64
	// Memory is the most bytes that an input may take that is made up, and that the
	// values of a run may which tries sizes out; 0: no limit.
	Memory int64
	// Given are the inputs that need not be made up.
	Given map[string]tensor.Value
}

// MakeFeeds makes up values for a model's inputs, for a run whose results are
// compared or timed rather than used. Free dimensions take the sizes that
// Shapes or a given value with the same symbolic name has, or else a size that
// fits the name, or another one with which the model runs. Values fit their
// use: indices are within the table that they index, masks are ones, positions
// count up, lengths are those of the sequence, other floats are normally
// distributed. An input that has an initializer gets no value.
func MakeFeeds(m *onnx.Model, o FeedOptions) (map[string]tensor.Value, error) {
	return makeFeeds(m, o, 10*time.Second)
}

// makeFeeds is MakeFeeds with its patience: sizes with which a model has run
// for so long without an error are as good as any.
func makeFeeds(m *onnx.Model, o FeedOptions, patience time.Duration) (map[string]tensor.Value, error) {
	flat, err := inline(m)
	if err != nil {
		return nil, err
	}
	f := &feedMaker{options: o, patience: patience, known: map[string]int{}, uses: map[string]inputUse{}}
	feeds := maps.Clone(o.Given)
	if feeds == nil {
		feeds = map[string]tensor.Value{}
	}
	if err := f.choose(flat); err != nil {
		return nil, err
	}
	if len(f.free) == 0 {
		return feeds, f.fill(feeds, nil)
	}
	return f.search(flat, feeds)
}

// feedMaker makes up the inputs of one model.
type feedMaker struct {
	options  FeedOptions
	patience time.Duration
	ports    []Port         // the inputs to be made up
	known    map[string]int // sizes of symbolic dimensions that follow from what is given
	free     []string       // dimensions whose size is to be chosen, by symbol
	rank4    map[string]bool
	uses     map[string]inputUse
}

// choose lists the inputs to be made up and their free dimensions.
func (f *feedMaker) choose(flat *inlined) error {
	initializers := map[string]bool{}
	for _, t := range flat.model.Graph.Initializers {
		initializers[t.Name] = true
	}
	names := map[string]bool{}
	for _, v := range flat.model.Graph.Inputs {
		names[v.Name] = true
		given := f.options.Given[v.Name]
		if t, ok := given.(*tensor.Tensor); ok {
			f.bind(v, t.Shape())
		}
		if given == nil && !initializers[v.Name] {
			f.ports = append(f.ports, Port{Name: v.Name, Type: v.Type})
			f.uses[v.Name] = usesOf(flat, v.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.options.Shapes)) {
		if !names[name] {
			return fmt.Errorf("runtime: a shape is stated for input %q, which the model does not have", name)
		}
	}
	for _, p := range f.ports {
		if shape, ok := f.options.Shapes[p.Name]; ok {
			f.bind(&onnx.Value{Name: p.Name, Type: p.Type}, shape)
		}
	}
	f.rank4 = map[string]bool{}
	for _, p := range f.ports {
		if _, stated := f.options.Shapes[p.Name]; stated || p.Type == nil {
			continue
		}
		t := tensorPart(p.Type)
		for axis, d := range t.Shape {
			symbol := symbolOf(p.Name, axis, d)
			if symbol == "" || slices.Contains(f.free, symbol) {
				continue
			}
			asked := f.uses[p.Name].sizes
			if size, ok := asked[axis-len(t.Shape)]; ok {
				f.known[symbol] = size
			} else if size, ok := asked[-2]; ok && len(t.Shape) == 1 {
				f.known[symbol] = size // a vector on the right is summed over its only axis
			}
			if _, known := f.known[symbol]; !known {
				f.free = append(f.free, symbol)
				f.rank4[symbol] = len(t.Shape) == 4 && axis >= 2
			}
		}
	}
	return nil
}

// tensorPart is the tensor type inside sequences and optionals.
func tensorPart(t *onnx.Type) *onnx.Type {
	for t.Elem != nil && (t.Kind == onnx.SequenceKind || t.Kind == onnx.OptionalKind) {
		t = t.Elem
	}
	return t
}

// symbolOf names a free dimension; one without a name has its place for a name.
// "" means that the size is stated.
func symbolOf(input string, axis int, d onnx.Dim) string {
	switch {
	case d.Known && d.Size >= 0:
		return ""
	case d.Param != "":
		return d.Param
	}
	return fmt.Sprintf("%s\x00%d", input, axis)
}

// bind learns the sizes of an input's symbolic dimensions from its shape.
func (f *feedMaker) bind(v *onnx.Value, shape []int) {
	if v.Type == nil || len(v.Type.Shape) != len(shape) {
		return
	}
	for axis, d := range v.Type.Shape {
		if symbol := symbolOf(v.Name, axis, d); symbol != "" {
			f.known[symbol] = shape[axis]
		}
	}
}

// likely is the size that fits a free dimension's name and place.
func (f *feedMaker) likely(symbol string) int {
	name, axis, unnamed := strings.Cut(strings.ToLower(symbol), "\x00")
	contains := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
	}
	switch {
	case unnamed && axis == "0", !unnamed && (contains("batch") || name == "n" || name == "b" || name == "bs"):
		return 1
	case !unnamed && contains("seq", "len", "time", "token", "step"):
		return sequenceSize
	case f.rank4[symbol], !unnamed && contains("height", "width"):
		return imageSize
	case strings.HasSuffix(name, ".0"): // PaddlePaddle counts the free dimensions of an input
		return 1
	}
	return sequenceSize
}

const (
	sequenceSize = 8
	imageSize    = 64
)

// otherSizes are tried in turn for all free dimensions that are not batches.
var otherSizes = []int{16, 32, 224, 2, 1, 4, 128, 48, 5}

// search finds sizes with which the model runs.
func (f *feedMaker) search(flat *inlined, feeds map[string]tensor.Value) (map[string]tensor.Value, error) {
	sizes := map[string]int{}
	for _, symbol := range f.free {
		sizes[symbol] = f.likely(symbol)
	}
	first := maps.Clone(feeds)
	if err := f.fill(first, sizes); err != nil {
		return nil, err
	}
	session, err := compile(flat, Options{Memory: f.options.Memory}, judged{})
	var unsupported *UnsupportedError
	if errors.As(err, &unsupported) {
		return first, nil // nothing can be tried
	}
	if err != nil {
		return nil, err
	}
	failure := f.attempt(session, first)
	if failure == nil {
		return first, nil
	}
	for _, size := range otherSizes {
		for _, symbol := range f.free {
			if f.likely(symbol) != 1 {
				sizes[symbol] = size
			}
		}
		attempt := maps.Clone(feeds)
		if err := f.fill(attempt, sizes); err != nil {
			return nil, err
		}
		if f.attempt(session, attempt) == nil {
			return attempt, nil
		}
	}
	var wanted []string
	for _, p := range f.ports {
		if p.Type != nil && slices.ContainsFunc(p.Type.Shape, func(d onnx.Dim) bool { return !d.Known }) {
			wanted = append(wanted, fmt.Sprintf("%q %s", p.Name, typeText(p.Type)))
		}
	}
	return nil, fmt.Errorf("runtime: no sizes were found for the free dimensions of %s with which the model runs: state the inputs' shapes (%w)",
		strings.Join(wanted, ", "), failure)
}

// attempt says what is wrong with a run.
func (f *feedMaker) attempt(session *Session, feeds map[string]tensor.Value) error {
	ctx, cancel := context.WithTimeout(context.Background(), f.patience)
	defer cancel()
	_, err := session.Run(ctx, feeds)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// fill makes the values; sizes are those of the free dimensions.
func (f *feedMaker) fill(feeds map[string]tensor.Value, sizes map[string]int) error {
	for _, p := range f.ports {
		v, err := f.value(p, sizes)
		if err != nil {
			return fmt.Errorf("runtime: input %q: %w", p.Name, err)
		}
		feeds[p.Name] = v
	}
	return nil
}

// shape is the shape of an input to be made up.
func (f *feedMaker) shape(p Port, sizes map[string]int) ([]int, error) {
	t := tensorPart(p.Type)
	if stated, ok := f.options.Shapes[p.Name]; ok {
		if t.HasShape {
			if err := checkShape(p.Name, t.Shape, stated, map[string]symbol{}); err != nil {
				return nil, err
			}
		}
		return stated, f.fits(stated)
	}
	if !t.HasShape {
		return nil, errors.New("the model does not state its rank: state its shape")
	}
	shape := make([]int, len(t.Shape))
	for axis, d := range t.Shape {
		shape[axis] = int(d.Size)
		if symbol := symbolOf(p.Name, axis, d); symbol != "" {
			size, known := f.known[symbol]
			if !known {
				size = sizes[symbol]
			}
			shape[axis] = size
		}
	}
	return shape, f.fits(shape)
}

// fits says whether an input of a shape, of 8 bytes each, may be made up.
func (f *feedMaker) fits(shape []int) error {
	count, err := tensor.CheckedCount(shape)
	if size := 8 * int64(count); err == nil && f.options.Memory > 0 && size > f.options.Memory {
		err = &LimitError{Wanted: size, Left: f.options.Memory}
	}
	return err
}
