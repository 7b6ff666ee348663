//go:build !unix

package main

import "errors"

func boundMemory() {}

func makePipe(string) error { return errors.New("this system has no pipes in its file tree") }
