package onnx

import "slices"

// Constant is a value that is known without running the model: an initializer
// or the output of a Constant node, or either behind a chain of Identity,
// Transpose, Reshape, Cast, Squeeze and Unsqueeze. It is found out without
// reading any weight; only the small tensors that hold shapes and axes are read.
type Constant struct {
	Type DType
	Dims []int64 // with Type: of the value itself, after the steps

	// Source is the tensor that the chain starts at. For a Constant node that
	// holds a number, a list or a sparse tensor, and for a sparse initializer,
	// it is a dense tensor that stands for it.
	Source      *Tensor
	Scope       *Scope  // where Source's name is defined
	Root        string  // that name
	Path        []*Node // the Constant node (if any) and the nodes seen through, source first
	Overridable bool    // Source may be replaced by a caller: it is a graph input too, and IR >= 4

	steps []step
}

// Tensor returns the value as a tensor of its own. Its payload applies the steps
// when its bytes are asked for; where there is nothing to compute it is the source's.
func (c *Constant) Tensor(name string) *Tensor {
	t := &Tensor{Name: name, Type: c.Type, Dims: slices.Clone(c.Dims)}
	switch {
	case c.Type == String:
		t.Strings = stringsAfter(c.Source.Strings, c.steps)
	case len(c.steps) == 0:
		t.Data = c.Source.Data
	default:
		t.Data = &computed{source: c.Source, steps: c.steps, result: &Tensor{Name: name, Type: c.Type, Dims: t.Dims}}
	}
	return t
}

// maxChain is the longest chain that is seen through.
const maxChain = 256

// link is a constant as the index keeps it: one node more than the link before.
type link struct {
	before *link // nil at the source
	length int   // of the chain of nodes, source included
	node   *Node // nil for an initializer
	step   *step // what the node does to the elements' order or type, nil: nothing
	dtype  DType
	dims   []int64

	source      *Tensor // at the source
	root        *definition
	overridable bool
}

// resolution is how far a definition's constant has been worked out.
type resolution uint8

const (
	unknown resolution = iota
	underWay
	known
)

// Constant returns what is known of a name visible here, nil if it is not a
// constant. A chain of more than 256 nodes is not seen through.
func (s *Scope) Constant(name string) *Constant {
	d := s.find(name)
	if d == nil {
		return nil
	}
	s.index.mu.Lock()
	last := s.index.resolve(d)
	s.index.mu.Unlock()
	if last == nil {
		return nil
	}
	return last.constant()
}

// constant gathers a chain.
func (l *link) constant() *Constant {
	c := &Constant{Type: l.dtype, Dims: slices.Clone(l.dims)}
	for ; ; l = l.before {
		if l.node != nil {
			c.Path = append(c.Path, l.node)
		}
		if l.step != nil {
			c.steps = append(c.steps, *l.step)
		}
		if l.before == nil {
			break
		}
	}
	slices.Reverse(c.Path)
	slices.Reverse(c.steps)
	c.Source, c.Overridable = l.source, l.overridable
	c.Scope, c.Root = l.root.scope, l.root.name
	return c
}

// resolve works out a definition's constant. Each definition is worked out once,
// and those it depends on before it, on a stack of its own: neither long chains
// nor circles do any harm.
func (ix *Index) resolve(d *definition) *link {
	stack := []*definition{d}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		if top.resolved == known {
			stack = stack[:len(stack)-1]
			continue
		}
		top.resolved = underWay
		if next := ix.pending(top); next != nil {
			stack = append(stack, next)
			continue
		}
		top.constant = ix.evaluate(top)
		top.resolved = known
		stack = stack[:len(stack)-1]
	}
	return d.constant
}

// pending returns a definition that has to be worked out before this one.
func (ix *Index) pending(d *definition) *definition {
	if !ix.seenThrough(d) {
		return nil
	}
	for i := range min(len(d.producer.Inputs), 2) {
		if in := d.scope.find(d.producer.Inputs[i]); in != nil && in.resolved == unknown {
			return in
		}
	}
	return nil
}

