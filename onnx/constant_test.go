package onnx

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// node makes a node of the default domain with one output.
func node(op, output string, inputs []string, attrs ...*Attr) *Node {
	return &Node{OpType: op, Inputs: inputs, Outputs: []string{output}, Attrs: attrs}
}

func names(list ...string) []string { return list }

func graphModel(opset int64, g *Graph) *Model {
	return &Model{IRVersion: 8, Opsets: []OpsetImport{{Version: opset}}, Graph: g}
}

func mustIndex(t testing.TB, m *Model) *Index {
	t.Helper()
	ix, err := NewIndex(m)
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

// untouchable is a payload that must not be read.
type untouchable struct{ length int64 }

func (u untouchable) Len() int64             { return u.length }
func (u untouchable) Bytes() ([]byte, error) { return nil, errors.New("a weight was read") }

func TestConstantChains(t *testing.T) {
	weight := FloatTensor("w", []int64{2, 3}, []float32{1, 2, 3, 4, 5, 6})
	shape := func(v ...int64) *Tensor { return Int64Tensor("s", []int64{int64(len(v))}, v) }
	same := []float32{1, 2, 3, 4, 5, 6}
	tests := []struct {
		name  string
		opset int64
		nodes []*Node
		side  *Tensor
		dims  []int64
		want  []float32 // nil: not a constant
	}{
		{"initializer", 13, []*Node{node("Identity", "v", names("w"))}, nil, []int64{2, 3}, same},
		{"transpose", 13, []*Node{node("Transpose", "v", names("w"))}, nil, []int64{3, 2}, []float32{1, 4, 2, 5, 3, 6}},
		{"transpose that moves nothing", 13, []*Node{node("Transpose", "v", names("w"), IntsAttr("perm", []int64{0, 1}))}, nil, []int64{2, 3}, same},
		{"transpose of a wrong rank", 13, []*Node{node("Transpose", "v", names("w"), IntsAttr("perm", []int64{0}))}, nil, nil, nil},
		{"transpose of one axis twice", 13, []*Node{node("Transpose", "v", names("w"), IntsAttr("perm", []int64{1, 1}))}, nil, nil, nil},
		{"transpose by a function's attribute", 13, []*Node{node("Transpose", "v", names("w"), &Attr{Name: "perm", Type: AttrInts, RefName: "p"})}, nil, nil, nil},
		{"reshape", 13, []*Node{node("Reshape", "v", names("w", "s"))}, shape(3, 2), []int64{3, 2}, same},
		{"reshape with 0 and -1", 13, []*Node{node("Reshape", "v", names("w", "s"))}, shape(0, -1, 1), []int64{2, 3, 1}, same},
		{"reshape with a zero that is meant", 14, []*Node{node("Reshape", "v", names("w", "s"), IntAttr("allowzero", 1))}, shape(0, 6), nil, nil},
		{"reshape before it had allowzero", 13, []*Node{node("Reshape", "v", names("w", "s"), IntAttr("allowzero", 1))}, shape(0, 3), []int64{2, 3}, same},
		{"reshape that does not fit", 13, []*Node{node("Reshape", "v", names("w", "s"))}, shape(4, 2), nil, nil},
		{"reshape with two -1", 13, []*Node{node("Reshape", "v", names("w", "s"))}, shape(-1, -1), nil, nil},
		{"reshape by attribute", 1, []*Node{node("Reshape", "v", names("w"), IntsAttr("shape", []int64{6}))}, nil, []int64{6}, same},
		{"reshape to a computed shape", 13, []*Node{node("Shape", "x", names("in")), node("Reshape", "v", names("w", "x"))}, nil, nil, nil},
		{"reshape to a shape behind a chain", 13, []*Node{
			node("Cast", "s32", names("s"), IntAttr("to", int64(Int32))),
			node("Cast", "s64", names("s32"), IntAttr("to", int64(Int64))),
			node("Reshape", "v", names("w", "s64")),
		}, shape(6), []int64{6}, same},
		{"unsqueeze by attribute", 11, []*Node{node("Unsqueeze", "v", names("w"), IntsAttr("axes", []int64{0, -1}))}, nil, []int64{1, 2, 3, 1}, same},
		{"unsqueeze by input", 13, []*Node{node("Unsqueeze", "v", names("w", "s"))}, shape(1), []int64{2, 1, 3}, same},
		{"unsqueeze with the attribute of another opset", 13, []*Node{node("Unsqueeze", "v", names("w"), IntsAttr("axes", []int64{0}))}, nil, nil, nil},
		{"unsqueeze beyond the rank", 13, []*Node{node("Unsqueeze", "v", names("w", "s"))}, shape(3), nil, nil},
		{"squeeze by input", 13, []*Node{node("Unsqueeze", "x", names("w", "s")), node("Squeeze", "v", names("x", "s"))}, shape(0, 2), []int64{2, 3}, same},
		{"squeeze of all", 13, []*Node{node("Unsqueeze", "x", names("w", "s")), node("Squeeze", "v", names("x"))}, shape(0, 3), []int64{2, 3}, same},
		{"squeeze of an axis that is not 1", 11, []*Node{node("Squeeze", "v", names("w"), IntsAttr("axes", []int64{0}))}, nil, nil, nil},
		{"cast down and up", 13, []*Node{
			node("Cast", "x", names("w"), IntAttr("to", int64(Float16))),
			node("Cast", "v", names("x"), IntAttr("to", int64(Float))),
		}, nil, []int64{2, 3}, same},
		{"cast to float8", 19, []*Node{node("Cast", "v", names("w"), IntAttr("to", int64(Float8E5M2)))}, nil, nil, nil},
		{"several", 13, []*Node{
			node("Transpose", "a", names("w")),
			node("Reshape", "b", names("a", "s")),
			node("Identity", "c", names("b")),
			node("Transpose", "v", names("c")),
		}, shape(2, -1), []int64{3, 2}, []float32{1, 5, 4, 3, 2, 6}},
		{"another domain", 13, []*Node{{Domain: "com.example", OpType: "Identity", Inputs: names("w"), Outputs: names("v")}}, nil, nil, nil},
		{"an operator that computes", 13, []*Node{node("Relu", "v", names("w"))}, nil, nil, nil},
		{"a circle", 13, []*Node{node("Identity", "x", names("v")), node("Identity", "v", names("x"))}, nil, nil, nil},
		{"itself", 13, []*Node{node("Reshape", "v", names("v", "v"))}, nil, nil, nil},
		{"an unknown name", 13, []*Node{node("Identity", "v", names("nowhere"))}, nil, nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := &Graph{Nodes: test.nodes, Initializers: []*Tensor{weight}, Inputs: []*Value{{Name: "in"}}}
			if test.side != nil {
				g.Initializers = append(g.Initializers, test.side)
			}
			c := mustIndex(t, graphModel(test.opset, g)).Main().Constant("v")
			if (c != nil) != (test.want != nil) {
				t.Fatalf("constant: %v, want one: %v", c, test.want != nil)
			}
			if c == nil {
				return
			}
			got, err := c.Tensor("v").Float32s()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.dims, c.Dims); diff != "" {
				t.Error(diff)
			}
			if c.Source != weight || c.Root != "w" || c.Overridable {
				t.Errorf("source %v, root %q, overridable %v", c.Source, c.Root, c.Overridable)
			}
		})
	}
}

