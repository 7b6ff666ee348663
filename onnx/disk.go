package onnx

import (
	"io"
	"io/fs"
	"os"
)

// disk is all that WriteFile asks of a file system to change it: the place where
// tests let the n-th request fail.
type disk interface {
	create(folder, pattern string) (diskFile, error) // of a name that nothing has; see os.CreateTemp
	rename(from, to string) error
	remove(name string) error
	syncFolder(name string) error
}

// diskFile is a file under way.
type diskFile interface {
	io.WriterAt
	io.Closer
	Name() string
	Chmod(fs.FileMode) error
	Sync() error
	reserve(bytes int64) error // of the disk's room; nil if that is not known to be too little
}

// systemFile is the operating system's.
type systemFile struct{ *os.File }

func (f systemFile) reserve(bytes int64) error { return reserve(f.File, bytes) }

// system is the operating system's.
type system struct{}

func (system) create(folder, pattern string) (diskFile, error) {
	file, err := os.CreateTemp(folder, pattern)
	if err != nil {
		return nil, err // not a diskFile that holds a nil file
	}
	return systemFile{file}, nil
}

func (system) rename(from, to string) error { return os.Rename(from, to) }

func (system) remove(name string) error { return os.Remove(name) }

func (system) syncFolder(name string) error { return syncFolder(name) }
