package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// microsoftMatMulFamily holds the products that ONNX Runtime's optimizer makes
// of a float product and what stands around it.
var microsoftMatMulFamily = []Kernel{
	{Domain: microsoft, Op: "FusedMatMul", Since: 1, Build: needs(2, Single(buildFusedMatMul))},
	{Domain: microsoft, Op: "FusedGemm", Since: 1, Build: needs(2, Single(buildFusedGemm))},
	{Domain: microsoft, Op: "FusedConv", Since: 1, Build: needs(2, Single(buildFusedConv))},
}

// microsoft is the domain of ONNX Runtime's own operators.
const microsoft = "com.microsoft"

// buildFusedMatMul builds alpha·a·b, where operands of rank 2 or more may be
// transposed first: their last two axes (transA), or before that their first
// axis behind the batch's (transBatchA).
func buildFusedMatMul(n *Node) (single, error) {
	alpha := n.Float("alpha", 1)
	order := [2]matrixOrder{
		{last: n.Int("transA", 0) != 0, batch: n.Int("transBatchA", 0) != 0},
		{last: n.Int("transB", 0) != 0, batch: n.Int("transBatchB", 0) != 0},
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		a, err := order[0].apply(in[0])
		if err != nil {
			return nil, err
		}
		b, err := order[1].apply(in[1])
		if err != nil {
			return nil, err
		}
		p, err := planMatMul(a.Shape(), b.Shape())
		if err != nil {
			return nil, err
		}
		// Scaled before it is rounded to 16 bit.
		p.finish = &productEnd{alpha: alpha}
		numbers, err := floatsIn(a)
		if err != nil {
			return nil, err
		}
		return numbers.multiply(c, p, a, b)
	}, nil
}

// matrixOrder says which axes of an operand are exchanged before it is
// multiplied.
type matrixOrder struct{ last, batch bool }

func (o matrixOrder) apply(t *tensor.Tensor) (*tensor.Tensor, error) {
	rank := t.Rank()
	if rank < 2 || !o.last && !o.batch {
		return t, nil
	}
	order := make([]int, rank)
	for i := range order {
		order[i] = i
	}
	if o.batch {
		// (d0, batch..., k) is a batch of matrices (d0, k).
		copy(order, order[1:rank-1])
		order[rank-2] = 0
	}
	if o.last {
		order[rank-2], order[rank-1] = order[rank-1], order[rank-2]
	}
	return transpose(nil, t, order)
}

// buildFusedGemm builds Gemm, followed by an activation.
func buildFusedGemm(n *Node) (single, error) {
	asGemm := *n
	asGemm.Opset = 13 // this operator is Gemm as it was then; its own domain's version says nothing
	product, err := buildGemm(&asGemm)
	if err != nil {
		return nil, err
	}
	name := n.Text("activation", "")
	var parameters []float32
	for _, attr := range []string{"activation_alpha", "activation_beta", "activation_gamma"} {
		if n.Has(attr) {
			parameters = append(parameters, n.Float(attr, 0))
		}
	}
	f, err := fusedActivation(name, parameters)
	if err != nil {
		return nil, err
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		y, err := product(c, in)
		if err != nil || f.exact == nil {
			return y, err
		}
		return mapFloats(c, y, f)
	}, nil
}

// buildFusedConv builds Conv, to which a tensor z of the result's shape may be
// added, followed by an activation.
func buildFusedConv(n *Node) (single, error) {
	v, err := readConvolution(n)
	if err != nil {
		return nil, err
	}
	f, err := fusedActivation(n.Text("activation", ""), n.Floats("activation_params"))
	if err != nil {
		return nil, err
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		y, err := v.run(c, in[0], in[1], operand(in, 2))
		if err != nil {
			return nil, err
		}
		if z := operand(in, 3); z != nil {
			numbers, err := floatsIn(y)
			if err != nil {
				return nil, err
			}
			if y, err = numbers.fold(c, "Add", []*tensor.Tensor{y, z}); err != nil {
				return nil, err
			}
		}
		if f.exact == nil {
			return y, nil
		}
		return mapFloats(c, y, f)
	}, nil
}

// fusedActivation is the function that a fused node names, none if it names none;
// its parameters are in the order of the function's own attributes.
func fusedActivation(name string, parameters []float32) (floatFunction, error) {
	switch name {
	case "":
		return floatFunction{}, nil
	case "Relu":
		return floatFunction{func(x float64) float64 { return max(x, 0) }, vector.Relu}, nil
	case "Clip":
		if len(parameters) != 2 {
			return floatFunction{}, fmt.Errorf("activation Clip has parameters %v: want a least and a largest value", parameters)
		}
		return clipping(parameters[0], parameters[1]), nil
	case "Selu":
		if len(parameters) != 2 {
			return floatFunction{}, fmt.Errorf("activation Selu has parameters %v: want alpha and gamma", parameters)
		}
		return floatFunction{exact: scaledElu(float64(parameters[0]), float64(parameters[1]))}, nil
	}
	p, err := activationNamed(name)
	if err != nil {
		return floatFunction{}, err
	}
	for i, takes := range []bool{p.takesAlpha, p.takesBeta} {
		if !takes || len(parameters) == 0 {
			continue
		}
		if i == 0 {
			p.alpha = parameters[0]
		} else {
			p.beta = parameters[0]
		}
		parameters = parameters[1:]
	}
	return floatFunction{exact: p.make(float64(p.alpha), float64(p.beta)).number}, nil
}
