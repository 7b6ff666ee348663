package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// child is what came of a process: how long it took, and its largest resident
// memory in bytes, 0 if that cannot be told.
type child struct {
	elapsed time.Duration
	peak    int64
}

// runChildren runs commands one after the other.
func runChildren(ctx context.Context, commands [][]string) (child, error) {
	var all child
	for _, args := range commands {
		one, err := runChild(ctx, args)
		if err != nil {
			return all, err
		}
		all.elapsed += one.elapsed
		all.peak = max(all.peak, one.peak)
	}
	return all, nil
}

func runChild(ctx context.Context, args []string) (child, error) {
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	var said bytes.Buffer
	command.Stderr = &said
	begin := time.Now()
	if err := command.Start(); err != nil {
		return child{}, err
	}
	over, seen := make(chan struct{}), make(chan int64)
	go watchMemory(command.Process.Pid, over, seen)
	err := command.Wait()
	elapsed := time.Since(begin)
	close(over)
	peak := <-seen
	if err != nil {
		said := strings.Split(strings.TrimSpace(said.String()), "\n")
		return child{}, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, said[len(said)-1])
	}
	// The system's own figure is exact, but it starts with the high-water mark
	// of this process, which the child had until it became another program.
	// That is no more than the mark is now.
	if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok && usage.Maxrss<<10 > highWater(os.Getpid()) {
		peak = max(peak, usage.Maxrss<<10)
	}
	return child{elapsed, peak}, nil
}

// watchMemory looks at a process's high-water mark until it is over, and then
// tells the last one that it saw.
func watchMemory(pid int, over <-chan struct{}, seen chan<- int64) {
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	peak := int64(0)
	for {
		select {
		case <-over:
			seen <- peak
			return
		case <-tick.C:
			// The mark never falls but where the child becomes another program: until
			// then it is that of this process.
			if now := highWater(pid); now > 0 {
				peak = now
			}
		}
	}
}

// highWater is the largest resident memory that a process ever had as the
// program that it is now, in bytes; 0 where the system does not tell.
func highWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "\nVmHWM:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}
