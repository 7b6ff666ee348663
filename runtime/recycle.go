package runtime

import (
	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// lentBlocks is of how many results at most a session remembers where they lie:
// of the last ones.
const lentBlocks = 256

// lend notes where a run's results lie, which are now the caller's.
func (s *Session) lend(memory *ops.Memory, results []tensor.Value) {
	var loans []ops.Loan
	for _, v := range results {
		if loan, ok := memory.Lend(v); ok {
			loans = append(loans, loan)
		}
	}
	s.resting.Lock()
	defer s.resting.Unlock()
	s.lent = append(s.lent, loans...)
	if over := len(s.lent) - lentBlocks; over > 0 {
		s.lent = append(s.lent[:0], s.lent[over:]...)
	}
}

// Recycle gives back what a Run has returned, so that later ones can write their
// results to its memory: a program that does so after each Run, when it has read
// the results, runs without any garbage that grows with the tensors. Nobody may
// read them any more, nor what shares their elements, such as another result of
// that Run or of one that was fed with them. Memory that is not the session's to
// use again, as that of feeds and constants, is left alone.
func (s *Session) Recycle(results map[string]tensor.Value) {
	s.resting.Lock()
	defer s.resting.Unlock()
	for _, v := range results {
		t, ok := v.(*tensor.Tensor)
		if !ok || t == nil {
			continue
		}
		for i := len(s.lent) - 1; i >= 0; i-- {
			if block := s.lent[i].Recover(t); block != nil {
				s.returned = append(s.returned, block)
				s.lent = append(s.lent[:i], s.lent[i+1:]...)
				break
			}
		}
	}
	if over := len(s.returned) - lentBlocks; over > 0 {
		s.returned = append(s.returned[:0], s.returned[over:]...)
	}
}
