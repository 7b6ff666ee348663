package onnxgo

import (
	"fmt"
	"slices"

	backendapi "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	gorgonia "gorgonia.org/tensor"
)

// node is a value of the graph: an input, an initializer, or a result.
type node struct {
	id       int64
	name     string
	produced bool // by an operation
	operands []edge
	carried  gorgonia.Tensor // as it was set or computed last
}

var (
	_ backendapi.Namer       = (*node)(nil)
	_ backendapi.DataCarrier = (*node)(nil)
)

// ID is the node's number: the order in which nodes were made, as onnx-go expects.
func (n *node) ID() int64                  { return n.id }
func (n *node) SetName(name string)        { n.name = name }
func (n *node) GetName() string            { return n.name }
func (n *node) GetTensor() gorgonia.Tensor { return n.carried }
func (n *node) SetTensor(t gorgonia.Tensor) error {
	n.carried = t
	return nil
}

// label is a name for the node that no other has, though names might repeat.
func (n *node) label() string { return fmt.Sprintf("%d %s", n.id, n.name) }

// edge leads from a result to one of its operands; its weight is the operand's place.
type edge struct {
	from, node *node
	place      int
}

func (e edge) From() graph.Node         { return e.from }
func (e edge) To() graph.Node           { return e.node }
func (e edge) Weight() float64          { return float64(e.place) }
func (e edge) ReversedEdge() graph.Edge { return edge{from: e.node, node: e.from, place: e.place} }

// NewNode returns a node with a number of its own.
func (b *Backend) NewNode() graph.Node {
	n := &node{id: int64(len(b.nodes))}
	b.nodes = append(b.nodes, n)
	return n
}

// AddNode does nothing: a node belongs to the graph once NewNode has made it.
func (b *Backend) AddNode(graph.Node) {}

// NewWeightedEdge returns an edge from a result to the operand at a place. Nodes
// that are not of this backend give an edge that cannot be set.
func (b *Backend) NewWeightedEdge(from, to graph.Node, weight float64) graph.WeightedEdge {
	if b.declared < 0 {
		b.declared = len(b.nodes)
	}
	f, _ := from.(*node)
	t, _ := to.(*node)
	return edge{f, t, int(weight)}
}

// SetWeightedEdge adds an edge. Two nodes may have several, as an operator may
// read one value in two places.
func (b *Backend) SetWeightedEdge(e graph.WeightedEdge) {
	if e, ok := e.(edge); ok && e.from != nil && e.node != nil {
		e.from.operands = append(e.from.operands, e)
	}
}

// Node returns the node with a number, nil if there is none.
func (b *Backend) Node(id int64) graph.Node {
	if n := b.node(id); n != nil {
		return n
	}
	return nil
}

func (b *Backend) node(id int64) *node {
	if id < 0 || id >= int64(len(b.nodes)) {
		return nil
	}
	return b.nodes[id]
}

// Nodes returns all nodes, in the order in which they were made.
func (b *Backend) Nodes() graph.Nodes { return &iterator{nodes: b.nodes} }

// From returns the operands of a result.
func (b *Backend) From(id int64) graph.Nodes {
	var list []*node
	if n := b.node(id); n != nil {
		for _, e := range n.operands {
			if !slices.Contains(list, e.node) {
				list = append(list, e.node)
			}
		}
	}
	return &iterator{nodes: list}
}

// To returns the results that a value is an operand of.
func (b *Backend) To(id int64) graph.Nodes {
	var list []*node
	for _, n := range b.nodes {
		if b.HasEdgeFromTo(n.id, id) {
			list = append(list, n)
		}
	}
	return &iterator{nodes: list}
}

// Edge returns the first edge from one node to another, nil if there is none.
func (b *Backend) Edge(from, to int64) graph.Edge {
	if e := b.WeightedEdge(from, to); e != nil {
		return e
	}
	return nil
}

// WeightedEdge is Edge with the operand's place.
func (b *Backend) WeightedEdge(from, to int64) graph.WeightedEdge {
	if n := b.node(from); n != nil {
		for _, e := range n.operands {
			if e.node.id == to {
				return e
			}
		}
	}
	return nil
}

// Weight is the place of the operand that an edge leads to; ok is false where
// there is no edge.
func (b *Backend) Weight(from, to int64) (place float64, ok bool) {
	if e := b.WeightedEdge(from, to); e != nil {
		return e.Weight(), true
	}
	return 0, false
}

// HasEdgeFromTo says whether one node is a result that the other is an operand of.
func (b *Backend) HasEdgeFromTo(from, to int64) bool { return b.WeightedEdge(from, to) != nil }

// HasEdgeBetween is HasEdgeFromTo in either direction.
func (b *Backend) HasEdgeBetween(x, y int64) bool {
	return b.HasEdgeFromTo(x, y) || b.HasEdgeFromTo(y, x)
}

// iterator walks over nodes.
type iterator struct {
	nodes []*node
	at    int // how many have been visited
}

func (i *iterator) Next() bool {
	if i.at >= len(i.nodes) {
		i.at = len(i.nodes) + 1
		return false
	}
	i.at++
	return true
}

func (i *iterator) Len() int { return max(0, len(i.nodes)-i.at) }

func (i *iterator) Reset() { i.at = 0 }

func (i *iterator) Node() graph.Node {
	if i.at < 1 || i.at > len(i.nodes) {
		return nil
	}
	return i.nodes[i.at-1]
}
