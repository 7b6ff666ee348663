package runtime

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// inputUse is what the nodes that read an input tell about its values.
type inputUse struct {
	limit    int64 // values index a table of this size; 0: none that is known
	length   bool  // values are lengths of sequences
	computed bool  // values are operands of arithmetic
	selects  bool  // values are shapes, axes, indices, trip counts: small ones are safest
	// sizes are those that constant operands ask the input's axes to have, by
	// axis counted from the end: -1 is the last.
	sizes map[int]int
}

// passing are the operators behind which values are still the input's.
var passing = map[string]bool{
	"Cast": true, "Identity": true, "Reshape": true, "Squeeze": true, "Unsqueeze": true, "Flatten": true,
	"Transpose": true, "Expand": true, "Slice": true, "Split": true, "Concat": true, "Tile": true,
}

// lengthOperand is the operand of the recurrent operators, and others, that is a
// list of lengths.
var lengthOperand = map[string]int{"LSTM": 4, "GRU": 4, "RNN": 4, "ReverseSequence": 1}

// usesOf looks at the nodes that read an input, also behind nodes that only
// move or convert it and in bodies.
func usesOf(flat *inlined, input string) inputUse {
	use := inputUse{sizes: map[int]int{}}
	type place struct {
		scope *onnx.Scope
		name  string
		whole bool // the value has the input's shape
	}
	pending := []place{{flat.index.Main(), input, true}}
	seen := map[place]bool{pending[0]: true}
	for len(pending) > 0 {
		at := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		for _, u := range at.scope.Users(at.name) {
			use.learn(u)
			if at.whole {
				use.learnSizes(u)
			}
			if !passing[u.Node.OpType] || u.Input != 0 && u.Node.OpType != "Concat" {
				continue
			}
			for _, output := range u.Node.Outputs {
				whole := at.whole && (u.Node.OpType == "Cast" || u.Node.OpType == "Identity")
				if next := (place{u.Scope, output, whole}); output != "" && !seen[next] {
					seen[next] = true
					pending = append(pending, next)
				}
			}
		}
	}
	return use
}

// learn adds what one operand tells.
func (use *inputUse) learn(u onnx.Use) {
	op := u.Node.OpType
	if at, ok := lengthOperand[op]; ok && at == u.Input {
		use.length = true
	}
	switch op {
	case "Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND", "Scatter":
		if u.Input == 1 {
			use.selects = true
			use.index(tableSize(u))
		}
	case "OneHot":
		use.selects = true
	case "MatMul", "Gemm", "Add", "Sub", "Mul", "Div", "MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "DequantizeLinear", "Conv":
		use.computed = true
	case "Loop", "If", "Range", "ConstantOfShape", "Resize", "Upsample", "TopK", "Pad":
		use.selects = use.selects || u.Input > 0 || op == "Loop" || op == "Range" || op == "ConstantOfShape"
	case "Reshape", "Expand", "Slice", "Tile", "Unsqueeze", "Squeeze", "Split":
		use.selects = use.selects || u.Input > 0
	}
}

// learnSizes adds the sizes that a product with a constant asks for.
func (use *inputUse) learnSizes(u onnx.Use) {
	n := u.Node
	set := func(other, axis, otherAxis int) {
		c := u.Scope.Constant(n.Input(other))
		if c == nil || len(c.Dims) == 0 {
			return
		}
		if len(c.Dims) == 1 {
			otherAxis = -1
		}
		if at := len(c.Dims) + otherAxis; at >= 0 && at < len(c.Dims) {
			use.sizes[axis] = int(c.Dims[at])
		}
	}
	// The axis that is summed over is an operand's last on the left and its last
	// but one on the right, the other way round where the operand is transposed.
	summed := func(operand int) int {
		axis, name := -1-operand, [2]string{"transA", "transB"}[operand]
		if a := n.Attr(name); a != nil && a.I != 0 {
			axis = -3 - axis
		}
		return axis
	}
	switch n.OpType {
	case "MatMul", "Gemm", "FusedMatMul", "FusedGemm", "MatMulInteger":
		if u.Input < 2 {
			set(1-u.Input, summed(u.Input), summed(1-u.Input))
		}
	case "Conv":
		w := u.Scope.Constant(n.Input(1))
		if u.Input == 0 && w != nil && len(w.Dims) > 2 {
			groups := int64(1)
			if a := n.Attr("group"); a != nil {
				groups = a.I
			}
			use.sizes[1-len(w.Dims)] = int(w.Dims[1] * groups)
		}
	}
}

func (use *inputUse) index(size int64) {
	if size > 0 && (use.limit == 0 || size < use.limit) {
		use.limit = size
	}
}

// tableSize is how many entries the table has that a Gather indexes, 0 if it is
// not constant.
func tableSize(u onnx.Use) int64 {
	table := u.Scope.Constant(u.Node.Input(0))
	if table == nil || len(table.Dims) == 0 {
		return 0
	}
	axis := int64(0)
	if a := u.Node.Attr("axis"); a != nil {
		axis = a.I
	}
	if axis < 0 {
		axis += int64(len(table.Dims))
	}
	if axis < 0 || axis >= int64(len(table.Dims)) {
		return 0
	}
	return table.Dims[axis]
}

