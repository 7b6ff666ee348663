package main

import (
	"os"
	"strconv"
	"strings"
)

// peakMemory is the most memory that the process has had resident, in bytes; 0
// if the system does not say. It is read here rather than by getrusage, which
// starts with what the parent process had when it forked.
func peakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kibibytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kibibytes << 10
		}
	}
	return 0
}
