package ops

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// Nodes that nobody would write, on operands that do not fit, give errors: no
// kernel panics, writes to its inputs, gives a tensor whose elements are not as
// many as its shape says, or runs on when its context has ended.
func TestKernelsWithstandHostileNodes(t *testing.T) {
	operators := readStandardOperators(t)
	ran := map[string]int{}
	for seed := range uint64(40000) {
		if op, ok := hostileRun(t, operators, seed); ok {
			ran[op]++
		}
		if t.Failed() {
			return
		}
	}
	if len(ran) < len(operators)/2 {
		t.Errorf("only %d operators ever gave a result: the nodes are too far from good ones to test anything", len(ran))
	}
}

func FuzzKernels(f *testing.F) {
	f.Fuzz(func(t *testing.T, seed uint64) { hostileRun(t, readStandardOperators(t), seed) })
}

// hostileRun builds and runs the node that a seed stands for, and says of which
// operator it is and whether it gave a result.
func hostileRun(t *testing.T, operators []standardOperator, seed uint64) (op string, ok bool) {
	t.Helper()
	h := hostile{rand.New(rand.NewPCG(seed, 0))}
	o := operators[h.IntN(len(operators))]
	opset := o.versions[h.IntN(len(o.versions))]
	kernel, _ := Lookup(o.domain, o.name, opset)
	if kernel == nil {
		return o.String(), false
	}
	in := h.operands(o.inputs)
	node := &onnx.Node{OpType: o.name, Attrs: h.attributes(o)}
	for _, v := range in {
		name := "operand"
		if v == nil {
			name = ""
		}
		node.Inputs = append(node.Inputs, name)
	}
	node.Outputs = slices.Repeat([]string{"result"}, 1+h.IntN(min(o.outputs, 4)))
	what := func() string {
		return fmt.Sprintf("seed %d: %v of opset %d, attributes %s, on %s", seed, o, opset, showAttributes(node.Attrs), show(in...))
	}
	defer func() {
		if failure := recover(); failure != nil {
			t.Errorf("%s:\n%v\n%s", what(), failure, debug.Stack())
		}
	}()
	constants := make([]tensor.Value, len(in))
	if h.IntN(2) == 0 {
		constants = in
	}
	body := hostileBody{inputs: h.IntN(5), results: h.operands(4)}
	run, err := kernel.Build(&Node{
		Node: node, Opset: opset, Constants: constants,
		Body: func(attr string) (Body, error) {
			a := node.Attr(attr)
			if a == nil {
				return nil, fmt.Errorf("attribute %s is missing", attr)
			}
			a.G.Inputs = slices.Repeat([]*onnx.Value{{Name: "input"}}, body.Inputs())
			a.G.Outputs = slices.Repeat([]*onnx.Value{{Name: "output"}}, body.Outputs())
			return body, nil
		},
	})
	if err != nil {
		return o.String(), false
	}
	before := show(in...)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	out, err := run(&Call{Context: ctx, Workers: workers(t, 2)}, in)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("%s: ran for %v beyond its context", what(), took)
	}
	if after := show(in...); after != before {
		t.Errorf("%s: the inputs have become %s", what(), after)
	}
	if err != nil {
		return o.String(), false
	}
	for _, v := range out {
		if problem := inconsistency(v); problem != "" {
			t.Errorf("%s: %s", what(), problem)
		}
	}
	return o.String(), true
}

// inconsistency says what is wrong with a value as such.
func inconsistency(v tensor.Value) string {
	switch v := v.(type) {
	case *tensor.Tensor:
		if length := reflect.ValueOf(v.Any()).Len(); v == nil || slices.Contains(v.Shape(), -1) || length != v.Len() {
			return fmt.Sprintf("a tensor of shape %v has %d elements", v.Shape(), length)
		}
	case *tensor.Sequence:
		for _, element := range v.Values {
			if element == nil {
				return "a sequence holds nothing"
			}
			if problem := inconsistency(element); problem != "" {
				return problem
			}
		}
	case *tensor.Optional:
		return inconsistency(v.Value)
	}
	return ""
}

