//go:build unix

package onnx

import (
	"io"
	"io/fs"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// openNonblock keeps opening a pipe from waiting for a writer.
const openNonblock = unix.O_NONBLOCK

// mapping is a file's content: mapped, or read where that cannot be.
type mapping struct {
	data   []byte
	mapped bool
}

func mapFile(file *os.File, info fs.FileInfo) (mapping, error) {
	size := info.Size()
	if !info.Mode().IsRegular() || size <= 0 || size > math.MaxInt {
		data, err := io.ReadAll(file)
		return mapping{data: data}, err
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil { // some file systems cannot map
		data, err = io.ReadAll(file)
		return mapping{data: data}, err
	}
	return mapping{data: data, mapped: true}, nil
}

func (m *mapping) unmap() error {
	if !m.mapped {
		return nil
	}
	m.mapped = false
	return unix.Munmap(m.data)
}

// isMapped reports whether the content is read from the file only when it is looked at.
func (m *mapping) isMapped() bool { return m.mapped }

// giveBack lets go of the memory that the content takes. It is an advice: that it
// cannot be taken is no error.
func (m *mapping) giveBack() {
	if m.mapped {
		_ = unix.Madvise(m.data, unix.MADV_DONTNEED)
	}
}
