//go:build !unix

package onnx

// syncFolder does nothing: these systems cannot be asked for it.
func syncFolder(string) error { return nil }
