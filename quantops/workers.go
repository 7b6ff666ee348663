package quantops

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// Workers divide work among threads: the caller's goroutine and others, which are
// started when they are needed. To wake a thread takes longer than many a product,
// so a worker without work looks for some for a while before it parks, and for a
// shorter while after Close before it ends. Nobody looks where there are more
// threads than Go runs at once: who has work needs the processor then.
//
// A nil *Workers does everything in the caller's goroutine.
type Workers struct {
	busy    atomic.Bool // an Each is under way
	awake   bool        // there was an Each since the last Close
	patient atomic.Bool // see patience
	helpers []*helper   // one for each thread but the caller's, nil until started

	// The work at hand.
	f      func(part int)
	parts  int
	fallen atomic.Pointer[WorkerPanic]
	_      [64]byte // what all threads write to has a cache line of its own
	next   atomic.Int64
	_      [64]byte
}

// WorkerPanic is what Each panics with when f has panicked on a goroutine other
// than the caller's.
type WorkerPanic struct {
	Cause any    // what f panicked with
	Stack []byte // where
}

func (p *WorkerPanic) Error() string { return fmt.Sprint(p.Cause) }

// Unwrap gives the cause, if it is an error.
func (p *WorkerPanic) Unwrap() error {
	err, _ := p.Cause.(error)
	return err
}

// NewWorkers gives workers for so many threads, of which the caller of Each is
// one; less than 1 counts as 1.
func NewWorkers(threads int) *Workers {
	return &Workers{helpers: make([]*helper, max(threads, 1)-1)}
}

// Threads is how many goroutines Each uses at most.
func (w *Workers) Threads() int {
	if w == nil {
		return 1
	}
	return len(w.helpers) + 1
}

// Each calls f for every part from 0 to parts−1 and returns when all calls have.
// A thread that is done with one part takes the next that nobody has begun, so
// parts need not take equally long. While workers are busy, a further Each, from
// within f or from elsewhere, does all its parts in its caller's goroutine. If f
// panics, parts that have not begun are left out and Each panics: with what f
// panicked with or, if that was on another goroutine, with a *WorkerPanic.
func (w *Workers) Each(parts int, f func(part int)) {
	if w == nil || len(w.helpers) == 0 || parts < 2 || !w.busy.CompareAndSwap(false, true) {
		for part := range parts {
			f(part)
		}
		return
	}
	if !w.awake {
		w.awake = true
		w.patient.Store(w.Threads() <= runtime.GOMAXPROCS(0))
	}
	w.f, w.parts = f, parts
	w.next.Store(0)
	called := w.helpers[:min(len(w.helpers), parts-1)]
	for i := range called {
		if called[i] == nil {
			called[i] = newHelper()
		}
		called[i].call(w)
	}
	defer func() {
		w.next.Store(int64(parts)) // after a panic there is something left
		for _, h := range called {
			h.end(w)
		}
		w.f = nil
		fallen := w.fallen.Swap(nil)
		w.busy.Store(false)
		if fallen != nil {
			panic(fallen)
		}
	}()
	w.work()
}

// Close lets the goroutines end, each a moment later: an Each that comes before that
// finds them awake, one that comes after starts them anew. No Each may be under way.
func (w *Workers) Close() {
	if w == nil || !w.awake {
		return
	}
	w.awake = false
	for _, h := range w.helpers {
		if h != nil {
			h.leave()
		}
	}
}

// work does parts until all are begun.
func (w *Workers) work() {
	for {
		part := int(w.next.Add(1)) - 1
		if part >= w.parts {
			return
		}
		w.f(part)
	}
}

// guardedWork is work on a goroutine where nobody could recover a panic.
func (w *Workers) guardedWork() {
	defer func() {
		if cause := recover(); cause != nil {
			w.fallen.Store(&WorkerPanic{Cause: cause, Stack: debug.Stack()})
			w.next.Store(int64(w.parts))
		}
	}()
	w.work()
}
