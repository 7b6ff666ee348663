package rewrite

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// form says how an int8 weight becomes floats again in the graph.
type form struct {
	linear bool       // DequantizeLinear, else Cast and Mul
	scale  onnx.DType // the type that scales are stored in, and multiplied in
	result onnx.DType // the type that the layer reads; another than scale costs a Cast
	block  int        // the length of blocks with scales of their own; 0: none
	// batched says that each matrix of a batch has scales of its own, as blocks as
	// long as the matrix would have them.
	batched bool
}

// String is the form in words, as reports show it.
func (f form) String() string {
	words := "Cast+Mul"
	if f.linear {
		words = "DequantizeLinear"
	}
	if f.scale != f.result {
		words += "+Cast"
	}
	if f.block > 0 {
		words += fmt.Sprintf(" in blocks of %d", f.block)
	}
	if f.batched {
		words += " matrix by matrix"
	}
	return words + " " + f.result.String()
}

// form chooses the form for an operand and a result type, by target and opset.
// With narrow, a 16-bit scale is wanted even at the price of Cast and Mul.
func (q *quantizer) form(scope *onnx.Scope, o *operand, result onnx.DType, narrow bool) form {
	opset := scope.Opset("")
	f := form{result: result, block: q.block(opset, o)}
	f.batched = q.batched(o)
	f.linear = q.linear(opset, f.block > 0 || f.batched)
	f.scale = result
	switch {
	case result != onnx.Float16 && result != onnx.BFloat16:
		f.scale = onnx.Float
	case opset >= opsetSixteenBitScale || !f.linear:
	case narrow:
		f.linear = false
	default:
		f.scale = onnx.Float
	}
	return f
}

// batched says whether each matrix of an operand has scales of its own.
func (q *quantizer) batched(o *operand) bool {
	return o.batched && q.recipe.Granularity != PerTensor
}

// linear says whether DequantizeLinear is the form of choice.
func (q *quantizer) linear(opset int64, blocked bool) bool {
	floor := int64(opsetPerChannel)
	if blocked {
		floor = opsetBlocked
	}
	return q.recipe.Target != Fold && opset >= floor
}

// block is the length of an operand's blocks: 0 where it has none. Below the
// opset that knows blocks the weight is reshaped, which only whole blocks allow.
func (q *quantizer) block(opset int64, o *operand) int {
	n := q.recipe.Block
	if q.recipe.Granularity != PerBlock || o.reduction < 0 || o.dims[o.reduction] <= int64(n) {
		return 0
	}
	if !q.linear(opset, true) && o.dims[o.reduction]%int64(n) != 0 {
		return 0
	}
	return n
}

// wide is the form with scales in float32, for scales that 16 bit cannot hold.
func (q *quantizer) wide(scope *onnx.Scope, f form) form {
	f.linear = q.linear(scope.Opset(""), f.block > 0 || f.batched)
	f.scale = onnx.Float
	return f
}

// dequantized adds, once in a scope, the nodes that make floats of the weight,
// and returns the floats' name. One node serves all the scope's readers: two
// DequantizeLinear nodes over one scale have kept a runtime from loading a
// model, and a second table of int8 would cost what the first has saved.
func (w *weight) dequantized(b *Builder, f form) (string, error) {
	type key struct {
		w *weight
		f form
	}
	if t := w.twin; t != nil {
		return b.Shared(b.Scope, key{w, f}, func() (string, error) {
			name, err := t.weight.dequantized(b, f)
			if err == nil && t.transposed {
				name = b.Op(name+"_transposed", "Transpose", []string{name}, onnx.IntsAttr("perm", []int64{1, 0}))
			}
			return name, err
		})
	}
	return b.Shared(b.Scope, key{w, f}, func() (string, error) {
		quantized, err := w.constant(b, f, "quantized", w.quantizedTensor)
		if err != nil {
			return "", err
		}
		var name string
		if f.linear {
			scale, err := w.constant(b, f, "scale", func() *onnx.Tensor { return w.scaleTensor(f.scale, false) })
			if err != nil {
				return "", err
			}
			zero, err := w.constant(b, f, "zero_point", w.zeroPointTensor)
			if err != nil {
				return "", err
			}
			var attrs []*onnx.Attr
			switch {
			case w.block > 0:
				attrs = append(attrs, onnx.IntAttr("axis", int64(w.summed())), onnx.IntAttr("block_size", int64(w.block)))
			case w.batched:
				attrs = append(attrs, onnx.IntAttr("axis", int64(w.summed())), onnx.IntAttr("block_size", w.dims[w.summed()]))
			case w.perChannel():
				attrs = append(attrs, onnx.IntAttr("axis", int64(w.axis)))
			}
			name = b.Op(w.name+"_dequantized", "DequantizeLinear", []string{quantized, scale, zero}, attrs...)
		} else {
			if name, err = w.multiplied(b, f, quantized); err != nil {
				return "", err
			}
		}
		if f.scale != f.result {
			name = b.Op(w.name+"_"+f.result.String(), "Cast", []string{name}, onnx.IntAttr("to", int64(f.result)))
		}
		return name, nil
	})
}

// multiplied adds Cast, Sub if there are zero points, and Mul.
func (w *weight) multiplied(b *Builder, f form, quantized string) (string, error) {
	name := b.Op(w.name+"_cast", "Cast", []string{quantized}, onnx.IntAttr("to", int64(f.scale)))
	if w.block > 0 {
		split, err := w.constant(b, f, "blocks", func() *onnx.Tensor { return shapeTensor(w.name+"_blocks", w.blockedDims()) })
		if err != nil {
			return "", err
		}
		name = b.Op(w.name+"_in_blocks", "Reshape", []string{name, split})
	}
	if w.scheme.Asymmetric {
		zero, err := w.constant(b, f, "zero", func() *onnx.Tensor { return w.zeroTensor(f.scale) })
		if err != nil {
			return "", err
		}
		name = b.Op(w.name+"_shifted", "Sub", []string{name, zero})
	}
	scale, err := w.constant(b, f, "broadcast scale", func() *onnx.Tensor { return w.scaleTensor(f.scale, true) })
	if err != nil {
		return "", err
	}
	name = b.Op(w.name+"_dequantized", "Mul", []string{name, scale})
	if w.block > 0 {
		whole, err := w.constant(b, f, "shape", func() *onnx.Tensor { return shapeTensor(w.name+"_shape", w.dims) })
		if err != nil {
			return "", err
		}
		name = b.Op(w.name+"_whole", "Reshape", []string{name, whole})
	}
	return name, nil
}

func shapeTensor(name string, dims []int64) *onnx.Tensor {
	return onnx.Int64Tensor(name, []int64{int64(len(dims))}, dims)
}

// constant adds, once in the weight's own scope, a part of the stored weight.
func (w *weight) constant(b *Builder, f form, part string, make func() *onnx.Tensor) (string, error) {
	type key struct {
		w     *weight
		part  string
		scale onnx.DType
	}
	return b.Shared(w.home, key{w, part, f.scale}, func() (string, error) {
		return b.ConstantIn(w.home, make()), nil
	})
}
