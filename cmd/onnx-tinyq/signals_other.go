//go:build !unix

package main

import (
	"os"
	"syscall"
)

// stopSignals ask the program to stop: it removes what it has begun, then ends.
func stopSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// ignoreWriteSignals does nothing: these systems have no such signals.
func ignoreWriteSignals() {}
