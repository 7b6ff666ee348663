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
	root        ValueID // the value that the chain starts at
	overridable bool

	gathered *Constant // once asked for
}

// resolution is how far a definition's constant has been worked out.
type resolution uint8

const (
	unknown resolution = iota
	underWay
	known
)

// Constant returns what is known of a name visible here, nil if it is not a
// constant. A chain of more than 256 nodes is not seen through. What is returned
// belongs to the index: callers do not write to it.
func (s *Scope) Constant(name string) *Constant { return s.index.Constant(s.ID(name)) }

// Constant is Scope.Constant for a value's number; NoValue is no constant.
func (ix *Index) Constant(id ValueID) *Constant {
	if id == NoValue {
		return nil
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.resolved == nil {
		ix.resolved, ix.links = make([]resolution, len(ix.values)), make([]*link, len(ix.values))
	}
	last := ix.resolve(id)
	if last == nil {
		return nil
	}
	if last.gathered == nil {
		c := last.constant()
		c.Scope, c.Root = ix.scopes[ix.values[last.root].scope], ix.names[last.root]
		last.gathered = c
	}
	return last.gathered
}

// constant gathers a chain; where its source is defined is left for the index to say.
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
	return c
}

// resolve works out a value's constant. Each value is worked out once, and those
// it depends on before it, on a stack of its own: neither long chains nor circles
// do any harm.
func (ix *Index) resolve(id ValueID) *link {
	if ix.resolved[id] == known {
		return ix.links[id]
	}
	stack := []ValueID{id}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		if ix.resolved[top] == known {
			stack = stack[:len(stack)-1]
			continue
		}
		ix.resolved[top] = underWay
		if next := ix.pending(top); next != NoValue {
			stack = append(stack, next)
			continue
		}
		ix.links[top] = ix.evaluate(top)
		ix.resolved[top] = known
		stack = stack[:len(stack)-1]
	}
	return ix.links[id]
}

// pending returns a value that has to be worked out before this one.
func (ix *Index) pending(id ValueID) ValueID {
	if !ix.seenThrough(id) {
		return NoValue
	}
	reads := ix.scopes[ix.values[id].scope].Reads(int(ix.values[id].producer))
	for _, in := range reads[:min(len(reads), 2)] {
		if in != NoValue && ix.resolved[in] == unknown {
			return in
		}
	}
	return NoValue
}

// seenThrough reports whether a definition is the output of a node that may be
// a step of a chain.
func (ix *Index) seenThrough(id ValueID) bool {
	d := &ix.values[id]
	n := ix.producer(d)
	if n == nil || d.initializer >= 0 || d.sparse >= 0 || d.input >= 0 {
		return false
	}
	switch n.OpType {
	case "Identity", "Transpose", "Reshape", "Cast", "Squeeze", "Unsqueeze":
	default:
		return false
	}
	return canonicalDomain(n.Domain) == "" && n.Overload == "" && len(n.Inputs) > 0 && n.Inputs[0] != "" &&
		len(n.Outputs) > 0 && n.Outputs[0] == ix.names[id] && ix.Function(n) == nil
}

// evaluate makes a value's link once those it depends on are known; one that is
// still under way is part of a circle and not constant.
func (ix *Index) evaluate(id ValueID) *link {
	if !ix.seenThrough(id) {
		return ix.evaluateSource(id)
	}
	d := &ix.values[id]
	scope, n := ix.scopes[d.scope], ix.producer(d)
	reads := scope.Reads(int(d.producer))
	before := ix.linkOf(reads[0])
	if before == nil || before.length >= maxChain {
		return nil
	}
	var operand *link
	if len(n.Inputs) > 1 && n.Inputs[1] != "" {
		if operand = ix.linkOf(reads[1]); operand == nil {
			return nil
		}
	}
	return follow(before, n, operand, scope.Opset(""))
}

func (ix *Index) linkOf(id ValueID) *link {
	if id == NoValue {
		return nil
	}
	return ix.links[id]
}

// evaluateSource makes the link that a chain starts at.
func (ix *Index) evaluateSource(id ValueID) *link {
	d := &ix.values[id]
	scope := ix.scopes[d.scope]
	if d.producer >= 0 {
		if d.initializer >= 0 || d.sparse >= 0 || d.input >= 0 {
			return nil // defined twice: whatever it is, it is not sure to be constant
		}
		n := ix.producer(d)
		if n.OpType != "Constant" || canonicalDomain(n.Domain) != "" || n.Overload != "" || ix.Function(n) != nil ||
			len(n.Inputs) != 0 || len(n.Outputs) != 1 {
			return nil
		}
	}
	l := &link{length: 1, root: id}
	switch {
	case d.initializer >= 0:
		l.source = scope.Graph.Initializers[d.initializer]
	case d.sparse >= 0:
		l.source = dense(ix.names[id], scope.Graph.SparseInitializers[d.sparse])
	case d.producer >= 0:
		l.node = ix.producer(d)
		l.source = constantValue(l.node)
	}
	if l.source == nil {
		return nil
	}
	if d.input >= 0 {
		if owner := scope.Owner; owner != nil {
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
