package runtime

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// Options say how a model is compiled and run.
type Options struct {
	// Threads is the most goroutines that one Run computes with; 0: all cores.
	Threads int
	// Memory is the most bytes that the values of one Run may take together, not
	// counting its feeds and the model's constants; 0: no limit but that of each
	// tensor. It is for models that are not trusted: a few bytes of a file can ask
	// for all the memory there is.
	Memory int64
	// Fast lets products of quantized weights and float32 activations be computed
	// with the activations in 16-bit block fixed point, where the processor makes
	// that worthwhile: some two times as fast, with a relative error of some 10⁻⁵
	// to 10⁻⁴. Session.Fast says whether it is done.
	Fast bool
	// Observe, if set, is called with every named value that a node gives while
	// the model runs, right after it is computed, in the goroutine of Run. The
	// node is the model's own, or of a function as it stands inlined. Values
	// that are known when the model is compiled are not among them, nor are
	// those that a fused step does without.
	Observe func(node *onnx.Node, name string, v tensor.Value)
}

// Compile prepares a model to be run: calls of local functions are inlined,
// kernels are resolved, what does not depend on the inputs is computed. The
// session keeps nothing of the model's file, so the model may be closed.
//
// All operators that the executor lacks are reported together, in an
// *UnsupportedError; another node that cannot be run is a *NodeError.
func Compile(m *onnx.Model, o Options) (*Session, error) {
	var s *Session
	err := m.Guard(func() error {
		flat, err := inline(m)
		if err == nil {
			s, err = compile(flat, o, judged{})
		}
		return err
	})
	return s, err
}

// traceFunc is told of every step that has run: its node, operands and results.
type traceFunc func(n *onnx.Node, in, out []tensor.Value)

// judged is how Compare has a model compiled.
type judged struct {
	trace   traceFunc // sees every step; nil: nobody does
	literal bool      // every node is run as the model has it: no steps are fused
	// view has constants share the bytes of the model's file, which then has to
	// stay open for as long as the session is used.
	view bool
	// overwrite has memory overwritten that is not in use, to see that it is not.
	overwrite bool
}

// compile is Compile of a model without calls.
func compile(flat *inlined, o Options, how judged) (*Session, error) {
	c := &compiler{inlined: flat, missed: map[Unsupported]bool{}, literal: how.literal, view: how.view, fast: o.Fast, session: &Session{observe: o.Observe, trace: how.trace, threads: o.Threads, memory: o.Memory, overwrite: how.overwrite}}
	if c.session.threads <= 0 {
		c.session.threads = goruntime.GOMAXPROCS(0)
	}
	c.workers = quantops.NewWorkers(c.session.threads)
	defer c.workers.Close()
	main, err := c.graph(flat.model.Graph, nil)
	if len(c.missing) > 0 {
		return nil, &UnsupportedError{Operators: c.missing}
	}
	if err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	c.workers.Each(len(c.later), func(i int) { c.later[i]() })
	c.session.plan = main.plan
	c.session.declare(flat.model)
	return c.session, nil
}

// compiler holds what the compilation of one model shares.
type compiler struct {
	inlined *inlined
	session *Session
	workers *quantops.Workers // for what is computed now
	read    int               // bytes of constants that the model stores
	folded  int               // bytes of constants that were computed
	missing []Unsupported
	missed  map[Unsupported]bool // those in missing, without a node
	literal bool                 // see judged
	view    bool                 // see judged
	fast    bool                 // see Options
	later   []func()             // see ops.Node
	stored  storedTensors
}

// scope is a graph under compilation.
type scope struct {
	compiler     *compiler
	parent       *scope // nil for the main graph
	index        *onnx.Scope
	plan         *plan
	slots        map[string]int
	uses         map[int]bool // of the step at hand, by its bodies
	initializers map[string]*onnx.Tensor
	fixed        map[int]bool // slots whose value is the same in every run
}

// absent is the slot of an operand or result that is left out.
const absent = -1

