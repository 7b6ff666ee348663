package onnx

import (
	"context"
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
	// Context, if not nil, ends the writing early; nothing of it is left then.
	Context context.Context
	// Progress, if not nil, is told how many bytes of all are written.
	Progress func(done, total int64)
}

// WriteFile writes a model to a file, which appears whole or not at all: the
// model is written beside it, brought to the disk, and takes its place. A model
// that is too large for one file gets its weights written to external data, a
// file beside with ".data" after the model's name, which is put in place first.
// A model that is there already and has its data in that file goes on having
// them until its place is taken: the new data are in ".data.2" then, and the old
// ones are removed last. Whenever the program is stopped, there is the old model
// or the new one.
//
// No tensor refers to the source's external data afterwards. The model's source
// and its external data are never overwritten, by whatever name path calls them;
// if one of them was changed meanwhile, that is a *ChangedError and nothing is
// written.
func WriteFile(path string, m *Model, o WriteOptions) error {
	return writeFile(system{}, path, m, o, maxFile)
}

func writeFile(d disk, path string, m *Model, o WriteOptions, limit int64) error {
	w := &modelWriter{disk: d, path: path, model: m, options: o}
	err := m.Guard(func() error { return w.write(limit) })
	if err != nil {
		for _, f := range w.files {
			err = errors.Join(err, f.abandon())
		}
		return fmt.Errorf("onnx: writing %s: %w", path, err)
	}
	return nil
}

// modelWriter is one model on its way to the disk.
type modelWriter struct {
	disk       disk
	path       string
	model      *Model
	options    WriteOptions
	total      int64      // bytes
	files      []*pending // to abandon if something fails
	superseded []string   // external data of the model that is replaced
}

func (w *modelWriter) write(limit int64) error {
	dataPath := w.dataPath()
	p, err := place(w.model, w.options.ExternalData, filepath.Base(dataPath), limit)
	if err != nil {
		return err
	}
	w.total = p.size()
	targets := []string{w.path}
	if len(p.data) > 0 {
		targets = []string{w.path + ".data", dataPath, w.path}
	} else {
		w.superseded = nil
	}
	for _, target := range targets {
		if err := w.model.mayReplace(target); err != nil {
			return err
		}
	}
	if len(p.data) > 0 {
		if err := w.fill(dataPath, func(to io.Writer) error { return p.writeData(to, w.progress(0)) }); err != nil {
			return err
		}
	}
	if err := w.fill(w.path, func(to io.Writer) error { return p.model.writeTo(to, w.progress(p.dataSize)) }); err != nil {
		return err
	}
	if err := w.model.unchanged(); err != nil {
		return err
	}
	return w.commit()
}

// dataPath is the file for external data: one that the model which is there now,
// if any, does not need.
func (w *modelWriter) dataPath() string {
	needed := map[string]bool{}
	if old, err := Open(w.path); err == nil {
		for location := range old.source.locations {
			needed[location] = true
		}
		old.Close()
	}
	path := w.path + ".data"
	for n := 2; needed[filepath.Base(path)]; n++ {
		w.superseded = append(w.superseded, path)
		path = fmt.Sprintf("%s.data.%d", w.path, n)
	}
	return path
}

// progress is told how much of a file is written, of the whole in which so much
// comes before it.
func (w *modelWriter) progress(before int64) func(done int64) {
	return func(done int64) {
		if w.options.Progress != nil {
			w.options.Progress(before+done, w.total)
		}
	}
}

// fill makes a file and writes its content.
func (w *modelWriter) fill(target string, content func(io.Writer) error) error {
	mode, ctx := w.options.Mode, w.options.Context
	if mode == 0 {
		mode = 0o644
		if s := w.model.source; s != nil && s.info != nil {
			mode = s.info.Mode().Perm()
		}
	}
	if ctx == nil {
		ctx = context.Background()
	}
	f, err := newPending(w.disk, target, mode)
	if err == nil {
		w.files = append(w.files, f)
		err = f.fill(ctx, !w.options.NoSync, content)
	}
	if err != nil {
		return advised(err, w.total)
	}
	return nil
}

// commit puts the files in their places. The model is last: until it has its
// place, nothing refers to the others.
func (w *modelWriter) commit() error {
	for _, f := range w.files {
		if err := f.commit(); err != nil {
			return advised(err, w.total)
		}
		if f.target == w.path {
			w.files = nil // from here on they stay
		}
		if w.options.NoSync {
			continue
		}
		if err := w.disk.syncFolder(filepath.Dir(w.path)); err != nil {
			if w.files == nil {
				return fmt.Errorf("it is in its place, but may not be there after a power failure: %w", err)
			}
			return err
		}
	}
	// Data that nothing refers to any more take room, and do no other harm.
	for _, name := range w.superseded {
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && !w.model.ReadsFrom(info) {
			_ = w.disk.remove(name)
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
		return fmt.Errorf("%s is there and not a regular file: choose another name", target)
	}
	if m.ReadsFrom(info) {
		return fmt.Errorf("%s is what the model is read from: choose another name", target)
	}
	return nil
}

// ReadsFrom reports whether a file, by whatever name or link it was found, is the
// one that the model was opened from or has external data that the model refers to.
func (m *Model) ReadsFrom(info fs.FileInfo) bool { return m.source != nil && m.source.refersTo(info) }
