package ops

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// workers are some that end with the test.
func workers(t *testing.T, threads int) *quantops.Workers {
	w := quantops.NewWorkers(threads)
	t.Cleanup(w.Close)
	return w
}

func TestParallelCoversEverythingOnce(t *testing.T) {
	for _, threads := range []int{0, 1, 2, 7} {
		for _, n := range []int{0, 1, 5, 1000, 4096} {
			for _, grain := range []int{0, 1, 64, 10000} {
				seen := make([]atomic.Int32, n)
				c := &Call{Context: t.Context(), Workers: workers(t, threads)}
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
	err := (&Call{Context: ctx, Workers: workers(t, 4)}).parallel(1<<20, 1, func(int, int) {
		done.Add(1)
		cancel()
	})
	if !errors.Is(err, context.Canceled) || done.Load() > 4 {
		t.Errorf("%v after %d pieces", err, done.Load())
	}
}

// TestParallelRecovers has a piece that falls over, whichever goroutine has it.
func TestParallelRecovers(t *testing.T) {
	c := &Call{Context: t.Context(), Workers: workers(t, 2)}
	for range 100 {
		begun := make(chan bool)
		first := atomic.Bool{}
		err := c.parallel(1<<10, 1, func(lo, _ int) {
			if first.CompareAndSwap(false, true) {
				<-begun // until the other goroutine has a piece
				return
			}
			defer close(begun)
			var none []int
			none[lo]++
		})
		var fallen *PanicError
		if !errors.As(err, &fallen) || len(fallen.Stack) == 0 {
			t.Fatalf("%v is no *PanicError with a stack", err)
		}
	}
}