// seenThrough reports whether a definition is the output of a node that may be
// a step of a chain.
func (ix *Index) seenThrough(d *definition) bool {
	n := d.producer
	if n == nil || d.initializer != nil || d.sparse != nil || d.input >= 0 {
		return false
	}
	if canonicalDomain(n.Domain) != "" || n.Overload != "" || len(n.Inputs) == 0 || n.Inputs[0] == "" ||
		len(n.Outputs) == 0 || n.Outputs[0] != d.name || ix.Function(n) != nil {
		return false
	}
	switch n.OpType {
	case "Identity", "Transpose", "Reshape", "Cast", "Squeeze", "Unsqueeze":
		return true
	}
	return false
}

// evaluate makes a definition's link once those it depends on are known; one
// that is still under way is part of a circle and not constant.
func (ix *Index) evaluate(d *definition) *link {
	if !ix.seenThrough(d) {
		return ix.evaluateSource(d)
	}
	before := d.scope.find(d.producer.Inputs[0])
	if before == nil || before.constant == nil || before.constant.length >= maxChain {
		return nil
	}
	var operand *link
	hasOperand := len(d.producer.Inputs) > 1 && d.producer.Inputs[1] != ""
	if hasOperand {
		in := d.scope.find(d.producer.Inputs[1])
		if in == nil || in.constant == nil {
			return nil
		}
		operand = in.constant
	}
	return follow(before.constant, d.producer, operand, d.scope.Opset(""))
}

// evaluateSource makes the link that a chain starts at.
func (ix *Index) evaluateSource(d *definition) *link {
	l := &link{length: 1, root: d}
	switch {
	case d.producer != nil && (d.initializer != nil || d.sparse != nil || d.input >= 0):
		return nil // defined twice: whatever it is, it is not sure to be constant
	case d.initializer != nil:
		l.source = d.initializer
	case d.sparse != nil:
		l.source = dense(d.name, d.sparse)
	case d.producer != nil:
		n := d.producer
		if n.OpType != "Constant" || canonicalDomain(n.Domain) != "" || n.Overload != "" || ix.Function(n) != nil ||
			len(n.Inputs) != 0 || len(n.Outputs) != 1 {
			return nil
		}
		l.node, l.source = n, constantValue(n)
	}
	if l.source == nil {
		return nil
	}
	if d.input >= 0 {
		if owner := d.scope.Owner; owner != nil {
			// The owner of a body feeds its first inputs, whatever initializers say.
			if int(d.input) < len(owner.Inputs) {
				return nil
			}
		} else {
			l.overridable = ix.model.IRVersion >= irInputsAreNotInitializers
		}
	}
	l.dtype, l.dims = l.source.Type, l.source.Dims
	return l
}

// irInputsAreNotInitializers is the IR version from which on an initializer
// need not be listed as a graph input, so that one that is has a meaning: a
// default that a caller may override.
const irInputsAreNotInitializers = 4

// constantValue returns the value of a Constant node as a tensor, nil if it has
// none that is constant: a function's node may take it from the call.
func constantValue(n *Node) *Tensor {
	if len(n.Attrs) != 1 || n.Attrs[0].RefName != "" {
		return nil
	}
	name, a := n.Outputs[0], n.Attrs[0]
	switch {
	case a.Name == "value" && a.Type == AttrTensor && a.T != nil:
		return a.T
	case a.Name == "sparse_value" && a.Type == AttrSparseTensor && a.Sparse != nil:
		return dense(name, a.Sparse)
	case a.Name == "value_float" && a.Type == AttrFloat:
		return FloatTensor(name, nil, []float32{a.F})
	case a.Name == "value_floats" && a.Type == AttrFloats:
		return FloatTensor(name, []int64{int64(len(a.Floats))}, a.Floats)
	case a.Name == "value_int" && a.Type == AttrInt:
		return Int64Tensor(name, nil, []int64{a.I})
	case a.Name == "value_ints" && a.Type == AttrInts:
		return Int64Tensor(name, []int64{int64(len(a.Ints))}, a.Ints)
	case a.Name == "value_string" && a.Type == AttrString:
		return &Tensor{Name: name, Type: String, Strings: [][]byte{a.S}}
	case a.Name == "value_strings" && a.Type == AttrStrings:
		return &Tensor{Name: name, Type: String, Dims: []int64{int64(len(a.Strings))}, Strings: a.Strings}
	}
	return nil
}
