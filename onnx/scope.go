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
	names   map[string]int32 // of what is defined here
	outputs map[string]bool
	bodies  []*Scope
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

// find returns the definition of a name as it is seen from here, nil if there is none.
func (s *Scope) find(name string) *definition {
	if name == "" {
		return nil
	}
	for ; s != nil; s = s.Parent {
		if id, ok := s.names[name]; ok {
			return &s.index.definitions[id]
		}
	}
	return nil
}

// Lookup returns the scope that defines a name, looking from here outwards;
// nil if none does.
func (s *Scope) Lookup(name string) *Scope {
	if d := s.find(name); d != nil {
		return d.scope
	}
	return nil
}

// Producer returns the node whose output a name visible here is, nil if it is
// an input, an initializer or unknown.
func (s *Scope) Producer(name string) *Node {
	if d := s.find(name); d != nil {
		return d.producer
	}
	return nil
}

// Initializer returns the dense initializer that a name visible here is, nil if
// it is none.
func (s *Scope) Initializer(name string) *Tensor {
	if d := s.find(name); d != nil {
		return d.initializer
	}
	return nil
}

// IsInput reports whether a name is an input of this very graph or function.
func (s *Scope) IsInput(name string) bool {
	id, ok := s.names[name]
	return ok && s.index.definitions[id].input >= 0
}

// IsOutput reports whether a name is an output of this very graph or function.
// (A body may put out a name of a scope around it.)
func (s *Scope) IsOutput(name string) bool { return s.outputs[name] }

// Users returns every node input that reads the value that a name means here,
// those in bodies included, in the order of scopes and nodes. The slice belongs
// to the index: callers do not write to it. Outputs of graphs are no users.
func (s *Scope) Users(name string) []Use {
	d := s.find(name)
	if d == nil {
		return nil
	}
	return s.index.uses[d.uses[0]:d.uses[1]:d.uses[1]]
}
