package quantops

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// helper is a goroutine of Workers, when there is one.
type helper struct {
	state  atomic.Int32
	_      [60]byte      // who looks at the state does not look at what else is here
	thread int           // its number; the caller's is 0
	wake   chan struct{} // gets one token for every time that a parked helper is called
	done   chan struct{} // gets one when the work ends that is awaited
}

// The states of a helper, and who changes them: the helper (h), or the caller (c)
// of Each, who takes a call back that was not heard before the work was done.
const (
	ended   int32 = iota // there is no goroutine → called (c), who starts one
	idle                 // → called (c), parked (h), leaving (c)
	parked               // → called (c), leaving (c), each with a token
	called               // → working (h), idle (c)
	working              // → idle (h), awaited (c)
	awaited              // → idle (h), with a token for the caller
	leaving              // → called (c), ended (h)
)

// For how long a goroutine looks for what it waits for. To park and to be woken
// again takes from 5 to 80 µs, and longest where a processor has to be woken too,
// as in most virtual machines.
const (
	// patience is for how long one looks while others work, before it parks: about
	// as long as a part of a product takes, or the steps of a model between two
	// products that are not worth dividing.
	patience = 400 * time.Microsecond
	// parting is for how long one looks when the work is over, before it ends.
	parting = 100 * time.Microsecond
)

func newHelper(thread int) *helper {
	return &helper{thread: thread, wake: make(chan struct{}, 1), done: make(chan struct{}, 1)}
}

func (h *helper) run(w *Workers) {
	// Operands may lie in a file that is mapped, and be gone when they are read:
	// that is for the caller to judge, and must not end the program here.
	debug.SetPanicOnFault(true)
	for h.listen(w) {
		w.guardedWork(h.thread)
		if h.state.Swap(idle) == awaited {
			h.done <- struct{}{}
		}
	}
}

// listen waits for a call; false means that the goroutine is to end.
func (h *helper) listen(w *Workers) bool {
	for {
		switch h.state.Load() {
		case called:
			if h.state.CompareAndSwap(called, working) {
				return true
			}
		case idle:
			if !h.changes(idle, w, patience) && h.state.CompareAndSwap(idle, parked) {
				<-h.wake
			}
		case leaving:
			if !h.changes(leaving, w, parting) && h.state.CompareAndSwap(leaving, ended) {
				return false
			}
		}
	}
}

func (h *helper) call(w *Workers) {
	switch h.state.Swap(called) {
	case parked:
		h.wake <- struct{}{}
	case ended:
		go h.run(w)
	}
}

// end returns when the helper does not work any more.
func (h *helper) end(w *Workers) {
	if h.state.CompareAndSwap(called, idle) {
		return
	}
	if !h.changes(working, w, patience) && h.state.CompareAndSwap(working, awaited) {
		<-h.done
	}
}

func (h *helper) leave() {
	if !h.state.CompareAndSwap(idle, leaving) && h.state.CompareAndSwap(parked, leaving) {
		h.wake <- struct{}{}
	}
}

// changes looks, for a time at most, until the state is another one, and says
// whether it is.
func (h *helper) changes(from int32, w *Workers, most time.Duration) bool {
	const (
		looks = 64                    // between two at the clock
		turn  = 25 * time.Microsecond // after which other goroutines may run
	)
	if !w.patient.Load() {
		return h.state.Load() != from
	}
	begin := time.Now()
	for yielded := begin; ; {
		for range looks {
			if h.state.Load() != from {
				return true
			}
		}
		now := time.Now()
		if now.Sub(begin) > most {
			return false
		}
		if now.Sub(yielded) > turn {
			runtime.Gosched()
			yielded = now
		}
	}
}
