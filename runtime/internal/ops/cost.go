package ops

// worthThread is about how many multiplications and additions it takes to make
// up for handing work to another goroutine.
const worthThread = 1 << 15

// parallel is Call.parallel for items that cost about as many operations each.
func parallel(c *Call, items, cost int, f func(from, to int)) error {
	return c.parallel(items, worthThread/max(cost, 1), f)
}
