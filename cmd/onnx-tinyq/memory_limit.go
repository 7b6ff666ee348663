package main

import (
	"io/fs"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

const (
	// memoryAllowance and memoryFactor are how many bytes the values of a run may
	// take if nobody says: so many, and so many for each byte of the model and of
	// the inputs that are given. A few bytes of a file can ask for all the memory
	// there is; what people run asks for less than this.
	memoryAllowance = 32 << 20
	memoryFactor    = 256
)

func (f *feedFlags) registerMemory(flags *pflag.FlagSet) {
	flags.Int64Var(&f.memory, "memory", 0, "how many `MIB` of memory the values of a run may take; 0: 32, and 256 times what the model and the inputs take")
}

// memoryLimit is how many bytes the values of a run of a model may take.
func (f *feedFlags) memoryLimit(m *onnx.Model) int64 {
	if f.memory > 0 {
		return f.memory << 20
	}
	// What cannot be measured counts for nothing: whoever reads it says why.
	known, _ := bytesOf(m.Path(), m)
	for _, spec := range f.inputs {
		path := spec
		if _, file, err := f.split("--input", spec, m); err == nil {
			path = file
		}
		_ = filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
				known += info.Size()
			}
			return nil
		})
	}
	return memoryAllowance + memoryFactor*known
}
