package runtime

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// graphMaker draws a random graph. Each node is run as soon as it is added, so
// that the next ones are drawn to suit what the values in hand really are.
type graphMaker struct {
	*rand.Rand
	opset   int64
	graph   *onnx.Graph
	feeds   map[string]tensor.Value
	values  []operand // all that nodes may read
	outputs map[string]Tolerance
	names   int
	stuck   bool // a node could not be run: it stays the last
}

// operand is a value of the graph under construction.
type operand struct {
	name  string
	value *tensor.Tensor
	// exact: no arithmetic on floating point stands between it and the inputs, so
	// that every right executor gives the very same. Only such values are
	// operands of what jumps: rounding, comparing, ranking.
	exact bool
	// scale is the largest magnitude among the values that it came from, and
	// slack how far from that a right executor may be, as a fraction of it.
	scale, slack float64
	// wild: it holds NaN or an infinity, and is no operand of anything.
	wild bool
}

func (o operand) dtype() onnx.DType { return o.value.DType() }
func (o operand) shape() []int      { return o.value.Shape() }
func (o operand) rank() int         { return o.value.Rank() }

// drawer adds one node, of an operator that there is since an opset version.
type drawer struct {
	op    string
	since int64
	draw  func(g *graphMaker, op string)
}

// drawers lists all operators that graphs are made of.
func drawers() []drawer {
	return slices.Concat(elementwiseDrawers, reductionDrawers, movingDrawers, indexingDrawers, layerDrawers, quantizedDrawers)
}

// testedOpsets are versions at which some of the operators changed.
var testedOpsets = []int64{9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}

// mostNodes bounds how long the chain of roundings gets.
const mostNodes = 6

func drawGraph(random *rand.Rand) *graphMaker {
	g := &graphMaker{
		Rand: random, graph: &onnx.Graph{Name: "drawn"}, feeds: map[string]tensor.Value{},
		outputs: map[string]Tolerance{},
	}
	// The first operator decides on the version, so that new ones are not rare.
	all := drawers()
	first := all[g.IntN(len(all))]
	for g.opset < first.since {
		g.opset = choose(g, testedOpsets...)
	}
	first.draw(g, first.op)
	for count := 1 + g.IntN(mostNodes); len(g.graph.Nodes) < count && !g.stuck; {
		if d := all[g.IntN(len(all))]; d.since <= g.opset {
			d.draw(g, d.op)
		}
	}
	g.declareOutputs()
	return g
}

// declareOutputs makes all results outputs, or only those that no node reads: an
// executor may then fuse what it likes.
func (g *graphMaker) declareOutputs() {
	ends := g.coin()
	read := map[string]bool{}
	for _, n := range g.graph.Nodes {
		for _, name := range n.Inputs {
			read[name] = true
		}
	}
	produced := map[string]bool{}
	for _, n := range g.graph.Nodes {
		for _, name := range n.Outputs {
			produced[name] = n.OpType != "Constant"
		}
	}
	for _, v := range g.values {
		if !produced[v.name] || ends && read[v.name] {
			continue
		}
		g.graph.Outputs = append(g.graph.Outputs, &onnx.Value{Name: v.name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: v.dtype()}})
		if !v.exact {
			g.outputs[v.name] = Tolerance{Relative: v.slack, Absolute: v.slack * v.scale}
		}
	}
	if g.stuck { // what the executor cannot run is for the other one to judge
		last := g.graph.Nodes[len(g.graph.Nodes)-1]
		for _, name := range last.Outputs {
			g.graph.Outputs = append(g.graph.Outputs, &onnx.Value{Name: name})
		}
	}
}

func (g *graphMaker) model() *onnx.Model {
	return &onnx.Model{
		IRVersion: 10, ProducerName: "drawn", Graph: g.graph,
		Opsets: []onnx.OpsetImport{{Version: g.opset}, {Domain: "com.microsoft", Version: 1}},
	}
}

func (g *graphMaker) operators() []string {
	var list []string
	for _, n := range g.graph.Nodes {
		list = append(list, n.OpType)
	}
	return list
}

// String is the graph in text, with the operands' types and shapes.
func (g *graphMaker) String() string {
	var text strings.Builder
	if err := onnx.Format(&text, g.model()); err != nil {
		return err.Error()
	}
	for _, v := range g.values {
		fmt.Fprintf(&text, "%s: %s exact=%v\n", v.name, describe(v.value), v.exact)
	}
	return text.String()
}

func (g *graphMaker) name() string {
	g.names++
	return fmt.Sprintf("v%d", g.names)
}

func (g *graphMaker) coin() bool { return g.IntN(2) == 0 }

func choose[T any](g *graphMaker, list ...T) T { return list[g.IntN(len(list))] }

// fresh makes a value an input, an initializer or a constant node of the graph.
func (g *graphMaker) fresh(v *tensor.Tensor) operand {
	if g.IntN(3) == 0 {
		return g.constant(v)
	}
	name := g.name()
	g.graph.Inputs = append(g.graph.Inputs, &onnx.Value{Name: name, Type: g.declared(v)})
	g.feeds[name] = v
	return g.keep(exactOperand(name, v))
}

func exactOperand(name string, v *tensor.Tensor) operand {
	scale, wild := magnitude(v)
	return operand{name: name, value: v, exact: true, scale: scale, wild: wild}
}

