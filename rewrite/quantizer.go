package rewrite

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// The opset versions that decide between forms. Sources: the operators' own
// version histories in the ONNX operator schemas.
const (
	opsetBroadcast       = 7  // Mul and Add broadcast as NumPy does
	opsetBFloat16        = 13 // MatMul, Gemm, Cast and Mul take bfloat16
	opsetPerChannel      = 13 // DequantizeLinear has an axis
	opsetSixteenBitScale = 19 // DequantizeLinear takes float16 and bfloat16 scales
	newestOpset          = 28 // the newest version whose operators are known here
)

// quantizer is the rule that a recipe makes.
type quantizer struct {
	recipe    Recipe
	selection *selection
	weights   map[weightKey]*weight
	functions map[*onnx.Function]*onnx.Scope
}

// New plans what a recipe does to a model. It reads no weights.
func New(m *onnx.Model, recipe Recipe) (*Plan, error) {
	recipe, err := recipe.normal()
	if err != nil {
		return nil, err
	}
	selection, err := newSelection(recipe.Include, recipe.Exclude)
	if err != nil {
		return nil, err
	}
	plan, err := Find(m, &quantizer{
		recipe:    recipe,
		selection: selection,
		weights:   map[weightKey]*weight{},
	})
	if err != nil {
		return nil, err
	}
	if err := selection.unmatched(); err != nil {
		return nil, err
	}
	return plan, nil
}

// Name is the recipe's.
func (q *quantizer) Name() string { return string(q.recipe.Activations) }

// Match finds the linear layers that the recipe is for.
func (q *quantizer) Match(at At) (*Match, *Skip) {
	if at.Index.Function(at.Node) != nil {
		return q.matchCall(at)
	}
	if at.Node.Domain != "" && at.Node.Domain != "ai.onnx" || !slices.Contains(q.recipe.Ops, at.Node.OpType) {
		return nil, nil
	}
	layer, reason := newLinear(at.Scope, at.Node)
	if reason == "" {
		reason = q.refuses(at, layer.weight)
	}
	if selected := q.selects(at, layer); selected != "" {
		reason = selected
	}
	if reason != "" {
		return nil, &Skip{Reason: reason}
	}
	if q.recipe.Activations == W8A16 {
		return q.matchSixteenBit(at, layer), nil
	}
	form := q.form(at.Scope, layer.weight.Type, false)
	w := q.weight(layer, form)
	return &Match{
		Sites:   []Site{w.site(form)},
		Prepare: w.prepare,
		Build: func(b *Builder) error {
			if err := w.ready(q.recipe); err != nil {
				return err
			}
			actual := q.actual(at.Scope, w, form)
			dequantized, err := w.dequantized(b, actual)
			if err != nil {
				return err
			}
			b.Add(layer.replacement(dequantized))
			w.finish(b, 0, actual)
			return nil
		},
	}, nil
}

// selects asks the globs about a node, with its weight's name where it has one.
func (q *quantizer) selects(at At, layer *linear) string {
	names := []string{at.Node.Name, at.Node.OpType}
	if at.Node.Name == "" {
		names[0] = nodeName(at.Node)
	}
	if layer != nil {
		names = append(names, layer.weight.Root)
	}
	return q.selection.refuses(names...)
}

// refuses says why a constant is not quantized where it stands, or nothing.
func (q *quantizer) refuses(at At, c *onnx.Constant) string {
	opset := at.Scope.Opset("")
	bytes := weightBytes(c)
	switch {
	case !c.Type.IsFloat():
		return fmt.Sprintf("its weight is %v, not float", c.Type)
	case !c.Source.Type.IsFloat():
		return fmt.Sprintf("its weight is stored as %v already", c.Source.Type)
	case c.Overridable:
		return fmt.Sprintf("its weight %q is also an input of the model, so a caller may replace it; take it out of the inputs to have it quantized", c.Root)
	case opset < opsetBroadcast:
		return fmt.Sprintf("opset %d is older than %d: its Mul does not broadcast, so no form of an int8 weight can be written", opset, opsetBroadcast)
	case opset > newestOpset:
		return fmt.Sprintf("opset %d is newer than %d, the newest that is known here", opset, newestOpset)
	case bytes < q.recipe.MinBytes:
		return fmt.Sprintf("its weight takes %d bytes, less than --min-bytes %d", bytes, q.recipe.MinBytes)
	}
	if q.recipe.Activations == W8A16 {
		switch {
		case c.Type == onnx.Double:
			return "it computes in float64, which 16 bit would not do justice to"
		case q.recipe.SixteenBit == onnx.BFloat16 && opset < opsetBFloat16:
			return fmt.Sprintf("bfloat16 needs opset %d, and this is %d", opsetBFloat16, opset)
		}
	}
	return ""
}

// weightBytes is what a constant takes as floats.
func weightBytes(c *onnx.Constant) int64 {
	size := int64(c.Type.Bits()) / 8
	for _, d := range c.Dims {
		size *= d
	}
	return size
}

// replacement is the layer's own node reading another weight, which is stored
// the way that the node reads without a transpose.
func (l *linear) replacement(weight string) *onnx.Node {
	node := l.node.Clone()
	node.Inputs[l.operand] = weight
	if node.OpType == "Gemm" {
		name := transposeAttr[l.operand]
		node.Attrs = slices.DeleteFunc(node.Attrs, func(a *onnx.Attr) bool { return a.Name == name })
	}
	return node
}
