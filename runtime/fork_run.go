package runtime

import (
	"math"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// Whether a fork's branches run faster side by side, or one after another with
// each step divided, is measured: in turns in the first of so many runs, of which
// the others do what was faster. Results are the same in both.
const (
	forkTrials = 10
	forkPeriod = 256
)

// forkBytes is how many bytes the results of a fork may take, all of which are
// there until all branches end. Where they are more, steps are large.
const forkBytes = 4 << 20

// forkState is what a frame knows of a fork.
type forkState struct {
	runs     int
	best     [2]time.Duration // one after another, and side by side
	bytes    int              // of the results, when they were last counted
	branches []branchCall
}

// branchCall is what a branch runs in.
type branchCall struct {
	call     ops.Call
	left     int64
	operands []tensor.Value
	failed   bool
	_        [64]byte // others write to what is their own
}

func (p *plan) newForkStates() []forkState {
	states := make([]forkState, len(p.forks))
	for i := range states {
		states[i].branches = make([]branchCall, len(p.forks[i].branches))
	}
	return states
}

// fork runs the steps of a fork.
func (p *plan) fork(fork *fork, state *forkState, call *ops.Call, f *frame) error {
	trial := state.runs % forkPeriod
	state.runs++
	if trial == 0 {
		state.best = [2]time.Duration{math.MaxInt64, math.MaxInt64}
	}
	way := trial % 2
	if trial >= forkTrials {
		if way = 0; state.best[1] < state.best[0] {
			way = 1
		}
	}
	if way == 1 && state.bytes > forkBytes {
		way = 0
	}
	var begin time.Time
	if trial < forkTrials {
		begin = time.Now()
	}
	if way == 1 {
		taken := call.Memory.Begin()
		if !p.sideBySide(fork, state, call, f) {
			call.Memory.End(taken)
			return p.oneByOne(fork, state, call, f) // which says what is wrong, if something is
		}
		if err := p.settle(fork, call, f); err != nil {
			return err
		}
		call.Memory.End(taken)
	} else if err := p.oneByOne(fork, state, call, f); err != nil {
		return err
	}
	if trial < forkTrials {
		state.best[way] = min(state.best[way], time.Since(begin))
	}
	return nil
}

// oneByOne runs the steps in their order.
func (p *plan) oneByOne(fork *fork, state *forkState, call *ops.Call, f *frame) error {
	before := f.made
	for _, st := range p.steps[fork.first:fork.end] {
		if err := p.step(st, call, f); err != nil {
			return err
		}
	}
	state.bytes = f.made - before
	return nil
}

// settle does for the results of all branches what step does for each step's.
func (p *plan) settle(fork *fork, call *ops.Call, f *frame) error {
	for _, st := range p.steps[fork.first:fork.end] {
		f.operands = f.gather(st, f.operands)
		if err := p.hold(st, call, f); err != nil {
			return err
		}
		f.release(st, call)
	}
	return nil
}

// sideBySide has the branches' results made. It changes nothing else, so that the
// steps may run again: which is to be if it says false, as a step has failed or is
// one whose remembered results are those of other shapes.
func (p *plan) sideBySide(fork *fork, state *forkState, call *ops.Call, f *frame) bool {
	for i := range state.branches {
		b := &state.branches[i]
		b.failed = false
		b.call.Context, b.call.Memory = call.Context, call.Memory
		if call.Left != nil {
			b.left = *call.Left / int64(len(state.branches))
			b.call.Left = &b.left
		}
	}
	call.Workers.Each(len(fork.branches), func(i int) {
		b := &state.branches[i]
		for _, st := range fork.branches[i] {
			if b.failed = b.failed || !b.run(st, f); b.failed {
				return
			}
		}
	})
	for i := range state.branches {
		if state.branches[i].failed {
			return false
		}
	}
	return true
}

// run runs one step of a branch.
func (b *branchCall) run(st *step, f *frame) bool {
	if b.call.Context.Err() != nil {
		return false
	}
	b.operands = f.gather(st, b.operands)
	results, known := f.recall(st, b.operands)
	if !known {
		if st.memo != 0 && f.memos != nil {
			return false
		}
		var err error
		if results, err = st.call(&b.call, b.operands); err != nil {
			return false
		}
	}
	for i, slot := range st.out {
		if slot == absent {
			continue
		}
		f.values[slot] = results[i]
		if b.call.Left != nil {
			b.left -= int64(bytesOf(results[i]))
		}
	}
	return true
}

// rest leaves nothing of a run behind.
func (s *forkState) rest() {
	for i := range s.branches {
		b := &s.branches[i]
		b.call = ops.Call{}
		clear(b.operands[:cap(b.operands)])
	}
}
