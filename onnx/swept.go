package onnx

import "sync/atomic"

// sweptBytes is how much of mapped files may be in memory before it is given
// back: it is much less than a machine has, and so much that what is given back
// too early and read again does not matter.
const sweptBytes = 64 << 20

// sweepCount counts what was read since memory was last given back.
type sweepCount struct{ bytes atomic.Int64 }

// Swept says that so many bytes of the model's weights were read, by whomever,
// and that they will not be read again soon. Whenever these have become many,
// the memory that the model's files take where they are mapped is given back to
// the system. Nothing is lost by it: what is read once more comes from the file.
// So a sweep over a model takes the same memory whatever the model's size. Any
// goroutine may call it.
func (m *Model) Swept(bytes int64) {
	s := m.source
	if s == nil || s.swept.bytes.Add(bytes) < sweptBytes {
		return
	}
	s.swept.bytes.Store(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.file.giveBack()
	for _, a := range s.attached {
		a.giveBack()
	}
}
