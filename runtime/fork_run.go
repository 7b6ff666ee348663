package runtime

import (
	"context"
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
	runs            int
	inOrder, beside time.Duration // the shortest of the trials
	bytes           int           // of the results of the last run
	branches        []branchCall
}

// never is how long a way takes that was not tried, or cannot be gone.
const never = time.Duration(math.MaxInt64)

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

// choose says whether the branches run side by side this time, and whether the
// time that it takes is to be noted.
func (s *forkState) choose() (beside, timed bool) {
	trial := s.runs % forkPeriod
	s.runs++
	if trial == 0 {
		s.inOrder, s.beside = never, never
	}
	if timed = trial < forkTrials; timed {
		beside = trial%2 == 1
	} else {
		beside = s.beside < s.inOrder
	}
	return beside && s.bytes <= forkBytes, timed
}

// fork runs the steps of a fork.
func (p *plan) fork(fork *fork, state *forkState, call *ops.Call, f *frame) error {
	beside, timed := state.choose()
	begin, before := time.Now(), f.made
	if beside {
		var err error
		if beside, err = p.sideBySide(fork, state, call, f); err != nil {
			return err
		}
		if !beside {
			state.beside, timed = never, false
		}
	}
	if !beside {
		if err := p.inOrder(fork, call, f); err != nil {
			return err
		}
	}
	state.bytes = f.made - before
	switch elapsed := time.Since(begin); {
	case !timed:
	case beside:
		state.beside = min(state.beside, elapsed)
	default:
		state.inOrder = min(state.inOrder, elapsed)
	}
	return nil
}

// inOrder runs the steps one after another.
func (p *plan) inOrder(fork *fork, call *ops.Call, f *frame) error {
	for _, st := range p.steps[fork.first:fork.end] {
		if call.Context.Err() != nil {
			return context.Cause(call.Context)
		}
		if err := p.step(st, call, f); err != nil {
			return err
		}
	}
	return nil
}

// sideBySide runs the branches side by side. It says false, and has changed
// nothing but what the steps give, where they are to run again in order: because
// one has failed, of which that gives the error, or is one whose remembered results
// are those of other shapes.
func (p *plan) sideBySide(fork *fork, state *forkState, call *ops.Call, f *frame) (bool, error) {
	taken := call.Memory.Begin()
	defer call.Memory.End(taken)
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
			if b.failed = !b.run(st, f); b.failed {
				return
			}
		}
	})
	for i := range state.branches {
		if state.branches[i].failed {
			return false, nil
		}
	}
	return true, p.settle(fork, call, f)
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
