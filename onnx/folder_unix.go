//go:build unix

package onnx

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncFolder brings a folder's entries to the disk, so that a renamed file is
// found under its new name after a power failure.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	err = folder.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		err = nil // a file system that has no notion of it
	}
	return errors.Join(err, folder.Close())
}
