package runtime

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func ints(shape []int, data ...int64) *tensor.Tensor { return tensor.New(shape, data) }

// counting is a Loop body that adds x, a name of the graph around, to what it
// carries, puts out what it got, and goes on while the sum is below 10.
func counting() *onnx.Graph {
	return graphOf([]*onnx.Value{value("i", typed(onnx.Int64)), value("go", typed(onnx.Bool)), value("sum", floatType())}, "below,next,slice",
		[]*onnx.Node{node("Add", "sum,x", "next"), node("Less", "next,ten", "below"), node("Identity", "sum", "slice")},
		onnx.FloatTensor("ten", nil, []float32{10}))
}

func TestLoop(t *testing.T) {
	inputs := []*onnx.Value{value("x", floatType()), value("m", typed(onnx.Int64)), value("c", typed(onnx.Bool))}
	zero := onnx.FloatTensor("zero", nil, []float32{0})
	declared := counting()
	declared.Outputs[2].Type = floatType()
	tests := map[string]struct {
		operands string
		m        int64
		c        bool
		sum      float32
		slices   []float32
	}{
		"until the condition fails":        {"m,c,zero", 100, true, 12, []float32{0, 3, 6, 9}},
		"until the trips are over":         {"m,c,zero", 2, true, 6, []float32{0, 3}},
		"without a limit":                  {"_,c,zero", 0, true, 12, []float32{0, 3, 6, 9}},
		"without a condition to start":     {"m,_,zero", 3, false, 9, []float32{0, 3, 6}},
		"not at all, for the condition":    {"m,c,zero", 5, false, 0, []float32{}},
		"not at all, for a limit of zero":  {"m,c,zero", 0, true, 0, []float32{}},
		"not at all, for a negative limit": {"m,c,zero", -4, true, 0, []float32{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := modelOf(17, graphOf(inputs, "y,s", []*onnx.Node{node("Loop", test.operands, "y,s", onnx.GraphAttr("body", declared))}, zero))
			out := run(t, m, feeds{"x": scalar(float32(3)), "m": scalar(test.m), "c": scalar(test.c)})
			same(t, "the carried value", out["y"], scalar(test.sum))
			same(t, "the slices", out["s"], floats([]int{len(test.slices)}, test.slices...))
		})
	}
}

// TestBodiesSeeOuterNames has a loop in a branch in a loop, each of which reads
// names of the graphs around it, constants among them, after other nodes have
// read them for the last time.
func TestBodiesSeeOuterNames(t *testing.T) {
	inner := graphOf([]*onnx.Value{value("j", nil), value("jc", nil), value("b", nil)}, "jc,b2", []*onnx.Node{node("Add", "b,a", "b1"), node("Add", "b1,w", "b2")})
	branch := graphOf(nil, "r", []*onnx.Node{node("Loop", "two,_,a", "r", onnx.GraphAttr("body", inner))})
	other := graphOf(nil, "a", nil) // puts out a name of the graph around
	outer := graphOf([]*onnx.Value{value("i", nil), value("ic", nil), value("a", nil)}, "ic,r2",
		[]*onnx.Node{node("If", "c", "r", onnx.GraphAttr("then_branch", branch), onnx.GraphAttr("else_branch", other)), node("Add", "r,n", "r2")})
	inputs := []*onnx.Value{value("x", floatType()), value("c", typed(onnx.Bool))}
	m := modelOf(17, graphOf(inputs, "y", []*onnx.Node{
		node("Neg", "x", "n"), node("Loop", "two,_,n", "l", onnx.GraphAttr("body", outer)), node("Identity", "l", "y"),
	}, onnx.Int64Tensor("two", nil, []int64{2}), onnx.FloatTensor("w", nil, []float32{100})))
	// n = -1. Then, twice: a → a + (a + 100)·2 + n, in all 3a + 199.
	same(t, "then", run(t, m, feeds{"x": scalar(float32(1)), "c": scalar(true)})["y"], scalar(float32(3*(3*-1+199)+199)))
	same(t, "else", run(t, m, feeds{"x": scalar(float32(1)), "c": scalar(false)})["y"], scalar(float32(-3)))
}

