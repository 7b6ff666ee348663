package onnx

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Index answers, for every name of a model, where it is defined and who reads
// it. It describes the model as it was when the index was made; it is safe for
// use by several goroutines.
type Index struct {
	model     *Model
	scopes    []*Scope
	byGraph   map[*Graph]*Scope
	functions map[functionKey]*Function

	definitions []definition
	uses        []Use // grouped by definition

	mu sync.Mutex // guards the constants of definitions, which are worked out when asked for
}

// functionKey is what a node calls a local function by.
type functionKey struct{ domain, name, overload string }

// definition is one name in one scope. In a sound model it is given by one of
// input, initializer and producer (before IR version 4, and for a default
// value, by an input and an initializer); the first of its kind counts.
type definition struct {
	name        string
	id          int32 // its place in Index.definitions
	scope       *Scope
	input       int32 // its position among the inputs, -1: none
	producer    *Node
	initializer *Tensor
	sparse      *SparseTensor
	uses        [2]int32 // from, to in Index.uses

	constant *link
	resolved resolution
}

// Use is one node input that reads a value.
type Use struct {
	Scope *Scope
	Node  *Node
	Input int
}

// NewIndex makes the index of a model in time and space linear in its size. A
// model without a graph, and one whose graphs are nested too deep or inside
// themselves, cannot be indexed; whether the model is sound otherwise is for
// Check to say.
func NewIndex(m *Model) (*Index, error) {
	if m.Graph == nil {
		return nil, errors.New("onnx: the model has no graph")
	}
	ix := &Index{model: m, byGraph: map[*Graph]*Scope{}, functions: map[functionKey]*Function{}}
	for _, f := range m.Functions {
		key := functionKey{canonicalDomain(f.Domain), f.Name, f.Overload}
		if ix.functions[key] == nil {
			ix.functions[key] = f
		}
	}
	if err := ix.add(&Scope{Graph: m.Graph}, 0); err != nil {
		return nil, err
	}
	for _, f := range m.Functions {
		if err := ix.add(&Scope{Function: f}, 0); err != nil {
			return nil, err
		}
	}
	ix.connect()
	return ix, nil
}

// add defines the names of a scope and of the bodies inside it.
func (ix *Index) add(s *Scope, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("onnx: graphs are nested more than %d deep, or one is inside itself", maxDepth)
	}
	s.index = ix
	ix.scopes = append(ix.scopes, s)
	nodes := s.Nodes()
	names := s.countNames()
	s.names = make(map[string]int32, names)
	ix.definitions = slices.Grow(ix.definitions, names)
	s.outputs = map[string]bool{}
	if g := s.Graph; g != nil {
		if ix.byGraph[g] == nil {
			ix.byGraph[g] = s
		}
		for i, v := range g.Inputs {
			ix.input(s, v.Name, i)
		}
		for _, t := range g.Initializers {
			if d := ix.define(s, t.Name); d != nil && d.initializer == nil && d.sparse == nil {
				d.initializer = t
			}
		}
		for _, t := range g.SparseInitializers {
			if t.Values == nil {
				continue
			}
			if d := ix.define(s, t.Values.Name); d != nil && d.initializer == nil && d.sparse == nil {
				d.sparse = t
			}
		}
		for _, v := range g.Outputs {
			s.outputs[v.Name] = true
		}
	} else {
		for i, name := range s.Function.Inputs {
			ix.input(s, name, i)
		}
		for _, name := range s.Function.Outputs {
			s.outputs[name] = true
		}
	}
	for _, n := range nodes {
		for _, name := range n.Outputs {
			if d := ix.define(s, name); d != nil && d.producer == nil {
				d.producer = n
			}
		}
		for _, a := range n.Attrs {
			if a.G != nil {
				s.bodies = append(s.bodies, &Scope{Graph: a.G, Owner: n, Parent: s})
			}
			for _, g := range a.Graphs {
				s.bodies = append(s.bodies, &Scope{Graph: g, Owner: n, Parent: s})
			}
		}
	}
	for _, body := range s.bodies {
		if err := ix.add(body, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// countNames is how many names a scope defines, if it defines none twice.
func (s *Scope) countNames() int {
	count := 0
	if g := s.Graph; g != nil {
		count = len(g.Inputs) + len(g.Initializers) + len(g.SparseInitializers)
	} else {
		count = len(s.Function.Inputs)
	}
	for _, n := range s.Nodes() {
		count += len(n.Outputs)
	}
	return count
}

func (ix *Index) input(s *Scope, name string, position int) {
	if d := ix.define(s, name); d != nil && d.input < 0 {
		d.input = int32(position)
	}
}

// define returns the definition of a name in this scope, made if need be. It
// is good until the next call.
func (ix *Index) define(s *Scope, name string) *definition {
	if name == "" {
		return nil
	}
	id, ok := s.names[name]
	if !ok {
		id = int32(len(ix.definitions))
		s.names[name] = id
		ix.definitions = append(ix.definitions, definition{name: name, id: id, scope: s, input: -1})
	}
	return &ix.definitions[id]
}

// connect finds the definition that each node input reads, and lists the uses
// of each definition in the order of the scopes and nodes.
func (ix *Index) connect() {
	const unresolved = -1
	inputs := 0
	for _, s := range ix.scopes {
		for _, n := range s.Nodes() {
			inputs += len(n.Inputs)
		}
	}
	read := make([]int32, 0, inputs) // for each node input in turn, what it reads
	counts := make([]int32, len(ix.definitions))
	total := int32(0)
	for _, s := range ix.scopes {
		for _, n := range s.Nodes() {
			for _, name := range n.Inputs {
				id := int32(unresolved)
				if d := s.find(name); d != nil {
					id = d.id
					counts[id]++
					total++
				}
				read = append(read, id)
			}
		}
	}
	from := int32(0)
	for id, count := range counts {
		ix.definitions[id].uses = [2]int32{from, from}
		from += count
	}
	ix.uses = make([]Use, total)
	next := 0
	for _, s := range ix.scopes {
		for _, n := range s.Nodes() {
			for i := range n.Inputs {
				if id := read[next]; id != unresolved {
					d := &ix.definitions[id]
					ix.uses[d.uses[1]] = Use{Scope: s, Node: n, Input: i}
					d.uses[1]++
				}
				next++
			}
		}
	}
}

// Main returns the scope of the model's graph.
func (ix *Index) Main() *Scope { return ix.scopes[0] }

// Scopes returns all scopes: the main graph and the bodies in it, depth first,
// then each function and the bodies in it. The slice is the caller's.
func (ix *Index) Scopes() []*Scope { return append([]*Scope(nil), ix.scopes...) }

// Scope returns the scope of a graph, nil if the model has no such graph. Of a
// graph that stands in several places it is the first.
func (ix *Index) Scope(g *Graph) *Scope { return ix.byGraph[g] }

// Function returns the local function that a node calls, nil if it calls none.
func (ix *Index) Function(n *Node) *Function {
	if len(ix.functions) == 0 {
		return nil
	}
	return ix.functions[functionKey{canonicalDomain(n.Domain), n.OpType, n.Overload}]
}
