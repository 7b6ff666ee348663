package runtime

import (
	"context"
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// plan is a compiled graph: steps over numbered slots, each of which holds the
// value of one name. It is not changed once compiled.
type plan struct {
	session  *Session
	initial  []tensor.Value // by slot: the constants
	inputs   []int          // slots of the graph's inputs, absent: not used
	captures []capture
	steps    []*step
	forks    []fork // of the steps; of a body none, as its frame is new in every run
	outputs  []int
	names    []string // of the outputs
	memos    int      // how many steps have one
}

// capture brings a value of the graph around into a body's slot.
type capture struct{ outer, slot int }

// step runs one node.
type step struct {
	node     *onnx.Node
	run      ops.Run
	in, out  []int // slots
	captured []int // slots that the node's bodies read
	free     []int // slots that no later step reads
	memo     int   // the number of the step's memo, from 1 on; 0: none

	// What the step computes instead of its node, if it is fused; or nil.
	product *ops.Int8Product
	laid    *ops.LaidProduct
	softmax *maskedSoftmax
	packed  bool // another step does the step's work as well, or this one that of others
	// accounts says that the kernel itself keeps account of what it takes of memory.
	accounts bool
}

// frame holds the values of one run of a plan, by slot.
type frame struct {
	values   []tensor.Value
	blocks   []*ops.Block   // that the values of steps lie in
	operands []tensor.Value // of the step at hand
	charged  []int64        // bytes that the values of steps count for; nil: none yet
	memos    []memo         // of the runs before; nil in a body
	forks    []forkState    // of the runs before; nil where steps run one by one
	made     int            // bytes of all steps' results
}

func (p *plan) newFrame() *frame {
	return &frame{values: make([]tensor.Value, len(p.initial)), blocks: make([]*ops.Block, len(p.initial))}
}

// runBody runs the plan of a body. in has a value for each of the plan's inputs;
// outer is the frame of the graph around.
func (p *plan) runBody(c *ops.Call, in []tensor.Value, outer *frame) ([]tensor.Value, error) {
	c.Memory.Enter()
	defer c.Memory.Leave()
	if c.Left != nil { // what the body holds is given up when it ends
		defer func(before int64) { *c.Left = before }(*c.Left)
	}
	f := p.newFrame()
	copy(f.values, p.initial)
	for _, captured := range p.captures {
		f.values[captured.slot] = outer.values[captured.outer]
	}
	results, err := p.run(c, in, f)
	for _, v := range results {
		c.Memory.Forget(v)
	}
	return results, err
}

// run runs the steps of a plan in a frame that has the constants and what is
// captured. in has a value for each of the plan's inputs, nil for one that takes
// its default.
func (p *plan) run(c *ops.Call, in []tensor.Value, f *frame) ([]tensor.Value, error) {
	for i, slot := range p.inputs {
		if slot != absent && in[i] != nil {
			f.values[slot] = in[i]
		}
	}
	call := &ops.Call{Context: c.Context, Workers: c.Workers, Memory: c.Memory, Left: c.Left, Frame: f}
	for i, forks := 0, 0; i < len(p.steps); {
		if c.Context.Err() != nil {
			return nil, context.Cause(c.Context)
		}
		var err error
		if forks < len(f.forks) && p.forks[forks].first == i {
			fork := &p.forks[forks]
			err = p.fork(fork, &f.forks[forks], call, f)
			i, forks = fork.end, forks+1
		} else {
			err = p.step(p.steps[i], call, f)
			i++
		}
		if err != nil {
			return nil, err
		}
	}
	results := make([]tensor.Value, len(p.outputs))
	for i, slot := range p.outputs {
		if results[i] = f.values[slot]; results[i] == nil {
			return nil, fmt.Errorf("output %q has no value", p.names[i])
		}
	}
	return results, nil
}

func (p *plan) step(st *step, call *ops.Call, f *frame) error {
	operands := f.gather(st, f.operands)
	f.operands = operands
	taken := call.Memory.Begin()
	results, known := f.recall(st, operands)
	if !known {
		var err error
		if results, err = st.call(call, operands); err != nil {
			return &NodeError{Node: st.node, Operands: describeAll(operands), Err: err}
		}
		f.remember(st, operands, results, call.Memory)
	}
	for i, slot := range st.out {
		if slot != absent {
			f.values[slot] = results[i]
		}
	}
	if err := p.hold(st, call, f); err != nil {
		return err
	}
	if p.session.trace != nil {
		p.session.trace(st.node, slices.Clone(operands), results) // which it may keep
	}
	call.Memory.End(taken)
	f.release(st, call)
	return nil
}

// gather brings a step's operands together, in the place of those of another.
func (f *frame) gather(st *step, operands []tensor.Value) []tensor.Value {
	operands = operands[:0]
	for _, slot := range st.in {
		if slot == absent {
			operands = append(operands, nil)
			continue
		}
		operands = append(operands, f.values[slot])
	}
	return operands
}

// hold keeps a step's results, which are in their slots, for those who read them.
func (p *plan) hold(st *step, call *ops.Call, f *frame) error {
	for i, slot := range st.out {
		if slot == absent {
			continue
		}
		v := f.values[slot]
		if err := f.charge(call.Left, slot, v); err != nil {
			return &NodeError{Node: st.node, Operands: describeAll(f.operands), Err: err}
		}
		f.made += bytesOf(v)
		f.blocks[slot] = call.Memory.Hold(v)
		if p.session.observe != nil {
			p.session.observe(st.node, st.node.Outputs[i], v)
		}
	}
	return nil
}

// release lets go of what no later step reads.
func (f *frame) release(st *step, call *ops.Call) {
	for _, slot := range st.free {
		f.values[slot] = nil
		f.refund(call.Left, slot)
		call.Memory.Release(f.blocks[slot])
		f.blocks[slot] = nil
	}
}

// call runs a step's kernel. Shapes that no kernel thought of can make one run
// out of a slice's bounds: that is an error of the node, not of the program.
func (st *step) call(c *ops.Call, operands []tensor.Value) (results []tensor.Value, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = ops.Fallen(cause)
		}
	}()
	if results, err = st.run(c, operands); err != nil {
		return nil, err
	}
	for i, name := range st.node.Outputs {
		if name != "" && (i >= len(results) || results[i] == nil) {
			return nil, fmt.Errorf("the operator does not give output %d, %q", i, name)
		}
	}
	return results, nil
}

// graphBody is a body as kernels see it.
type graphBody struct{ plan *plan }

func (b *graphBody) Inputs() int  { return len(b.plan.inputs) }
func (b *graphBody) Outputs() int { return len(b.plan.outputs) }

func (b *graphBody) Run(c *ops.Call, in []tensor.Value) ([]tensor.Value, error) {
	if len(in) != len(b.plan.inputs) {
		return nil, fmt.Errorf("the body has %d inputs, it was given %d values", len(b.plan.inputs), len(in))
	}
	outer, _ := c.Frame.(*frame)
	return b.plan.runBody(c, in, outer)
}
