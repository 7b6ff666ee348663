package runtime

import (
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// room is what one run needs and the next one can use again. Every run that is
// under way has one to itself.
type room struct {
	frame   *frame
	memory  *ops.Memory       // nil in a session that is observed: whoever observes may keep values
	workers *quantops.Workers // whose goroutines outlive a run by a moment, in case of another
}

// restingRooms is how many rooms a session keeps at most. It matters only to a
// program that runs one session in many goroutines.
const restingRooms = 4

// enter gives a room with the constants in it.
func (s *Session) enter() *room {
	s.resting.Lock()
	defer s.resting.Unlock()
	var r *room
	if last := len(s.rooms) - 1; last >= 0 {
		r = s.rooms[last]
		s.rooms = s.rooms[:last]
	} else {
		r = &room{frame: s.plan.newFrame(), workers: quantops.NewWorkers(s.threads)}
		r.frame.memos = make([]memo, s.plan.memos)
		if s.observe == nil && s.trace == nil {
			if s.threads > 1 {
				r.frame.forks = s.plan.newForkStates()
			}
			r.memory = &ops.Memory{Overwrite: s.overwrite}
		}
	}
	for _, block := range s.returned {
		r.memory.Adopt(block)
	}
	s.returned = nil
	copy(r.frame.values, s.plan.initial)
	return r
}

// runIn runs the plan in a room; after it, nothing works there.
func (p *plan) runIn(r *room, c *ops.Call, in []tensor.Value) ([]tensor.Value, error) {
	defer r.workers.Close()
	return p.run(c, in, r.frame)
}

// leave keeps the room of a run that has ended well: after an error nobody knows
// what is still in use.
func (s *Session) leave(r *room) {
	clear(r.frame.values)
	clear(r.frame.blocks)
	clear(r.frame.charged)
	clear(r.frame.operands[:cap(r.frame.operands)])
	for i := range r.frame.forks {
		r.frame.forks[i].rest()
	}
	r.memory.Rest()
	s.resting.Lock()
	defer s.resting.Unlock()
	if len(s.rooms) < restingRooms {
		s.rooms = append(s.rooms, r)
	}
}
