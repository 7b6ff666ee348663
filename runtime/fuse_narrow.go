package runtime

import (
	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// takeCasts has products in 16 bit round their activations themselves, where a
// Cast does it for them. It is left out if nobody else reads what it gives.
func (f *fuser) takeCasts() {
	for _, st := range f.scope.plan.steps {
		if st.product == nil || !sixteenBit(st.product.Type) {
			continue
		}
		cast := f.makers[st.in[0]]
		if cast == nil || cast.packed || !isOperator(cast.node, "Cast") || castTarget(cast.node) != st.product.Type {
			continue
		}
		product := *st.product
		product.Rounded = true
		f.readers[st.in[0]]--
		f.readers[cast.in[0]]++
		st.in = []int{cast.in[0], st.in[1]}
		st.product, st.run = &product, runProduct(&product)
	}
}

func sixteenBit(t onnx.DType) bool { return t == onnx.Float16 || t == onnx.BFloat16 }

// endProducts takes what comes after a product into it, where nobody else reads
// that: the Add of a constant bias, and a Cast from 16 bit to float32. In 16 bit,
// the product is rounded before the bias is added.
func (f *fuser) endProducts() {
	for _, st := range f.scope.plan.steps {
		for i, slot := range st.in {
			before := f.makers[slot]
			if before == nil || before == st || before.product == nil || f.readers[slot] != 1 {
				continue
			}
			var product *ops.Int8Product
			switch {
			case isOperator(st.node, "Add") && len(st.in) == 2:
				if product = f.withBias(before.product, st.in[1-i]); product != nil {
					f.readers[st.in[1-i]]--
				}
			case isOperator(st.node, "Cast") && castTarget(st.node) == onnx.Float:
				product = widening(before.product)
			}
			if product == nil {
				continue
			}
			st.in = before.in
			st.product, st.run = product, runProduct(product)
			f.readers[slot]--
			for _, operand := range st.in {
				f.readers[operand]++
			}
			break
		}
	}
}

// widening is a product whose result is cast to float32; nil if it is not one in
// 16 bit.
func widening(before *ops.Int8Product) *ops.Int8Product {
	if !sixteenBit(before.Type) || before.Widened {
		return nil
	}
	product := *before
	product.Widened = true
	return &product
}

// withBias is a product and the Add of the constant in a slot; nil if that is no
// bias of the product.
func (f *fuser) withBias(before *ops.Int8Product, slot int) *ops.Int8Product {
	if before.Bias != nil || before.End != nil || before.Left || before.Vector || slot == absent || !f.scope.fixed[slot] {
		return nil
	}
	t := before.Type
	if before.Widened {
		t = onnx.Float
	}
	bias := biasOf(f.scope.plan.initial[slot], t, before.Weights[0].N)
	if bias == nil {
		return nil
	}
	product := *before
	product.Bias, product.BiasWide = bias, before.Widened
	return &product
}

// biasOf is a bias of type t for each of n columns, in float32; nil if the value
// is something else.
func biasOf(v tensor.Value, t onnx.DType, n int) []float32 {
	b, ok := v.(*tensor.Tensor)
	if !ok || b.Rank() != 1 || b.Len() != n || b.DType() != t {
		return nil
	}
	values, err := b.Float64s()
	if err != nil {
		return nil
	}
	bias := make([]float32, n)
	for i, v := range values {
		bias[i] = float32(v)
	}
	return bias
}
