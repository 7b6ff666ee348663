package ops

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestParallelCoversEverythingOnce(t *testing.T) {
	for _, threads := range []int{0, 1, 2, 7} {
		for _, n := range []int{0, 1, 2, 63, 64, 1000, 1025} {
			for _, grain := range []int{0, 1, 10, 2000} {
				visits := make([]atomic.Int32, n)
				var mutex sync.Mutex
				smaller := 0
				c := &Call{Context: t.Context(), Threads: threads}
				err := c.parallel(n, grain, func(lo, hi int) {
					if hi-lo < grain {
						mutex.Lock()
						smaller++
						mutex.Unlock()
					}
					for i := lo; i < hi; i++ {
						visits[i].Add(1)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				for i := range visits {
					if v := visits[i].Load(); v != 1 {
						t.Fatalf("%d threads, %d items, grain %d: item %d was visited %d times", threads, n, grain, i, v)
					}
				}
				if smaller > 1 {
					t.Errorf("%d threads, %d items, grain %d: %d pieces are smaller than the grain", threads, n, grain, smaller)
				}
			}
		}
	}
}

func TestParallelStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var pieces atomic.Int32
	c := &Call{Context: ctx, Threads: 2}
	err := c.parallel(1000, 1, func(lo, hi int) {
		pieces.Add(1)
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got the error %v, want that of the context", err)
	}
	if n := pieces.Load(); n > 2 {
		t.Errorf("%d pieces were begun, of which at most one by each thread could be before the context ended", n)
	}
}