func TestConstantNodeForms(t *testing.T) {
	sparse := &SparseTensor{
		Values: FloatTensor("", []int64{2}, []float32{5, 7}), Indices: Int64Tensor("", []int64{2}, []int64{1, 3}), Dims: []int64{2, 2},
	}
	byAxis := &SparseTensor{
		Values: FloatTensor("", []int64{2}, []float32{5, 7}), Indices: Int64Tensor("", []int64{2, 2}, []int64{0, 1, 1, 1}), Dims: []int64{2, 2},
	}
	tests := []struct {
		attr  *Attr
		dtype DType
		dims  []int64
		want  string // how the elements print, "" if it is not a constant
	}{
		{TensorAttr("value", Int64Tensor("", []int64{2}, []int64{3, 4})), Int64, []int64{2}, "[3 4]"},
		{FloatAttr("value_float", 1.5), Float, nil, "[1.5]"},
		{FloatsAttr("value_floats", []float32{1, 2}), Float, []int64{2}, "[1 2]"},
		{IntAttr("value_int", -1), Int64, nil, "[-1]"},
		{IntsAttr("value_ints", []int64{}), Int64, []int64{0}, "[]"},
		{StringAttr("value_string", "a"), String, nil, "[a]"},
		{StringsAttr("value_strings", []string{"a", "b"}), String, []int64{2}, "[a b]"},
		{&Attr{Name: "sparse_value", Type: AttrSparseTensor, Sparse: sparse}, Float, []int64{2, 2}, "[0 5 0 7]"},
		{&Attr{Name: "sparse_value", Type: AttrSparseTensor, Sparse: byAxis}, Float, []int64{2, 2}, "[0 5 0 7]"},
		{&Attr{Name: "value_float", Type: AttrFloat, RefName: "alpha"}, 0, nil, ""},
		{FloatAttr("value", 1), 0, nil, ""},
	}
	for _, test := range tests {
		g := &Graph{Nodes: []*Node{node("Constant", "k", nil, test.attr), node("Identity", "v", names("k"))}}
		ix := mustIndex(t, graphModel(13, g))
		c := ix.Main().Constant("v")
		if c == nil {
			if test.want != "" {
				t.Errorf("%s: not a constant", test.attr.Name)
			}
			continue
		}
		v := c.Tensor("v")
		var got string
		switch v.Type {
		case String:
			var list []string
			for _, s := range v.Strings {
				list = append(list, string(s))
			}
			got = fmt.Sprint(list)
		case Int64:
			ints, err := v.Int64s()
			got = fmt.Sprint(ints)
			if err != nil {
				t.Error(err)
			}
		default:
			floats, err := v.Float32s()
			got = fmt.Sprint(floats)
			if err != nil {
				t.Error(err)
			}
		}
		if got != test.want || c.Type != test.dtype || !cmp.Equal(c.Dims, test.dims) {
			t.Errorf("%s: %v%v %s, want %v%v %s", test.attr.Name, c.Type, c.Dims, got, test.dtype, test.dims, test.want)
		}
		if len(c.Path) != 2 || c.Path[0] != g.Nodes[0] || c.Path[1] != g.Nodes[1] || c.Root != "k" {
			t.Errorf("%s: path %v, root %q", test.attr.Name, c.Path, c.Root)
		}
	}
}

