package quantops

const (
	// stripColumns and stripDepth bound the piece of a right-hand matrix that is
	// in use at a time, which stays in the second-level cache while all rows of the
	// left-hand matrix pass over it.
	stripColumns = 256
	stripDepth   = 256
	// worthThread is about how many multiplications make up for calling a worker.
	worthThread = 1 << 16
)

// inRanges divides 0…n−1 among workers, one range for each thread at most, and
// calls f for each. Ranges begin at multiples of step; cost is about how many
// multiplications each of the n takes.
func inRanges(workers *Workers, n, step, cost int, f func(from, to int)) {
	if n <= 0 {
		return
	}
	parts := min(workers.Threads(), n/step+1, n*max(cost, 1)/worthThread+1)
	size := (n + parts - 1) / parts
	size = max(1, (size+step-1)/step*step)
	workers.Each((n+size-1)/size, func(part int) { f(part*size, min(n, (part+1)*size)) })
}