// declared is the type of an input: some sizes are free, and some ranks.
func (g *graphMaker) declared(v *tensor.Tensor) *onnx.Type {
	t := &onnx.Type{Kind: onnx.TensorKind, DType: v.DType(), HasShape: g.IntN(8) > 0}
	for _, d := range v.Shape() {
		if !t.HasShape {
			break
		}
		if g.IntN(5) == 0 {
			t.Shape = append(t.Shape, onnx.Dim{Param: g.name()})
		} else {
			t.Shape = append(t.Shape, onnx.Dim{Known: true, Size: int64(d)})
		}
	}
	return t
}

// constant makes a value an initializer or a constant node.
func (g *graphMaker) constant(v *tensor.Tensor) operand {
	name := g.name()
	stored, err := tensor.ToONNX(name, v)
	if err != nil {
		panic(err) // all types that are drawn can be stored
	}
	if g.coin() {
		g.graph.Initializers = append(g.graph.Initializers, stored)
	} else {
		g.graph.Nodes = append(g.graph.Nodes, &onnx.Node{OpType: "Constant", Outputs: []string{name}, Attrs: []*onnx.Attr{onnx.TensorAttr("value", stored)}})
	}
	return g.keep(exactOperand(name, v))
}

// ints is a constant of indices, as operands such as axes and shapes are.
func (g *graphMaker) ints(v ...int) operand {
	list := make([]int64, len(v))
	for i, n := range v {
		list[i] = int64(n)
	}
	return g.constant(tensor.New([]int{len(list)}, list))
}

func (g *graphMaker) keep(o operand) operand {
	g.values = append(g.values, o)
	return o
}

// pick gives a value that there is and that suits, or else a new one.
func (g *graphMaker) pick(suits func(o operand) bool, otherwise func() *tensor.Tensor) operand {
	if g.IntN(4) > 0 {
		for _, at := range g.Perm(len(g.values)) {
			if o := g.values[at]; !o.wild && o.scale < 1000 && o.value.Len() <= 4096 && suits(o) {
				return o
			}
		}
	}
	return g.fresh(otherwise())
}

// rounding is the slack of a type: some thousand times float's and double's
// smallest step, as a chain of operators may lose, and a few dozen times float16's.
func rounding(t onnx.DType) float64 {
	switch t {
	case onnx.Double:
		return 1e-9
	case onnx.Float16:
		return 2e-2
	}
	return 1e-4
}

// effect says what an operator does to exactness.
type effect bool

const (
	moves    effect = false // elements go through as they are, or the result is a whole number
	computes effect = true  // with floating point: the result depends on the order of operations
)

// node adds a node and runs it. An operand without a name is left out.
func (g *graphMaker) node(op string, e effect, outputs int, attrs []*onnx.Attr, operands ...operand) {
	g.nodeOf("", op, e, outputs, attrs, operands...)
}

func (g *graphMaker) nodeOf(domain, op string, e effect, outputs int, attrs []*onnx.Attr, operands ...operand) {
	n := &onnx.Node{Domain: domain, OpType: op, Attrs: slices.DeleteFunc(attrs, func(a *onnx.Attr) bool { return a == nil })}
	origin := operand{exact: true}
	feeds := map[string]tensor.Value{}
	probe := &onnx.Graph{Name: "probe", Nodes: []*onnx.Node{n}}
	for _, o := range operands {
		n.Inputs = append(n.Inputs, o.name)
		if o.name == "" {
			continue
		}
		if feeds[o.name] == nil {
			probe.Inputs = append(probe.Inputs, &onnx.Value{Name: o.name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: o.dtype()}})
			feeds[o.name] = o.value
		}
		origin.exact = origin.exact && o.exact
		origin.scale = max(origin.scale, o.scale)
		origin.slack = max(origin.slack, o.slack)
	}
	for range outputs {
		name := g.name()
		n.Outputs = append(n.Outputs, name)
		probe.Outputs = append(probe.Outputs, &onnx.Value{Name: name})
	}
	g.graph.Nodes = append(g.graph.Nodes, n)
	model := g.model()
	model.Graph = probe
	results := map[string]tensor.Value{}
	session, err := Compile(model, Options{Threads: 1})
	if err == nil {
		results, err = session.Run(context.Background(), feeds)
	}
	if err != nil {
		g.stuck = true
		return
	}
	for _, name := range n.Outputs {
		o := origin
		o.name, o.value = name, results[name].(*tensor.Tensor)
		scale, wild := magnitude(o.value)
		o.scale, o.wild = max(o.scale, scale), wild
		if o.dtype().IsFloat() {
			o.exact = o.exact && e == moves
			o.slack = max(o.slack, rounding(o.dtype()))
		}
		g.keep(o)
	}
}

// magnitude is the largest absolute value of the numbers that are finite, and
// whether any is not.
func magnitude(t *tensor.Tensor) (largest float64, wild bool) {
	for _, v := range numbers(t) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			wild = true
			continue
		}
		largest = max(largest, math.Abs(v))
	}
	return largest, wild
}

func smallest(t *tensor.Tensor) float64 {
	least := math.Inf(1)
	for _, v := range numbers(t) {
		least = min(least, v)
	}
	return least
}

// numbers are a tensor's elements, none of a tensor that has no numbers.
func numbers(t *tensor.Tensor) []float64 {
	if t.DType() == onnx.String {
		return nil
	}
	list, err := t.Float64s()
	if err != nil {
		return nil
	}
	return list
}
