package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// edit collects the committed replacements of one Apply, scope by scope, and
// makes the new model of them.
type edit struct {
	original *onnx.Model
	index    *onnx.Index
	names    *nameSet
	outputs  map[string]bool // the names of all scopes' outputs
	shared   map[sharedKey]string
	scopes   map[*onnx.Scope]*scopeEdit
	orphans  *orphans
	imports  []onnx.OpsetImport // that the new nodes need
}

// scopeEdit is what changes in one scope.
type scopeEdit struct {
	removed  map[*onnx.Node]bool
	after    map[*onnx.Node][]*onnx.Node // new nodes, by the replaced node whose place they take
	constant []*onnx.Tensor
	position map[*onnx.Node]int  // of the original's nodes, once asked for
	swept    map[*onnx.Node]bool // orphans, of the original or new
	dropped  map[string]bool     // names that old nodes and initializers no longer define
	defined  map[string]bool     // names that new nodes define
}

func newEdit(m *onnx.Model, index *onnx.Index) *edit {
	e := &edit{
		original: m,
		index:    index,
		names:    newNameSet(index),
		outputs:  map[string]bool{},
		shared:   map[sharedKey]string{},
		scopes:   map[*onnx.Scope]*scopeEdit{},
	}
	for _, scope := range index.Scopes() {
		if scope.Graph != nil {
			for _, v := range scope.Graph.Outputs {
				e.outputs[v.Name] = true
			}
		} else {
			for _, name := range scope.Function.Outputs {
				e.outputs[name] = true
			}
		}
	}
	e.orphans = newOrphans(e)
	return e
}

func (e *edit) builder(found located) *Builder {
	return &Builder{
		Scope:    found.at.Scope,
		Sites:    slices.Clone(found.sites),
		edit:     e,
		replaces: found.replaces,
		constant: map[*onnx.Scope][]*onnx.Tensor{},
		shared:   map[sharedKey]string{},
	}
}

func (e *edit) in(scope *onnx.Scope) *scopeEdit {
	s := e.scopes[scope]
	if s == nil {
		s = &scopeEdit{
			removed: map[*onnx.Node]bool{},
			after:   map[*onnx.Node][]*onnx.Node{},
			swept:   map[*onnx.Node]bool{},
			dropped: map[string]bool{},
			defined: map[string]bool{},
		}
		e.scopes[scope] = s
	}
	return s
}

// commit takes a builder's replacement over.
func (e *edit) commit(b *Builder) {
	here := e.in(b.Scope)
	for _, node := range b.replaces {
		here.removed[node] = true
		for _, output := range node.Outputs {
			here.dropped[output] = true
		}
	}
	for _, node := range b.nodes {
		for _, output := range node.Outputs {
			here.defined[output] = true
		}
	}
	// The last of the replaced nodes stands after all that they read.
	last := b.replaces[0]
	if len(b.replaces) > 1 {
		for _, node := range b.replaces[1:] {
			if e.position(b.Scope, node) > e.position(b.Scope, last) {
				last = node
			}
		}
	}
	here.after[last] = append(here.after[last], b.nodes...)
	for scope, tensors := range b.constant {
		e.in(scope).constant = append(e.in(scope).constant, tensors...)
	}
	for key, name := range b.shared {
		e.shared[key] = name
	}
	e.imports = append(e.imports, b.imports...)
	e.orphans.replaced(b)
}

// position is where a node stands in its scope's list.
func (e *edit) position(scope *onnx.Scope, node *onnx.Node) int {
	here := e.in(scope)
	if here.position == nil {
		here.position = make(map[*onnx.Node]int, len(scope.Nodes()))
		for i, n := range scope.Nodes() {
			here.position[n] = i
		}
	}
	return here.position[node]
}
