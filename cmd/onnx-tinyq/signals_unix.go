//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// stopSignals ask the program to stop: it removes what it has begun, then ends.
// A terminal that hangs up asks so too, unless the program was started to
// outlive it (nohup).
func stopSignals() []os.Signal {
	list := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		list = append(list, syscall.SIGHUP)
	}
	return list
}

// ignoreWriteSignals has a file that grows beyond its limit, and standard output
// that nobody reads any more, end in an error of the write, after which
// temporary files are removed, rather than in the end of the program.
func ignoreWriteSignals() { signal.Ignore(syscall.SIGXFSZ, syscall.SIGPIPE) }
