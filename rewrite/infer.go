package rewrite

import (
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// types infers the element types of a model's values, as far as they follow
// from inputs, constants, attributes and the operators' definitions. What it
// does not know it leaves onnx.Undefined.
type types struct {
	of map[*onnx.Scope]map[string]onnx.DType
	// functions are the scopes of local functions, signatures the types that
	// their calls pass: see call.
	functions  map[*onnx.Function]*onnx.Scope
	signatures map[*onnx.Scope][]onnx.DType
}

// inferTypes works through all scopes in the order of the nodes, bodies at the
// node that owns them, so that a body knows the types of outer names and the
// node learns those of its outputs from its bodies. A local function is worked
// through at its calls.
func inferTypes(index *onnx.Index) *types {
	t := &types{
		of:         map[*onnx.Scope]map[string]onnx.DType{},
		functions:  functionScopes(index),
		signatures: map[*onnx.Scope][]onnx.DType{},
	}
	t.scope(index, index.Main(), nil)
	return t
}

// typeOf is the type of a name as a scope sees it.
func (t *types) typeOf(scope *onnx.Scope, name string) onnx.DType {
	if defining := scope.Lookup(name); defining != nil {
		return t.of[defining][name]
	}
	return onnx.Undefined
}

// scope infers one graph. inputs are the types that the owner gives to a body's
// inputs; those that the graph states itself win.
func (t *types) scope(index *onnx.Index, scope *onnx.Scope, inputs []onnx.DType) {
	known := map[string]onnx.DType{}
	t.of[scope] = known
	if f := scope.Function; f != nil {
		for i, name := range f.Inputs {
			known[name] = inputs[i]
		}
		t.nodes(index, scope)
		t.stated(scope, f.ValueInfo)
		return
	}
	g := scope.Graph
	for i, v := range g.Inputs {
		switch {
		case v.Type != nil && v.Type.Kind == onnx.TensorKind:
			known[v.Name] = v.Type.DType
		case i < len(inputs) && v.Type == nil:
			known[v.Name] = inputs[i]
		}
	}
	for _, v := range g.Initializers {
		known[v.Name] = v.Type
	}
	for _, v := range g.SparseInitializers {
		if v.Values != nil {
			known[v.Values.Name] = v.Values.Type
		}
	}
	t.nodes(index, scope)
	t.stated(scope, g.ValueInfo)
	t.stated(scope, g.Outputs)
}

// nodes infers the types of what a scope's nodes give.
func (t *types) nodes(index *onnx.Index, scope *onnx.Scope) {
	known := t.of[scope]
	for _, node := range scope.Nodes() {
		var bodies [][]onnx.DType
		for _, body := range node.Bodies() {
			inner := index.Scope(body)
			if inner == nil {
				continue
			}
			t.scope(index, inner, t.bodyInputs(scope, node))
			var outputs []onnx.DType
			for _, v := range body.Outputs {
				outputs = append(outputs, t.typeOf(inner, v.Name))
			}
			bodies = append(bodies, outputs)
		}
		var called []onnx.DType
		function := index.Function(node)
		if function != nil {
			called = t.call(index, scope, node, function)
		}
		for i, name := range node.Outputs {
			switch {
			case name == "":
			case function != nil && i < len(called):
				known[name] = called[i]
			case function != nil || !knownDomain(node) || typedByCaller(node):
				known[name] = onnx.Undefined
			default:
				known[name] = t.output(scope, node, i, bodies)
			}
		}
	}
}

// stated fills the gaps that inference leaves with what the graph says itself.
func (t *types) stated(scope *onnx.Scope, list []*onnx.Value) {
	known := t.of[scope]
	for _, v := range list {
		if known[v.Name] == onnx.Undefined && v.Type != nil && v.Type.Kind == onnx.TensorKind {
			known[v.Name] = v.Type.DType
		}
	}
}

// bodyInputs are the types that Loop and Scan give to their body's inputs.
func (t *types) bodyInputs(scope *onnx.Scope, node *onnx.Node) []onnx.DType {
	var list []onnx.DType
	for i := range node.Inputs {
		list = append(list, t.typeOf(scope, node.Inputs[i]))
	}
	if node.OpType == "Loop" && len(list) >= 2 {
		list[0], list[1] = onnx.Int64, onnx.Bool
	}
	return list
}

// outputTypes lists, by operator, the types of outputs that do not have the
// type of the first input.
var outputTypes = map[string][]onnx.DType{
	"Shape": {onnx.Int64}, "Size": {onnx.Int64}, "NonZero": {onnx.Int64},
	"ArgMax": {onnx.Int64}, "ArgMin": {onnx.Int64}, "NonMaxSuppression": {onnx.Int64},
	"Equal": {onnx.Bool}, "Less": {onnx.Bool}, "LessOrEqual": {onnx.Bool}, "Greater": {onnx.Bool},
	"GreaterOrEqual": {onnx.Bool}, "And": {onnx.Bool}, "Or": {onnx.Bool}, "Xor": {onnx.Bool}, "Not": {onnx.Bool},
	"IsNaN": {onnx.Bool}, "IsInf": {onnx.Bool},
	"MatMulInteger": {onnx.Int32}, "ConvInteger": {onnx.Int32},
	"DynamicQuantizeLinear": {onnx.Uint8, onnx.Float, onnx.Uint8},
}

// laterOutputs lists, by operator, the types of outputs behind the first.
var laterOutputs = map[string]onnx.DType{
	"TopK": onnx.Int64, "MaxPool": onnx.Int64, "Unique": onnx.Int64, "Dropout": onnx.Bool,
}

// typedBy says which input gives an operator's outputs their type, where that is
// not the first.
var typedBy = map[string]int{"Where": 1, "OneHot": 2, "DequantizeLinear": 1, "CastLike": 1}

// output is the type of one output of a node.
func (t *types) output(scope *onnx.Scope, node *onnx.Node, i int, bodies [][]onnx.DType) onnx.DType {
	switch node.OpType {
	case "If":
		if len(bodies) == 2 && i < len(bodies[0]) && i < len(bodies[1]) && bodies[0][i] == bodies[1][i] {
			return bodies[0][i]
		}
		return onnx.Undefined
	case "Loop":
		if len(bodies) == 1 && i+1 < len(bodies[0]) {
			return bodies[0][i+1]
		}
		return onnx.Undefined
	case "Scan":
		if len(bodies) == 1 && i < len(bodies[0]) {
			return bodies[0][i]
		}
		return onnx.Undefined
	case "Constant":
		if c := scope.Constant(node.Outputs[i]); c != nil {
			return c.Type
		}
		return onnx.Undefined
	case "Cast":
		return typeAttr(node, "to", onnx.Undefined)
	case "ConstantOfShape":
		if a := node.Attr("value"); a != nil && a.T != nil {
			return a.T.Type
		}
		return onnx.Float
	case "RandomNormal", "RandomUniform":
		return typeAttr(node, "dtype", onnx.Float)
	case "EyeLike", "RandomNormalLike", "RandomUniformLike", "Bernoulli":
		return typeAttr(node, "dtype", t.typeOf(scope, node.Input(0)))
	case "Multinomial":
		return typeAttr(node, "dtype", onnx.Int32)
	case "QuantizeLinear":
		if node.Input(2) != "" {
			return t.typeOf(scope, node.Input(2))
		}
		return typeAttr(node, "output_dtype", onnx.Uint8)
	case "SequenceAt", "ConcatFromSequence", "SplitToSequence", "SequenceEmpty", "SequenceConstruct", "SequenceInsert", "SequenceErase", "Optional", "OptionalGetElement":
		return onnx.Undefined
	}
	if list := outputTypes[node.OpType]; list != nil {
		if i < len(list) {
			return list[i]
		}
		return onnx.Undefined
	}
	if later, ok := laterOutputs[node.OpType]; ok && i > 0 {
		return later
	}
	return t.typeOf(scope, node.Input(typedBy[node.OpType]))
}

// knownDomain says whether a node's operator is one whose types are known here.
func knownDomain(node *onnx.Node) bool {
	return node.Domain == "" || node.Domain == "ai.onnx" || node.Domain == microsoft
}

// typedByCaller says whether a node of a function takes what gives its outputs
// their type from an attribute of the call, which differs from call to call.
func typedByCaller(node *onnx.Node) bool {
	return slices.ContainsFunc(node.Attrs, func(a *onnx.Attr) bool {
		return a.RefName != "" && (a.Name == "to" || a.Name == "dtype" || a.Name == "output_dtype" || strings.HasPrefix(a.Name, "value"))
	})
}

// typeAttr is an attribute that names an element type.
func typeAttr(node *onnx.Node, name string, otherwise onnx.DType) onnx.DType {
	if a := node.Attr(name); a != nil && a.RefName == "" {
		return onnx.DType(a.I)
	}
	return otherwise
}
