package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// rankKey is a value of a scope, seen through a call or not.
type rankKey struct {
	scope *onnx.Scope
	via   *onnx.Node
	name  string
}

// unknownRank is the rank of a value that nothing here tells.
const unknownRank = -1

// deepestRank is how many values are looked through at once: nodes out of order,
// and those in functions, could otherwise be a longer chain than a stack holds.
const deepestRank = 10_000

// rank is a value's rank as far as types that the model states and simple
// operators tell: enough for the layers that runtimes treat differently.
func (l *look) rank(p place, name string) int {
	defining := p.scope.Lookup(name)
	if defining == nil {
		return unknownRank
	}
	if c := p.scope.Constant(name); c != nil {
		return len(c.Dims)
	}
	p.scope = defining
	key := rankKey{scope: defining, name: name}
	if p.via != nil {
		key.via = p.via.node
	}
	if rank, ok := l.ranks[key]; ok {
		return rank
	}
	if p.via == nil && !l.ranked[defining] {
		// In the order of the nodes every rank rests on ranks that are known, however
		// long the way back to the inputs is.
		l.ranked[defining] = true
		for _, node := range defining.Nodes() {
			for _, output := range node.Outputs {
				l.rank(p, output)
			}
		}
		if rank, ok := l.ranks[key]; ok {
			return rank
		}
	}
	l.ranks[key] = unknownRank // what a cycle would find
	if l.depth >= deepestRank {
		return unknownRank
	}
	l.depth++
	rank := l.findRank(p, name)
	l.depth--
	l.ranks[key] = rank
	return rank
}

func (l *look) findRank(p place, name string) int {
	if t := l.typeOf(p.scope, name); t != nil && t.HasShape {
		return len(t.Shape)
	}
	if f := p.scope.Function; f != nil && p.via != nil {
		if i := slices.Index(f.Inputs, name); i >= 0 && i < len(p.via.node.Inputs) {
			return l.rank(*p.via, p.via.node.Inputs[i])
		}
	}
	node := p.scope.Producer(name)
	if node == nil {
		return unknownRank
	}
	switch node.OpType {
	case "Gemm", "Flatten":
		return 2
	case "MatMul", "MatMulNBits", "MatMulInteger":
		if node.OpType == "MatMulNBits" || l.rank(p, node.Input(1)) == 2 {
			return l.rank(p, node.Input(0))
		}
	case "Add", "Sub", "Mul", "Div":
		a, b := l.rank(p, node.Input(0)), l.rank(p, node.Input(1))
		if a != unknownRank && b != unknownRank {
			return max(a, b)
		}
	case "Reshape":
		if c := p.scope.Constant(node.Input(1)); c != nil && len(c.Dims) == 1 {
			return int(c.Dims[0])
		}
	case "DynamicQuantizeLinear":
		if node.Outputs[0] == name {
			return l.rank(p, node.Input(0))
		}
		return 0
	case "Cast", "Identity", "Relu", "Clip", "Sigmoid", "Tanh", "Gelu", "Erf", "LeakyRelu", "Elu", "Softplus", "HardSwish", "HardSigmoid",
		"Softmax", "LogSoftmax", "LayerNormalization", "Dropout", "Transpose", "DequantizeLinear", "Neg", "Sqrt":
		return l.rank(p, node.Input(0))
	}
	return unknownRank
}

// typeOf is the type that a graph states for a value.
func (l *look) typeOf(scope *onnx.Scope, name string) *onnx.Type {
	known, ok := l.types[scope]
	if !ok {
		known = map[string]*onnx.Type{}
		if g := scope.Graph; g != nil {
			for _, values := range [][]*onnx.Value{g.Inputs, g.Outputs, g.ValueInfo} {
				for _, v := range values {
					known[v.Name] = v.Type
				}
			}
		}
		l.types[scope] = known
	}
	return known[name]
}
