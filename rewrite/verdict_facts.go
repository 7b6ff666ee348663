package rewrite

import (
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// kind is the shape of the nodes that stand for a weight.
type kind int

const (
	linearKind     kind = iota // DequantizeLinear
	multipliedKind             // Cast, Sub if asymmetric, Mul
	integerKind                // MatMulInteger or ConvInteger reads int8
	packedKind                 // MatMulNBits
	lookupKind                 // Gather of int8 and of scales
)

// bias is what is added to a product.
type biasKind int

const (
	noBias     biasKind = iota
	vectorBias          // of the product's columns
	otherBias
)

// facts are what runtimes look at when they meet an int8 weight.
type facts struct {
	kind       kind
	blocked    bool
	perChannel bool
	asymmetric bool
	scale      onnx.DType
	result     onnx.DType // what the layer reads
	transposed bool       // by a node between
	rank       int        // of the stored weight
	single     bool       // it is one number
	fixed      bool       // a lookup always picks the same rows
	packable   bool       // MatMulNBits could stand for the layer
	readers    int        // of the floats
	away       bool       // the floats are made outside the layer's body
	outer      bool       // the floats are made in a body, of constants outside it

	op          string // the layer's
	input       int    // where the layer reads the weight
	alpha, beta float32
	transA      bool
	transB      bool
	bias        biasKind
	clamped     bool // a Relu or Clip is all that reads the layer
}

// place is a node in its scope; via is the call through which its function is
// looked at, if it is.
type place struct {
	scope *onnx.Scope
	node  *onnx.Node
	via   *place
}

// look reads facts from a graph.
type look struct {
	index     *onnx.Index
	functions map[*onnx.Function]*onnx.Scope
	types     []*onnx.Type // that graphs state, by the numbers of the values
	ranks     []int32      // by the numbers of the values
	called    map[calledRank]int
	ranked    map[*onnx.Scope]bool // whose nodes' outputs all have ranks
	depth     int                  // of rank in itself
	verdicts  map[facts][]Verdict  // of layers that are alike
}

func newLook(index *onnx.Index) *look {
	l := &look{
		index: index, functions: map[*onnx.Function]*onnx.Scope{},
		types: statedTypes(index), ranks: make([]int32, index.Values()), called: map[calledRank]int{}, ranked: map[*onnx.Scope]bool{},
		verdicts: map[facts][]Verdict{},
	}
	for i := range l.ranks {
		l.ranks[i] = notRanked
	}
	for _, scope := range index.Scopes() {
		if scope.Function != nil && scope.Parent == nil {
			l.functions[scope.Function] = scope
		}
	}
	return l
}

// weights reads the facts of every quantized weight that a node reads and that
// the original of the node did not, in the order of the operator's table.
func (l *look) weights(p place, original *onnx.Node) []*facts {
	switch p.node.OpType {
	case "MatMulInteger", "ConvInteger":
		return []*facts{{kind: integerKind, scale: onnx.Float, result: onnx.Float, op: original.OpType, input: 1, readers: 1}}
	case "MatMulNBits":
		f := &facts{kind: packedKind, op: original.OpType, input: 1, readers: 1, blocked: true}
		if c := p.scope.Constant(p.node.Input(2)); c != nil {
			f.scale, f.result = c.Type, c.Type
		}
		return []*facts{f}
	}
	if p.node.OpType != original.OpType {
		return nil
	}
	inputs := make([]int, len(p.node.Inputs))
	for i := range inputs {
		inputs[i] = i
	}
	op := operatorOf(original)
	if op != nil {
		inputs = op.inputs
	}
	var found []*facts
	for _, i := range inputs {
		if p.node.Input(i) == "" || i < len(original.Inputs) && original.Inputs[i] == p.node.Inputs[i] {
			continue
		}
		if op != nil && op.lookup {
			if c := p.scope.Constant(p.node.Inputs[i]); c != nil && c.Type == onnx.Int8 {
				found = append(found, &facts{kind: lookupKind, op: original.OpType, readers: 1, fixed: fixed(p.scope, p.node.Input(1), 8)})
			}
			continue
		}
		if f := l.floats(p.scope, p.node.Inputs[i]); f != nil {
			l.reader(f, p, i)
			found = append(found, f)
		}
	}
	return found
}

// floats follows a value back to the int8 constant that it is made of; nil if
// it is made of none.
func (l *look) floats(scope *onnx.Scope, name string) *facts {
	f := &facts{away: scope.Lookup(name) != scope}
	// At most Cast, Transpose, Reshape, Mul, Sub, Reshape and Cast.
	for range 8 {
		node := scope.Producer(name)
		if node == nil {
			return nil
		}
		readers := len(scope.Users(name))
		if scope.IsOutput(name) {
			readers++
		}
		f.readers = max(f.readers, readers)
		switch node.OpType {
		case "DequantizeLinear":
			q, s := scope.Constant(node.Input(0)), scope.Constant(node.Input(1))
			if q == nil || s == nil {
				return nil
			}
			f.kind, f.rank, f.single, f.scale = linearKind, len(q.Dims), oneNumber(q.Dims), s.Type
			f.blocked, f.perChannel = node.Attr("block_size") != nil, len(s.Dims) > 0
			if f.result == onnx.Undefined {
				f.result = s.Type
			}
			z := scope.Constant(node.Input(2))
			f.asymmetric = z != nil && !allZero(z.Source)
			f.outer = scope.Parent != nil && slices.ContainsFunc(node.Inputs, func(part string) bool { return scope.Lookup(part) != scope })
			return f
		case "Transpose":
			f.transposed = !f.transposed
		case "Sub":
			f.asymmetric = true
		case "Mul":
			if s := scope.Constant(node.Input(1)); s != nil {
				f.kind, f.scale, f.perChannel = multipliedKind, s.Type, len(s.Dims) > 0
				if f.result == onnx.Undefined {
					f.result = s.Type
				}
			}
		case "Cast":
			if q := scope.Constant(node.Input(0)); q != nil && q.Type == onnx.Int8 && f.scale != onnx.Undefined {
				f.rank, f.single = len(q.Dims), oneNumber(q.Dims)
				return f
			}
			if to := node.Attr("to"); to != nil && f.result == onnx.Undefined {
				f.result = onnx.DType(to.I)
			}
		case "Reshape":
		default:
			return nil
		}
		name = node.Input(0)
	}
	return nil
}

func oneNumber(dims []int64) bool {
	return !slices.ContainsFunc(dims, func(d int64) bool { return d != 1 })
}

// fixed says whether a value is computed from constants alone, in so many steps
// at most.
func fixed(scope *onnx.Scope, name string, steps int) bool {
	if c := scope.Constant(name); name == "" || c != nil && !c.Overridable {
		return true
	}
	node := scope.Producer(name)
	if node == nil || steps == 0 || len(node.Inputs) == 0 || scope.Lookup(name) != scope || node.Domain != "" && node.Domain != "ai.onnx" ||
		strings.HasPrefix(node.OpType, "Random") || node.OpType == "Bernoulli" || node.OpType == "Multinomial" || node.OpType == "Dropout" ||
		slices.ContainsFunc(node.Attrs, func(a *onnx.Attr) bool { return a.Type == onnx.AttrGraph }) {
		return false
	}
	return !slices.ContainsFunc(node.Inputs, func(input string) bool { return !fixed(scope, input, steps-1) })
}

// allZero says whether a stored tensor is known to be zeros. Zero points that
// wait for their weight to be measured are not taken for zeros, nor measured.
func allZero(t *onnx.Tensor) bool {
	if t == nil || t.Data == nil {
		return false
	}
	switch t.Data.(type) {
	case zeros:
		return true
	case scalesPromise:
		return false
	}
	data, err := t.Data.Bytes()
	return err == nil && !slices.ContainsFunc(data, func(b byte) bool { return b != 0 })
}

// reader adds what is to be known of the layer that reads a weight. A call
// stands for the layer in its function.
func (l *look) reader(f *facts, p place, input int) {
	for range 16 { // calls within functions
		function := l.index.Function(p.node)
		body := l.functions[function]
		if function == nil || body == nil || input >= len(function.Inputs) {
			break
		}
		uses := body.Users(function.Inputs[input])
		if len(uses) != 1 {
			f.readers = max(f.readers, len(uses))
			break
		}
		call := p
		p, input = place{scope: uses[0].Scope, node: uses[0].Node, via: &call}, uses[0].Input
	}
	f.op, f.input, f.alpha, f.beta = p.node.OpType, input, 1, 1
	if p.node.Domain != "" && p.node.Domain != "ai.onnx" {
		f.op = opName(p.node)
	}
	f.packable = isProduct(f) && input == 1 && f.rank == 2 && p.via == nil && p.scope.Function == nil && f.result != onnx.Double
	next, after := l.only(p, p.node.Output(0))
	switch f.op {
	case "Gemm":
		for _, a := range p.node.Attrs {
			switch a.Name {
			case "alpha":
				f.alpha = a.F
			case "beta":
				f.beta = a.F
			case "transA":
				f.transA = a.I != 0
			case "transB":
				f.transB = a.I != 0
			}
		}
		if c := p.node.Input(2); c != "" {
			f.bias = otherBias
			if l.vector(p, c) {
				f.bias = vectorBias
			}
		}
	case "MatMul":
		// Where ranks are known to be 2, MatMul and the Add after it are made a Gemm
		// first, and that has conditions of its own.
		if next == nil || next.node.OpType != "Add" {
			break
		}
		other := next.node.Input(0)
		if other == after {
			other = next.node.Input(1)
		}
		added := l.rank(*next, other)
		scalar := false
		if c := next.scope.Constant(other); c != nil {
			scalar = oneNumber(c.Dims)
		}
		switch matrices := l.rank(p, p.node.Input(0)) == 2; {
		case scalar || added < 1 || added > 2:
			return
		case added == 2 && matrices:
			f.bias = otherBias
		case added == 1:
			f.bias = vectorBias
			if matrices {
				next, _ = l.only(*next, next.node.Output(0))
			}
		}
	}
	if next != nil && (next.node.OpType == "Relu" || next.node.OpType == "Clip") {
		f.clamped = len(l.users(*next, next.node.Output(0))) > 0 && !l.leaves(*next, next.node.Output(0))
	}
}

// only finds the one node that reads a value, and the name by which it does.
func (l *look) only(p place, name string) (*place, string) {
	for p.via != nil && p.scope.IsOutput(name) && len(p.scope.Users(name)) == 0 {
		i := slices.Index(p.scope.Function.Outputs, name)
		p, name = *p.via, p.via.node.Output(i)
	}
	users := p.scope.Users(name)
	if len(users) != 1 || users[0].Scope != p.scope || p.scope.IsOutput(name) {
		return nil, ""
	}
	return &place{scope: p.scope, node: users[0].Node, via: p.via}, name
}

func (l *look) users(p place, name string) []onnx.Use {
	if p.via != nil && p.scope.IsOutput(name) {
		if i := slices.Index(p.scope.Function.Outputs, name); i < len(p.via.node.Outputs) {
			return l.users(*p.via, p.via.node.Output(i))
		}
	}
	return p.scope.Users(name)
}

// leaves says whether a value is an output of its graph.
func (l *look) leaves(p place, name string) bool {
	if p.via != nil && p.scope.IsOutput(name) {
		if i := slices.Index(p.scope.Function.Outputs, name); i < len(p.via.node.Outputs) {
			return l.leaves(*p.via, p.via.node.Output(i))
		}
	}
	return p.scope.IsOutput(name)
}

// vector says whether a value is known to be of rank 1 and longer than one, as
// a bias is.
func (l *look) vector(p place, name string) bool {
	if c := p.scope.Constant(name); c != nil {
		return len(c.Dims) == 1 && c.Dims[0] > 1
	}
	return l.rank(p, name) == 1
}
