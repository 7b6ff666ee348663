package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// failingDisk is the system's until the n-th request to change something.
type failingDisk struct {
	system
	left int    // requests until it fails
	dead bool   // nothing works any more after that, as if the program had been killed
	tear bool   // a write that fails has written a half
	mute bool   // a write that fails does not say so
	did  string // which request failed
}

var errDisk = fmt.Errorf("made to fail: %w", syscall.EIO)

// counting is held while a request is counted: several goroutines write a file.
var counting sync.Mutex

func (d *failingDisk) fails(request string) bool {
	counting.Lock()
	defer counting.Unlock()
	d.left--
	if d.left > 0 || d.left < 0 && !d.dead {
		return false
	}
	if d.did == "" {
		d.did = request
	}
	return true
}

func (d *failingDisk) create(folder, pattern string) (diskFile, error) {
	if d.fails("create") {
		return nil, errDisk
	}
	file, err := d.system.create(folder, pattern)
	return &failingFile{file, d}, err
}

func (d *failingDisk) rename(from, to string) error {
	if d.fails("rename") {
		return errDisk
	}
	return d.system.rename(from, to)
}

func (d *failingDisk) remove(name string) error {
	if d.fails("remove") {
		return errDisk
	}
	return d.system.remove(name)
}

func (d *failingDisk) syncFolder(name string) error {
	if d.fails("syncFolder") {
		return errDisk
	}
	return d.system.syncFolder(name)
}

type failingFile struct {
	diskFile
	disk *failingDisk
}

func (f *failingFile) WriteAt(b []byte, offset int64) (int, error) {
	if !f.disk.fails("write") {
		return f.diskFile.WriteAt(b, offset)
	}
	n, err := 0, errDisk
	if f.disk.tear {
		n, _ = f.diskFile.WriteAt(b[:len(b)/2], offset)
	}
	if f.disk.mute {
		err = nil
	}
	return n, err
}

func (f *failingFile) Chmod(mode fs.FileMode) error {
	if f.disk.fails("chmod") {
		return errDisk
	}
	return f.diskFile.Chmod(mode)
}

func (f *failingFile) reserve(bytes int64) error {
	if f.disk.fails("reserve") {
		return errDisk
	}
	return f.diskFile.reserve(bytes)
}

func (f *failingFile) Sync() error {
	if f.disk.fails("sync") {
		return errDisk
	}
	return f.diskFile.Sync()
}

func (f *failingFile) Close() error {
	err := f.diskFile.Close()
	if f.disk.fails("close") {
		err = errDisk
	}
	return err
}

// leftover is the name of a file that a program left behind that was killed.
var leftover = regexp.MustCompile(`^\..*\.tmp$`)

