package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// calledRank is a value of a function, seen through a call.
type calledRank struct {
	call  *onnx.Node
	value onnx.ValueID
}

// unknownRank is the rank of a value that nothing here tells.
const unknownRank = -1

// notRanked is the rank of a value that nobody has asked for yet.
const notRanked = -2

// deepestRank is how many values are looked through at once: nodes out of order,
// and those in functions, could otherwise be a longer chain than a stack holds.
const deepestRank = 10_000

// rank is a value's rank as far as types that the model states and simple
// operators tell: enough for the layers that runtimes treat differently.
func (l *look) rank(p place, name string) int { return l.rankOf(p, p.scope.ID(name)) }

// rankOf is rank for a value's number.
func (l *look) rankOf(p place, id onnx.ValueID) int {
	if id == onnx.NoValue {
		return unknownRank
	}
	if p.via == nil {
		if rank := l.ranks[id]; rank != notRanked {
			return int(rank)
		}
	}
	if c := l.index.Constant(id); c != nil {
		l.ranks[id] = int32(len(c.Dims))
		return len(c.Dims)
	}
	p.scope, _ = l.index.Definition(id)
	if p.via != nil {
		key := calledRank{p.via.node, id}
		if rank, ok := l.called[key]; ok {
			return rank
		}
		l.called[key] = unknownRank // what a cycle would find
		l.called[key] = l.deeper(p, id)
		return l.called[key]
	}
	if !l.ranked[p.scope] {
		// In the order of the nodes every rank rests on ranks that are known, however
		// long the way back to the inputs is.
		l.ranked[p.scope] = true
		for i := range p.scope.Nodes() {
			for _, output := range p.scope.Defines(i) {
				l.rankOf(p, output)
			}
		}
		if rank := l.ranks[id]; rank != notRanked {
			return int(rank)
		}
	}
	l.ranks[id] = unknownRank // what a cycle would find
	l.ranks[id] = int32(l.deeper(p, id))
	return int(l.ranks[id])
}

// deeper works a rank out, unless too many others wait for it already.
func (l *look) deeper(p place, id onnx.ValueID) int {
	if l.depth >= deepestRank {
		return unknownRank
	}
	l.depth++
	defer func() { l.depth-- }()
	return l.findRank(p, id)
}

func (l *look) findRank(p place, id onnx.ValueID) int {
	if t := l.types[id]; t != nil && t.HasShape {
		return len(t.Shape)
	}
	if f := p.scope.Function; f != nil && p.via != nil {
		if i := slices.Index(f.Inputs, l.index.Name(id)); i >= 0 && i < len(p.via.node.Inputs) {
			return l.rank(*p.via, p.via.node.Inputs[i])
		}
	}
	_, at := l.index.Definition(id)
	if at < 0 {
		return unknownRank
	}
	node, reads := p.scope.Nodes()[at], p.scope.Reads(at)
	input := func(i int) onnx.ValueID {
		if i < len(reads) {
			return reads[i]
		}
		return onnx.NoValue
	}
	switch node.OpType {
	case "Gemm", "Flatten":
		return 2
	case "MatMul", "MatMulNBits", "MatMulInteger":
		if node.OpType == "MatMulNBits" || l.rankOf(p, input(1)) == 2 {
			return l.rankOf(p, input(0))
		}
	case "Add", "Sub", "Mul", "Div":
		a, b := l.rankOf(p, input(0)), l.rankOf(p, input(1))
		if a != unknownRank && b != unknownRank {
			return max(a, b)
		}
	case "Reshape":
		if c := l.index.Constant(input(1)); c != nil && len(c.Dims) == 1 {
			return int(c.Dims[0])
		}
	case "DynamicQuantizeLinear":
		if node.Output(0) == l.index.Name(id) {
			return l.rankOf(p, input(0))
		}
		return 0
	case "Cast", "Identity", "Relu", "Clip", "Sigmoid", "Tanh", "Gelu", "Erf", "LeakyRelu", "Elu", "Softplus", "HardSwish", "HardSigmoid",
		"Softmax", "LogSoftmax", "LayerNormalization", "Dropout", "Transpose", "DequantizeLinear", "Neg", "Sqrt":
		return l.rankOf(p, input(0))
	}
	return unknownRank
}

// statedTypes are the types that graphs state for their values, by their numbers.
func statedTypes(index *onnx.Index) []*onnx.Type {
	types := make([]*onnx.Type, index.Values())
	for _, scope := range index.Scopes() {
		if scope.Graph == nil {
			continue
		}
		for _, values := range [][]*onnx.Value{scope.Graph.Inputs, scope.Graph.Outputs, scope.Graph.ValueInfo} {
			for _, v := range values {
				if id := scope.ID(v.Name); id != onnx.NoValue {
					if own, _ := index.Definition(id); own == scope {
						types[id] = v.Type
					}
				}
			}
		}
	}
	return types
}
