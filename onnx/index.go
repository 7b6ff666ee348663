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
//
// Names are looked up once: each value has a number, and a node's operands are
// known by their numbers ([Scope.Reads], [Scope.Defines]), so that a sweep over a
// large graph needs no name at all.
type Index struct {
	model     *Model
	scopes    []*Scope
	byGraph   map[*Graph]*Scope
	functions map[functionKey]*Function

	names    []string     // by ValueID
	values   []definition // by ValueID
	uses     []Use        // grouped by the value that is read
	operands []ValueID    // of all nodes; see Scope.operands

	mu       sync.Mutex   // guards what follows, which is worked out when asked for
	resolved []resolution // by ValueID
	links    []*link      // by ValueID
}

// ValueID is a value's number in an Index: from 0 on, without gaps, in the order
// in which scopes define their names.
type ValueID int32

// NoValue stands for an operand that is left out, or a name that nothing defines.
const NoValue ValueID = -1

// functionKey is what a node calls a local function by.
type functionKey struct{ domain, name, overload string }

// definition is one name in one scope. In a sound model it is given by one of
// input, initializer and producer (before IR version 4, and for a default
// value, by an input and an initializer); the first of its kind counts. Each is
// a place in the scope's list of them, -1 if there is none.
type definition struct {
	scope       int32 // in Index.scopes
	input       int32
	producer    int32
	initializer int32
	sparse      int32
	uses        [2]int32 // from, to in Index.uses
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
	s.index, s.number = ix, int32(len(ix.scopes))
	ix.scopes = append(ix.scopes, s)
	nodes := s.Nodes()
	names, operands := s.count()
	s.names = make(map[string]ValueID, names)
	ix.names, ix.values = slices.Grow(ix.names, names), slices.Grow(ix.values, names)
	ix.operands = slices.Grow(ix.operands, operands)
	s.operands = make([]int32, 0, 2*len(nodes)+1)
	s.outputs = map[string]bool{}
	if g := s.Graph; g != nil {
		if ix.byGraph[g] == nil {
			ix.byGraph[g] = s
		}
		for i, v := range g.Inputs {
			ix.input(s, v.Name, i)
		}
		for i, t := range g.Initializers {
			if d := ix.definition(ix.define(s, t.Name)); d != nil && d.initializer < 0 && d.sparse < 0 {
				d.initializer = int32(i)
			}
		}
		for i, t := range g.SparseInitializers {
			if t.Values == nil {
				continue
			}
			if d := ix.definition(ix.define(s, t.Values.Name)); d != nil && d.initializer < 0 && d.sparse < 0 {
				d.sparse = int32(i)
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
	for i, n := range nodes {
		s.operands = append(s.operands, int32(len(ix.operands)))
		for range n.Inputs {
			ix.operands = append(ix.operands, NoValue) // connect knows what they read
		}
		s.operands = append(s.operands, int32(len(ix.operands)))
		for _, name := range n.Outputs {
			id := ix.define(s, name)
			if d := ix.definition(id); d != nil && d.producer < 0 {
				d.producer = int32(i)
			}
			ix.operands = append(ix.operands, id)
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
	s.operands = append(s.operands, int32(len(ix.operands)))
	for _, body := range s.bodies {
		if err := ix.add(body, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// count is how many names a scope defines, if it defines none twice, and how
// many operands its nodes have.
func (s *Scope) count() (names, operands int) {
	if g := s.Graph; g != nil {
		names = len(g.Inputs) + len(g.Initializers) + len(g.SparseInitializers)
	} else {
		names = len(s.Function.Inputs)
	}
	for _, n := range s.Nodes() {
		names += len(n.Outputs)
		operands += len(n.Inputs) + len(n.Outputs)
	}
	return names, operands
}

func (ix *Index) input(s *Scope, name string, position int) {
	if d := ix.definition(ix.define(s, name)); d != nil && d.input < 0 {
		d.input = int32(position)
	}
}

// define numbers a name of this scope, if it has no number yet.
func (ix *Index) define(s *Scope, name string) ValueID {
	if name == "" {
		return NoValue
	}
	id, ok := s.names[name]
	if !ok {
		id = ValueID(len(ix.values))
		s.names[name] = id
		ix.names = append(ix.names, name)
		ix.values = append(ix.values, definition{scope: s.number, input: -1, producer: -1, initializer: -1, sparse: -1})
	}
	return id
}

// definition is what there is to a number, nil for NoValue. It is good until the
// next name is numbered.
func (ix *Index) definition(id ValueID) *definition {
	if id == NoValue {
		return nil
	}
	return &ix.values[id]
}

// connect finds the value that each node input reads, and lists the uses of each
// value in the order of the scopes and nodes.
func (ix *Index) connect() {
	counts := make([]int32, len(ix.values))
	total := int32(0)
	for _, s := range ix.scopes {
		before := NoValue // nodes mostly read what the one before them gives
		for i, n := range s.Nodes() {
			for at, name := range n.Inputs {
				id := before
				if id == NoValue || ix.names[id] != name {
					id = s.ID(name)
				}
				if id != NoValue {
					ix.operands[int(s.operands[2*i])+at] = id
					counts[id]++
					total++
				}
			}
			if defined := s.Defines(i); len(defined) > 0 {
				before = defined[0]
			}
		}
	}
	from := int32(0)
	for id, count := range counts {
		ix.values[id].uses = [2]int32{from, from}
		from += count
	}
	ix.uses = make([]Use, total)
	for _, s := range ix.scopes {
		for i, n := range s.Nodes() {
			for at, id := range s.Reads(i) {
				if id != NoValue {
					d := &ix.values[id]
					ix.uses[d.uses[1]] = Use{Scope: s, Node: n, Input: at}
					d.uses[1]++
				}
			}
		}
	}
}

// Values is how many values there are: their numbers are less.
func (ix *Index) Values() int { return len(ix.values) }

// Name is a value's name, in the scope that defines it.
func (ix *Index) Name(id ValueID) string { return ix.names[id] }

// Definition returns the scope that defines a value, and the place there of the
// node whose output it is: -1 for an input or an initializer.
func (ix *Index) Definition(id ValueID) (scope *Scope, node int) {
	d := &ix.values[id]
	return ix.scopes[d.scope], int(d.producer)
}

// Users is Scope.Users for a value's number; there are none of NoValue.
func (ix *Index) Users(id ValueID) []Use {
	if id == NoValue {
		return nil
	}
	d := &ix.values[id]
	return ix.uses[d.uses[0]:d.uses[1]:d.uses[1]]
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