// graph compiles the main graph or a body.
func (c *compiler) graph(g *onnx.Graph, parent *scope) (*scope, error) {
	names := len(g.Nodes) + len(g.Initializers) + len(g.Inputs) // about
	s := &scope{
		compiler: c, parent: parent, index: c.inlined.index.Scope(g), plan: &plan{session: c.session, initial: make([]tensor.Value, 0, names)},
		slots: make(map[string]int, names), uses: map[int]bool{},
		initializers: make(map[string]*onnx.Tensor, len(g.Initializers)), fixed: make(map[int]bool, len(g.Initializers)),
	}
	for _, t := range g.Initializers {
		s.initializers[t.Name] = t
	}
	c.stored.read(s, g.Initializers)
	for _, v := range g.Inputs {
		slot, err := s.input(v.Name)
		if err != nil {
			return s, err
		}
		s.plan.inputs = append(s.plan.inputs, slot)
	}
	var failure error
	for _, n := range g.Nodes {
		if err := s.add(n); err != nil && failure == nil {
			failure = err // go on: every missing operator is reported
		}
	}
	if failure != nil {
		return s, failure
	}
	for _, v := range g.Outputs {
		slot, err := s.resolve(v.Name)
		if err != nil {
			return s, fmt.Errorf("output %q: %w", v.Name, err)
		}
		s.plan.outputs = append(s.plan.outputs, slot)
		s.plan.names = append(s.plan.names, v.Name)
	}
	if !c.literal {
		s.fuse()
	}
	s.findMemos()
	if parent == nil {
		s.plan.forks = forksOf(s.plan.steps)
	}
	s.finish()
	return s, nil
}

// input gives a graph input its slot, with its default in it. An input that is
// really an initializer gets none: before IR version 4 every initializer is
// listed as an input, and cannot be fed.
func (s *scope) input(name string) (int, error) {
	t := s.initializers[name]
	if t == nil || s.parent != nil {
		delete(s.initializers, name) // the owner of a body feeds its inputs
		return s.define(name), nil
	}
	if !overridable(s.compiler.inlined.model) {
		return absent, nil
	}
	delete(s.initializers, name)
	slot := s.define(name)
	v, err := tensor.FromONNX(t)
	s.plan.initial[slot] = v
	return slot, err
}

// overridable says whether an initializer that is also an input is a default.
func overridable(m *onnx.Model) bool { return m.IRVersion >= 4 }

func (s *scope) define(name string) int {
	slot := len(s.plan.initial)
	s.plan.initial = append(s.plan.initial, nil)
	if name != "" {
		s.slots[name] = slot
	}
	return slot
}

// resolve finds the slot of a name that is visible here; a constant is read,
// and a name of a graph around is captured, when it is first asked for.
func (s *scope) resolve(name string) (int, error) {
	if slot, ok := s.slots[name]; ok {
		return slot, nil
	}
	if t := s.stored(name); t != nil {
		v, err := s.compiler.stored.value(t)
		if err != nil {
			return absent, err
		}
		s.compiler.read += bytesOf(v)
		return s.constant(name, v), nil
	}
	if s.parent == nil {
		return absent, fmt.Errorf("nothing before it defines %q: the nodes are not in order, or the name is unknown", name)
	}
	outer, err := s.parent.resolve(name)
	if err != nil {
		return absent, err
	}
	if s.parent.fixed[outer] {
		return s.constant(name, s.parent.plan.initial[outer]), nil
	}
	s.parent.uses[outer] = true
	slot := s.define(name)
	s.plan.captures = append(s.plan.captures, capture{outer, slot})
	return slot, nil
}

// stored is the initializer, dense or sparse, that a name of this very graph is; else nil.
func (s *scope) stored(name string) *onnx.Tensor {
	if t := s.initializers[name]; t != nil {
		return t
	}
	if s.index == nil || s.index.Lookup(name) != s.index || s.index.Producer(name) != nil || s.index.IsInput(name) {
		return nil
	}
	if c := s.index.Constant(name); c != nil {
		return c.Tensor(name)
	}
	return nil
}