func showAttributes(attrs []*onnx.Attr) string {
	var all []string
	for _, a := range attrs {
		switch a.Type {
		case onnx.AttrFloat:
			all = append(all, fmt.Sprintf("%s=%v", a.Name, a.F))
		case onnx.AttrInt:
			all = append(all, fmt.Sprintf("%s=%v", a.Name, a.I))
		case onnx.AttrString:
			all = append(all, fmt.Sprintf("%s=%q", a.Name, a.S))
		case onnx.AttrInts:
			all = append(all, fmt.Sprintf("%s=%v", a.Name, a.Ints))
		case onnx.AttrFloats:
			all = append(all, fmt.Sprintf("%s=%v", a.Name, a.Floats))
		case onnx.AttrStrings:
			all = append(all, fmt.Sprintf("%s=%q", a.Name, a.Strings))
		default:
			all = append(all, a.Name)
		}
	}
	return strings.Join(all, " ")
}

// hostileBody is a body that gives the same whatever it gets.
type hostileBody struct {
	inputs  int
	results []tensor.Value
}

func (b hostileBody) Inputs() int  { return b.inputs }
func (b hostileBody) Outputs() int { return len(b.results) }
func (b hostileBody) Run(c *Call, _ []tensor.Value) ([]tensor.Value, error) {
	return b.results, c.Context.Err()
}

// hostile draws the parts of nodes.
type hostile struct{ *rand.Rand }

// number is mostly small, and sometimes such that sums and products of it
// overflow. Numbers between, which only take memory and time, are left out.
func (h hostile) number() int64 {
	if h.IntN(25) == 0 {
		extremes := []int64{math.MinInt64, math.MaxInt64, math.MinInt32, 1 << 31, 1 << 40, -1 << 40, 1 << 62, -1 << 62}
		return extremes[h.IntN(len(extremes))]
	}
	return int64(h.IntN(8) - 2)
}

func (h hostile) numbers() []int64 {
	list := make([]int64, h.IntN(5))
	same, alike := h.number(), h.IntN(2) == 0
	for i := range list {
		if list[i] = same; !alike {
			list[i] = h.number()
		}
	}
	return list
}

func (h hostile) real() float32 {
	if h.IntN(8) == 0 {
		extremes := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, 1e-45, -1e30}
		return extremes[h.IntN(len(extremes))]
	}
	return h.Float32()*8 - 3
}

func (h hostile) shape() []int {
	shape := make([]int, h.IntN(5))
	for axis := range shape {
		shape[axis] = h.IntN(4)
		if h.IntN(2) == 0 {
			shape[axis] = 1 + h.IntN(3)
		}
	}
	return shape
}

// operands draws up to one more than most, of which many have the shape or the
// type of the one before.
func (h hostile) operands(most int) []tensor.Value {
	count := h.IntN(min(most, 6) + 1)
	if h.IntN(2) == 0 {
		count = min(most, 6)
	}
	if h.IntN(20) == 0 {
		count++
	}
	list := make([]tensor.Value, count)
	shape, kind := h.shape(), h.IntN(20)
	for i := range list {
		if h.IntN(3) == 0 {
			shape = h.shape()
		}
		if h.IntN(3) == 0 {
			kind = h.IntN(20)
		}
		switch h.IntN(25) {
		case 0:
		case 1:
			list[i] = &tensor.Sequence{Elem: onnx.Float, Values: []tensor.Value{h.tensor(shape, 0), h.tensor(shape, 0)}}
		case 2:
			list[i] = &tensor.Optional{Value: h.tensor(shape, kind)}
		default:
			list[i] = h.tensor(shape, kind)
		}
	}
	return list
}

