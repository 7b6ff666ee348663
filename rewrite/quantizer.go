package rewrite

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// The opset versions that decide between forms. Sources: the operators' own
// version histories in the ONNX operator schemas.
const (
	opsetBroadcast       = 7  // Mul and Add broadcast as NumPy does
	opsetBFloat16        = 13 // MatMul, Gemm, Cast and Mul take bfloat16
	opsetPerChannel      = 13 // DequantizeLinear has an axis
	opsetSixteenBitScale = 19 // DequantizeLinear takes float16 and bfloat16 scales
	opsetBlocked         = 21 // DequantizeLinear has blocks
	newestOpset          = 28 // the newest version whose operators are known here
)

// quantizer is the rule that a recipe makes.
type quantizer struct {
	model     *onnx.Model
	late      bool // weights are measured while the new model is written
	recipe    Recipe
	selection *selection
	weights   map[weightKey]*weight
	ordered   []*weight // as they were found
	twins     sync.Once
	kept      atomic.Int64 // bytes of scales that stay; see keptScales
	functions map[*onnx.Function]*onnx.Scope
}

// New plans what a recipe does to a model. It reads no weights.
func New(m *onnx.Model, recipe Recipe) (*Plan, error) {
	var plan *Plan
	err := m.Guard(func() error {
		index, err := onnx.NewIndex(m)
		if err != nil {
			return fmt.Errorf("rewrite: %w", err)
		}
		plan, err = newPlan(m, index, recipe)
		return err
	})
	return plan, err
}

func newPlan(m *onnx.Model, index *onnx.Index, recipe Recipe) (*Plan, error) {
	recipe, err := recipe.normal()
	if err != nil {
		return nil, err
	}
	selection, err := newSelection(recipe.Include, recipe.Exclude)
	if err != nil {
		return nil, err
	}
	q := &quantizer{model: m, recipe: recipe, selection: selection, weights: map[weightKey]*weight{}}
	plan := find(m, index, q)
	if err := selection.unmatched(); err != nil {
		return nil, err
	}
	plan.quantizer = q
	plan.remains(q)
	plan.judge()
	if recipe.WholeGraph {
		plan.after = func(m *onnx.Model) (*onnx.Model, []Skip, error) { return narrowGraph(m, recipe.SixteenBit) }
	}
	return plan, nil
}

// Name is the recipe's.
func (q *quantizer) Name() string { return string(q.recipe.Activations) }

// Match finds the weights that the recipe is for.
func (q *quantizer) Match(at At) (*Match, *Skip) {
	if at.Index.Function(at.Node) != nil {
		return q.matchCall(at)
	}
	op := operatorOf(at.Node)
	if op == nil || !slices.Contains(q.recipe.Ops, op.String()) {
		return nil, nil
	}
	operands, reason := operandsOf(at.Scope, op, at.Node)
	if len(operands) == 0 {
		if selected := q.selects(at, nil); selected != "" {
			reason = selected
		}
		return nil, &Skip{Reason: reason}
	}
	var reasons []string
	operands = slices.DeleteFunc(operands, func(o *operand) bool {
		reason := q.refuses(at, op, o.weight)
		if selected := q.selects(at, o); selected != "" {
			reason = selected
		}
		if reason != "" {
			reasons = append(reasons, reason)
		}
		return reason != ""
	})
	var skip *Skip
	if len(reasons) > 0 {
		skip = &Skip{Reason: strings.Join(slices.Compact(reasons), "; ")}
	}
	switch {
	case len(operands) == 0:
		return nil, skip
	case op.lookup:
		return q.matchLookup(at, operands[0]), skip
	case q.recipe.Target == ORT && q.recipe.Activations != W8A8:
		why := nBitsForm(at, operands)
		if why == "" {
			return q.matchNBits(at, operands[0]), skip
		}
		return noted(q.matchFloat(at, op, operands), "not as MatMulNBits: "+why), skip
	case q.recipe.Activations == W8A8:
		why := integerForm(at, operands)
		if why == "" {
			return q.matchInteger(at, operands[0]), skip
		}
		return noted(q.matchWide(at, operands, q.ownForm), "stored as w8a32: "+why), skip
	}
	return q.matchFloat(at, op, operands), skip
}

// matchFloat plans a node that computes in floats, of the recipe's type if the
// operator is one for it.
func (q *quantizer) matchFloat(at At, op *operator, operands []*operand) *Match {
	if !op.narrow || q.recipe.Activations != W8A16 {
		return q.matchWide(at, operands, q.ownForm)
	}
	if floor := safeOperators[op.name].bfloat16; q.recipe.SixteenBit == onnx.BFloat16 && at.Scope.Opset("") < floor {
		return noted(q.matchWide(at, operands, q.ownForm), fmt.Sprintf("stored as w8a32: it takes no bfloat16 before opset %d", floor))
	}
	return q.matchSixteenBit(at, operands)
}

// noted is a match with a note at its sites.
func noted(match *Match, note string) *Match {
	for i := range match.Sites {
		match.Sites[i].Note = note
	}
	return match
}

// selects asks the globs about a node, with its weight's name where it has one.
func (q *quantizer) selects(at At, o *operand) string {
	names := []string{nodeName(at.Node), at.Node.OpType}
	if o != nil {
		names = append(names, o.weight.Root)
	}
	return q.selection.refuses(names...)
}

// refuses says why a constant is not quantized where it stands, or nothing.
func (q *quantizer) refuses(at At, op *operator, c *onnx.Constant) string {
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
	if reason := otherOpset(at.Scope, q.model.Opset("")); reason != "" {
		return reason
	}
	if q.recipe.Activations == W8A16 && op.narrow {
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
	return int64(c.Type.Bits()) / 8 * elements(c.Dims)
}
