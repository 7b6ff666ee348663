package runtime

import (
	"context"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// Good models with something wrong in them give errors: ONNX's operator tests
// with attributes and operands changed never make a kernel fall over, and none
// runs on when its context has ended.
func TestMutatedCases(t *testing.T) {
	cases, err := ReadCases(folderOf(t, "TINYQ_NODE_TESTS", ""))
	if err != nil {
		t.Fatal(err)
	}
	const mutations = 12
	ran := 0
	for i, c := range cases {
		m, err := onnx.Open(filepath.Join(c.Dir, modelFile))
		if err != nil {
			t.Fatal(err)
		}
		s, err := Compile(m, Options{Threads: 2})
		if err != nil {
			m.Close()
			continue
		}
		feeds, err := readValues(filepath.Join(c.Dir, "test_data_set_0"), "input_", s.feedOrder())
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(mutations) {
			mutant := mutator{rand.New(rand.NewPCG(uint64(i), seed))}
			changed, given := mutant.model(m), mutant.feeds(feeds)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			begin := time.Now()
			if s, err = Compile(changed, Options{Threads: 2}); err == nil {
				_, err = s.Run(ctx, given)
			}
			cancel()
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("%s, mutation %d: ran for %v beyond its context", c.Name, seed, took)
			}
			var fallen *PanicError
			if errors.As(err, &fallen) {
				t.Errorf("%s, mutation %d: %v\n%s", c.Name, seed, err, fallen.Stack)
			}
			if err == nil {
				ran++
			}
		}
		m.Close()
	}
	if all := len(cases) * mutations; ran < all/10 || ran > all*9/10 {
		t.Errorf("%d of %d mutants ran: the mutations change too much or too little", ran, all)
	}
}

// mutator changes models and their inputs at random.
type mutator struct{ *rand.Rand }

// model gives the model with some attributes changed, and with inputs of any shape.
func (r mutator) model(m *onnx.Model) *onnx.Model {
	m = m.Clone()
	m.Graph = m.Graph.Clone()
	for i, input := range m.Graph.Inputs {
		if input.Type != nil {
			input = input.Clone()
			input.Type = input.Type.Clone()
			input.Type.HasShape = false
			m.Graph.Inputs[i] = input
		}
	}
	if r.IntN(3) == 0 {
		return m
	}
	for i, n := range m.Graph.Nodes {
		n = n.Clone()
		for j, a := range n.Attrs {
			if r.IntN(3) != 0 {
				continue
			}
			a = a.Clone()
			switch a.Type {
			case onnx.AttrInt:
				a.I = r.number(a.I)
			case onnx.AttrInts:
				a.Ints = slices.Clone(a.Ints)
				for k := range a.Ints {
					a.Ints[k] = r.number(a.Ints[k])
				}
				if r.IntN(4) == 0 {
					a.Ints = a.Ints[:len(a.Ints)/2]
				}
			case onnx.AttrFloat:
				a.F = []float32{0, -1, float32(math.NaN()), math.MaxFloat32}[r.IntN(4)]
			case onnx.AttrTensor, onnx.AttrGraph, onnx.AttrString:
				continue
			}
			n.Attrs[j] = a
		}
		m.Graph.Nodes[i] = n
	}
	return m
}

// number is near the one given, or so large that arithmetic with it overflows.
func (r mutator) number(v int64) int64 {
	switch r.IntN(8) {
	case 0:
		return []int64{math.MaxInt64, math.MinInt64, 1 << 40, -1 << 40, 1 << 31}[r.IntN(5)]
	case 1:
		return -v
	case 2:
		return 0
	case 3, 4:
		return v + int64(r.IntN(5)-2)
	}
	return v
}

func (r mutator) feeds(feeds map[string]tensor.Value) map[string]tensor.Value {
	changed := map[string]tensor.Value{}
	for _, name := range slices.Sorted(maps.Keys(feeds)) {
		v := feeds[name]
		if t, ok := v.(*tensor.Tensor); ok && r.IntN(3) != 0 {
			v = r.tensor(t)
		}
		changed[name] = v
	}
	return changed
}

// tensor gives a tensor with other numbers, if they are indices or sizes, or of
// another shape.
func (r mutator) tensor(t *tensor.Tensor) *tensor.Tensor {
	shape := slices.Clone(t.Shape())
	switch r.IntN(6) {
	case 0:
		if len(shape) > 0 {
			axis := r.IntN(len(shape))
			shape[axis] = max(0, shape[axis]+r.IntN(4)-2)
		}
	case 1:
		if len(shape) > 0 {
			shape = slices.Delete(shape, 0, 1)
		}
	case 2:
		shape = append(shape, 1+r.IntN(2))
	case 3:
		shape = append([]int{r.IntN(3)}, shape...)
	case 4:
		clear(shape)
	}
	if tensor.Count(shape) > 1<<16 {
		return t
	}
	switch data := t.Any().(type) {
	case []float32:
		return tensor.New(shape, fitted(data, tensor.Count(shape)))
	case []float64:
		return tensor.New(shape, fitted(data, tensor.Count(shape)))
	case []bool:
		return tensor.New(shape, fitted(data, tensor.Count(shape)))
	case []string:
		return tensor.New(shape, fitted(data, tensor.Count(shape)))
	case []int8:
		return tensor.New(shape, fitted(data, tensor.Count(shape)))
	case []uint8:
		return tensor.New(shape, fitted(data, tensor.Count(shape)))
	case []int32:
		return tensor.New(shape, fitted(data, tensor.Count(shape)))
	case []int64:
		data = fitted(data, tensor.Count(shape))
		for i := range data {
			data[i] = r.number(data[i])
		}
		return tensor.New(shape, data)
	}
	return t
}

// fitted is data again and again, or cut off, in a slice of its own.
func fitted[T any](data []T, n int) []T {
	result := make([]T, n)
	for i := range result {
		if len(data) > 0 {
			result[i] = data[i%len(data)]
		}
	}
	return result
}
