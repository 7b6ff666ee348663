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
	shares []share // one for each thread, of which the first taking have parts
	taking int
	fallen atomic.Pointer[WorkerPanic]
}

// share are the parts that one thread does first: the same stretch of a matrix in
// one Each after another, so that its cache holds what it is to read next.
type share struct {
	next atomic.Int64 // the part that nobody has begun
	end  int64
	_    [48]byte // what all threads write to has a cache line of its own
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
	threads = max(threads, 1)
	return &Workers{helpers: make([]*helper, threads-1), shares: make([]share, threads)}
}

// Threads is how many goroutines Each uses at most.
func (w *Workers) Threads() int {
	if w == nil {
		return 1
	}
	return len(w.helpers) + 1
}

// Each calls f for every part from 0 to parts−1 and returns when all calls have.
// Each thread begins with its own stretch of neighbouring parts, the caller's is
// the first, and when that is done takes what others have not begun, so parts need
// not take equally long. While workers are busy, a further Each, from
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
	called := w.helpers[:min(len(w.helpers), parts-1)]
	w.f, w.taking = f, len(called)+1
	for i := range w.taking {
		w.shares[i].next.Store(int64(i * parts / w.taking))
		w.shares[i].end = int64((i + 1) * parts / w.taking)
	}
	for i := range called {
		if called[i] == nil {
			called[i] = newHelper(i + 1)
		}
		called[i].call(w)
	}
	defer func() {
		w.leaveRest() // after a panic there is some
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
	w.work(0)
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

// work does parts until all are begun, from a thread's own share on.
func (w *Workers) work(thread int) {
	for i := range w.taking {
		s := &w.shares[(thread+i)%w.taking]
		for part := s.next.Add(1) - 1; part < s.end; part = s.next.Add(1) - 1 {
			w.f(int(part))
		}
	}
}

// leaveRest has nobody begin another part.
func (w *Workers) leaveRest() {
	for i := range w.taking {
		w.shares[i].next.Store(w.shares[i].end)
	}
}

// guardedWork is work on a goroutine where nobody could recover a panic.
func (w *Workers) guardedWork(thread int) {
	defer func() {
		if cause := recover(); cause != nil {
			w.fallen.Store(&WorkerPanic{Cause: cause, Stack: debug.Stack()})
			w.leaveRest()
		}
	}()
	w.work(thread)
}
