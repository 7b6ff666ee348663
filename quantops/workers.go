package quantops

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Workers divide work among threads: the caller's goroutine and others that are
// started when they are first needed and end with Close. A worker without work
// looks for some for a few microseconds, which is less than it takes to wake
// one, and then parks.
//
// A nil *Workers does everything in the caller's goroutine.
type Workers struct {
	busy    atomic.Bool // an Each is under way
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
	w.f, w.parts = f, parts
	w.next.Store(0)
	called := w.helpers[:min(len(w.helpers), parts-1)]
	for i := range called {
		if called[i] == nil {
			called[i] = &helper{wake: make(chan struct{}, 1), done: make(chan struct{}, 1)}
			go called[i].run(w)
		}
		called[i].call()
	}
	defer func() {
		w.next.Store(int64(parts)) // after a panic there is something left
		for _, h := range called {
			h.end()
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

// Close ends the goroutines. No Each may be under way; a later one starts them anew.
func (w *Workers) Close() {
	if w == nil {
		return
	}
	for i, h := range w.helpers {
		if h != nil {
			h.close()
			w.helpers[i] = nil
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

// helper is a goroutine of Workers.
type helper struct {
	state atomic.Int32
	wake  chan struct{} // gets one token for every time that a parked helper is called
	done  chan struct{} // gets one when the work ends that is awaited
	_     [64]byte
}

// The states of a helper, and who changes them: the helper (h), or the caller (c)
// of Each, who takes a call back that was not heard before the work was done.
const (
	idle    int32 = iota // → called (c), parked (h), closed (c)
	parked               // → called (c), closed (c), each with a token
	called               // → working (h), idle (c)
	working              // → idle (h), awaited (c)
	awaited              // → idle (h), with a token for the caller
	closed
)

func (h *helper) run(w *Workers) {
	// Operands may lie in a file that is mapped, and be gone when they are read:
	// that is for the caller to judge, and must not end the program here.
	debug.SetPanicOnFault(true)
	for h.listen() {
		w.guardedWork()
		if h.state.Swap(idle) == awaited {
			h.done <- struct{}{}
		}
	}
}

// listen waits for a call; false means that the helper is closed.
func (h *helper) listen() bool {
	for {
		spin(func() bool { return h.state.Load() != idle })
		switch {
		case h.state.CompareAndSwap(called, working):
			return true
		case h.state.Load() == closed:
			return false
		case h.state.CompareAndSwap(idle, parked):
			<-h.wake
		}
	}
}

func (h *helper) call() {
	if h.state.Swap(called) == parked {
		h.wake <- struct{}{}
	}
}

// end returns when the helper does not work any more.
func (h *helper) end() {
	if h.state.CompareAndSwap(called, idle) {
		return
	}
	spin(func() bool { return h.state.Load() != working })
	if h.state.CompareAndSwap(working, awaited) {
		<-h.done
	}
}

func (h *helper) close() {
	if h.state.Swap(closed) == parked {
		h.wake <- struct{}{}
	}
}

// spinTime is for how long a goroutine looks for what it waits for before it
// parks: about what it takes to park and to be woken again.
const spinTime = 50 * time.Microsecond

func spin(ready func() bool) {
	const looks = 128 // before the clock is looked at, and other goroutines may run
	var start time.Time
	for {
		for range looks {
			if ready() {
				return
			}
		}
		switch now := time.Now(); {
		case start.IsZero():
			start = now
		case now.Sub(start) > spinTime:
			return
		}
		runtime.Gosched()
	}
}
