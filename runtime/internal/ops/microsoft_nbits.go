package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var microsoftNBitsFamily = []Kernel{
	{Domain: microsoft, Op: "MatMulNBits", Since: 1, Build: needs(3, Single(buildMatMulNBits))},
}

// nBits is what a MatMulNBits node states: a weight (K, N) that is stored as
// (N, blocks of K, bytes), bits for each element, with a scale for each block.
type nBits struct {
	k, n, block, bits int
}

func (b nBits) blocks() int { return (b.k + b.block - 1) / b.block }

func buildMatMulNBits(n *Node) (single, error) {
	b := nBits{k: n.Int("K", 0), n: n.Int("N", 0), block: n.Int("block_size", 0), bits: n.Int("bits", 4)}
	switch {
	case b.bits != 2 && b.bits != 4 && b.bits != 8:
		return nil, fmt.Errorf("bits is %d: want 2, 4 or 8", b.bits)
	case b.block < 16 || b.block&(b.block-1) != 0 || b.block > tensor.MaxElements:
		return nil, fmt.Errorf("block_size is %d: want a power of two from 16 on", b.block)
	case b.k < 1 || b.n < 1 || b.k > tensor.MaxElements/b.n || b.k > tensor.MaxElements-b.block:
		return nil, fmt.Errorf("weight of K %d and N %d: want the positive sizes of a matrix", b.k, b.n)
	case n.Int("weight_prepacked", 0) != 0:
		return nil, fmt.Errorf("weight_prepacked is %d: a weight in the layout of one device cannot be read", n.Int("weight_prepacked", 0))
	}
	// The weight is unpacked once if all that it is made of is known.
	ready := true
	var constants [5]*tensor.Tensor
	for i := 1; i < len(constants) && i < len(n.Inputs); i++ {
		if n.Inputs[i] == "" {
			continue
		}
		constants[i], _ = n.Constants[i].(*tensor.Tensor)
		ready = ready && constants[i] != nil
	}
	var packed *nBitsWeight
	if ready {
		var err error
		if packed, err = b.weight(constants[:]); err != nil {
			return nil, err
		}
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		w := packed
		if w == nil {
			var err error
			if w, err = b.weight(in); err != nil {
				return nil, err
			}
		}
		return b.run(c, in[0], w, operand(in, 5))
	}, nil
}

// nBitsWeight is an unpacked weight: as integers, or, where its zero points are
// no integers or its blocks no blocks, as floats. Neither: an omitted one.
type nBitsWeight struct {
	integers *quantops.PackedInt8
	floats   *quantops.PackedFloat32
}

// weight unpacks the operands from 1 on.
func (b nBits) weight(in []*tensor.Tensor) (*nBitsWeight, error) {
	packed, ok := tensor.Data[uint8](in[1])
	if !ok {
		return nil, fmt.Errorf("weight of type %v: want uint8", in[1].DType())
	}
	if len(packed) == 0 {
		return &nBitsWeight{}, nil
	}
	blocks, bytes := b.blocks(), b.block*b.bits/8
	if len(packed) != b.n*blocks*bytes {
		return nil, fmt.Errorf("weight of shape %v: want (%d, %d, %d)", in[1].Shape(), b.n, blocks, bytes)
	}
	scales, err := reals[float32](in[2])
	if err != nil {
		return nil, err
	}
	if len(scales) != b.n*blocks {
		return nil, fmt.Errorf("scales of shape %v: want (%d, %d)", in[2].Shape(), b.n, blocks)
	}
	zeros, err := b.zeroPoints(operand(in, 3))
	if err != nil {
		return nil, err
	}
	if groups := operand(in, 4); groups != nil || zeros.floats != nil {
		return b.floats(packed, scales, zeros, groups)
	}
	w := &quantops.Int8Weights{
		K: b.k, N: b.n, Block: b.block, Q: make([]int8, b.k*b.n), Transposed: true,
		Scales: make([]float32, len(scales)), Zeros: make([]int8, len(scales)),
	}
	// Unsigned integers of so many bits, less their middle, are signed ones.
	middle := 1 << (b.bits - 1)
	b.eachRow(packed, func(n int, row []uint8) {
		for k, v := range row[:b.k] {
			w.Q[n*b.k+k] = int8(int(v) - middle)
		}
		for i := range blocks {
			w.Scales[i*b.n+n] = scales[n*blocks+i]
			w.Zeros[i*b.n+n] = int8(int(zeros.integers[n*blocks+i]) - middle)
		}
	})
	return &nBitsWeight{integers: quantops.PackInt8(w)}, nil
}

