package onnx

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteOptions says how WriteFile writes.
type WriteOptions struct {
	ExternalData ExternalMode
	// NoSync returns before the files are known to be on the disk.
	NoSync bool
	// Mode is the files' permissions; 0 stands for those of the model's source,
	// 0644 if it has none.
	Mode fs.FileMode
	// Progress, if not nil, is told how many bytes of all are written.
	Progress func(done, total int64)
}

// WriteFile writes a model to a file, which appears whole or not at all: the
// model is written beside it, brought to the disk, and takes its place. A model
// that is too large for one file gets its weights written to external data, a
// file beside with ".data" after the model's name, which is put in place first.
// No tensor refers to the source's external data afterwards. The model's source
// and its external data are never overwritten, by whatever name path calls them.
func WriteFile(path string, m *Model, o WriteOptions) error {
	return writeFile(path, m, o, maxFile)
}

func writeFile(path string, m *Model, o WriteOptions, limit int64) error {
	dataPath := path + ".data"
	p, err := place(m, o.ExternalData, filepath.Base(dataPath), limit)
	if err != nil {
		return err
	}
	targets := []string{path}
	if len(p.data) > 0 {
		targets = []string{dataPath, path}
	}
	for _, target := range targets {
		if err := m.mayReplace(target); err != nil {
			return fmt.Errorf("onnx: writing %s: %w", path, err)
		}
	}
	mode := o.Mode
	if mode == 0 {
		mode = 0o644
		if m.source != nil && m.source.info != nil {
			mode = m.source.info.Mode().Perm()
		}
	}
	progress := func(done int64) {
		if o.Progress != nil {
			o.Progress(done, p.size())
		}
	}
	var files []*pending
	defer func() {
		for _, f := range files {
			f.abandon()
		}
	}()
	for _, target := range targets {
		f, err := newPending(target, mode)
		if err != nil {
			return fmt.Errorf("onnx: writing %s: %w", path, err)
		}
		files = append(files, f)
		if target == path {
			err = f.fill(!o.NoSync, func(w io.Writer) error {
				return p.model.writeTo(w, func(done int64) { progress(p.dataSize + done) })
			})
		} else {
			err = f.fill(!o.NoSync, func(w io.Writer) error { return p.writeData(w, progress) })
		}
		if err != nil {
			return fmt.Errorf("onnx: writing %s: %w", path, err)
		}
	}
	for _, f := range files {
		if err := f.commit(); err != nil {
			return fmt.Errorf("onnx: writing %s: %w", path, err)
		}
	}
	files = nil
	if !o.NoSync {
		if err := syncFolder(filepath.Dir(path)); err != nil {
			return fmt.Errorf("onnx: writing %s: %w", path, err)
		}
	}
	return nil
}

// mayReplace refuses targets that are no regular files, and those that the
// model is read from.
func (m *Model) mayReplace(target string) error {
	info, err := os.Stat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is there and not a regular file", target)
	}
	if m.source != nil && m.source.refersTo(info) {
		return fmt.Errorf("%s is what the model is read from: choose another name", target)
	}
	return nil
}

// pending is a file that is written under another name beside its target.
type pending struct {
	file    *os.File
	target  string
	existed bool // there was a target already
	placed  bool
}

func newPending(target string, mode fs.FileMode) (*pending, error) {
	file, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*.tmp")
	if err != nil {
		return nil, err
	}
	_, err = os.Lstat(target)
	f := &pending{file: file, target: target, existed: err == nil}
	if err := file.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		f.abandon()
		return nil, err
	}
	return f, nil
}

// fill writes the content and closes the file.
func (f *pending) fill(sync bool, write func(io.Writer) error) error {
	w := bufio.NewWriterSize(f.file, 1<<20)
	err := write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil && sync {
		err = f.file.Sync()
	}
	return errors.Join(err, f.file.Close())
}

// commit puts the file in its place.
func (f *pending) commit() error {
	if err := os.Rename(f.file.Name(), f.target); err != nil {
		return err
	}
	f.placed = true
	return nil
}

// abandon leaves nothing behind but what was there before. External data that
// took the place of older ones stays: those are gone.
func (f *pending) abandon() {
	if !f.placed {
		f.file.Close() // closed already if it was filled
		os.Remove(f.file.Name())
	} else if !f.existed {
		os.Remove(f.target)
	}
}