func TestScan(t *testing.T) {
	// The body sums up rows; it puts out the sum and the row doubled.
	body := func() *onnx.Graph {
		return graphOf([]*onnx.Value{value("s", floatType(2)), value("row", floatType(2))}, "sum,sum2,twice",
			[]*onnx.Node{node("Add", "s,row", "sum"), node("Identity", "sum", "sum2"), node("Add", "row,row", "twice")})
	}
	inputs := []*onnx.Value{value("s", nil), value("x", nil)}
	scanned := onnx.IntAttr("num_scan_inputs", 1)
	tests := map[string]struct {
		opset            int64
		operands         string
		attrs            []*onnx.Attr
		s, x             *tensor.Tensor
		final, sum, rows *tensor.Tensor
	}{
		"forward": {17, "s,x", nil, floats([]int{2}, 0, 0), floats([]int{3, 2}, 1, 2, 3, 4, 5, 6),
			floats([]int{2}, 9, 12), floats([]int{3, 2}, 1, 2, 4, 6, 9, 12), floats([]int{3, 2}, 2, 4, 6, 8, 10, 12)},
		"backward": {17, "s,x", []*onnx.Attr{onnx.IntsAttr("scan_input_directions", []int64{1}), onnx.IntsAttr("scan_output_directions", []int64{1, 0})},
			floats([]int{2}, 0, 0), floats([]int{3, 2}, 1, 2, 3, 4, 5, 6),
			floats([]int{2}, 9, 12), floats([]int{3, 2}, 9, 12, 8, 10, 5, 6), floats([]int{3, 2}, 10, 12, 6, 8, 2, 4)},
		"along other axes": {17, "s,x", []*onnx.Attr{onnx.IntsAttr("scan_input_axes", []int64{-1}), onnx.IntsAttr("scan_output_axes", []int64{1, -1})},
			floats([]int{2}, 0, 0), floats([]int{2, 3}, 1, 3, 5, 2, 4, 6),
			floats([]int{2}, 9, 12), floats([]int{2, 3}, 1, 4, 9, 2, 6, 12), floats([]int{2, 3}, 2, 6, 10, 4, 8, 12)},
		"no rows": {17, "s,x", nil, floats([]int{2}, 7, 8), floats([]int{0, 2}),
			floats([]int{2}, 7, 8), floats([]int{0, 2}), floats([]int{0, 2})},
		"batches of opset 8": {8, "_,s,x", nil, floats([]int{2, 2}, 0, 0, 10, 10), floats([]int{2, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8),
			floats([]int{2, 2}, 4, 6, 22, 24), floats([]int{2, 2, 2}, 1, 2, 4, 6, 15, 16, 22, 24), floats([]int{2, 2, 2}, 2, 4, 6, 8, 10, 12, 14, 16)},
		"lengths of opset 8": {8, "l,s,x", nil, floats([]int{2, 2}, 0, 0, 10, 10), floats([]int{2, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8),
			floats([]int{2, 2}, 1, 2, 22, 24), floats([]int{2, 2, 2}, 1, 2, 0, 0, 15, 16, 22, 24), floats([]int{2, 2, 2}, 2, 4, 0, 0, 10, 12, 14, 16)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := body()
			for _, out := range g.Outputs {
				out.Type = floatType(2)
			}
			attrs := append([]*onnx.Attr{scanned, onnx.GraphAttr("body", g)}, test.attrs...)
			m := modelOf(test.opset, graphOf(inputs, "f,a,b", []*onnx.Node{node("Scan", test.operands, "f,a,b", attrs...)},
				onnx.Int64Tensor("l", []int64{2}, []int64{1, 2})))
			out := run(t, m, feeds{"s": test.s, "x": test.x})
			same(t, "the state", out["f"], test.final)
			same(t, "the sums", out["a"], test.sum)
			same(t, "the rows", out["b"], test.rows)
		})
	}
}

func TestControlFlowRefuses(t *testing.T) {
	x := []*onnx.Value{value("x", nil), value("c", nil)}
	one := graphOf(nil, "x", nil)
	loop := graphOf([]*onnx.Value{value("i", nil), value("g", nil)}, "x", nil) // its condition is x
	tests := map[string]struct {
		node  *onnx.Node
		feeds feeds
		words []string
	}{
		"a condition that is no bool": {node("If", "c", "y", onnx.GraphAttr("then_branch", one), onnx.GraphAttr("else_branch", one)),
			feeds{"x": scalar(float32(1)), "c": scalar(int64(1))}, []string{`"y" (If)`, "one bool"}},
		"a condition of several elements": {node("If", "c", "y", onnx.GraphAttr("then_branch", one), onnx.GraphAttr("else_branch", one)),
			feeds{"x": scalar(float32(1)), "c": tensor.New([]int{2}, []bool{true, true})}, []string{"one bool"}},
		"a body's condition that is no bool": {node("Loop", "_,c", "", onnx.GraphAttr("body", loop)),
			feeds{"x": scalar(float32(1)), "c": scalar(true)}, []string{"(Loop)", "the body's condition"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			nodes := []*onnx.Node{test.node}
			if len(test.node.Outputs) == 0 {
				nodes = append(nodes, node("Identity", "x", "y"))
			}
			s, err := Compile(modelOf(17, graphOf(x, "y", nodes)), Options{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Run(t.Context(), test.feeds)
			wantError(t, err, test.words...)
		})
	}
}
