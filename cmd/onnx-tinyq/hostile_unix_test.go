//go:build unix

package main

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// boundMemory ends a process that asks for far more memory than it should before
// it harms the machine.
func boundMemory() {
	_ = unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: 3 << 30, Max: 3 << 30}) // the measurement is what counts
}

func makePipe(folder string) error { return unix.Mkfifo(filepath.Join(folder, "data"), 0o644) }
