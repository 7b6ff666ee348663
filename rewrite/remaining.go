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

// remaining finds the weights that operators outside the recipe would add. A
// weight that several operators read counts for the first.
func (q *quantizer) remaining(index *onnx.Index) []Remaining {
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
	list := []Remaining{}
	for r := range maps.Values(found) {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b Remaining) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Op, b.Op))
	})
	return list
}

// Without is the plan less some of its sites, given by their place in Sites with
// the reason for each. A node that reads several weights is left alone whole.
// The plan itself is not changed; what it has read of weights both share.
func (p *Plan) Without(reasons map[int]string) *Plan {
	rest := *p
	rest.Sites, rest.matches = nil, nil
	rest.Skips = slices.Clone(p.Skips)
	first := 0
	for _, found := range p.matches {
		reason := ""
		for i := first; i < first+len(found.sites); i++ {
			if r, ok := reasons[i]; ok {
				reason = r
			}
		}
		first += len(found.sites)
		if reason != "" {
			rest.Skips = append(rest.Skips, Skip{nodeName(found.at.Node), opName(found.at.Node), reason})
			continue
		}
		rest.Sites = append(rest.Sites, found.sites...)
		rest.matches = append(rest.matches, found)
	}
	return &rest
}
