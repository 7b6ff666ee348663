package onnx

import (
	"errors"
	"fmt"
)

// maxFindings bounds how many errors and how many warnings Check returns: the
// first ones say what is wrong, and a hostile model has no end of them.
const maxFindings = 100

// newestOpset is the newest version of ONNX's own domains that is known here,
// and newestIR the newest IR version: those of ONNX 1.23.
const newestIR = 14

func newestOpset(domain string) (version int64, ok bool) {
	switch canonicalDomain(domain) {
	case "":
		return 28, true
	case "ai.onnx.ml":
		return 5, true
	case "ai.onnx.training", "ai.onnx.preview.training", "ai.onnx.preview", "com.microsoft":
		return 1, true
	}
	return 0, false
}

// Check looks for what makes a model unsound: names that are defined twice or
// not at all, nodes before those they read from, attributes that are there twice
// or hold nothing, tensors with more or fewer bytes than their shape asks for,
// external data that is not there. The errors are joined, each says where it is;
// warnings are for what may be right but is not known here, such as unknown
// domains. No weight is read, and nothing is computed: types and shapes of
// values are not checked against operators.
func Check(m *Model) (warnings []string, err error) {
	ix, err := NewIndex(m)
	if err != nil {
		return nil, err
	}
	return ix.Check()
}

// Check is the function of that name for a model that has an index already.
func (ix *Index) Check() (warnings []string, err error) {
	m := ix.model
	c := &checker{ix: ix, ready: make([]bool, len(ix.values)), stored: make([]bool, len(ix.values)), domains: map[string]bool{}}
	c.model(m)
	next := 0
	for next < len(ix.scopes) { // bodies are checked at their owners' place
		top := ix.scopes[next]
		next += 1 + top.countBodies()
		c.scope(top)
	}
	c.recursion(m)
	if c.moreWarnings > 0 {
		c.warnings = append(c.warnings, fmt.Sprintf("and %d warnings more", c.moreWarnings))
	}
	if c.moreErrors > 0 {
		c.errs = append(c.errs, fmt.Errorf("onnx: and %d errors more", c.moreErrors))
	}
	return c.warnings, errors.Join(c.errs...)
}

func (s *Scope) countBodies() int {
	n := len(s.bodies)
	for _, body := range s.bodies {
		n += body.countBodies()
	}
	return n
}

// checker gathers findings.
type checker struct {
	ix      *Index
	ready   []bool          // by ValueID: has a value at this point
	stored  []bool          // by ValueID: is an initializer that was met
	domains map[string]bool // that were warned about

	warnings                 []string
	errs                     []error
	moreWarnings, moreErrors int
}

// spot is where something is, for messages; it is put into words only then. The
// zero spot is the model itself.
type spot struct {
	scope     *Scope
	node      *Node
	attribute *Attr
	function  *Function // alone
}

func (s spot) String() string {
	switch {
	case s.function != nil:
		return functionPlace(s.function)
	case s.scope == nil:
		return "model"
	}
	text := s.scope.place()
	if s.node != nil {
		text += ": " + nodePlace(s.node)
	}
	if s.attribute != nil {
		text += fmt.Sprintf(": attribute %q", s.attribute.Name)
	}
	return text
}

func (c *checker) warn(at spot, format string, args ...any) {
	if len(c.warnings) >= maxFindings {
		c.moreWarnings++
		return
	}
	c.warnings = append(c.warnings, at.String()+": "+fmt.Sprintf(format, args...))
}

func (c *checker) fail(at spot, format string, args ...any) {
	if len(c.errs) >= maxFindings {
		c.moreErrors++
		return
	}
	c.errs = append(c.errs, fmt.Errorf("onnx: %s: "+format, append([]any{at}, args...)...))
}

func (c *checker) model(m *Model) {
	switch {
	case m.IRVersion <= 0:
		c.fail(spot{}, "there is no IR version")
	case m.IRVersion > newestIR:
		c.warn(spot{}, "IR version %d is newer than what is known here (%d)", m.IRVersion, newestIR)
	}
	if len(m.Opsets) == 0 && m.IRVersion >= 3 {
		c.fail(spot{}, "it imports no operator set")
	}
	c.imports(spot{}, m.Opsets)
	seen := map[functionKey]bool{}
	for i, f := range m.Functions {
		key := functionKey{canonicalDomain(f.Domain), f.Name, f.Overload}
		if f.Name == "" {
			c.fail(spot{}, "function %d has no name", i)
		} else if seen[key] {
			c.fail(spot{function: f}, "it is defined twice")
		}
		seen[key] = true
		c.imports(spot{function: f}, f.Opsets)
	}
}

func functionPlace(f *Function) string {
	name := f.Name
	if f.Domain != "" {
		name = f.Domain + "." + name
	}
	if f.Overload != "" {
		name += ":" + f.Overload
	}
	return fmt.Sprintf("function %q", name)
}

func (c *checker) imports(where spot, imports []OpsetImport) {
	seen := map[string]int64{}
	for _, o := range imports {
		domain := canonicalDomain(o.Domain)
		if version, ok := seen[domain]; ok && version != o.Version {
			c.fail(where, "domain %q is imported in versions %d and %d", o.Domain, version, o.Version)
		}
		seen[domain] = o.Version
		newest, known := newestOpset(domain)
		if known && o.Version > newest {
			c.warn(where, "version %d of domain %q is newer than what is known here (%d)", o.Version, o.Domain, newest)
		}
	}
}

// recursion looks for functions that call themselves, each function visited once.
func (c *checker) recursion(m *Model) {
	const (
		open = 1 + iota
		closed
	)
	state := map[*Function]int{}
	callees := map[*Function][]*Function{}
	for _, s := range c.ix.scopes {
		top := s
		for top.Parent != nil {
			top = top.Parent
		}
		if top.Function == nil {
			continue
		}
		for _, n := range s.Nodes() {
			if f := c.ix.Function(n); f != nil {
				callees[top.Function] = append(callees[top.Function], f)
			}
		}
	}
	type frame struct {
		f    *Function
		next int
	}
	for _, f := range m.Functions {
		if state[f] != 0 {
			continue
		}
		state[f] = open
		stack := []frame{{f: f}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.next == len(callees[top.f]) {
				state[top.f] = closed
				stack = stack[:len(stack)-1]
				continue
			}
			callee := callees[top.f][top.next]
			top.next++
			switch state[callee] {
			case open:
				c.fail(spot{function: callee}, "it calls itself, directly or by way of others")
			case 0:
				state[callee] = open
				stack = append(stack, frame{f: callee})
			}
		}
	}
}
