package onnx

// Scope is a stretch of names: of the main graph, of a body of If, Loop or
// Scan, or of a local function. A body sees the names of the scopes around it;
// what it defines itself hides an outer name for all of the body.
type Scope struct {
	Graph    *Graph    // nil in a function's own scope
	Function *Function // set in a function's own scope, not in the bodies inside it
	Owner    *Node     // the node that a body belongs to
	Parent   *Scope    // where outer names are looked up; nil for main graph and functions

	index   *Index
	number  int32              // in Index.scopes
	names   map[string]ValueID // of what is defined here
	outputs map[string]bool
	bodies  []*Scope
	// operands says where in Index.operands those of the nodes lie: of each node
	// first the inputs, then the outputs. For each node there are two entries, where
	// its inputs begin and where its outputs do; at the end is one more.
	operands []int32
}

// Nodes returns the scope's nodes in their order; the slice is the model's.
func (s *Scope) Nodes() []*Node {
	if s.Function != nil {
		return s.Function.Nodes
	}
	return s.Graph.Nodes
}

// Bodies returns the scopes of the bodies of this scope's nodes, in their order.
func (s *Scope) Bodies() []*Scope { return append([]*Scope(nil), s.bodies...) }

// Opset returns the version of a domain that is in force here: inside a
// function the function's own, else the model's. 0: not imported.
func (s *Scope) Opset(domain string) int64 {
	for s.Parent != nil {
		s = s.Parent
	}
	if s.Function != nil {
		return s.Function.Opset(domain)
	}
	return s.index.model.Opset(domain)
}

// ID returns the number of the value that a name means here, looking from here
// outwards; NoValue if nothing defines it.
func (s *Scope) ID(name string) ValueID {
	if name == "" {
		return NoValue
	}
	for ; s != nil; s = s.Parent {
		if id, ok := s.names[name]; ok {
			return id
		}
	}
	return NoValue
}

// Reads returns, for each input of the node at a place in Nodes, the number of
// the value that it reads. The slice belongs to the index.
func (s *Scope) Reads(node int) []ValueID {
	from, to := s.operands[2*node], s.operands[2*node+1]
	return s.index.operands[from:to:to]
}

// Defines returns, for each output of the node at a place in Nodes, its number.
// The slice belongs to the index.
func (s *Scope) Defines(node int) []ValueID {
	from, to := s.operands[2*node+1], s.operands[2*node+2]
	return s.index.operands[from:to:to]
}

// find returns the definition of a name as it is seen from here, nil if there is none.
func (s *Scope) find(name string) *definition { return s.index.definition(s.ID(name)) }

// Lookup returns the scope that defines a name, looking from here outwards;
// nil if none does.
func (s *Scope) Lookup(name string) *Scope {
	if d := s.find(name); d != nil {
		return s.index.scopes[d.scope]
	}
	return nil
}

// Producer returns the node whose output a name visible here is, nil if it is
// an input, an initializer or unknown.
func (s *Scope) Producer(name string) *Node { return s.index.producer(s.find(name)) }

func (ix *Index) producer(d *definition) *Node {
	if d == nil || d.producer < 0 {
		return nil
	}
	return ix.scopes[d.scope].Nodes()[d.producer]
}

// Initializer returns the dense initializer that a name visible here is, nil if
// it is none.
func (s *Scope) Initializer(name string) *Tensor {
	if d := s.find(name); d != nil && d.initializer >= 0 {
		return s.index.scopes[d.scope].Graph.Initializers[d.initializer]
	}
	return nil
}

// IsInput reports whether a name is an input of this very graph or function.
func (s *Scope) IsInput(name string) bool {
	id, ok := s.names[name]
	return ok && s.index.values[id].input >= 0
}

// IsOutput reports whether a name is an output of this very graph or function.
// (A body may put out a name of a scope around it.)
func (s *Scope) IsOutput(name string) bool { return s.outputs[name] }

// Users returns every node input that reads the value that a name means here,
// those in bodies included, in the order of scopes and nodes. The slice belongs
// to the index: callers do not write to it. Outputs of graphs are no users.
func (s *Scope) Users(name string) []Use { return s.index.Users(s.ID(name)) }
