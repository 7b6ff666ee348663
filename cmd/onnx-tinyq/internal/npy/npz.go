package npy

import (
	"archive/zip"
	"fmt"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// ArchiveNames lists the arrays of an .npz file.
func ArchiveNames(path string) ([]string, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("npy: %s: %w", path, err)
	}
	defer archive.Close()
	var names []string
	for _, file := range archive.File {
		names = append(names, strings.TrimSuffix(file.Name, ".npy"))
	}
	return names, nil
}

// ReadArchive reads the array called name from an .npz file. An archive that
// holds one array only gives that one, whatever its name.
func ReadArchive(path, name string) (*tensor.Tensor, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("npy: %s: %w", path, err)
	}
	defer archive.Close()
	var found *zip.File
	var names []string
	for _, file := range archive.File {
		member := strings.TrimSuffix(file.Name, ".npy")
		names = append(names, member)
		if member == name || len(archive.File) == 1 {
			found = file
		}
	}
	if found == nil {
		return nil, fmt.Errorf("npy: %s has no array %q; it has %s", path, name, strings.Join(names, ", "))
	}
	in, err := found.Open()
	if err != nil {
		return nil, fmt.Errorf("npy: %s: %s: %w", path, found.Name, err)
	}
	defer in.Close()
	t, err := Read(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", path, found.Name, err)
	}
	return t, nil
}
