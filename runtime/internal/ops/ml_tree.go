package ops

import (
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// branchMode is how an inner node of a tree decides.
type branchMode int

const (
	branchLessOrEqual branchMode = iota
	branchLess
	branchGreaterOrEqual
	branchGreater
	branchEqual
	branchNotEqual
	branchMember
)

// treeNode is an inner node: it looks at one feature and goes on to one of two
// nodes or leaves.
type treeNode struct {
	feature int
	mode    branchMode
	split   float64
	members map[float64]bool // for branchMember
	// missing says that a feature which is NaN takes the true branch.
	missing  bool
	branches [2]branch // false, true
}

type branch struct {
	index int
	leaf  bool
}

type treeLeaf struct {
	target int
	weight float64
}

// treeEnsemble is what a TreeEnsemble node states.
type treeEnsemble struct {
	nodes     []treeNode
	leaves    []treeLeaf
	roots     []int
	targets   int
	features  int // the least that an input must have
	aggregate int
	transform int
}

// How the leaves of the trees are combined, and what is made of the sums: the
// numbers of attributes aggregate_function and post_transform.
const (
	aggregateAverage = iota
	aggregateSum
	aggregateMin
	aggregateMax
)

const (
	transformNone = iota
	transformSoftmax
	transformLogistic
	transformSoftmaxZero
	transformProbit
)

func buildTreeEnsemble(n *Node) (single, error) {
	e, err := readTreeEnsemble(n)
	if err != nil {
		return nil, err
	}
	return e.run, nil
}

// treeNumbers is an attribute that is a tensor of numbers; nil where it is not stated.
func treeNumbers(n *Node, name string) ([]float64, error) {
	a := n.attr(name, onnx.AttrTensor)
	if a == nil {
		return nil, nil
	}
	t, err := tensor.FromONNX(a.T)
	if err != nil {
		return nil, fmt.Errorf("attribute %s: %w", name, err)
	}
	return numbersAs[float64](t)
}

func readTreeEnsemble(n *Node) (*treeEnsemble, error) {
	e := &treeEnsemble{
		roots:     n.Ints("tree_roots"),
		targets:   n.Int("n_targets", 1),
		aggregate: n.Int("aggregate_function", aggregateSum),
		transform: n.Int("post_transform", transformNone),
	}
	if e.aggregate < aggregateAverage || e.aggregate > aggregateMax || e.transform < transformNone || e.transform > transformProbit {
		return nil, fmt.Errorf("aggregate_function %d and post_transform %d: want 0 to 3 and 0 to 4", e.aggregate, e.transform)
	}
	if err := e.readLeaves(n); err != nil {
		return nil, err
	}
	if err := e.readNodes(n); err != nil {
		return nil, err
	}
	for _, root := range e.roots {
		if root < 0 || root >= len(e.nodes) {
			return nil, fmt.Errorf("tree_roots %v: there are %d nodes", e.roots, len(e.nodes))
		}
	}
	return e, nil
}

func (e *treeEnsemble) readLeaves(n *Node) error {
	weights, err := treeNumbers(n, "leaf_weights")
	if err != nil {
		return err
	}
	targets := n.Ints("leaf_targetids")
	if len(targets) != len(weights) {
		return fmt.Errorf("there are %d leaf_weights and %d leaf_targetids", len(weights), len(targets))
	}
	for i, target := range targets {
		if target < 0 || target >= e.targets {
			return fmt.Errorf("leaf %d has target %d of %d", i, target, e.targets)
		}
		e.leaves = append(e.leaves, treeLeaf{target, weights[i]})
	}
	return nil
}

func (e *treeEnsemble) readNodes(n *Node) error {
	numbers := map[string][]float64{}
	for _, name := range []string{"nodes_splits", "nodes_modes", "membership_values"} {
		list, err := treeNumbers(n, name)
		if err != nil {
			return err
		}
		numbers[name] = list
	}
	features := n.Ints("nodes_featureids")
	count := len(features)
	next := [2][]int{n.Ints("nodes_falsenodeids"), n.Ints("nodes_truenodeids")}
	leaf := [2][]int{n.Ints("nodes_falseleafs"), n.Ints("nodes_trueleafs")}
	missing := n.Ints("nodes_missing_value_tracks_true")
	if missing == nil {
		missing = make([]int, count)
	}
	for _, length := range []int{len(numbers["nodes_splits"]), len(numbers["nodes_modes"]), len(missing), len(next[0]), len(next[1]), len(leaf[0]), len(leaf[1])} {
		if length != count {
			return fmt.Errorf("the attributes nodes_* are not all as long as nodes_featureids, %d", count)
		}
	}
	e.nodes = make([]treeNode, count)
	members := numbers["membership_values"]
	for i := range e.nodes {
		node := treeNode{
			feature: features[i],
			mode:    branchMode(numbers["nodes_modes"][i]),
			split:   numbers["nodes_splits"][i],
			missing: missing[i] != 0,
		}
		if node.mode < branchLessOrEqual || node.mode > branchMember || node.feature < 0 {
			return fmt.Errorf("node %d has mode %d and feature %d", i, node.mode, node.feature)
		}
		if node.mode == branchMember {
			node.members = map[float64]bool{}
			for len(members) > 0 && !math.IsNaN(members[0]) {
				node.members[members[0]] = true
				members = members[1:]
			}
			members = members[min(1, len(members)):]
		}
		for way := range node.branches {
			b := branch{next[way][i], leaf[way][i] != 0}
			limit := count
			if b.leaf {
				limit = len(e.leaves)
			}
			if b.index < 0 || b.index >= limit {
				return fmt.Errorf("node %d leads to %d, but there are %d", i, b.index, limit)
			}
			node.branches[way] = b
		}
		e.features = max(e.features, node.feature+1)
		e.nodes[i] = node
	}
	return nil
}

// run gives (N, targets) of features (N, F).
func (e *treeEnsemble) run(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
	shape := in[0].Shape()
	if len(shape) != 2 || shape[1] < e.features {
		return nil, fmt.Errorf("operand of shape %v: want a batch of at least %d features", shape, e.features)
	}
	values, err := numbersAs[float64](in[0])
	if err != nil {
		return nil, err
	}
	result := []int{shape[0], e.targets}
	count, err := checkedCount(result)
	if err != nil {
		return nil, err
	}
	y, failed := make([]float64, count), make([]error, shape[0])
	err = parallel(c, shape[0], 32*len(e.roots), func(from, to int) {
		for i := from; i < to; i++ {
			failed[i] = e.row(y[i*e.targets:(i+1)*e.targets], values[i*shape[1]:(i+1)*shape[1]])
		}
	})
	for _, problem := range failed {
		if problem != nil {
			return nil, problem
		}
	}
	if err != nil {
		return nil, err
	}
	return ofReals(in[0].DType(), result, y)
}

// row sums the leaves that one row of features leads to.
func (e *treeEnsemble) row(y, x []float64) error {
	reached := make([]bool, len(y))
	for _, root := range e.roots {
		leaf, err := e.descend(root, x)
		if err != nil {
			return err
		}
		sum := &y[leaf.target]
		switch {
		case e.aggregate == aggregateSum:
			*sum += leaf.weight
		case e.aggregate == aggregateAverage:
			*sum += leaf.weight / float64(len(e.roots))
		case !reached[leaf.target]:
			*sum = leaf.weight
		case e.aggregate == aggregateMin:
			*sum = min(*sum, leaf.weight)
		default:
			*sum = max(*sum, leaf.weight)
		}
		reached[leaf.target] = true
	}
	e.finish(y)
	return nil
}

// descend goes from a root to a leaf. A way longer than there are nodes has no end.
func (e *treeEnsemble) descend(root int, x []float64) (treeLeaf, error) {
	at := branch{index: root}
	for range len(e.nodes) + 1 {
		if at.leaf {
			return e.leaves[at.index], nil
		}
		node := &e.nodes[at.index]
		at = node.branches[0]
		if node.takes(x[node.feature]) {
			at = node.branches[1]
		}
	}
	return treeLeaf{}, fmt.Errorf("the tree at node %d leads back into itself", root)
}

// takes says whether a feature takes the true branch.
func (n *treeNode) takes(x float64) bool {
	if math.IsNaN(x) && n.missing {
		return true
	}
	switch n.mode {
	case branchLessOrEqual:
		return x <= n.split
	case branchLess:
		return x < n.split
	case branchGreaterOrEqual:
		return x >= n.split
	case branchGreater:
		return x > n.split
	case branchEqual:
		return x == n.split
	case branchNotEqual:
		return x != n.split
	}
	return n.members[x]
}

// finish transforms the sums of one row.
func (e *treeEnsemble) finish(y []float64) {
	switch e.transform {
	case transformSoftmax:
		softmaxTo(y, y)
	case transformLogistic:
		for i, v := range y {
			y[i] = sigmoid(v)
		}
	case transformProbit:
		for i, v := range y {
			y[i] = math.Sqrt2 * math.Erfinv(2*v-1)
		}
	case transformSoftmaxZero:
		// Zeros stay as they are and have no part in the sum.
		var scores []float64
		for _, v := range y {
			if v != 0 {
				scores = append(scores, v)
			}
		}
		softmaxTo(scores, scores)
		for i, v := range y {
			if v != 0 {
				y[i], scores = scores[0], scores[1:]
			}
		}
	}
}
