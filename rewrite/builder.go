package rewrite

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// Builder adds the nodes and constants of one replacement. Nothing of it takes
// effect unless the Match's Build succeeds.
type Builder struct {
	// Scope is where the replaced nodes stand, and the new ones will.
	Scope *onnx.Scope
	// Sites are this match's lines of the report, for Build to complete.
	Sites []Site

	edit     *edit
	replaces []*onnx.Node
	nodes    []*onnx.Node
	constant map[*onnx.Scope][]*onnx.Tensor
	shared   map[sharedKey]string
	refused  []string
	late     []lateNote // sites whose weights are not measured yet
	imports  []onnx.OpsetImport
}

// sharedKey is what Shared remembers a value by.
type sharedKey struct {
	scope *onnx.Scope
	key   any
}

// Name returns a name that nothing in the model has: hint itself, or hint and a number.
func (b *Builder) Name(hint string) string {
	return b.edit.names.fresh(hint)
}

// Refuse reports a part of the match that is left alone after all. Build takes
// the part's line out of Sites itself.
func (b *Builder) Refuse(reason string) { b.refused = append(b.refused, reason) }

// Opset is the version of an operator set that is in force where the nodes stand.
func (b *Builder) Opset(domain string) int64 { return b.Scope.Opset(domain) }

// Import makes the model import an operator set, if it does not already.
func (b *Builder) Import(domain string, version int64) {
	b.imports = append(b.imports, onnx.OpsetImport{Domain: domain, Version: version})
}

// rename gives a value that this builder's nodes compute another name.
func (b *Builder) rename(from, to string) {
	for _, node := range b.nodes {
		for i, output := range node.Outputs {
			if output == from {
				node.Outputs[i] = to
			}
		}
	}
}

// Op adds a node of the default domain with one output, and returns that
// output's name, made from hint.
func (b *Builder) Op(hint, opType string, inputs []string, attrs ...*onnx.Attr) string {
	output := b.Name(hint)
	b.Define(output, opType, inputs, attrs...)
	return output
}

// Define adds a node of the default domain whose output has a given name:
// one of those that the replaced nodes defined.
func (b *Builder) Define(output, opType string, inputs []string, attrs ...*onnx.Attr) {
	b.Add(&onnx.Node{
		Name:    b.Name(output + "_" + opType),
		OpType:  opType,
		Inputs:  inputs,
		Outputs: []string{output},
		Attrs:   attrs,
	})
}

// Add adds a node, which may be an edited Clone of a replaced one.
func (b *Builder) Add(node *onnx.Node) { b.nodes = append(b.nodes, node) }

// Constant adds a constant to the scope where the nodes stand, under a name
// made from the tensor's own, and returns that name. The tensor is not changed.
func (b *Builder) Constant(t *onnx.Tensor) string { return b.ConstantIn(b.Scope, t) }

// ConstantIn is Constant for a scope that encloses the nodes, or is theirs: so
// that replacements in several bodies can share it. In a local function, which
// has no initializers, it becomes a Constant node.
func (b *Builder) ConstantIn(scope *onnx.Scope, t *onnx.Tensor) string {
	named := t.Clone()
	named.Name = b.Name(t.Name)
	b.constant[scope] = append(b.constant[scope], named)
	return named.Name
}

// Shared returns the value that an earlier call for the same scope and key
// made, or makes it now. A value made by nodes belongs to Builder's own scope,
// a constant to the scope it was added to.
func (b *Builder) Shared(scope *onnx.Scope, key any, make func() (string, error)) (string, error) {
	if name, ok := b.Recall(scope, key); ok {
		return name, nil
	}
	name, err := make()
	if err != nil {
		return "", err
	}
	b.Remember(scope, key, name)
	return name, nil
}

// Remember keeps a value for later replacements to Recall.
func (b *Builder) Remember(scope *onnx.Scope, key any, name string) {
	b.shared[sharedKey{scope, key}] = name
}

// Recall is the value that was remembered for a scope and key.
func (b *Builder) Recall(scope *onnx.Scope, key any) (string, bool) {
	if name, ok := b.shared[sharedKey{scope, key}]; ok {
		return name, true
	}
	name, ok := b.edit.shared[sharedKey{scope, key}]
	return name, ok
}

// commit makes the replacement part of the edit, after a check that it defines
// what is read of the nodes it replaces.
func (b *Builder) commit() error {
	defined := map[string]bool{}
	for _, node := range b.nodes {
		for _, output := range node.Outputs {
			defined[output] = true
		}
	}
	for _, node := range b.replaces {
		for _, output := range node.Outputs {
			if output != "" && !defined[output] && b.readOutside(output) {
				return fmt.Errorf("the replacement does not define %q, which the graph still reads", output)
			}
		}
	}
	b.edit.commit(b)
	return nil
}

// readOutside says whether anything but the replaced nodes reads a value.
func (b *Builder) readOutside(name string) bool {
	if b.edit.outputs[name] {
		return true
	}
	for _, use := range b.Scope.Users(name) {
		if use.Scope != b.Scope || !slices.Contains(b.replaces, use.Node) {
			return true
		}
	}
	return false
}
