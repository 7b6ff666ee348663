package main

import (
	"context"
	"fmt"
	"math"
	goruntime "runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// contestant does the work of a contest in its own way.
type contestant struct {
	name string
	// work does it once and gives the time that counts.
	work func(ctx context.Context) (time.Duration, error)

	failure error           // why it takes no part any longer
	times   []time.Duration // one for each round
	used    []time.Duration // of the processors, likewise
	bytes   uint64          // allocated on Go's heap by one turn of work
	peak    int64           // resident memory in bytes, of one that is a process of its own
	apart   float64         // relative L2 distance from what it is held to
	agrees  string          // with whom
}

// pace says how long a contest takes.
type pace struct {
	rounds int           // at most
	turn   time.Duration // a contestant works at least so long in a round
	budget time.Duration // no round begins later, but for the third
}

const leastRounds = 3

// longWork needs no warming up: whatever it finds cold is a small part of it.
const longWork = time.Second

// contest lets the contestants work in turn, round by round, each round from
// another one on, so that a machine that becomes slower does so for all of them.
//
// Before its turn everything is at rest: ONNX Runtime's threads go on spinning
// for a while after a run, and would take half of a core from the next one. The
// first piece of work in a turn brings caches and threads back and is not
// counted. A contestant's time in a round is the median of its pieces.
func contest(ctx context.Context, list []*contestant, p pace) {
	begin := time.Now()
	for round := 0; round < p.rounds; round++ {
		if round >= leastRounds && time.Since(begin) > p.budget {
			return
		}
		for i := range list {
			c := list[(i+round)%len(list)]
			if c.failure != nil || ctx.Err() != nil {
				continue
			}
			rest()
			c.failure = c.turn(ctx, p.turn)
		}
	}
}

func (c *contestant) turn(ctx context.Context, least time.Duration) error {
	if n := len(c.times); n == 0 || c.times[n-1] < longWork {
		if _, err := c.work(ctx); err != nil {
			return err
		}
	}
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	var times []time.Duration
	used := processorTime()
	for begin := time.Now(); len(times) < 3 && time.Since(begin) < 20*least || time.Since(begin) < least; {
		t, err := c.work(ctx)
		if err != nil {
			return err
		}
		times = append(times, t)
	}
	c.used = append(c.used, (processorTime()-used)/time.Duration(len(times)))
	goruntime.ReadMemStats(&after)
	c.bytes = (after.TotalAlloc - before.TotalAlloc) / uint64(len(times))
	slices.Sort(times)
	c.times = append(c.times, times[len(times)/2])
	return nil
}

// rest waits until this process uses next to no processor time.
func rest() {
	goruntime.GC()
	const nap = 4 * time.Millisecond
	for begin := time.Now(); time.Since(begin) < time.Second; {
		used := processorTime()
		time.Sleep(nap)
		if processorTime()-used < nap/10 {
			return
		}
	}
}

func processorTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ratio is by how much ours is faster than a peer: the median of the rounds'
// ratios, and between which two half of the rounds lie.
func ratio(ours, peer []time.Duration) (median, low, high float64) {
	list := make([]float64, min(len(ours), len(peer)))
	for i := range list {
		list[i] = float64(peer[i]) / float64(ours[i])
	}
	slices.Sort(list)
	return quantile(list, 0.5), quantile(list, 0.25), quantile(list, 0.75)
}

// quantile is the value below which a part of sorted values lies; NaN of none.
func quantile(sorted []float64, part float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := part * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

func (c *contestant) milliseconds() (median, low, high float64) {
	list := make([]float64, len(c.times))
	for i, t := range c.times {
		list[i] = float64(t) / float64(time.Millisecond)
	}
	slices.Sort(list)
	return quantile(list, 0.5), quantile(list, 0), quantile(list, 1)
}

// distance is that of the output that is farthest away: the L2 norm of the
// difference of two results relative to that of the second one.
func distance(a, b [][]float32) (float64, error) {
	if len(a) != len(b) {
		return 0, fmt.Errorf("%d outputs, not %d", len(a), len(b))
	}
	worst := 0.0
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return 0, fmt.Errorf("output %d has %d elements, not %d", i, len(a[i]), len(b[i]))
		}
		difference, size := 0.0, 0.0
		for j, v := range b[i] {
			d := float64(a[i][j]) - float64(v)
			difference += d * d
			size += float64(v) * float64(v)
		}
		if size == 0 || math.IsNaN(difference) || math.IsNaN(size) {
			return 0, fmt.Errorf("output %d holds NaN or is all zero", i)
		}
		worst = max(worst, math.Sqrt(difference/size))
	}
	return worst, nil
}
