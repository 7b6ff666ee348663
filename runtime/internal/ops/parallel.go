package ops

// piecesPerThread is into how many pieces parallel divides the work of each
// thread at most: enough that one which is held up does not hold up the rest,
// and that a cancelled context is noticed soon.
const piecesPerThread = 16

// parallel calls f for pieces [lo, hi) that together cover 0 to n, and divides
// them evenly among the call's workers: each has the same share of n in one step
// after another, which is then in its cache. No piece is smaller than half of
// grain, so work that is not worth a second thread stays on one. When the context ends,
// pieces that have not begun are left out and its error is returned. A panic of
// a piece among several is returned as a *PanicError.
func (c *Call) parallel(n, grain int, f func(lo, hi int)) (err error) {
	size := max(grain, 1, n/(c.Workers.Threads()*piecesPerThread))
	if n <= size {
		if err := c.Context.Err(); err != nil || n <= 0 {
			return err
		}
		f(0, n)
		return nil
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = Fallen(cause)
		}
	}()
	pieces := (n + size - 1) / size
	if threads := min(pieces, c.Workers.Threads()); pieces%threads > 0 {
		pieces += threads - pieces%threads
	}
	c.Workers.Each(pieces, func(piece int) {
		if c.Context.Err() == nil {
			f(n*piece/pieces, n*(piece+1)/pieces)
		}
	})
	return c.Context.Err()
}
