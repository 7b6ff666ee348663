package rewrite

import (
	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// form says how an int8 weight becomes floats again in the graph.
type form struct {
	linear bool       // DequantizeLinear, else Cast and Mul
	scale  onnx.DType // the type that scales are stored in, and multiplied in
	result onnx.DType // the type that the layer reads; another than scale costs a Cast
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
	return words + " " + f.result.String()
}

// form chooses the form for a result type, by target and opset. With narrow, a
// 16-bit scale is wanted even at the price of Cast and Mul.
func (q *quantizer) form(scope *onnx.Scope, result onnx.DType, narrow bool) form {
	opset := scope.Opset("")
	linear := q.recipe.Target == Portable && opset >= opsetPerChannel
	if result != onnx.Float16 && result != onnx.BFloat16 {
		return form{linear: linear, scale: onnx.Float, result: result}
	}
	if opset >= opsetSixteenBitScale || !linear {
		return form{linear: linear, scale: result, result: result}
	}
	if narrow {
		return form{linear: false, scale: result, result: result}
	}
	return form{linear: true, scale: onnx.Float, result: result}
}

// wide is the form with scales in float32, for scales that 16 bit cannot hold.
func (q *quantizer) wide(scope *onnx.Scope, f form) form {
	return form{
		linear: q.recipe.Target == Portable && scope.Opset("") >= opsetPerChannel,
		scale:  onnx.Float,
		result: f.result,
	}
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
			if w.axis >= 0 && w.perChannel() {
				attrs = append(attrs, onnx.IntAttr("axis", int64(w.axis)))
			}
			name = b.Op(w.name+"_dequantized", "DequantizeLinear", []string{quantized, scale, zero}, attrs...)
		} else {
			scale, err := w.constant(b, f, "broadcast_scale", func() *onnx.Tensor { return w.scaleTensor(f.scale, true) })
			if err != nil {
				return "", err
			}
			floats := b.Op(w.name+"_cast", "Cast", []string{quantized}, onnx.IntAttr("to", int64(f.scale)))
			name = b.Op(w.name+"_dequantized", "Mul", []string{floats, scale})
		}
		if f.scale != f.result {
			name = b.Op(w.name+"_"+f.result.String(), "Cast", []string{name}, onnx.IntAttr("to", int64(f.result)))
		}
		return name, nil
	})
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
