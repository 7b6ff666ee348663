package quantops

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestWorkersDoEachPartOnce(t *testing.T) {
	for _, threads := range []int{-1, 0, 1, 2, 3, 8} {
		w := NewWorkers(threads)
		for round := range 200 {
			parts := round % 23
			counts := make([]atomic.Int32, parts)
			w.Each(parts, func(part int) { counts[part].Add(1) })
			for part := range counts {
				if n := counts[part].Load(); n != 1 {
					t.Fatalf("%d threads: part %d of %d was done %d times", threads, part, parts, n)
				}
			}
		}
		w.Close()
		w.Close()
	}
	var none *Workers
	sum := 0
	none.Each(4, func(part int) { sum += part })
	none.Close()
	if sum != 6 || none.Threads() != 1 || NewWorkers(3).Threads() != 3 {
		t.Error("nil workers do not do everything")
	}
}

// TestWorkersWake lets workers park between two calls.
func TestWorkersWake(t *testing.T) {
	w := NewWorkers(3)
	defer w.Close()
	for range 20 {
		var sum atomic.Int32
		w.Each(30, func(part int) { sum.Add(int32(part)) })
		if sum.Load() != 435 {
			t.Fatalf("the parts' numbers sum to %d, want 435", sum.Load())
		}
		time.Sleep(2 * patience)
	}
}

// TestWorkersShare has parts that wait for each other: no thread could do both.
func TestWorkersShare(t *testing.T) {
	w := NewWorkers(2)
	defer w.Close()
	for range 50 {
		both := sync.WaitGroup{}
		both.Add(2)
		w.Each(2, func(int) {
			both.Done()
			both.Wait()
		})
	}
}

// TestWorkersBeginWithTheirOwn has the first parts of two threads wait for each other.
func TestWorkersBeginWithTheirOwn(t *testing.T) {
	w := NewWorkers(2)
	defer w.Close()
	for range 50 {
		var both sync.WaitGroup
		var met atomic.Bool
		both.Add(2)
		w.Each(6, func(part int) {
			if part%3 == 0 {
				both.Done()
				both.Wait()
				met.Store(true)
			} else if !met.Load() {
				t.Errorf("part %d is begun before parts 0 and 3", part)
			}
		})
	}
}

// TestWorkersAwait has a part that goes on when the caller has long been done.
func TestWorkersAwait(t *testing.T) {
	w := NewWorkers(2)
	defer w.Close()
	for range 10 {
		var done atomic.Int32
		w.Each(2, func(int) {
			if done.Add(1) == 2 {
				time.Sleep(2 * patience)
			}
			done.Add(1)
		})
		if done.Load() != 4 {
			t.Fatal("Each returns before its parts do")
		}
	}
}

func TestBusyWorkers(t *testing.T) {
	w := NewWorkers(4)
	defer w.Close()
	var inner atomic.Int32
	w.Each(16, func(int) {
		w.Each(16, func(int) { inner.Add(1) })
	})
	if inner.Load() != 256 {
		t.Errorf("%d parts of parts are done, want 256", inner.Load())
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				w.Each(5, func(int) { inner.Add(1) })
			}
		})
	}
	group.Wait()
	if inner.Load() != 256+4000 {
		t.Errorf("%d parts are done by several callers, want 4000", inner.Load()-256)
	}
}

// TestWorkersFall has every part panic, wherever it runs.
func TestWorkersFall(t *testing.T) {
	w := NewWorkers(2)
	defer w.Close()
	elsewhere := false
	for range 1000 {
		both := sync.WaitGroup{}
		both.Add(2)
		begun := atomic.Int32{}
		cause := func() (cause any) {
			defer func() { cause = recover() }()
			w.Each(100, func(part int) {
				if begun.Add(1); part < 2 {
					both.Done()
					both.Wait() // one part on each goroutine
				}
				if part == 1 {
					panic("fallen")
				}
			})
			return nil
		}()
		if fallen, ok := cause.(*WorkerPanic); ok {
			elsewhere = true
			if cause = fallen.Cause; len(fallen.Stack) == 0 {
				t.Error("it does not say where")
			}
		}
		if cause != "fallen" {
			t.Fatalf("Each panics with %v, want the part's own panic", cause)
		}
		sum := atomic.Int32{}
		w.Each(10, func(part int) { sum.Add(int32(part)) })
		if sum.Load() != 45 {
			t.Fatal("after a panic parts are left out")
		}
	}
	if !elsewhere {
		t.Error("no panic was on a worker's goroutine")
	}
}

func TestClosedWorkersAreGone(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 100 {
		w := NewWorkers(5)
		w.Each(50, func(int) {})
		w.Close()
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before there were workers", runtime.NumGoroutine(), before)
		}
	}
}

// TestWorkersOutliveClose has further calls meet workers that are about to leave,
// on every step of their way out.
func TestWorkersOutliveClose(t *testing.T) {
	for _, threads := range []int{2, runtime.GOMAXPROCS(0) + 2} {
		w := NewWorkers(threads)
		for i := range 100 {
			var sum atomic.Int32
			w.Each(30, func(part int) { sum.Add(int32(part)) })
			if sum.Load() != 435 {
				t.Fatalf("%d threads: the parts' numbers sum to %d, want 435", threads, sum.Load())
			}
			if i%3 == 0 {
				time.Sleep(2 * patience) // so that they are parked
			}
			w.Close()
			time.Sleep(time.Duration(i) * parting / 50)
		}
	}
}

// BenchmarkWorkersEach measures what dividing costs: two threads do two parts of a
// length, with nothing between two calls, or with a run's end between them.
func BenchmarkWorkersEach(b *testing.B) {
	work := func(length time.Duration) {
		for begin := time.Now(); time.Since(begin) < length; {
		}
	}
	for _, length := range []time.Duration{0, time.Microsecond, 20 * time.Microsecond, 100 * time.Microsecond} {
		for _, closed := range []bool{false, true} {
			b.Run(fmt.Sprintf("%v/closed=%v", length, closed), func(b *testing.B) {
				w := NewWorkers(2)
				defer w.Close()
				for b.Loop() {
					w.Each(2, func(int) { work(length) })
					if closed {
						w.Close()
					}
				}
			})
		}
	}
}
