package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile puts what write writes in the place of a file, whole or not at all.
func replaceFile(name string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is there and not a regular file: name another", name)
	}
	beside, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(beside.Name()))
		}
	}()
	buffered := bufio.NewWriter(beside)
	err = errors.Join(
		write(buffered),
		buffered.Flush(),
		beside.Chmod(mode), // a temporary file is its owner's alone
		beside.Sync(),
		beside.Close(),
	)
	if err != nil {
		return err
	}
	return os.Rename(beside.Name(), name)
}
