package ops

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestMicrosoftExamples are a few that can be worked out by hand; many more,
// made by ONNX Runtime, are among the executor's tests.
func TestMicrosoftExamples(t *testing.T) {
	one := tensor.Scalar[float32](1)
	a, b := shaped[float32]([]int{2, 2}, 1, 2, 3, 4), shaped[float32]([]int{2, 2}, 1, 0, 1, 1)
	bits := func(k, n, block, bits int64) []*onnx.Attr {
		return attrs(onnx.IntAttr("K", k), onnx.IntAttr("N", n), onnx.IntAttr("block_size", block), onnx.IntAttr("bits", bits))
	}
	// Two columns of 16 elements of 4 bits, all 9 (1 above the middle) and all 6.
	packed := shaped([]int{2, 1, 8}, append(slices.Repeat([]uint8{0x99}, 8), slices.Repeat([]uint8{0x66}, 8)...)...)
	ones := shaped([]int{1, 16}, slices.Repeat([]float32{1}, 16)...)
	scales := shaped[float32]([]int{2, 1}, 0.5, 2)
	ids, table := shaped[int32]([]int{1, 2}, 2, 0), counting(3, 2)
	group := attrs(onnx.IntAttr("num_heads", 2), onnx.IntAttr("kv_num_heads", 1))
	qkv := func(n int) *tensor.Tensor { return tensor.Make[float32]([]int{1, 1, n}) }
	length := func(n int32) *tensor.Tensor { return list(n) }
	runNodeTests(t, []nodeTest{
		{domain: microsoft, op: "FusedMatMul", opset: 1, name: "transposed", attrs: attrs(onnx.FloatAttr("alpha", 2), onnx.IntAttr("transA", 1), onnx.IntAttr("transB", 1)), in: values(a, b), want: values(shaped[float32]([]int{2, 2}, 2, 8, 4, 12))},
		{domain: microsoft, op: "FusedMatMul", opset: 1, name: "scaled before rounding", attrs: attrs(onnx.FloatAttr("alpha", 0.5)), in: values(halves([]int{1, 2}, 2048, 1), halves([]int{2, 1}, 1, 1)), want: values(halves([]int{1, 1}, 1024.5))},
		{domain: microsoft, op: "FusedMatMul", opset: 1, name: "a batch behind the rows", attrs: attrs(onnx.IntAttr("transBatchA", 1)), in: values(shaped[float32]([]int{1, 2, 2}, 1, 2, 3, 4), b), want: values(shaped[float32]([]int{2, 1, 2}, 3, 2, 7, 4))},
		{domain: microsoft, op: "FusedMatMul", opset: 1, name: "integers", in: values(list[int32](1), list[int32](1)), err: "want float"},
		{domain: microsoft, op: "FusedGemm", opset: 1, name: "no activation", in: values(a, b, list[float32](10, 20)), want: values(shaped[float32]([]int{2, 2}, 13, 22, 17, 24))},
		{domain: microsoft, op: "FusedGemm", opset: 1, name: "no such activation", attrs: attrs(onnx.StringAttr("activation", "Mystery")), in: values(a, b), err: "Mystery"},
		{domain: microsoft, op: "FusedConv", opset: 1, name: "Clip without bounds", attrs: attrs(onnx.StringAttr("activation", "Clip")), in: values(counting(1, 1, 1), counting(1, 1, 1)), err: "least and a largest"},
		{domain: microsoft, op: "BiasGelu", opset: 1, name: "a matrix as bias", in: values(a, b), err: "want a vector"},
		{domain: microsoft, op: "MatMulNBits", opset: 1, attrs: bits(16, 2, 16, 4), in: values(ones, packed, scales), want: values(shaped[float32]([]int{1, 2}, 8, -64))},
		{domain: microsoft, op: "MatMulNBits", opset: 1, name: "zero points, and a bias", attrs: bits(16, 2, 16, 4), in: values(ones, packed, scales, shaped[uint8]([]int{2, 1}, 0, 6), nil, list[float32](100, 200)), want: values(shaped[float32]([]int{1, 2}, 172, 200))},
		{domain: microsoft, op: "MatMulNBits", opset: 1, name: "fewer than a block", attrs: bits(3, 2, 16, 4), in: values(shaped[float32]([]int{1, 3}, 1, 1, 1), packed, scales), want: values(shaped[float32]([]int{1, 2}, 1.5, -12))},
		{domain: microsoft, op: "MatMulNBits", opset: 1, name: "left out", attrs: bits(16, 2, 16, 4), in: values(ones, shaped[uint8]([]int{2, 0, 8}), list[float32](), nil, nil, list[float32](3, 4)), want: values(shaped[float32]([]int{1, 2}, 3, 4))},
		{domain: microsoft, op: "MatMulNBits", opset: 1, name: "3 bits", attrs: bits(16, 2, 16, 3), in: values(ones, packed, scales), err: "want 2, 4 or 8"},
		{domain: microsoft, op: "MatMulNBits", opset: 1, name: "a hostile size", attrs: bits(1<<40, 1<<40, 16, 4), in: values(ones, packed, scales), err: "want the positive sizes"},
		{domain: microsoft, op: "MatMulNBits", opset: 1, name: "another weight", attrs: bits(16, 3, 16, 4), in: values(ones, packed, scales), err: "want (3, 1, 8)"},
		{domain: microsoft, op: "MatMulNBits", opset: 1, name: "a group that is not", attrs: bits(16, 2, 16, 4), in: values(ones, packed, scales, nil, tensor.New([]int{16}, slices.Repeat([]int32{1}, 16))), err: "index 1 is out of range"},
		{domain: microsoft, op: "EmbedLayerNormalization", opset: 1, name: "an id that is not", in: values(shaped[int32]([]int{1, 1}, 3), nil, table, table, nil, list[float32](1, 1), list[float32](0, 0)), err: "index 3 is out of range"},
		{domain: microsoft, op: "EmbedLayerNormalization", opset: 1, name: "no table", in: values(ids, nil, nil, table, nil, list[float32](1, 1), list[float32](0, 0)), err: "operand 2 is missing"},
		{domain: microsoft, op: "SkipLayerNormalization", opset: 1, name: "a skip that is larger", in: values(list[float32](1, 2), a, list[float32](1, 1)), err: "must broadcast to the first"},
		{domain: microsoft, op: "QLinearAdd", opset: 1, in: values(list[uint8](3), one, tensor.Scalar[uint8](1), list[uint8](7), tensor.Scalar[float32](0.5), tensor.Scalar[uint8](2), tensor.Scalar[float32](0.5), tensor.Scalar[uint8](10)), want: values(list[uint8](19))}, // (2 + 2.5)/0.5 + 10
		{domain: microsoft, op: "QLinearMul", opset: 1, in: values(list[int8](-3), one, nil, list[int8](7), one, nil, tensor.Scalar[float32](2)), want: values(list[int8](-10))},                                                                                              // -10.5 to even
		{domain: microsoft, op: "QLinearMul", opset: 1, name: "two types", in: values(list[int8](-3), one, nil, list[uint8](7), one, nil, one), err: "of one type"},
		{domain: microsoft, op: "QLinearAdd", opset: 1, name: "no output scale", in: values(list[int8](-3), one, nil, list[int8](7), one, nil), err: "a scale is missing"},
		{domain: microsoft, op: "QLinearSigmoid", opset: 1, in: values(list[uint8](0, 255), one, tensor.Scalar[uint8](0), tensor.Scalar[float32](1.0/256), tensor.Scalar[uint8](0)), want: values(list[uint8](128, 255))},
		{domain: microsoft, op: "QGemm", opset: 1, in: values(shaped[uint8]([]int{1, 2}, 3, 4), one, tensor.Scalar[uint8](1), shaped[int8]([]int{2, 1}, 5, 6), tensor.Scalar[float32](0.5), tensor.Scalar[int8](0), list[int32](2)), want: values(shaped[float32]([]int{1, 1}, 15))},
		{domain: microsoft, op: "DynamicQuantizeMatMul", opset: 1, in: values(shaped[float32]([]int{1, 2}, 255, 1), shaped[int8]([]int{2, 1}, 2, 3), one, nil, list[float32](7)), want: values(shaped[float32]([]int{1, 1}, 520))},
		{domain: microsoft, op: "GroupQueryAttention", opset: 1, name: "more keys than there are", attrs: group, in: values(qkv(4), qkv(2), qkv(2), nil, nil, length(3), length(4)), err: "the past holds fewer"},
		{domain: microsoft, op: "GroupQueryAttention", opset: 1, name: "more than the node says", attrs: group, in: values(qkv(4), qkv(2), qkv(2), nil, nil, length(3), length(2)), err: "has 4 keys"},
		{domain: microsoft, op: "GroupQueryAttention", opset: 1, name: "a state of integers", attrs: group, in: values(qkv(4), qkv(2), qkv(2), nil, nil, length(0), length(1), nil, nil, nil, nil, nil, one), err: "k_scale"},
		{domain: microsoft, op: "GroupQueryAttention", opset: 1, name: "a state that forgets", attrs: append(group[:2:2], onnx.IntAttr("sliding_window_cache", 1)), in: values(qkv(4), qkv(2), qkv(2), nil, nil, length(0), length(1)), err: "sliding_window_cache"},
		{domain: microsoft, op: "Attention", opset: 1, name: "heads that do not divide", attrs: attrs(onnx.IntAttr("num_heads", 2)), in: values(qkv(4), counting(4, 9)), err: "do not divide"},
		{domain: microsoft, op: "MultiHeadAttention", opset: 1, name: "a shared buffer", attrs: attrs(onnx.IntAttr("num_heads", 1)), in: values(qkv(4), qkv(4), qkv(4), nil, nil, nil, nil, nil, length(1)), err: "share a buffer"},
	})
}

