package onnx

import (
	"fmt"
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

func (s *Scope) at(n *Node) string { return s.place() + ": " + nodePlace(n) }

// scope checks a scope and the bodies inside it, in the order of execution.
func (c *checker) scope(s *Scope) {
	if s.Graph != nil {
		c.graphNames(s)
	} else {
		for _, name := range s.Function.Inputs {
			c.define(s, "input", name, s.place)
		}
	}
	bodies := s.bodies
	for _, n := range s.Nodes() {
		c.node(s, n)
		for len(bodies) > 0 && bodies[0].Owner == n {
			c.scope(bodies[0])
			bodies = bodies[1:]
		}
		for _, name := range n.Outputs {
			if name != "" {
				c.define(s, "output", name, func() string { return s.at(n) })
			}
		}
	}
	var outputs []string
	if s.Graph != nil {
		for _, v := range s.Graph.Outputs {
			outputs = append(outputs, v.Name)
		}
	} else {
		outputs = s.Function.Outputs
	}
	for _, name := range outputs {
		if d := s.find(name); d == nil || !c.ready[d.id] {
			c.fail(s.place(), "output %q is not defined", name)
		}
	}
}

// graphNames defines a graph's inputs and initializers.
func (c *checker) graphNames(s *Scope) {
	for _, v := range s.Graph.Inputs {
		c.define(s, "input", v.Name, s.place)
		c.rank(s.place, v)
	}
	for _, v := range s.Graph.Outputs {
		c.rank(s.place, v)
	}
	stored := map[string]bool{}
	initializer := func(name string) {
		switch {
		case name == "":
			c.fail(s.place(), "an initializer has no name")
		case stored[name]:
			c.fail(s.place(), "initializer %q is there twice", name)
		case s.IsInput(name):
			// An input with a default, or one of a model from before IR version 4.
		default:
			c.define(s, "initializer", name, s.place)
			if s.Parent == nil && c.ix.model.IRVersion < irInputsAreNotInitializers {
				c.warn(s.place(), "initializer %q is not an input too, as IR version %d asks for", name, c.ix.model.IRVersion)
			}
		}
		stored[name] = true
	}
	for _, t := range s.Graph.Initializers {
		initializer(t.Name)
		c.tensor(s.place, t)
	}
	for _, t := range s.Graph.SparseInitializers {
		if t.Values != nil {
			initializer(t.Values.Name)
		}
		c.sparse(s.place, t)
	}
}

// define notes that a name has a value from here on.
func (c *checker) define(s *Scope, kind, name string, place func() string) {
	if name == "" {
		c.fail(place(), "an %s has no name", kind)
		return
	}
	id := s.names[name]
	if c.ready[id] {
		c.fail(place(), "%s %q is defined already", kind, name)
	}
	c.ready[id] = true
	c.textAt(place, kind, name)
	if s.Parent != nil {
		if outer := s.Parent.find(name); outer != nil {
			c.warn(place(), "%s %q hides the %q of a scope around it", kind, name, name)
		}
	}
}

func (c *checker) node(s *Scope, n *Node) {
	place := func() string { return s.at(n) }
	if n.OpType == "" {
		c.fail(place(), "it has no operator type")
	}
	c.textAt(place, "its operator type", n.OpType)
	c.textAt(place, "its name", n.Name)
	c.operator(s, n)
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		switch d := s.find(name); {
		case d == nil:
			c.fail(place(), "input %d, %q, is defined nowhere", i, name)
		case !c.ready[d.id]:
			c.fail(place(), "input %d, %q, is used before it is defined", i, name)
		}
	}
	c.attributes(s, place, n.Attrs)
}

// operator checks that the node's domain and function are known.
func (c *checker) operator(s *Scope, n *Node) {
	if f := c.ix.Function(n); f != nil {
		if len(n.Inputs) > len(f.Inputs) || len(n.Outputs) > len(f.Outputs) {
			c.fail(s.at(n), "%d inputs and %d outputs, but %s has %d and %d",
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
		c.warn(s.at(n), "domain %q is not known here", n.Domain)
	} else if s.Opset(domain) == 0 && (domain != "" || c.ix.model.IRVersion >= 3) {
		c.domains[domain] = true
		c.warn(s.at(n), "domain %q is not imported", n.Domain)
	}
}

func (c *checker) attributes(s *Scope, place func() string, attrs []*Attr) {
	var seen map[string]bool
	if len(attrs) > 1 {
		seen = make(map[string]bool, len(attrs))
	}
	for _, a := range attrs {
		if a.Name == "" {
			c.fail(place(), "an attribute has no name")
		}
		if seen[a.Name] {
			c.fail(place(), "attribute %q is there twice", a.Name)
		}
		if seen != nil {
			seen[a.Name] = true
		}
		c.textAt(place, "attribute", a.Name)
		if a.RefName != "" {
			if !s.inFunction() {
				c.fail(place(), "attribute %q refers to attribute %q of a call, but is not in a function", a.Name, a.RefName)
			}
			continue
		}
		c.attribute(place, a)
	}
}

func (s *Scope) inFunction() bool {
	for s.Parent != nil {
		s = s.Parent
	}
	return s.Function != nil
}

// attribute checks that the value that an attribute's type names is there.
func (c *checker) attribute(place func() string, a *Attr) {
	missing := false
	switch a.Type {
	case AttrUndefined:
		c.warn(place(), "attribute %q has neither type nor value", a.Name)
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
			c.fail(place(), "attribute %q has the unknown type %d", a.Name, a.Type)
		}
	}
	if missing {
		c.fail(place(), "attribute %q lacks the value that its type promises", a.Name)
	}
	within := func() string { return fmt.Sprintf("%s: attribute %q", place(), a.Name) }
	if a.T != nil {
		c.tensor(within, a.T)
	}
	for _, t := range a.Tensors {
		c.tensor(within, t)
	}
	if a.Sparse != nil {
		c.sparse(within, a.Sparse)
	}
	for _, t := range a.SparseTensors {
		c.sparse(within, t)
	}
}