// contents reads all files of a folder; those with leftover names apart.
func contents(t *testing.T, dir string) (files map[string]string, left []string) {
	t.Helper()
	files = map[string]string{}
	for _, name := range filesIn(t, dir) {
		if leftover.MatchString(name) {
			left = append(left, name)
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(b)
	}
	return files, left
}

// markedModel is bigModel with a first initializer that tells it from others.
func markedModel(mark float32) *Model {
	m := bigModel()
	m.Graph.Initializers[0] = FloatTensor("small", []int64{4}, []float32{mark, 1, 2, 3})
	wide := make([]float32, 270_000) // several writes
	for i := range wide {
		wide[i] = mark + float32(i%1000)
	}
	m.Graph.Initializers[1] = FloatTensor("large", []int64{int64(len(wide))}, wide)
	return m
}

// faultCases are what may be there before a model is written, and how it is written.
func faultCases() map[string]struct{ before, mode ExternalMode } {
	return map[string]struct{ before, mode ExternalMode }{
		"nothing, one file":        {-1, ExternalNever},
		"nothing, two files":       {-1, ExternalAlways},
		"one file by one file":     {ExternalNever, ExternalNever},
		"one file by two files":    {ExternalNever, ExternalAlways},
		"two files by one file":    {ExternalAlways, ExternalNever},
		"two files by two files":   {ExternalAlways, ExternalAlways},
		"two files by two, synced": {ExternalAlways, ExternalAlways},
	}
}

// A disk that fails at its n-th request, for every n, costs nothing: what was in
// the folder is there as it was, or else the whole new model.
func TestDiskFailsAtEveryRequest(t *testing.T) {
	source := filepath.Join(t.TempDir(), "in.onnx")
	if err := WriteFile(source, markedModel(1), WriteOptions{ExternalData: ExternalAlways, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	sourceBefore, _ := contents(t, filepath.Dir(source))
	want := tensorsOf(t, markedModel(1))
	old := map[ExternalMode]map[string]string{}
	for _, mode := range []ExternalMode{ExternalNever, ExternalAlways} {
		dir := t.TempDir()
		if err := WriteFile(filepath.Join(dir, "out.onnx"), markedModel(2), WriteOptions{ExternalData: mode, NoSync: true}); err != nil {
			t.Fatal(err)
		}
		old[mode], _ = contents(t, dir)
	}
	requests := map[string]int{}
	for name, c := range faultCases() {
		for _, how := range []failingDisk{{}, {tear: true}, {mute: true}, {dead: true}, {dead: true, tear: true}} {
			for n := 1; ; n++ {
				dir := t.TempDir()
				path := filepath.Join(dir, "out.onnx")
				before := old[c.before]
				for name, content := range before {
					writeBytes(t, filepath.Join(dir, name), []byte(content))
				}
				disk := how
				disk.left = n
				err := writeFile(&disk, path, openModel(t, source), WriteOptions{ExternalData: c.mode, NoSync: !strings.HasSuffix(name, "synced")}, maxFile)
				what := fmt.Sprintf("%s, %+v, request %d (%s)", name, how, n, disk.did)
				requests[disk.did]++
				after, left := contents(t, dir)
				if len(left) > 0 && !how.dead {
					t.Errorf("%s: %v is left", what, left)
				}
				switch unchanged := maps.Equal(before, after); {
				case unchanged && err == nil:
					t.Errorf("%s: success, and nothing is written", what)
				case unchanged && !errors.Is(err, errDisk) && !errors.Is(err, io.ErrShortWrite):
					t.Errorf("%s: the error does not say what happened: %v", what, err)
				case !unchanged && !holds(t, path, want) && !(how.dead && holdsOld(t, path, before, after)):
					t.Errorf("%s: neither what was there nor the new model, but %v; error %v", what, slices.Sorted(maps.Keys(after)), err)
				case !unchanged && err != nil && !how.dead && disk.did != "syncFolder":
					t.Errorf("%s: the model was written: %v", what, err)
				}
				if disk.did == "" {
					break // all requests were served
				}
			}
		}
	}
	for _, request := range []string{"create", "chmod", "reserve", "write", "sync", "close", "rename", "syncFolder", "remove"} {
		if requests[request] == 0 {
			t.Errorf("no %s ever failed", request)
		}
	}
	if after, left := contents(t, filepath.Dir(source)); !maps.Equal(sourceBefore, after) || len(left) > 0 {
		t.Error("the source has changed")
	}
	t.Logf("requests that failed: %v", requests)
}

// holds reports whether a file is a model with these tensors, external data included.
func holds(t *testing.T, path string, want map[string][]float32) bool {
	t.Helper()
	m, err := Open(path)
	if err != nil {
		return false
	}
	defer m.Close()
	if _, err := Check(m); err != nil {
		return false
	}
	return maps.EqualFunc(want, tensorsOf(t, m), slices.Equal[[]float32])
}

// holdsOld reports whether all that was in the folder is as it was, with nothing
// more than new external data that no model refers to.
func holdsOld(t *testing.T, path string, before, after map[string]string) bool {
	t.Helper()
	for name, content := range before {
		if after[name] != content {
			return false
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok && !strings.HasPrefix(name, filepath.Base(path)+".data") {
			return false
		}
	}
	return true
}

// What a program left behind that was killed does not disturb the next one.
func TestWritingAfterAProgramThatWasKilled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.onnx")
	killed, next := markedModel(1), markedModel(3)
	want := tensorsOf(t, next)
	for n := 1; ; n++ {
		disk := &failingDisk{left: n, dead: true}
		if err := writeFile(disk, path, killed, WriteOptions{ExternalData: ExternalAlways}, maxFile); err == nil && disk.did == "" {
			break
		}
		if err := WriteFile(path, next, WriteOptions{ExternalData: ExternalAlways}); err != nil {
			t.Fatal(err)
		}
		if !holds(t, path, want) {
			t.Fatalf("after request %d (%s) the next model is not whole", n, disk.did)
		}
	}
}

func TestAdvice(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{syscall.ENOSPC, "make room"},
		{syscall.EDQUOT, "make room"},
		{syscall.EFBIG, "ulimit -f"},
		{fs.ErrPermission, "choose one where that is allowed"},
		{syscall.EROFS, "choose one where that is allowed"},
		{fs.ErrNotExist, "make the folder first"},
	} {
		cause := &fs.PathError{Op: "write", Path: "x", Err: test.err}
		if err := advised(cause, 12345); !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v", test.err, err)
		}
	}
	if err := advised(errDisk, 0); err != errDisk {
		t.Errorf("where nothing can be advised: %v", err)
	}
}
