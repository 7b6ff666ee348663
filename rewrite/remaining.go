package rewrite

import (
	"cmp"
	"maps"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// Remaining is what an operator that a recipe does not take still reads as
// floats.
type Remaining struct {
	Op      string // to add to Recipe.Ops
	Weights int
	Bytes   int64
}

// remains finds the weights that operators outside the recipe would add, and
// how many bytes all float weights take that stay: constants of rank 2 and more
// that no match reads, or that something else reads too. A weight that several
// operators read counts for the first.
func (p *Plan) remains(q *quantizer) {
	index := p.index
	found := map[string]*Remaining{}
	counted := map[*onnx.Tensor]bool{}
	for _, scope := range index.Scopes() {
		for _, node := range scope.Nodes() {
			op := operatorOf(node)
			if op == nil || slices.Contains(q.recipe.Ops, op.String()) {
				continue
			}
			operands, _ := operandsOf(scope, op, node)
			for _, o := range operands {
				at := At{Index: index, Scope: scope, Node: node}
				if counted[o.weight.Source] || q.refuses(at, op, o.weight) != "" {
					continue
				}
				counted[o.weight.Source] = true
				if found[op.String()] == nil {
					found[op.String()] = &Remaining{Op: op.String()}
				}
				found[op.String()].Weights++
				found[op.String()].Bytes += weightBytes(o.weight)
			}
		}
	}
	p.readElsewhere = counted
	taken := sourcesOf(p.matches)
	eachStored(index, func(t *onnx.Tensor) {
		if t.Type.IsFloat() && len(t.Dims) >= 2 && (!taken[t] || counted[t]) {
			p.RemainingBytes += int64(t.Type.Bits()) / 8 * elements(t.Dims)
		}
	})
	for r := range maps.Values(found) {
		p.Remaining = append(p.Remaining, *r)
	}
	slices.SortFunc(p.Remaining, func(a, b Remaining) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Op, b.Op))
	})
}

// eachStored calls f with the tensor of every initializer and Constant node.
func eachStored(index *onnx.Index, f func(*onnx.Tensor)) {
	for _, scope := range index.Scopes() {
		if scope.Graph != nil {
			for _, t := range scope.Graph.Initializers {
				f(t)
			}
		}
		for _, node := range scope.Nodes() {
			if value := node.Attr("value"); node.OpType == "Constant" && value != nil && value.T != nil {
				f(value.T)
			}
		}
	}
}
