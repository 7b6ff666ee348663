package runtime

import (
	"bytes"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// layer is a layer of the original with a constant weight. It is linear if it is
// a MatMul, Gemm or Conv, with one constant operand, and then has the Add of a
// bias behind it where the rewritten model knows only the sum. For the others no
// bound is proven.
type layer struct {
	linear bool
	scope  *onnx.Scope
	node   *onnx.Node
	weight int // the operand that is constant
	add    *onnx.Node
}

// last is the node that gives the layer's result.
func (l *layer) last() *onnx.Node {
	if l.add != nil {
		return l.add
	}
	return l.node
}

// activation is the name of the operand that is not constant.
func (l *layer) activation() string { return l.node.Inputs[1-l.weight] }

// addend is the name of what is added to the product, "" if nothing is.
func (l *layer) addend() string {
	if l.add == nil {
		return l.node.Input(2)
	}
	if l.add.Inputs[0] == l.node.Outputs[0] {
		return l.add.Inputs[1]
	}
	return l.add.Inputs[0]
}

// definition is a name in the scope that defines it.
type definition struct {
	scope *onnx.Scope
	name  string
}

// constants knows which names of a model are the same in every run.
type constants struct {
	flat  *inlined
	known map[definition]bool
}

func newConstants(flat *inlined) *constants {
	return &constants{flat: flat, known: map[definition]bool{}}
}

// is says whether a name that is visible in a scope is constant: an initializer
// that cannot be overridden, or computed of nothing but constants.
func (c *constants) is(scope *onnx.Scope, name string) bool {
	home := scope.Lookup(name)
	if home == nil {
		return false
	}
	d := definition{home, name}
	if known, ok := c.known[d]; ok {
		return known
	}
	c.known[d] = false // of a circle, nothing is
	n := home.Producer(name)
	var constant bool
	switch {
	case home.IsInput(name):
		constant = home.Parent == nil && !overridable(c.flat.model) && home.Initializer(name) != nil
	case n == nil:
		constant = true // an initializer
	default:
		constant = deterministic(n) && len(n.Bodies()) == 0 && !slices.ContainsFunc(n.Inputs, func(in string) bool {
			return in != "" && !c.is(home, in)
		})
	}
	c.known[d] = constant
	return constant
}

// weighted are the operators, other than the linear ones, that may have constant
// weights, and the operands that may be those.
var weighted = map[string][]int{
	"ConvTranspose": {1}, "Einsum": {0, 1}, "LSTM": {1}, "GRU": {1}, "RNN": {1}, "Gather": {0}, "GatherElements": {0},
	"com.microsoft.FusedMatMul": {0, 1}, "com.microsoft.FusedGemm": {0, 1}, "com.microsoft.Attention": {1},
}

// layerAt says whether a node of the original is a layer with a constant weight
// of a float type.
func (f *coneFinder) layerAt(scope *onnx.Scope, n *onnx.Node) (layer, bool) {
	if operands := weighted[operatorName(n.Domain, n.OpType)]; operands != nil {
		return f.weightedAt(scope, n, operands)
	}
	if n.Domain != "" && n.Domain != "ai.onnx" || n.OpType != "MatMul" && n.OpType != "Gemm" && n.OpType != "Conv" ||
		len(n.Inputs) < 2 || len(n.Outputs) != 1 || n.Outputs[0] == "" {
		return layer{}, false
	}
	left, right := f.constantsBefore.is(scope, n.Inputs[0]), f.constantsBefore.is(scope, n.Inputs[1])
	if left == right || left && n.OpType == "Conv" {
		return layer{}, false
	}
	l := layer{linear: true, scope: scope, node: n, weight: 1}
	if left {
		l.weight = 0
	}
	if t := typeOf(scope, n.Inputs[l.weight]); t != onnx.Undefined && !t.IsFloat() {
		return layer{}, false
	}
	return l, true
}

// weightedAt is layerAt for an operator that is not linear.
func (f *coneFinder) weightedAt(scope *onnx.Scope, n *onnx.Node, operands []int) (layer, bool) {
	if len(n.Outputs) == 0 || n.Outputs[0] == "" {
		return layer{}, false
	}
	computed := slices.ContainsFunc(n.Inputs, func(in string) bool { return in != "" && !f.constantsBefore.is(scope, in) })
	for _, i := range operands {
		if in := n.Input(i); computed && in != "" && f.constantsBefore.is(scope, in) && typeOf(scope, in).IsFloat() {
			return layer{scope: scope, node: n, weight: i}, true
		}
	}
	return layer{}, false
}

// biasAdd is the Add that alone reads a layer's product, nil if there is none.
func biasAdd(scope *onnx.Scope, n *onnx.Node) *onnx.Node {
	users := scope.Users(n.Outputs[0])
	if len(users) != 1 || users[0].Scope != scope || scope.IsOutput(n.Outputs[0]) {
		return nil
	}
	a := users[0].Node
	if a.OpType != "Add" || a.Domain != "" && a.Domain != "ai.onnx" || len(a.Inputs) != 2 || len(a.Outputs) != 1 || a.Outputs[0] == "" {
		return nil
	}
	return a
}

// typeOf is the element type of a constant, as far as the operators that weights
// go through tell; Undefined if they do not.
func typeOf(scope *onnx.Scope, name string) onnx.DType {
	for range 256 { // longer chains, or circles, are nobody's weights
		home := scope.Lookup(name)
		if home == nil {
			return onnx.Undefined
		}
		if t := home.Initializer(name); t != nil {
			return t.Type
		}
		if c := home.Constant(name); c != nil {
			return c.Type
		}
		n := home.Producer(name)
		if n == nil {
			return onnx.Undefined
		}
		scope, name = home, n.Input(0)
		switch n.OpType {
		case "Cast":
			if a := n.Attr("to"); a != nil {
				return onnx.DType(a.I)
			}
			return onnx.Undefined
		case "DequantizeLinear":
			if a := n.Attr("output_dtype"); a != nil && a.I != 0 {
				return onnx.DType(a.I)
			}
			name = n.Input(1)
		case "Mul", "Sub", "Add", "Div", "Transpose", "Reshape", "Identity", "Squeeze", "Unsqueeze", "Slice", "Concat", "Gather", "Expand", "Flatten":
		default:
			return onnx.Undefined
		}
	}
	return onnx.Undefined
}

// sameConstant says whether two constants are stored and computed alike.
func sameConstant(a *onnx.Scope, name string, b *onnx.Scope, other string) bool {
	home, otherHome := a.Lookup(name), b.Lookup(other)
	if home == nil || otherHome == nil {
		return false
	}
	n, m := home.Producer(name), otherHome.Producer(other)
	if n == nil || m == nil {
		return n == nil && m == nil && sameTensor(home.Initializer(name), otherHome.Initializer(other))
	}
	if !sameOperator(n, m) {
		return false
	}
	for i := range n.Inputs {
		if (n.Inputs[i] == "") != (m.Inputs[i] == "") || n.Inputs[i] != "" && !sameConstant(home, n.Inputs[i], otherHome, m.Inputs[i]) {
			return false
		}
	}
	return slices.Index(n.Outputs, name) == slices.Index(m.Outputs, other)
}

func sameTensor(a, b *onnx.Tensor) bool {
	if a == b {
		return a != nil
	}
	if a == nil || b == nil || a.Type != b.Type || !slices.Equal(a.Dims, b.Dims) {
		return false
	}
	if a.Type == onnx.String {
		return slices.EqualFunc(a.Strings, b.Strings, bytes.Equal)
	}
	x, err := a.RawBytes()
	if err != nil {
		return false
	}
	y, err := b.RawBytes()
	return err == nil && bytes.Equal(x, y)
}

// sameOperator says whether two nodes do the same to their operands.
func sameOperator(n, m *onnx.Node) bool {
	if n == m {
		return true
	}
	if n.Domain != m.Domain || n.OpType != m.OpType || len(n.Inputs) != len(m.Inputs) || len(n.Attrs) != len(m.Attrs) {
		return false
	}
	for _, a := range n.Attrs {
		b := m.Attr(a.Name)
		if b == nil || !sameAttribute(a, b) {
			return false
		}
	}
	return true
}

func sameAttribute(a, b *onnx.Attr) bool {
	if a == b {
		return true
	}
	if a.Type != b.Type || a.G != nil || len(a.Graphs) > 0 {
		return false
	}
	return a.F == b.F && a.I == b.I && bytes.Equal(a.S, b.S) && slices.Equal(a.Ints, b.Ints) && slices.Equal(a.Floats, b.Floats) &&
		slices.EqualFunc(a.Strings, b.Strings, bytes.Equal) && (a.T == nil && b.T == nil || sameTensor(a.T, b.T)) &&
		a.Sparse == nil && b.Sparse == nil
}