func TestSparseTensorsThatDoNotFit(t *testing.T) {
	values := func(n int64) *Tensor { return FloatTensor("v", []int64{n}, make([]float32, n)) }
	tests := []*SparseTensor{
		{Values: values(2), Indices: Int64Tensor("", []int64{2}, []int64{0, 4}), Dims: []int64{2, 2}},
		{Values: values(2), Indices: Int64Tensor("", []int64{2}, []int64{0, -1}), Dims: []int64{2, 2}},
		{Values: values(2), Indices: Int64Tensor("", []int64{3}, []int64{0, 1, 2}), Dims: []int64{2, 2}},
		{Values: values(1), Indices: Int64Tensor("", []int64{1, 2}, []int64{0, 2}), Dims: []int64{2, 2}},
		{Values: values(1), Indices: Int64Tensor("", []int64{1, 3}, []int64{0, 0, 0}), Dims: []int64{2, 2}},
	}
	for i, s := range tests {
		g := &Graph{SparseInitializers: []*SparseTensor{s}}
		c := mustIndex(t, graphModel(13, g)).Main().Constant("v")
		if c == nil {
			t.Fatalf("%d: not a constant", i)
		}
		if got, err := c.Tensor("v").Float32s(); err == nil {
			t.Errorf("%d: no error, but %v", i, got)
		}
	}
	// A hundred bytes that stand for a terabyte are not seen through.
	huge := &SparseTensor{Values: values(1), Indices: Int64Tensor("", []int64{1}, []int64{0}), Dims: []int64{1 << 20, 1 << 18}}
	g := &Graph{SparseInitializers: []*SparseTensor{huge}}
	if c := mustIndex(t, graphModel(13, g)).Main().Constant("v"); c != nil {
		t.Errorf("a sparse tensor of a terabyte is a constant: %v", c)
	}
}

