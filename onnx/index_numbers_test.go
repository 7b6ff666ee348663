package onnx

import (
	"fmt"
	"strings"
	"testing"
)

func relu(output, input string) *Node {
	return &Node{OpType: "Relu", Inputs: []string{input}, Outputs: []string{output}}
}

func named(name string) *Value {
	return &Value{Name: name, Type: &Type{Kind: TensorKind, DType: Float}}
}

// reluChain is a graph of so many nodes, each of which reads the one before it.
func reluChain(nodes int) *Graph {
	g := &Graph{Name: "chain", Inputs: []*Value{named("v0")}, Outputs: []*Value{named(fmt.Sprintf("v%d", nodes))}}
	for i := range nodes {
		g.Nodes = append(g.Nodes, relu(fmt.Sprintf("v%d", i+1), fmt.Sprintf("v%d", i)))
	}
	return g
}

// captured is a node whose body reads a name of the graph around it.
func captured(output, inner, outer string) *Node {
	body := &Graph{Name: "body", Outputs: []*Value{named(inner)}, Nodes: []*Node{relu(inner, outer)}}
	return &Node{OpType: "If", Inputs: []string{"c"}, Outputs: []string{output}, Attrs: []*Attr{GraphAttr("then_branch", body)}}
}

// TestCheckNames holds Check to what it says of names.
func TestCheckNames(t *testing.T) {
	one := func(name string) *Tensor { return FloatTensor(name, []int64{1}, []float32{1}) }
	graph := func(nodes ...*Node) *Graph {
		return &Graph{Name: "g", Inputs: []*Value{named("x"), named("c")}, Outputs: []*Value{named("y")}, Nodes: nodes}
	}
	stored := func(tensors ...*Tensor) *Graph {
		g := graph(relu("y", "x"))
		g.Initializers = tensors
		return g
	}
	deep := reluChain(100_000)
	reversed := reluChain(200)
	for i, j := 0, len(reversed.Nodes)-1; i < j; i, j = i+1, j-1 {
		reversed.Nodes[i], reversed.Nodes[j] = reversed.Nodes[j], reversed.Nodes[i]
	}
	for name, test := range map[string]struct {
		graph *Graph
		says  string // in the error; empty: there is none
	}{
		"a chain":                   {graph: deep},
		"a chain from its end":      {reversed, `input 0, "v199", is used before it is defined`},
		"more errors than are told": {reversed, "and 99 errors more"},
		"a circle":                  {graph(relu("a", "y"), relu("y", "a")), `node "a" (Relu): input 0, "y", is used before it is defined`},
		"itself":                    {graph(relu("y", "y")), `input 0, "y", is used before it is defined`},
		"nothing":                   {graph(relu("y", "z")), `input 0, "z", is defined nowhere`},
		"an output twice":           {graph(relu("y", "x"), relu("y", "x")), `output "y" is defined already`},
		"an output and an input":    {graph(relu("x", "c"), relu("y", "x")), `output "x" is defined already`},
		"an initializer twice":      {stored(one("w"), one("w")), `initializer "w" is there twice`},
		"an initializer unnamed":    {stored(one("")), "an initializer has no name"},
		"a default":                 {graph: stored(one("x"))},
		"no output":                 {graph(relu("a", "x")), `output "y" is not defined`},
		"a capture":                 {graph: graph(relu("a", "x"), captured("y", "i", "a"))},
		"a capture too early":       {graph(captured("y", "i", "a"), relu("a", "x")), `then_branch of node "y" (If): node "i" (Relu): input 0, "a", is used before it is defined`},
		"a body's name outside":     {graph(captured("a", "i", "x"), relu("y", "i")), `input 0, "i", is defined nowhere`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Check(graphModel(13, test.graph))
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("%v; it should say %q", err, test.says)
			}
		})
	}
}

// TestNumbersAgreeWithNames wants operands by number to be those by name, and
// numbers without gaps.
func TestNumbersAgreeWithNames(t *testing.T) {
	g := reluChain(50)
	g.Inputs = append(g.Inputs, named("c"))
	g.Initializers = []*Tensor{FloatTensor("w", []int64{1}, []float32{1})}
	g.Nodes = append(g.Nodes, captured("z", "v3", "w"), captured("u", "i", "v7"),
		&Node{OpType: "Dropout", Inputs: []string{"w", "", "nowhere"}, Outputs: []string{"", "mask"}})
	ix, err := NewIndex(graphModel(13, g))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[ValueID]bool{}
	for _, s := range ix.Scopes() {
		for i, n := range s.Nodes() {
			reads, defines := s.Reads(i), s.Defines(i)
			if len(reads) != len(n.Inputs) || len(defines) != len(n.Outputs) {
				t.Fatalf("%v: %d inputs, %d outputs", n.Outputs, len(reads), len(defines))
			}
			for at, id := range reads {
				if id != s.ID(n.Inputs[at]) || len(ix.Users(id)) != len(s.Users(n.Inputs[at])) {
					t.Errorf("%v: input %d is %d, by its name %d", n.Outputs, at, id, s.ID(n.Inputs[at]))
				}
			}
			for at, id := range defines {
				if n.Outputs[at] == "" {
					if id != NoValue {
						t.Errorf("an output that is left out has number %d", id)
					}
					continue
				}
				if scope, node := ix.Definition(id); scope != s || node != i || ix.Name(id) != n.Outputs[at] || seen[id] {
					t.Errorf("%q: %d, defined by %d", n.Outputs[at], id, node)
				}
				seen[id] = true
			}
		}
	}
	inputs := 3 // v0, c, w
	if ix.Values() != len(seen)+inputs || ix.Main().ID("w") != ValueID(2) {
		t.Errorf("%d values, %d of them outputs of nodes", ix.Values(), len(seen))
	}
	if c := ix.Constant(ix.Main().ID("w")); c == nil || c != ix.Main().Constant("w") || ix.Constant(NoValue) != nil {
		t.Errorf("w is %v", c)
	}
}
