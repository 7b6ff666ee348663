//go:build !linux && !darwin

package main

// peakMemory is the most memory that the process has had resident, in bytes; 0
// where it is not known.
func peakMemory() int64 { return 0 }
