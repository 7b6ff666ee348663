package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// place is where a scope is, for messages. It is worked out only when needed.
func (s *Scope) place() string {
	switch {
	case s.Function != nil:
		return functionPlace(s.Function)
	case s.Owner == nil:
		return "graph"
	}
	body := "body"
	for _, a := range s.Owner.Attrs {
		if a.G == s.Graph {
			body = a.Name
		}
	}
	return s.Parent.place() + ": " + body + " of " + nodePlace(s.Owner)
}

func nodePlace(n *Node) string {
	name := n.Name
	if name == "" {
		name = strings.Join(n.Outputs, ",")
	}
	return fmt.Sprintf("node %q (%s)", name, n.OpType)
}

// scope checks a scope and the bodies inside it, in the order of execution.
func (c *checker) scope(s *Scope) {
	here := spot{scope: s}
	if s.Graph != nil {
		c.graphNames(s)
	} else {
		for _, name := range s.Function.Inputs {
			c.define(here, "input", name, s.own(name))
		}
	}
	bodies := s.bodies
	for i, n := range s.Nodes() {
		c.node(s, i, n)
		for len(bodies) > 0 && bodies[0].Owner == n {
			c.scope(bodies[0])
			bodies = bodies[1:]
		}
		defined := s.Defines(i)
		for at, name := range n.Outputs {
			if name != "" {
				c.define(spot{scope: s, node: n}, "output", name, defined[at])
			}
		}
	}
	output := func(name string) {
		if id := s.ID(name); id == NoValue || !c.ready[id] {
			c.fail(here, "output %q is not defined", name)
		}
	}
	if s.Graph != nil {
		for _, v := range s.Graph.Outputs {
			output(v.Name)
		}
	} else {
		for _, name := range s.Function.Outputs {
			output(name)
		}
	}
}

// own is the number of a name that this very scope defines.
func (s *Scope) own(name string) ValueID {
	if id, ok := s.names[name]; ok {
		return id
	}
	return NoValue
}

// graphNames defines a graph's inputs and initializers.
func (c *checker) graphNames(s *Scope) {
	here := spot{scope: s}
	for _, v := range s.Graph.Inputs {
		c.define(here, "input", v.Name, s.own(v.Name))
		c.rank(here, v)
	}
	for _, v := range s.Graph.Outputs {
		c.rank(here, v)
	}
	initializer := func(name string) {
		id := s.own(name)
		switch {
		case id == NoValue:
			c.fail(here, "an initializer has no name")
			return
		case c.stored[id]:
			c.fail(here, "initializer %q is there twice", name)
		case c.ix.values[id].input >= 0:
			// An input with a default, or one of a model from before IR version 4.
		default:
			c.define(here, "initializer", name, id)
			if s.Parent == nil && c.ix.model.IRVersion < irInputsAreNotInitializers {
				c.warn(here, "initializer %q is not an input too, as IR version %d asks for", name, c.ix.model.IRVersion)
			}
		}
		c.stored[id] = true
	}
	for _, t := range s.Graph.Initializers {
		initializer(t.Name)
		c.tensor(here, t)
	}
	for _, t := range s.Graph.SparseInitializers {
		if t.Values != nil {
			initializer(t.Values.Name)
		}
		c.sparse(here, t)
	}
}

// define notes that a name has a value from here on.
func (c *checker) define(at spot, kind, name string, id ValueID) {
	if id == NoValue {
		c.fail(at, "an %s has no name", kind)
		return
	}
	if c.ready[id] {
		c.fail(at, "%s %q is defined already", kind, name)
	}
	c.ready[id] = true
	c.text(at, kind, name)
	if outer := at.scope.Parent; outer != nil && outer.ID(name) != NoValue {
		c.warn(at, "%s %q hides the %q of a scope around it", kind, name, name)
	}
}

func (c *checker) node(s *Scope, position int, n *Node) {
	at := spot{scope: s, node: n}
	if n.OpType == "" {
		c.fail(at, "it has no operator type")
	}
	c.text(at, "its operator type", n.OpType)
	c.text(at, "its name", n.Name)
	c.operator(s, n)
	for i, id := range s.Reads(position) {
		switch name := n.Inputs[i]; {
		case name == "":
		case id == NoValue:
			c.fail(at, "input %d, %q, is defined nowhere", i, name)
		case !c.ready[id]:
			c.fail(at, "input %d, %q, is used before it is defined", i, name)
		}
	}
	c.attributes(at, n.Attrs)
}

// operator checks that the node's domain and function are known.
func (c *checker) operator(s *Scope, n *Node) {
	at := spot{scope: s, node: n}
	if f := c.ix.Function(n); f != nil {
		if len(n.Inputs) > len(f.Inputs) || len(n.Outputs) > len(f.Outputs) {
			c.fail(at, "%d inputs and %d outputs, but %s has %d and %d",
				len(n.Inputs), len(n.Outputs), functionPlace(f), len(f.Inputs), len(f.Outputs))
		}
		return
	}
	domain := canonicalDomain(n.Domain)
	if c.domains[domain] {
		return
	}
	if _, known := newestOpset(domain); !known {
		c.domains[domain] = true
		c.warn(at, "domain %q is not known here", n.Domain)
	} else if s.Opset(domain) == 0 && (domain != "" || c.ix.model.IRVersion >= 3) {
		c.domains[domain] = true
		c.warn(at, "domain %q is not imported", n.Domain)
	}
}

// fewAttributes is up to how many attributes are compared each with each.
const fewAttributes = 8

func (c *checker) attributes(at spot, attrs []*Attr) {
	var seen map[string]bool
	if len(attrs) > fewAttributes {
		seen = make(map[string]bool, len(attrs))
	}
	twice := func(i int, name string) bool {
		if seen != nil {
			before := seen[name]
			seen[name] = true
			return before
		}
		return slices.ContainsFunc(attrs[:i], func(a *Attr) bool { return a.Name == name })
	}
	for i, a := range attrs {
		if a.Name == "" {
			c.fail(at, "an attribute has no name")
		}
		if twice(i, a.Name) {
			c.fail(at, "attribute %q is there twice", a.Name)
		}
		c.text(at, "attribute", a.Name)
		if a.RefName != "" {
			if !at.scope.inFunction() {
				c.fail(at, "attribute %q refers to attribute %q of a call, but is not in a function", a.Name, a.RefName)
			}
			continue
		}
		c.attribute(at, a)
	}
}

func (s *Scope) inFunction() bool {
	for s.Parent != nil {
		s = s.Parent
	}
	return s.Function != nil
}

// attribute checks that the value that an attribute's type names is there.
func (c *checker) attribute(at spot, a *Attr) {
	missing := false
	switch a.Type {
	case AttrUndefined:
		c.warn(at, "attribute %q has neither type nor value", a.Name)
	case AttrTensor:
		missing = a.T == nil
	case AttrGraph:
		missing = a.G == nil
	case AttrSparseTensor:
		missing = a.Sparse == nil
	case AttrTypeProto:
		missing = a.TypeProto == nil
	default:
		if a.Type < 0 || a.Type > AttrTypeProtos {
			c.fail(at, "attribute %q has the unknown type %d", a.Name, a.Type)
		}
	}
	if missing {
		c.fail(at, "attribute %q lacks the value that its type promises", a.Name)
	}
	at.attribute = a
	if a.T != nil {
		c.tensor(at, a.T)
	}
	for _, t := range a.Tensors {
		c.tensor(at, t)
	}
	if a.Sparse != nil {
		c.sparse(at, a.Sparse)
	}
	for _, t := range a.SparseTensors {
		c.sparse(at, t)
	}
}