// tensor draws a tensor of a kind, 0 to 19: a type, with the common ones more often.
func (h hostile) tensor(shape []int, kind int) *tensor.Tensor {
	if kind >= 16 && h.IntN(2) == 0 { // a list, as shapes and axes are
		shape = []int{h.IntN(5)}
	}
	switch kind {
	case 0:
		return fillHostile(shape, func() float64 { return float64(h.real()) })
	case 1:
		return fillHostile(shape, func() quantops.Float16 { return quantops.Float16FromFloat32(h.real()) })
	case 2:
		return fillHostile(shape, func() quantops.BFloat16 { return quantops.BFloat16FromFloat32(h.real()) })
	case 3:
		return fillHostile(shape, func() string { return []string{"", "a", "1.5", "Ünïcode", "NaN", "a b"}[h.IntN(6)] })
	case 4:
		return fillHostile(shape, func() bool { return h.IntN(2) == 0 })
	case 5:
		return fillHostile(shape, func() int8 { return int8(h.Uint32()) })
	case 6:
		return fillHostile(shape, func() uint8 { return uint8(h.Uint32()) })
	case 7:
		return fillHostile(shape, func() int32 { return int32(h.number()) })
	case 8:
		return fillHostile(shape, func() uint64 { return uint64(h.number()) })
	case 9:
		return fillHostile(shape, func() quantops.Float8E4M3FN { return quantops.Float8E4M3FN(h.Uint32()) })
	case 10:
		return fillHostile(shape, func() quantops.Int4 { return quantops.Int4(h.IntN(16) - 8) })
	case 11:
		return fillHostile(shape, func() complex64 { return complex(h.real(), h.real()) })
	case 16, 17, 18, 19:
		return fillHostile(shape, h.number)
	}
	return fillHostile(shape, h.real)
}

func fillHostile[T tensor.Element](shape []int, draw func() T) *tensor.Tensor {
	data := make([]T, tensor.Count(shape))
	for i := range data {
		data[i] = draw()
	}
	return tensor.New(shape, data)
}

// attributeTexts are what string attributes may say; others get any of all.
var attributeTexts = []string{
	"", "none", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", "constant", "reflect", "edge", "wrap", "linear", "circular",
	"nearest", "cubic", "bilinear", "bicubic", "zeros", "border", "reflection", "DCR", "CRD", "add", "mul", "max", "min",
	"mean", "sum", "avg", "LEFT", "RIGHT", "forward", "reverse", "bidirectional", "tanh", "Relu", "Sigmoid", "half_pixel",
	"align_corners", "asymmetric", "tf_crop_and_resize", "floor", "ceil", "round_prefer_ceil", "not_larger", "TF", "IDF",
	"ij,jk->ik", "...i,i", "ii->i", "->", "a,b", "LOWER", "[", ".*", "up", "even", "gated_delta", "delta",
}

func (h hostile) attributes(o standardOperator) []*onnx.Attr {
	var attrs []*onnx.Attr
	chance := h.IntN(4) // in 4 that an attribute is stated
	for _, a := range o.attributes {
		if h.IntN(4) >= chance {
			continue
		}
		attr := &onnx.Attr{Name: a.name}
		switch a.kind {
		case "int":
			attr = onnx.IntAttr(a.name, h.number())
		case "float":
			attr = onnx.FloatAttr(a.name, h.real())
		case "ints":
			attr = onnx.IntsAttr(a.name, h.numbers())
		case "floats":
			attr = onnx.FloatsAttr(a.name, []float32{h.real(), h.real()}[:h.IntN(3)])
		case "string":
			attr = onnx.StringAttr(a.name, h.text())
		case "strings":
			attr = onnx.StringsAttr(a.name, []string{h.text(), h.text(), h.text()}[:h.IntN(4)])
		case "tensor":
			t, err := tensor.ToONNX("", h.tensor(h.shape(), h.IntN(20)))
			if err != nil {
				continue
			}
			attr = onnx.TensorAttr(a.name, t)
		case "graph":
			attr = onnx.GraphAttr(a.name, &onnx.Graph{})
		}
		attrs = append(attrs, attr)
	}
	return attrs
}

func (h hostile) text() string { return attributeTexts[h.IntN(len(attributeTexts))] }