func (s *scope) constant(name string, v tensor.Value) int {
	slot := s.define(name)
	s.plan.initial[slot] = v
	s.fixed[slot] = true
	return slot
}

// add compiles a node to a step, or computes it where that can be done now.
func (s *scope) add(n *onnx.Node) error {
	st := &step{node: n, in: make([]int, len(n.Inputs)), out: make([]int, len(n.Outputs))}
	clear(s.uses)
	constants := make([]tensor.Value, len(n.Inputs))
	var failure error
	for i, name := range n.Inputs {
		st.in[i] = absent
		if name == "" {
			continue
		}
		slot, err := s.resolve(name)
		if err != nil {
			failure = errors.Join(failure, fmt.Errorf("operand %d: %w", i, err))
			continue
		}
		st.in[i] = slot
		if s.fixed[slot] {
			constants[i] = s.plan.initial[slot]
		}
	}
	if failure == nil {
		failure = s.build(st, constants)
	}
	folded := failure == nil && st.run != nil && s.fold(st, constants)
	for i, name := range n.Outputs {
		st.out[i] = absent
		if name != "" && !folded {
			st.out[i] = s.define(name)
		}
	}
	if failure != nil {
		return &NodeError{Node: n, Err: failure}
	}
	if !folded {
		for slot := range s.uses {
			st.captured = append(st.captured, slot)
		}
		s.plan.steps = append(s.plan.steps, st)
	}
	return nil
}

// build finds a node's kernel and lets it read the attributes. An operator that
// is missing is noted and no error, so that all of them are found.
func (s *scope) build(st *step, constants []tensor.Value) error {
	n := st.node
	opset := s.compiler.inlined.opset(n)
	kernel, known := ops.Lookup(n.Domain, n.OpType, int(opset))
	if kernel == nil {
		s.compiler.miss(n, opset, known)
		for _, body := range n.Bodies() {
			if _, err := s.compiler.graph(body, s); err != nil {
				return err
			}
		}
		return nil
	}
	node := &ops.Node{
		Node: n, Opset: int(opset), Constants: constants,
		Later: func(work func()) { s.compiler.later = append(s.compiler.later, work) },
		Body: func(attr string) (ops.Body, error) {
			a := n.Attr(attr)
			if a == nil || a.G == nil {
				return nil, fmt.Errorf("attribute %s: the graph is missing", attr)
			}
			body, err := s.compiler.graph(a.G, s)
			if err != nil {
				return nil, err
			}
			return &graphBody{body.plan}, nil
		},
	}
	run, err := kernel.Build(node)
	if err == nil {
		err = node.Mistyped()
	}
	st.run = run
	return err
}

func (c *compiler) miss(n *onnx.Node, opset int64, known bool) {
	operator := Unsupported{Domain: n.Domain, Op: n.OpType, Opset: opset, Known: known}
	if c.missed[operator] {
		return
	}
	c.missed[operator] = true
	operator.Node = nodeLabel(n)
	c.missing = append(c.missing, operator)
}

// finish works out after which step each slot is read for the last time, and
// drops the constants that no step reads.
func (s *scope) finish() {
	read := map[int]bool{}
	for _, slot := range s.plan.outputs {
		read[slot] = true
	}
	for _, st := range slices.Backward(s.plan.steps) {
		for _, slot := range slices.Concat(st.in, st.captured, st.out) {
			if slot == absent || read[slot] {
				continue
			}
			read[slot] = true
			if !s.fixed[slot] {
				st.free = append(st.free, slot)
			}
		}
	}
	for slot := range s.fixed {
		if !read[slot] {
			s.plan.initial[slot] = nil
		}
		s.plan.initial[slot] = s.compiler.stored.keep(s.plan.initial[slot])
	}
}