func TestConstantReadsNoWeights(t *testing.T) {
	g := &Graph{
		Initializers: []*Tensor{NewTensor("w", Float, []int64{2, 3}, untouchable{24}), Int64Tensor("s", []int64{1}, []int64{6})},
		Nodes: []*Node{
			node("Transpose", "a", names("w")),
			node("Cast", "b", names("a"), IntAttr("to", int64(Float16))),
			node("Reshape", "v", names("b", "s")),
		},
	}
	c := mustIndex(t, graphModel(13, g)).Main().Constant("v")
	v := c.Tensor("v")
	if c.Type != Float16 || !cmp.Equal(c.Dims, []int64{6}) || v.Data.Len() != 12 {
		t.Errorf("%v%v of %d bytes", c.Type, c.Dims, v.Data.Len())
	}
	if _, err := v.Data.Bytes(); err == nil {
		t.Error("the payload was not asked for its bytes, though those of the value were wanted")
	}
}

func TestConstantInScopes(t *testing.T) {
	outer := FloatTensor("w", []int64{1}, []float32{1})
	hidden := FloatTensor("w", []int64{1}, []float32{2})
	body := &Graph{Nodes: []*Node{node("Identity", "b", names("w")), node("Identity", "c", names("x"))}}
	hiding := &Graph{Nodes: []*Node{node("Identity", "b", names("w"))}, Initializers: []*Tensor{hidden}}
	fed := &Graph{
		Inputs:       []*Value{{Name: "i"}, {Name: "go"}, {Name: "w"}},
		Initializers: []*Tensor{hidden},
		Nodes:        []*Node{node("Identity", "b", names("w"))},
	}
	choice := node("If", "y", names("x"), GraphAttr("then_branch", body), GraphAttr("else_branch", hiding))
	loop := node("Loop", "z", names("", "", "x"), GraphAttr("body", fed))
	f := &Function{
		Domain: "local", Name: "F", Inputs: names("a"), Outputs: names("o"), Opsets: []OpsetImport{{Version: 11}},
		Nodes: []*Node{
			node("Constant", "k", nil, FloatAttr("value_float", 3)),
			node("Unsqueeze", "u", names("k"), IntsAttr("axes", []int64{0})),
			node("Identity", "p", names("a")),
		},
	}
	m := graphModel(13, &Graph{
		Inputs: []*Value{{Name: "x"}}, Initializers: []*Tensor{outer}, Nodes: []*Node{choice, loop},
	})
	m.Functions = []*Function{f}
	ix := mustIndex(t, m)
	source := func(s *Scope, name string) *Tensor {
		c := s.Constant(name)
		if c == nil {
			return nil
		}
		return c.Source
	}
	if got := source(ix.Scope(body), "b"); got != outer {
		t.Errorf("a body does not see the outer initializer: %v", got)
	}
	if got := ix.Scope(body).Constant("b"); got.Scope != ix.Main() {
		t.Error("the outer initializer is not placed in the main graph")
	}
	if got := source(ix.Scope(body), "c"); got != nil {
		t.Errorf("a graph input is a constant: %v", got)
	}
	if got := source(ix.Scope(hiding), "b"); got != hidden {
		t.Errorf("a body does not see its own initializer first: %v", got)
	}
	if got := source(ix.Scope(fed), "b"); got != nil {
		t.Errorf("what a Loop feeds to its body is a constant: %v", got)
	}
	function := ix.Scopes()[len(ix.Scopes())-1]
	if function.Function != f {
		t.Fatal("the last scope is not the function's")
	}
	// The function's own opset decides: Unsqueeze takes its axes from the attribute.
	if c := function.Constant("u"); c == nil || !cmp.Equal(c.Dims, []int64{1}) {
		t.Errorf("a function's Constant node is not seen: %v", c)
	}
	if c := function.Constant("p"); c != nil {
		t.Errorf("a function's input is a constant: %v", c)
	}
	users := ix.Main().Users("x")
	want := []Use{{ix.Main(), choice, 0}, {ix.Main(), loop, 2}, {ix.Scope(body), body.Nodes[1], 0}}
	if len(users) != len(want) {
		t.Fatalf("users of x: %v", users)
	}
	for i := range want {
		if users[i] != want[i] {
			t.Errorf("user %d of x is %v", i, users[i])
		}
	}
	if n := len(ix.Scope(hiding).Users("w")); n != 1 {
		t.Errorf("the inner w has %d users", n)
	}
	if n := len(ix.Main().Users("w")); n != 1 {
		t.Errorf("the outer w has %d users", n)
	}
}

