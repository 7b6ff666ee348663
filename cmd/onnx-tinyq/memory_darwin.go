package main

import "syscall"

// peakMemory is the most memory that the process has had resident, in bytes; 0
// if the system does not say.
func peakMemory() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return usage.Maxrss // in bytes here, unlike elsewhere
}
