//go:build !unix

package onnx

import (
	"io"
	"io/fs"
	"os"
)

// openNonblock is for systems with pipes in their file tree.
const openNonblock = 0

// mapping is a file's content, read into memory.
type mapping struct{ data []byte }

func mapFile(file *os.File, _ fs.FileInfo) (mapping, error) {
	data, err := io.ReadAll(file)
	return mapping{data: data}, err
}

func (m *mapping) unmap() error { return nil }

// isMapped reports whether the content is read from the file only when it is looked at.
func (m *mapping) isMapped() bool { return false }

func (m *mapping) giveBack() {}