func TestOverridableInitializers(t *testing.T) {
	for ir := int64(3); ir <= 4; ir++ {
		m := graphModel(9, &Graph{
			Inputs:       []*Value{{Name: "w"}},
			Initializers: []*Tensor{FloatTensor("w", nil, []float32{1})},
			Nodes:        []*Node{node("Identity", "v", names("w"))},
		})
		m.IRVersion = ir
		c := mustIndex(t, m).Main().Constant("v")
		if c == nil || c.Overridable != (ir == 4) {
			t.Errorf("IR version %d: %+v", ir, c)
		}
	}
}

func TestConstantFromSeveralGoroutines(t *testing.T) {
	g := &Graph{Initializers: []*Tensor{FloatTensor("v0", []int64{2, 2}, []float32{1, 2, 3, 4})}}
	const length = 100 // even: as many transposes undo themselves
	for i := range length {
		g.Nodes = append(g.Nodes, node("Transpose", fmt.Sprintf("v%d", i+1), names(fmt.Sprintf("v%d", i))))
	}
	scope := mustIndex(t, graphModel(13, g)).Main()
	var wait sync.WaitGroup
	for start := range 8 {
		wait.Go(func() {
			for i := range length + 1 {
				at := (i + start*13) % (length + 1)
				v, err := scope.Constant(fmt.Sprintf("v%d", at)).Tensor("").Float32s()
				if err != nil || v[1] != float32(2+at%2) {
					t.Errorf("v%d: %v, %v", at, v, err)
				}
			}
		})
	}
	wait.Wait()
}

func TestConstantIsLinear(t *testing.T) {
	// Each node reads the one before twice: without keeping what is known that
	// would take 2^length steps.
	g := &Graph{Initializers: []*Tensor{Int64Tensor("v0", []int64{1}, []int64{1})}}
	const length = 200_000
	for i := range length {
		before := fmt.Sprintf("v%d", i)
		g.Nodes = append(g.Nodes, node("Reshape", fmt.Sprintf("v%d", i+1), names(before, before)))
	}
	start := time.Now()
	scope := mustIndex(t, graphModel(13, g)).Main()
	if c := scope.Constant(fmt.Sprintf("v%d", length)); c != nil {
		t.Error("a chain of that length is seen through")
	}
	if c := scope.Constant(fmt.Sprintf("v%d", maxChain-1)); c == nil {
		t.Error("a chain of the greatest length is not seen through")
	}
	if c := scope.Constant(fmt.Sprintf("v%d", maxChain)); c != nil {
		t.Error("a chain one node too long is seen through")
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}
