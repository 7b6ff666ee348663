package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// othersWatch looks at what other programs take of the processors: a
// measurement beside them is worth little.
type othersWatch struct {
	all, idle float64 // ticks of the system's clock
	own       time.Duration
}

// ticksPerSecond is that of /proc/stat on all of Linux's platforms.
const ticksPerSecond = 100

func watchOthers() othersWatch {
	all, idle := processorTicks()
	return othersWatch{all, idle, processorTime()}
}

// share is the part of the processors' time that others took since then; 0
// where the system does not tell.
func (w othersWatch) share() float64 {
	all, idle := processorTicks()
	own := (processorTime() - w.own).Seconds() * ticksPerSecond
	if all == w.all {
		return 0
	}
	return max(0, (all-w.all-(idle-w.idle)-own)/(all-w.all))
}

// processorTicks are those of all processors since the system's start, and how
// many of them were idle.
func processorTicks() (all, idle float64) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	for i, field := range strings.Fields(line) {
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			continue // "cpu"
		}
		all += ticks
		if i == 4 || i == 5 { // idle, and waiting for the disk
			idle += ticks
		}
	}
	return all, idle
}
