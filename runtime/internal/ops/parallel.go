package ops

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// piecesPerThread is into how many pieces parallel divides the work of each
// goroutine at most: enough that one which is held up does not hold up the rest,
// and that a cancelled context is noticed soon.
const piecesPerThread = 16

// parallel calls f for pieces [lo, hi) that together cover 0 to n, on at most
// c.Threads goroutines, one of which is the caller's. No piece but the last is
// smaller than grain, so work that is not worth a second goroutine stays on one.
// When the context ends, pieces that have not begun are left out and its error
// is returned. A panic on another goroutine than the caller's, where nobody else
// could recover it, is returned as a *PanicError.
func (c *Call) parallel(n, grain int, f func(lo, hi int)) error {
	threads := max(c.Threads, 1)
	size := max(grain, 1, n/(threads*piecesPerThread))
	if n <= size {
		if err := c.Context.Err(); err != nil || n <= 0 {
			return err
		}
		f(0, n)
		return nil
	}
	pieces := (n + size - 1) / size
	var next atomic.Int64
	work := func() {
		for c.Context.Err() == nil {
			piece := int(next.Add(1)) - 1
			if piece >= pieces {
				return
			}
			f(piece*size, min(n, (piece+1)*size))
		}
	}
	var group sync.WaitGroup
	var fallen atomic.Pointer[PanicError]
	for range min(threads, pieces) - 1 {
		group.Go(func() {
			defer func() {
				if cause := recover(); cause != nil {
					fallen.Store(&PanicError{Cause: cause, Stack: debug.Stack()})
					next.Store(int64(pieces)) // the rest need not be done
				}
			}()
			work()
		})
	}
	work()
	group.Wait()
	if err := fallen.Load(); err != nil {
		return err
	}
	return c.Context.Err()
}