// eachRow unpacks what belongs to each of the N columns of the weight.
func (b nBits) eachRow(packed []uint8, f func(n int, row []uint8)) {
	row := make([]uint8, b.blocks()*b.block)
	bytes := len(packed) / b.n
	for n := range b.n {
		quantops.Unpack(row, packed[n*bytes:][:bytes], b.bits)
		f(n, row)
	}
}

// nBitsZeros are zero points (N, blocks), as integers or as floats.
type nBitsZeros struct {
	integers []uint8
	floats   []float32
}

// zeroPoints reads zero points, which may be packed in bytes, or be floats, or
// be left out: then all are the middle of the range.
func (b nBits) zeroPoints(t *tensor.Tensor) (nBitsZeros, error) {
	blocks := b.blocks()
	if t == nil {
		return nBitsZeros{integers: slices.Repeat([]uint8{1 << (b.bits - 1)}, b.n*blocks)}, nil
	}
	packed, ok := tensor.Data[uint8](t)
	if !ok {
		floats, err := reals[float32](t)
		if err == nil && len(floats) != b.n*blocks {
			err = fmt.Errorf("zero points of shape %v: want (%d, %d)", t.Shape(), b.n, blocks)
		}
		return nBitsZeros{floats: floats}, err
	}
	bytes := quantops.PackedLen(blocks, b.bits)
	if len(packed) != b.n*bytes {
		return nBitsZeros{}, fmt.Errorf("zero points of shape %v: want (%d, %d)", t.Shape(), b.n, bytes)
	}
	unpacked := make([]uint8, b.n*blocks)
	for n := range b.n {
		quantops.Unpack(unpacked[n*blocks:][:blocks], packed[n*bytes:], b.bits)
	}
	return nBitsZeros{integers: unpacked}, nil
}

// floats dequantizes the whole weight. groups, which may be nil, says which of
// the blocks' scales each row of it uses.
func (b nBits) floats(packed []uint8, scales []float32, zeros nBitsZeros, groups *tensor.Tensor) (*nBitsWeight, error) {
	blocks := b.blocks()
	group := make([]int, b.k)
	for k := range group {
		group[k] = k / b.block
	}
	if groups != nil {
		var err error
		if group, err = integers(groups); err != nil {
			return nil, fmt.Errorf("group indices: %w", err)
		}
		if len(group) < b.k {
			return nil, fmt.Errorf("%d group indices: want %d", len(group), b.k)
		}
		if err := resolveIndices(group, blocks); err != nil {
			return nil, fmt.Errorf("group indices: %w", err)
		}
	}
	w := make([]float32, b.k*b.n)
	b.eachRow(packed, func(n int, row []uint8) {
		for k, v := range row[:b.k] {
			at := n*blocks + group[k]
			zero := float32(0)
			if zeros.floats != nil {
				zero = zeros.floats[at]
			} else {
				zero = float32(zeros.integers[at])
			}
			w[n*b.k+k] = (float32(v) - zero) * scales[at]
		}
	})
	return &nBitsWeight{floats: quantops.PackFloat32Transposed(w, b.k, b.n)}, nil
}

// run is a·w + bias, computed in float32; bias may be nil.
func (b nBits) run(c *Call, a *tensor.Tensor, w *nBitsWeight, bias *tensor.Tensor) (*tensor.Tensor, error) {
	shape := slices.Clone(a.Shape())
	if len(shape) == 0 || shape[len(shape)-1] != b.k {
		return nil, fmt.Errorf("operand of shape %v: want %d columns", shape, b.k)
	}
	shape[len(shape)-1] = b.n
	count, err := checkedCount(shape)
	if err != nil {
		return nil, err
	}
	in, err := allReals[float32](a, bias)
	if err != nil {
		return nil, err
	}
	x, terms := in[0], in[1]
	if terms != nil && len(terms) != b.n {
		return nil, fmt.Errorf("bias of shape %v: want %d numbers", bias.Shape(), b.n)
	}
	rows, y := count/b.n, buffer[float32](c, count)
	to, from := quantops.Rows{Data: y, Stride: b.n}, quantops.Rows{Data: x, Stride: b.k}
	end := quantops.Epilogue{Bias: terms, Stop: c.stopped}
	switch {
	case w.integers != nil:
		w.integers.MatMul(to, from, rows, end, c.Workers)
	case w.floats != nil:
		w.floats.MatMul(to, from, rows, end, c.Workers)
	default: // an omitted weight counts as zeros
		clear(y)
		for i := range rows {
			copy(y[i*b.n:], terms)
		}
	}
	if err := c.Context.Err(); err != nil {
		return nil, err
	}
	return ofReals(a.DType(), shape, y)
}
