package main

import (
	"os"
	"strconv"
	"strings"
)

// peakMemory is the most memory that the process has had resident, in bytes; 0
// if the system does not say. It is read here rather than by getrusage, which
// starts with what the parent process had when it forked.
func peakMemory() int64 { return memoryLine("/proc/self/status", "VmHWM:") }

// memoryLine is what a line of a process's status says, in bytes; 0 if it is not there.
func memoryLine(file, line string) int64 {
	status, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for text := range strings.SplitSeq(string(status), "\n") {
		if value, ok := strings.CutPrefix(text, line); ok {
			kibibytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kibibytes << 10
		}
	}
	return 0
}