// goodNode is a node that runs.
type goodNode struct {
	op      string
	attrs   []*onnx.Attr
	in      []tensor.Value
	outputs int
}

// goodNodes has one of each form of ONNX Runtime's operators.
func goodNodes(random *rand.Rand) []goodNode {
	f := func(shape ...int) tensor.Value { return noise(random, shape...) }
	u8 := func(shape ...int) tensor.Value { return randomTensor[uint8](random, shape...) }
	i8 := func(shape ...int) tensor.Value { return randomTensor[int8](random, shape...) }
	ints := func(shape []int, v ...int32) tensor.Value { return tensor.New(shape, v) }
	heads := onnx.IntAttr("num_heads", 2)
	group := attrs(heads, onnx.IntAttr("kv_num_heads", 1), onnx.IntAttr("do_rotary", 1), onnx.IntAttr("qk_output", 1))
	bits := func(n int64) []*onnx.Attr {
		return attrs(onnx.IntAttr("K", 20), onnx.IntAttr("N", 3), onnx.IntAttr("block_size", 16), onnx.IntAttr("bits", n))
	}
	one := tensor.Value(tensor.Scalar[float32](0.5))
	return []goodNode{
		{"FusedMatMul", attrs(onnx.IntAttr("transA", 1), onnx.IntAttr("transBatchB", 1)), []tensor.Value{f(2, 3, 4), f(3, 2, 5)}, 1},
		{"FusedGemm", attrs(onnx.IntAttr("transB", 1), onnx.StringAttr("activation", "LeakyRelu")), []tensor.Value{f(2, 3), f(4, 3), f(4)}, 1},
		{"FusedConv", attrs(onnx.StringAttr("activation", "Relu")), []tensor.Value{f(1, 2, 4), f(3, 2, 2), f(3), f(1, 3, 3)}, 1},
		{"Gelu", nil, []tensor.Value{f(2, 3)}, 1},
		{"BiasGelu", nil, []tensor.Value{f(2, 3), f(3)}, 1},
		{"FastGelu", nil, []tensor.Value{f(2, 3), f(3)}, 1},
		{"QuickGelu", nil, []tensor.Value{f(2, 3)}, 1},
		{"SimplifiedLayerNormalization", nil, []tensor.Value{f(2, 3), f(3)}, 2},
		{"SkipLayerNormalization", nil, []tensor.Value{f(2, 3), f(2, 3), f(3), f(3), f(3)}, 4},
		{"SkipSimplifiedLayerNormalization", nil, []tensor.Value{f(2, 3), f(2, 3), f(3), f(3)}, 4},
		{"EmbedLayerNormalization", nil, []tensor.Value{ints([]int{1, 2}, 0, 1), ints([]int{1, 2}, 0, 1), f(2, 4), f(2, 4), f(2, 4), f(4), f(4), ints([]int{1, 2}, 1, 0), ints([]int{1, 2}, 1, 0)}, 3},
		{"MatMulNBits", bits(4), []tensor.Value{f(2, 20), u8(3, 2, 8), f(3, 2), u8(3, 1), nil, f(3)}, 1},
		{"MatMulNBits", bits(8), []tensor.Value{f(2, 20), u8(3, 2, 16), f(3, 2), f(3, 2), ints([]int{20}, make([]int32, 20)...)}, 1},
		{"MatMulIntegerToFloat", nil, []tensor.Value{u8(2, 3), i8(3, 4), one, f(4), u8(), i8(4), f(4)}, 1},
		{"DynamicQuantizeMatMul", nil, []tensor.Value{f(2, 3), i8(3, 4), f(4), i8(4), f(4)}, 1},
		{"QGemm", attrs(onnx.IntAttr("transA", 1)), []tensor.Value{u8(3, 2), one, u8(), i8(3, 4), f(4), i8(4), ints([]int{4}, 1, 2, 3, 4), one, u8()}, 1},
		{"QLinearAdd", nil, []tensor.Value{u8(2, 3), one, u8(), u8(3), one, u8(), one, u8()}, 1},
		{"QLinearMul", nil, []tensor.Value{i8(2, 3), one, i8(), i8(3), one, i8(), one, i8()}, 1},
		{"QLinearSigmoid", nil, []tensor.Value{i8(2, 3), one, i8(), one, i8()}, 1},
		{"QuantizeLinear", attrs(onnx.IntAttr("axis", 0)), []tensor.Value{f(2, 3), f(2), i8(2)}, 1},
		{"DequantizeLinear", attrs(onnx.IntAttr("axis", 0)), []tensor.Value{i8(2, 3), f(2), i8(2)}, 1},
		{"DynamicQuantizeLSTM", attrs(onnx.StringAttr("direction", "bidirectional")), []tensor.Value{f(3, 2, 4), i8(2, 4, 8), i8(2, 2, 8), f(2, 16), ints([]int{2}, 3, 1), f(2, 2, 2), f(2, 2, 2), f(2, 6), f(2, 8), i8(2, 8), f(2), i8(2)}, 3},
		{"Attention", attrs(heads), []tensor.Value{f(2, 3, 4), f(4, 12), f(12), ints([]int{2, 5}, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0), f(2, 2, 2, 2, 2), f(1, 2, 3, 5)}, 2},
		{"Attention", attrs(heads, onnx.IntsAttr("qkv_hidden_sizes", []int64{4, 4, 6}), onnx.IntAttr("unidirectional", 1)), []tensor.Value{f(2, 3, 4), f(4, 14), nil, ints([]int{4}, 3, 2, 0, 1)}, 1},
		{"MultiHeadAttention", attrs(heads), []tensor.Value{f(2, 3, 4), f(2, 5, 4), f(2, 5, 6), f(14), ints([]int{2}, 5, 3), f(1, 1, 3, 5)}, 4},
		{"MultiHeadAttention", attrs(heads), []tensor.Value{f(2, 3, 2, 3, 2), nil, nil, f(12)}, 4},
		{"MultiHeadAttention", attrs(heads), []tensor.Value{f(2, 3, 4), f(2, 5, 2, 2, 2), nil, nil, nil, nil, f(2, 2, 1, 2), f(2, 2, 1, 2)}, 4},
		{"MultiHeadAttention", attrs(heads), []tensor.Value{f(2, 3, 4), f(2, 2, 5, 2), f(2, 2, 5, 3)}, 4},
		{"GroupQueryAttention", group, []tensor.Value{f(2, 3, 8), f(2, 3, 4), f(2, 3, 4), f(2, 1, 6, 4), f(2, 1, 6, 4), ints([]int{2}, 4, 3), ints([]int{}, 5), f(9, 2), f(9, 2), nil, f(1, 2, 3, 5), f(2)}, 4},
		{"GroupQueryAttention", group, []tensor.Value{f(1, 3, 16), nil, nil, nil, nil, ints([]int{1}, 1), ints([]int{1}, 3), f(9, 2), f(9, 2), list[int64](0, 1, 2).WithShape([]int{1, 3}), nil, nil, nil, nil, nil, nil, ints([]int{1}, 2)}, 4},
		{"RotaryEmbedding", nil, []tensor.Value{f(2, 3, 8), list[int64](1), f(9, 2), f(9, 2)}, 1},
	}
}

