package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// mounted is a new file system of a number of bytes, in memory. Without the right
// to mount one, the test is skipped; TestFileSizeLimit runs everywhere.
func mounted(t *testing.T, size int) string {
	t.Helper()
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		missing(t, fmt.Sprintf("a file system that fills up cannot be mounted (%v): it takes root", err))
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// TestFullDisk writes to file systems that are too small by more and by less, and
// to one that holds the result of before and has no room beside it.
func TestFullDisk(t *testing.T) {
	source := externalSource(t)
	for _, mode := range []string{"always", "never"} {
		alone := filepath.Join(t.TempDir(), "out.onnx")
		command, stderr := program("rewrite", source, "-o", alone, "--check", "off", "--external-data", mode, "--quiet")
		if err := command.Run(); err != nil {
			t.Fatal(err, stderr)
		}
		files, _ := contents(t, filepath.Dir(alone))
		const page = 4096
		pages := 0
		for _, content := range files {
			pages += (len(content) + page - 1) / page
		}
		for _, room := range []int{1, 2, pages / 4, pages / 2, pages - 1} {
			folder := mounted(t, room*page)
			command, stderr := program("rewrite", source, "-o", filepath.Join(folder, "out.onnx"), "--check", "off", "--external-data", mode)
			failsWithin(t, folder, exitFailed, "make room", command, stderr)
		}
		folder := mounted(t, (pages+pages/2)*page)
		output := filepath.Join(folder, "out.onnx")
		command, stderr = program("rewrite", source, "-o", output, "--check", "off", "--external-data", mode, "--quiet")
		if err := command.Run(); err != nil {
			t.Fatal(err, stderr)
		}
		command, stderr = program("rewrite", source, "-o", output, "--check", "off", "--external-data", mode, "--recipe", "w8a16")
		failsWithin(t, folder, exitFailed, "make room", command, stderr)
		if _, err := state(output); err != nil {
			t.Errorf("%s: what was there is spoiled: %v", mode, err)
		}
		report := filepath.Join(mounted(t, page), "report.html")
		command, stderr = program("rewrite", source, "-o", filepath.Join(t.TempDir(), "out.onnx"), "--check", "off", "--report", report)
		failsWithin(t, filepath.Dir(report), exitFailed, "no space left", command, stderr)
	}
}

// A folder in which nothing can be made is an error with advice, for root too.
func TestReadOnlyFolder(t *testing.T) {
	source := externalSource(t)
	folder := mounted(t, 1<<20)
	for name, content := range map[string][]byte{"model.onnx": read(t, source), "model.onnx.data": read(t, source+".data")} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("", folder, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	command, stderr := program("rewrite", filepath.Join(folder, "model.onnx"), "--check", "off")
	failsWithin(t, folder, exitFailed, "choose one where that is allowed", command, stderr)
	command, stderr = program("rewrite", filepath.Join(folder, "model.onnx"), "-o", filepath.Join(t.TempDir(), "out.onnx"), "--check", "off", "--quiet")
	if err := command.Run(); err != nil {
		t.Errorf("from a folder that is read-only: %v: %s", err, stderr)
	}
}
