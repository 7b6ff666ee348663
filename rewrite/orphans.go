package rewrite

import "github.com/onnx-tinyq/onnx-tinyq/onnx"

// orphans finds what nothing reads any more because of the replacements: weights
// whose int8 twins took over, the Transpose that stood before one, a cast whose
// only reader now reads the value before it. What nobody read in the original
// either is not ours to remove.
type orphans struct {
	edit       *edit
	change     map[value]int // of the number of readers, against the original
	candidates []value       // values that lost a reader
	producers  map[value]*onnx.Node
	scopes     map[string]*onnx.Scope // where the new names are defined
}

// value is a name and the scope that defines it.
type value struct {
	scope *onnx.Scope
	name  string
}

func newOrphans(e *edit) *orphans {
	return &orphans{
		edit:      e,
		change:    map[value]int{},
		producers: map[value]*onnx.Node{},
		scopes:    map[string]*onnx.Scope{},
	}
}

// replaced counts the readers that a replacement takes away and adds.
func (o *orphans) replaced(b *Builder) {
	for scope, tensors := range b.constant {
		for _, t := range tensors {
			o.scopes[t.Name] = scope
		}
	}
	for _, node := range b.nodes {
		for _, output := range node.Outputs {
			if b.Scope.Lookup(output) == nil {
				o.scopes[output] = b.Scope
			}
			o.producers[value{b.Scope, output}] = node
		}
	}
	for _, node := range b.nodes {
		o.read(b.Scope, node, +1)
	}
	for _, node := range b.replaces {
		o.read(b.Scope, node, -1)
	}
}

// read counts a node's inputs as read once more or once less. What the node's
// own bodies read keeps its count: a body may live on in the new node.
func (o *orphans) read(scope *onnx.Scope, node *onnx.Node, by int) {
	for _, name := range node.Inputs {
		if name == "" {
			continue
		}
		defining := o.scopes[name]
		if defining == nil {
			defining = scope.Lookup(name)
		}
		if defining == nil {
			continue
		}
		v := value{defining, name}
		o.change[v] += by
		if by < 0 {
			o.candidates = append(o.candidates, v)
		}
	}
}

// unread says whether nothing reads a value in the new model.
func (o *orphans) unread(v value) bool {
	if o.edit.outputs[v.name] {
		return false
	}
	readers := o.change[v]
	if o.scopes[v.name] == nil {
		readers += len(v.scope.Users(v.name))
	}
	return readers <= 0
}

// sweep removes the orphans, and what only they read, from the edit.
func (o *orphans) sweep() {
	for len(o.candidates) > 0 {
		v := o.candidates[len(o.candidates)-1]
		o.candidates = o.candidates[:len(o.candidates)-1]
		if !o.unread(v) {
			continue
		}
		here := o.edit.in(v.scope)
		node := o.producers[v]
		if node == nil && o.scopes[v.name] == nil {
			node = v.scope.Producer(v.name)
		}
		if node == nil {
			// An input stays an input, whoever reads it, unless it is only the
			// listing of an initializer that old models ask for.
			if !v.scope.IsInput(v.name) || o.edit.original.IRVersion <= initializersAreInputs {
				here.dropped[v.name] = true
			}
			continue
		}
		if here.removed[node] && o.producers[v] == nil || here.swept[node] || hasBody(node) || !o.allUnread(v.scope, node) {
			continue
		}
		here.swept[node] = true
		for _, output := range node.Outputs {
			here.dropped[output] = true
			delete(here.defined, output)
		}
		o.read(v.scope, node, -1)
	}
}

func (o *orphans) allUnread(scope *onnx.Scope, node *onnx.Node) bool {
	for _, output := range node.Outputs {
		if output != "" && !o.unread(value{scope, output}) {
			return false
		}
	}
	return true
}

func hasBody(node *onnx.Node) bool {
	for _, a := range node.Attrs {
		if a.G != nil || len(a.Graphs) > 0 {
			return true
		}
	}
	return false
}