// Nodes that run give an error, or another result, when one or two of their
// operands or attributes are others: no kernel panics, or writes to its inputs.
func TestMicrosoftOperatorsWithstandWrongOperands(t *testing.T) {
	for seed := range uint64(6000) {
		h := hostile{rand.New(rand.NewPCG(seed, 3))}
		nodes := goodNodes(h.Rand)
		good := nodes[h.IntN(len(nodes))]
		spoilt := good
		if seed >= uint64(2*len(nodes)) {
			spoilt = h.spoil(good)
		} else {
			spoilt = nodes[seed%uint64(len(nodes))]
		}
		if err := runSpoilt(t, spoilt); err != nil && seed < uint64(2*len(nodes)) {
			t.Errorf("%s: %v", spoilt.op, err)
		}
		if t.Failed() {
			t.Fatalf("seed %d: %s with attributes %s on %s", seed, spoilt.op, showAttributes(spoilt.attrs), show(spoilt.in...))
		}
	}
}

// spoil replaces one or two parts of a node.
func (h hostile) spoil(n goodNode) goodNode {
	n.in, n.attrs = slices.Clone(n.in), slices.Clone(n.attrs)
	for range 1 + h.IntN(2) {
		at := h.IntN(len(n.in))
		shape := h.shape()
		if v, ok := n.in[at].(*tensor.Tensor); ok && h.IntN(2) == 0 {
			shape = slices.Clone(v.Shape())
			if len(shape) > 0 {
				shape[h.IntN(len(shape))] = h.IntN(6)
			}
		}
		switch h.IntN(6) {
		case 0:
			n.in[at] = nil
		case 1:
			n.in = n.in[:at+1]
		case 2:
			name := []string{"num_heads", "kv_num_heads", "K", "N", "bits", "block_size", "axis", "unidirectional", "local_window_size",
				"transBatchA", "transA", "rotary_embedding_dim", "interleaved", "causal", "smooth_softmax"}[h.IntN(15)]
			n.attrs = slices.DeleteFunc(n.attrs, func(a *onnx.Attr) bool { return a.Name == name })
			n.attrs = append(n.attrs, onnx.IntAttr(name, h.number()))
		case 3:
			n.in[at] = h.tensor(shape, h.IntN(20))
		case 4:
			if v, ok := n.in[at].(*tensor.Tensor); ok && v.DType() == onnx.Int32 {
				n.in[at] = fillHostile(v.Shape(), func() int32 { return int32(h.number()) })
			}
		default:
			if v, ok := n.in[at].(*tensor.Tensor); ok {
				n.in[at] = like(h, v, shape)
			}
		}
	}
	return n
}

// like is a tensor of a good one's type, where that is one of the common ones.
func like(h hostile, v *tensor.Tensor, shape []int) *tensor.Tensor {
	switch v.DType() {
	case onnx.Uint8:
		return fillHostile(shape, func() uint8 { return uint8(h.Uint32()) })
	case onnx.Int8:
		return fillHostile(shape, func() int8 { return int8(h.Uint32()) })
	case onnx.Int32:
		return fillHostile(shape, func() int32 { return int32(h.IntN(5)) })
	}
	return fillHostile(shape, h.real)
}

func runSpoilt(t *testing.T, n goodNode) (err error) {
	t.Helper()
	defer func() {
		if failure := recover(); failure != nil {
			t.Errorf("%v\n%s", failure, debug.Stack())
		}
	}()
	out, err := runNode(t, nodeTest{domain: microsoft, op: n.op, opset: 1, attrs: n.attrs, in: n.in, want: make([]tensor.Value, n.outputs)})
	if err != nil {
		return err
	}
	for i, v := range out {
		if problem := inconsistency(v); v != nil && problem != "" {
			return fmt.Errorf("output %d: %s", i, problem)
		}
	}
	return nil
}
