package ops

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func TestParallelCoversEverythingOnce(t *testing.T) {
	for _, threads := range []int{0, 1, 2, 7} {
		for _, n := range []int{0, 1, 5, 1000, 4096} {
			for _, grain := range []int{0, 1, 64, 10000} {
				seen := make([]atomic.Int32, n)
				c := &Call{Context: t.Context(), Threads: threads}
				err := c.parallel(n, grain, func(lo, hi int) {
					for i := lo; i < hi; i++ {
						seen[i].Add(1)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				for i := range seen {
					if count := seen[i].Load(); count != 1 {
						t.Fatalf("%d threads, grain %d: piece %d of %d was done %d times", threads, grain, i, n, count)
					}
				}
			}
		}
	}
}

func TestParallelStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := atomic.Int32{}
	err := (&Call{Context: ctx, Threads: 4}).parallel(1<<20, 1, func(int, int) {
		done.Add(1)
		cancel()
	})
	if !errors.Is(err, context.Canceled) || done.Load() > 4 {
		t.Errorf("%v after %d pieces", err, done.Load())
	}
}

// TestParallelRecovers has a piece that falls over. On a goroutine of its own
// that has to become an error; on the caller's, whoever called the kernel
// recovers, as here.
func TestParallelRecovers(t *testing.T) {
	attempt := func() (err error) {
		defer func() {
			if recover() != nil {
				err = nil
			}
		}()
		begun := make(chan bool)
		first := atomic.Bool{}
		return (&Call{Context: t.Context(), Threads: 2}).parallel(1<<10, 1, func(lo, _ int) {
			if first.CompareAndSwap(false, true) {
				<-begun // until the other goroutine has a piece
				return
			}
			defer close(begun)
			var none []int
			none[lo]++
		})
	}
	// Which goroutine comes first is open; mostly it is the caller's.
	for range 1000 {
		var fallen *PanicError
		if err := attempt(); errors.As(err, &fallen) {
			if len(fallen.Stack) == 0 {
				t.Error("it does not say where")
			}
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("no panic on a goroutine of its own became an error")
}
