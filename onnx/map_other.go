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
