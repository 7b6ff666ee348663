package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestInterrupt stops a rewrite at several moments: it leaves a whole model or
// nothing at all.
func TestInterrupt(t *testing.T) {
	model := filepath.Join("..", "..", "testdata", "models", "digits_vit", "model.onnx")
	stopped := 0
	for _, after := range []time.Duration{0, time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, time.Minute} {
		folder := t.TempDir()
		output := filepath.Join(folder, "out.onnx")
		ctx, cancel := context.WithTimeout(context.Background(), after)
		var stdout, stderr strings.Builder
		code := run(ctx, []string{"rewrite", model, "-o", output}, &stdout, &stderr)
		cancel()
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		switch code {
		case exitDone:
			if err := isValid(output); err != nil || len(entries) != 1 {
				t.Errorf("after %v: done, with %v in the folder: %v", after, entries, err)
			}
		case exitFailed:
			stopped++
			if !strings.Contains(stderr.String(), "interrupted") || len(entries) != 0 {
				t.Errorf("after %v: %q, with %v in the folder", after, stderr.String(), entries)
			}
		default:
			t.Errorf("after %v: exit code %d: %s", after, code, stderr.String())
		}
	}
	if stopped == 0 {
		t.Error("no rewrite was stopped: not even one that was cancelled before it began")
	}
}
