package rewrite

import (
	"strconv"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// nameSet holds every name of a model, of values and of nodes, in all scopes
// together: a name that is fresh here cannot shadow or collide anywhere.
type nameSet struct {
	taken map[string]bool
	next  map[string]int // the number to try next after a hint
}

func newNameSet(index *onnx.Index) *nameSet {
	set := &nameSet{taken: map[string]bool{"": true}, next: map[string]int{}}
	for _, scope := range index.Scopes() {
		for _, node := range scope.Nodes() {
			set.taken[node.Name] = true
			for _, name := range node.Inputs {
				set.taken[name] = true
			}
			for _, name := range node.Outputs {
				set.taken[name] = true
			}
		}
		if g := scope.Graph; g != nil {
			for _, t := range g.Initializers {
				set.taken[t.Name] = true
			}
			for _, t := range g.SparseInitializers {
				if t.Values != nil {
					set.taken[t.Values.Name] = true
				}
			}
			for _, list := range [][]*onnx.Value{g.Inputs, g.Outputs, g.ValueInfo} {
				for _, v := range list {
					set.taken[v.Name] = true
				}
			}
		}
		if f := scope.Function; f != nil {
			for _, list := range [][]string{f.Inputs, f.Outputs} {
				for _, name := range list {
					set.taken[name] = true
				}
			}
		}
	}
	return set
}

// fresh takes a name that is not taken yet: hint, or hint, an underscore and a number.
func (s *nameSet) fresh(hint string) string {
	name := hint
	for n := s.next[hint]; s.taken[name]; n++ {
		name = hint + "_" + strconv.Itoa(n+1)
		s.next[hint] = n + 1
	}
	s.taken[name] = true
	return name
}
