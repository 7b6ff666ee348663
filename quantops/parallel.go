package quantops

import "sync"

const (
	// stripColumns and stripDepth bound the piece of a right-hand matrix that is
	// in use at a time: 256 KiB as float32, which stays in the second-level cache
	// while all rows of the left-hand matrix pass over it.
	stripColumns = 256
	stripDepth   = 256
	// stripRows is for how many rows of the left-hand matrix a strip of integers
	// is converted once.
	stripRows = 64
	// worthThread is about how many multiplications make up for starting a goroutine.
	worthThread = 1 << 16
)

// inRanges divides 0…n−1 among at most so many goroutines, one of which is the
// caller's, and calls f for the range of each. Ranges begin at multiples of
// step; cost is about how many multiplications each of the n takes.
func inRanges(threads, n, step, cost int, f func(from, to int)) {
	parts := min(max(threads, 1), n/step+1, n*max(cost, 1)/worthThread+1)
	size := (n + parts - 1) / parts
	size = max(1, (size+step-1)/step*step)
	var group sync.WaitGroup
	for from := size; from < n; from += size {
		group.Go(func() { f(from, min(n, from+size)) })
	}
	if n > 0 {
		f(0, min(n, size))
	}
	group.Wait()
}
