package runtime

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestFusedChains compares chains of steps with the same nodes run one by one:
// steps lists what is left of them.
func TestFusedChains(t *testing.T) {
	number := func(v float64) *tensor.Tensor { return tensor.Scalar(float32(v)) }
	axes := func(of ...int64) *onnx.Attr { return onnx.IntsAttr("axes", of) }
	constants := map[string]*tensor.Tensor{
		"root2": number(math.Sqrt2), "inverse2": number(1 / math.Sqrt2), "one": number(1), "half": number(0.5), "two": number(2),
		"three": number(3), "cubic": number(0.044715), "root": number(math.Sqrt(2 / math.Pi)), "alpha": number(1.702), "nought": number(0),
		"six": number(6), "sixth": number(1.0 / 6), "epsilon": number(1e-5), "eight": number(8), "scale": ramp(24), "bias": ramp(24),
		"halves": floats([]int{1}, 0.5), "shape": floats([]int{1, 1, 1}, 0.5), "least": number(-math.MaxFloat32),
	}
	norm := func(mean *onnx.Attr, tail ...*onnx.Node) []*onnx.Node {
		return append([]*onnx.Node{
			node("ReduceMean", "x", "m", mean), node("Sub", "x,m", "d"), node("Pow", "d,two", "d2"), node("ReduceMean", "d2", "v", mean),
			node("Add", "v,epsilon", "ve"), node("Sqrt", "ve", "r"), node("Div", "d,r", "n"),
		}, tail...)
	}
	affine := []*onnx.Node{node("Mul", "n,scale", "s"), node("Add", "s,bias", "y")}
	gelu := []*onnx.Node{node("Div", "x,root2", "z"), node("Erf", "z", "e"), node("Add", "e,one", "a"), node("Mul", "x,a", "p"), node("Mul", "p,half", "y")}
	fastGelu := func(cube ...*onnx.Node) []*onnx.Node {
		return append(cube, node("Mul", "c,cubic", "w"), node("Add", "x,w", "s"), node("Mul", "s,root", "u"), node("Tanh", "u", "t"),
			node("Add", "t,one", "a"), node("Mul", "x,half", "h"), node("Mul", "h,a", "y"))
	}
	last := onnx.IntAttr("axis", -1)
	bounds := []*onnx.Attr{onnx.FloatAttr("min", 0), onnx.FloatAttr("max", 6)}
	tests := map[string]struct {
		opset   int64
		nodes   []*onnx.Node
		x       *tensor.Tensor
		steps   string
		outputs string
	}{
		"Gelu":                             {13, gelu, nil, "Mul", "y"},
		"Gelu, the half first":             {13, []*onnx.Node{node("Mul", "x,inverse2", "z"), node("Erf", "z", "e"), node("Add", "one,e", "a"), node("Mul", "half,x", "h"), node("Mul", "a,h", "y")}, nil, "Mul", "y"},
		"Gelu, the half last, turned":      {13, []*onnx.Node{node("Mul", "inverse2,x", "z"), node("Erf", "z", "e"), node("Add", "e,one", "a"), node("Mul", "a,x", "p"), node("Div", "p,two", "y")}, nil, "Div", "y"},
		"Gelu of double":                   {13, gelu, narrow(t, onnx.Double, ramp(2, 24)), "Mul", "y"},
		"Gelu of a scalar":                 {13, gelu, number(0.75), "Mul", "y"},
		"not: a value of it is put out":    {13, gelu, nil, "Div Erf Add Mul Mul", "y,e"},
		"not: another number":              {13, []*onnx.Node{node("Div", "x,two", "z"), node("Erf", "z", "e"), node("Add", "e,one", "a"), node("Mul", "x,a", "p"), node("Mul", "p,half", "y")}, nil, "Div Erf Add Mul Mul", "y"},
		"not: a number that makes an axis": {13, []*onnx.Node{node("Div", "x,root2", "z"), node("Erf", "z", "e"), node("Add", "e,one", "a"), node("Mul", "x,a", "p"), node("Mul", "p,shape", "y")}, nil, "Div Erf Add Mul Mul", "y"},
		"Gelu, a number of one axis":       {13, []*onnx.Node{node("Div", "x,root2", "z"), node("Erf", "z", "e"), node("Add", "e,one", "a"), node("Mul", "x,a", "p"), node("Mul", "p,halves", "y")}, nil, "Mul", "y"},
		"Gelu by tanh, Pow":                {13, fastGelu(node("Pow", "x,three", "c")), nil, "Mul", "y"},
		"Gelu by tanh, Mul":                {13, fastGelu(node("Mul", "x,x", "xx"), node("Mul", "xx,x", "c")), nil, "Mul", "y"},
		"not: Gelu by tanh with a square":  {13, fastGelu(node("Pow", "x,two", "c")), nil, "Pow Mul Add Mul Tanh Add Mul Mul", "y"},
		"Silu":                             {13, []*onnx.Node{node("Sigmoid", "x", "s"), node("Mul", "x,s", "y")}, nil, "Mul", "y"},
		"Silu, scaled":                     {13, []*onnx.Node{node("Mul", "x,alpha", "a"), node("Sigmoid", "a", "s"), node("Mul", "s,x", "y")}, nil, "Mul", "y"},
		"not: another's gate":              {13, []*onnx.Node{node("Neg", "x", "n"), node("Sigmoid", "n", "s"), node("Mul", "x,s", "y")}, nil, "Neg Sigmoid Mul", "y"},
		"HardSwish": {13, []*onnx.Node{node("HardSigmoid", "x", "s", onnx.FloatAttr("alpha", 1.0/6), onnx.FloatAttr("beta", 0.5)), node("Mul", "x,s", "y")},
			nil, "Mul", "y"},
		"not: another slope": {13, []*onnx.Node{node("HardSigmoid", "x", "s"), node("Mul", "x,s", "y")}, nil, "HardSigmoid Mul", "y"},
		"HardSwish by Clip":  {9, []*onnx.Node{node("Add", "x,three", "a"), node("Clip", "a", "c", bounds...), node("Mul", "x,c", "p"), node("Div", "p,six", "y")}, nil, "Div", "y"},
		"HardSwish by Clip of operands": {13, []*onnx.Node{node("Add", "three,x", "a"), node("Clip", "a,nought,six", "c"), node("Mul", "c,sixth", "p"), node("Mul", "p,x", "y")},
			nil, "Mul", "y"},
		"layer normalization":                  {13, norm(axes(-1), affine...), nil, "Add", "y"},
		"layer normalization, counted axis":    {13, norm(axes(2), affine...), nil, "Add", "y"},
		"not: multiplied by itself":            {13, norm(axes(-1), node("Mul", "n,n", "y")), nil, "ReduceMean Sub Pow ReduceMean Add Sqrt Div Mul", "y"},
		"layer normalization along the middle": {13, norm(axes(1), affine...), ramp(2, 24, 24), "Add", "y"},
		"not: without scale":                   {13, norm(axes(-1), node("Add", "n,bias", "y")), nil, "ReduceMean Sub Pow ReduceMean Add Sqrt Div Add", "y"},
		"layer normalization by Mul": {13, []*onnx.Node{node("ReduceMean", "x", "m", axes(-1)), node("Sub", "x,m", "d"), node("Mul", "d,d", "d2"), node("ReduceMean", "d2", "v", axes(-1)),
			node("Add", "epsilon,v", "ve"), node("Sqrt", "ve", "r"), node("Reciprocal", "r", "i"), node("Mul", "d,i", "n"), node("Mul", "scale,n", "s"), node("Add", "bias,s", "y")}, nil, "Add", "y"},
		"the difference twice": {13, []*onnx.Node{node("ReduceMean", "x", "m", axes(-1)), node("Sub", "x,m", "d"), node("Sub", "x,m", "again"), node("Pow", "again,two", "d2"),
			node("ReduceMean", "d2", "v", axes(-1)), node("Add", "v,epsilon", "ve"), node("Sqrt", "ve", "r"), node("Div", "d,r", "n"), affine[0], affine[1]}, nil, "Add", "y"},
		"RMS normalization": {13, []*onnx.Node{node("Pow", "x,two", "x2"), node("ReduceMean", "x2", "v", axes(-1)), node("Add", "v,epsilon", "ve"), node("Sqrt", "ve", "r"),
			node("Div", "x,r", "n"), node("Mul", "n,scale", "y")}, nil, "Mul", "y"},
		"RMS normalization by Reciprocal": {13, []*onnx.Node{node("Pow", "x,two", "x2"), node("ReduceMean", "x2", "v", axes(-1)), node("Add", "v,epsilon", "ve"), node("Sqrt", "ve", "r"),
			node("Reciprocal", "r", "i"), node("Mul", "x,i", "n"), node("Mul", "scale,n", "y")}, nil, "Mul", "y"},
		"Softmax, scaled and masked": {13, []*onnx.Node{node("Div", "x,eight", "d"), node("Add", "d,mask", "s"), node("Softmax", "s", "y", last)}, nil, "Softmax", "y"},
		"Softmax, scaled":            {13, []*onnx.Node{node("Mul", "eight,x", "d"), node("Softmax", "d", "y", onnx.IntAttr("axis", 2))}, nil, "Softmax", "y"},
		"Softmax along the middle":   {13, []*onnx.Node{node("Div", "x,eight", "d"), node("Add", "d,mask", "s"), node("Softmax", "s", "y", onnx.IntAttr("axis", 1))}, nil, "Softmax", "y"},
		"Softmax of the tail":        {11, []*onnx.Node{node("Div", "x,eight", "d"), node("Softmax", "d", "y")}, nil, "Softmax", "y"},
		"Softmax, the mask first":    {13, []*onnx.Node{node("Div", "x,eight", "d"), node("Add", "mask,d", "s"), node("Softmax", "s", "y", last)}, nil, "Softmax", "y"},
		"a mask of one column":       {13, []*onnx.Node{node("Div", "x,eight", "d"), node("Add", "d,column", "s"), node("Softmax", "s", "y", last)}, nil, "Softmax", "y"},
		"a mask that adds an axis":   {13, []*onnx.Node{node("Div", "x,eight", "d"), node("Add", "d,masks", "s"), node("Softmax", "s", "y", last)}, nil, "Softmax", "y"},
	}
	masks := map[string]*tensor.Tensor{"mask": ramp(3, 1, 24), "column": ramp(3, 5, 1), "masks": ramp(2, 1, 1, 24)}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			x := test.x
			if x == nil {
				x = ramp(3, 5, 24)
			}
			g := graphOf([]*onnx.Value{value("x", nil)}, test.outputs, test.nodes)
			in := feeds{"x": x}
			for _, n := range test.nodes {
				for _, operand := range n.Inputs {
					if masks[operand] != nil {
						g.Inputs = append(g.Inputs, value(operand, nil))
						in[operand] = masks[operand]
					}
				}
			}
			for name, c := range constants {
				if x.DType() != onnx.Float {
					c = narrow(t, x.DType(), c)
				}
				g.Initializers = append(g.Initializers, stored(t, name, c))
			}
			compareFused(t, modelOf(test.opset, g), in, test.steps, 0)
		})
	}
}

// A chain that cannot be run says which of its nodes is wrong.
func TestFusedChainTellsTheNode(t *testing.T) {
	nodes := []*onnx.Node{node("Sigmoid", "x", "s"), node("Mul", "x,s", "y")}
	nodes[0].Name = "gate"
	s, err := Compile(modelOf(13, graphOf([]*onnx.Value{value("x", nil)}, "y", nodes)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Run(t.Context(), feeds{"x": tensor.Make[int32]([]int{3})})
	if err == nil {
		t.Fatal("integers have no Sigmoid")
	}
	if got := fmt.Sprint(err); !strings.Contains(got, "gate") {
		t.Errorf("%s: does not name the node", got)
	}
}