// value makes up one input.
func (f *feedMaker) value(p Port, sizes map[string]int) (tensor.Value, error) {
	if p.Type == nil {
		return nil, errors.New("the model does not state its type: give it a value")
	}
	shape, err := f.shape(p, sizes)
	if err != nil {
		return nil, err
	}
	hash := fnv.New64a()
	hash.Write([]byte(p.Name))
	random := rand.New(rand.NewPCG(f.options.Seed, hash.Sum64()))
	length := f.sequenceLength(p.Name, sizes)
	return wrapped(p.Type, func(t onnx.DType) (*tensor.Tensor, error) {
		return f.tensor(p.Name, t, shape, length, random)
	})
}

// wrapped makes a value of a type around the tensors in it: a sequence gets two.
func wrapped(t *onnx.Type, elements func(onnx.DType) (*tensor.Tensor, error)) (tensor.Value, error) {
	switch {
	case t.Kind == onnx.TensorKind:
		v, err := elements(t.DType)
		if err != nil {
			return nil, err
		}
		return v, nil
	case t.Kind == onnx.OptionalKind && t.Elem != nil:
		v, err := wrapped(t.Elem, elements)
		if err != nil {
			return nil, err
		}
		return &tensor.Optional{Value: v}, nil
	case t.Kind == onnx.SequenceKind && t.Elem != nil:
		list := &tensor.Sequence{Elem: t.Elem.DType}
		for range 2 {
			v, err := wrapped(t.Elem, elements)
			if err != nil {
				return nil, err
			}
			list.Values = append(list.Values, v)
		}
		return list, nil
	}
	return nil, fmt.Errorf("%s cannot be made up: give it a value", typeText(t))
}

func (f *feedMaker) tensor(name string, t onnx.DType, shape []int, length int, random *rand.Rand) (*tensor.Tensor, error) {
	count := tensor.Count(shape)
	if t == onnx.String {
		data := make([]string, count)
		for i := range data {
			data[i] = fmt.Sprintf("text %d", random.IntN(10))
		}
		return tensor.New(shape, data), nil
	}
	last := 1
	if len(shape) > 0 {
		last = max(1, shape[len(shape)-1])
	}
	next := f.generator(name, t, last, length, random)
	data := make([]float64, count)
	for i := range data {
		data[i] = next(i)
	}
	return tensor.FromFloat64s(t, shape, data)
}

// generator gives an input's element at each place; last is the length of its
// last axis, length that of the sequences that an input of lengths speaks of.
func (f *feedMaker) generator(name string, t onnx.DType, last, length int, random *rand.Rand) func(i int) float64 {
	use, lower := f.uses[name], strings.ToLower(name)
	constant := func(v float64) func(int) float64 { return func(int) float64 { return v } }
	below := func(n int64) func(int) float64 {
		return func(int) float64 { return float64(random.Int64N(n)) }
	}
	integer := t.Bits() > 0 && !t.IsFloat() && t != onnx.Bool && !isSmallFloat(t)
	switch {
	case strings.Contains(lower, "mask"):
		return constant(1)
	case t == onnx.Bool:
		return below(2)
	case !integer:
		return func(int) float64 { return random.NormFloat64() }
	case use.length || strings.Contains(lower, "length") || strings.Contains(lower, "_len"):
		return constant(float64(length))
	case strings.Contains(lower, "position") || strings.Contains(lower, "pos_id"):
		limit := last
		if use.limit > 0 {
			limit = min(limit, int(use.limit))
		}
		return func(i int) float64 { return float64(i % last % limit) }
	case use.limit > 0:
		return below(use.limit)
	case use.computed && !use.selects && t == onnx.Uint8:
		return below(256)
	case use.computed && !use.selects && (t == onnx.Uint16 || t == onnx.Uint32 || t == onnx.Uint64 || t == onnx.Uint4 || t == onnx.Uint2):
		return below(4)
	case use.computed && !use.selects:
		return func(int) float64 { return float64(random.Int64N(17) - 8) }
	}
	return below(2)
}

func isSmallFloat(t onnx.DType) bool {
	switch t {
	case onnx.Float8E4M3FN, onnx.Float8E4M3FNUZ, onnx.Float8E5M2, onnx.Float8E5M2FNUZ, onnx.Float8E8M0,
		onnx.Float4E2M1, onnx.Float6E2M3, onnx.Float6E3M2:
		return true
	}
	return false
}

// sequenceLength is the length for an input that holds lengths: the first size
// beyond 1 of another input's axes but the last, which is a sequence if there is one.
func (f *feedMaker) sequenceLength(name string, sizes map[string]int) int {
	for _, p := range f.ports {
		if p.Name == name || p.Type == nil {
			continue
		}
		shape, err := f.shape(p, sizes)
		if err != nil || len(shape) < 2 {
			continue
		}
		for _, size := range shape[:len(shape)-1] {
			if size > 1 {
				return size
			}
		}
	}
	return 1
}
