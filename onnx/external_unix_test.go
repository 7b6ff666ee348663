//go:build unix

package onnx

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestExternalDataInAPipe(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Skip(err)
	}
	m := openModel(t, externalModel(t, dir, External{Location: "pipe", Length: 16}))
	done := make(chan error, 1)
	go func() {
		_, err := m.Graph.Initializers[0].Float32s()
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it waits for somebody to write to the pipe")
	}
}
