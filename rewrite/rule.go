package rewrite

import (
	"context"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// Rule is one transform of a graph, looked for at every node of every scope:
// the main graph, the bodies of If, Loop and Scan, and local functions.
//
// Match looks and changes nothing. It returns nothing for a node that is none
// of the rule's business, a Skip for one that it considered and leaves alone,
// a Match, or both where it leaves a part of the node alone.
type Rule interface {
	Name() string
	Match(at At) (*Match, *Skip)
}

// At is the place a rule is asked about: a node and the scope that it stands in.
type At struct {
	Index *onnx.Index
	Scope *onnx.Scope
	Node  *onnx.Node
}

// Match is a replacement that a rule found.
type Match struct {
	// Sites describes the match in reports, one for each weight that it
	// quantizes; Node, Op and Rule are filled in. Other rules may leave it nil,
	// which stands for one site without a weight.
	Sites []Site
	// intents has the forms of a quantizer's sites, one for each.
	intents []intent
	// Replaces lists the nodes that the replacement stands for, all in the
	// scope that the rule was asked about; empty means the one node asked about.
	Replaces []*onnx.Node
	// Prepare, if not nil, does the long work that Build needs, such as reading
	// a weight. Those of several matches run at once; it changes nothing that
	// another match reads.
	Prepare func(ctx context.Context) error
	// joined says that all goroutines are to call Prepare, which lets them share
	// its work.
	joined bool
	// Build adds the replacement. It defines every output name of the replaced
	// nodes that a node outside them reads, so that no reader is rewired. An
	// error that is a *Skip leaves the nodes alone, with that reason.
	Build func(b *Builder) error
}

// Site is a place where a plan changes the graph.
type Site struct {
	Node string // the node's name, or its first output's where it has none
	Op   string // its operator, with the domain unless that is the default
	Rule string // the rule that matched

	// For a rule that quantizes a weight:
	Weight      string  // the name of the stored constant
	Dims        []int64 // its shape as the node reads it
	DType       onnx.DType
	Axis        int    // of the stored int8 weight, along which scales lie; -1: one scale
	Form        string // what stands in its place, in words
	BytesBefore int64
	BytesAfter  int64  // with scales and zero points; a shared weight counts at each of its sites
	Note        string // what else the reader should know, or empty
	// Verdicts say what runtimes do with the form, one for each of Runtimes. A
	// plan's are for the form that is planned.
	Verdicts []Verdict

	weight *weight
}

// Skip is a node that a rule considered and left alone. It is an error too, so
// that a Build may find its reason late.
type Skip struct {
	Node   string
	Op     string
	Reason string
}

func (s *Skip) Error() string { return s.Op + " " + s.Node + ": left alone: " + s.Reason }

// Pass is a whole transform of a model. It never changes its argument.
type Pass func(*onnx.Model) (*onnx.Model, error)

// Chain makes one pass of several, each applied to the result of the one before.
func Chain(passes ...Pass) Pass {
	return func(m *onnx.Model) (*onnx.Model, error) {
		for _, pass := range passes {
			next, err := pass(m)
			if err != nil {
				return nil, err
			}
			m = next
		}
		return m, nil
	}
}

// Rules makes a pass that applies rules once: the first that matches at a node
// wins, and nodes that a match replaces are not looked at again.
func Rules(rules ...Rule) Pass {
	return func(m *onnx.Model) (*onnx.Model, error) {
		plan, err := Find(m, rules...)
		if err != nil {
			return nil, err
		}
		result, err := plan.Apply(context.Background())
		if err != nil {
			return nil, err
		}
		return result.Model, nil
	}
}

// nodeName is what a report calls a node.
func nodeName(n *onnx.Node) string {
	if n.Name != "" {
		return n.Name
	}
	for _, output := range n.Outputs {
		if output != "" {
			return output
		}
	}
	return "(a node without a name)"
}

// opName is a node's operator with its domain, unless that is the default one.
func opName(n *onnx.Node) string {
	if n.Domain == "" || n.Domain == "ai.onnx" {
		return n.OpType
	}
	return n.Domain + "." + n.OpType
}
