package onnx

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
)

// WriteOptions says how WriteFile writes.
type WriteOptions struct {
	ExternalData ExternalMode
	// NoSync returns before the files are known to be on the disk.
	NoSync bool
	// Mode is the files' permissions; 0 stands for those of the model's source,
	// 0644 if it has none.
	Mode fs.FileMode
	// ShardBytes, if positive, has weights written to external data in files of at
	// most so many bytes. A tensor is not divided: one that is longer has a file
	// of its own.
	ShardBytes int64
	// Threads is how many goroutines make and write payloads; 0: as many as there
	// are processors. What is written does not depend on it.
	Threads int
	// Context, if not nil, ends the writing early; nothing of it is left then.
	Context context.Context
	// Progress, if not nil, is told how many bytes of all are written.
	Progress func(done, total int64)
}

// WriteFile writes a model to a file, which appears whole or not at all: the
// model is written beside it, brought to the disk, and takes its place. A model
// that is too large for one file gets its weights written to external data, a
// file beside with ".data" after the model's name, which is put in place first;
// several such files with WriteOptions.ShardBytes: ".data-00001-of-00003" and so
// on. A model that is there already and has its data in such a file goes on
// having them until its place is taken: the new data are in ".data.2" then, and
// the old ones are removed last. Whenever the program is stopped, there is the
// old model or the new one.
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
	written    int64      // in files that are complete
	names      []string   // of the files with external data
	files      []*pending // to abandon if something fails
	superseded []string   // external data of the model that is replaced
}

func (w *modelWriter) write(limit int64) error {
	place := placing{mode: w.options.ExternalData, limit: limit, shard: w.options.ShardBytes, names: w.dataNames}
	p, err := place.place(w.model)
	if err != nil {
		return err
	}
	w.total = p.size()
	folder := filepath.Dir(w.path)
	targets := []string{w.path}
	if len(p.data) > 0 {
		targets = append(targets, w.path+".data")
		for _, name := range w.names {
			targets = append(targets, filepath.Join(folder, name))
		}
	} else {
		w.superseded = nil
	}
	for _, target := range targets {
		if err := w.model.mayReplace(target); err != nil {
			return err
		}
	}
	for i, data := range p.data {
		if err := w.fill(filepath.Join(folder, w.names[i]), data.chunks); err != nil {
			return err
		}
	}
	if err := w.fill(w.path, p.model.placed()); err != nil {
		return err
	}
	if err := w.model.unchanged(); err != nil {
		return err
	}
	return w.commit()
}

// dataNames are the names of so many files for external data: such as the model
// which is there now, if any, does not need.
func (w *modelWriter) dataNames(files int) []string {
	needed := map[string]bool{}
	if old, err := Open(w.path); err == nil {
		for location := range old.source.locations {
			needed[location] = true
		}
		old.Close()
	}
	base := filepath.Base(w.path) + ".data"
	ours := regexp.MustCompile("^" + regexp.QuoteMeta(base) + `(\.\d+)?(-\d+-of-\d+)?$`)
	w.superseded = nil
	for name := range needed {
		if ours.MatchString(name) {
			w.superseded = append(w.superseded, filepath.Join(filepath.Dir(w.path), name))
		}
	}
	slices.Sort(w.superseded)
	name := base
	for n := 2; ; n++ {
		w.names = w.names[:0]
		free := true
		for i := range files {
			shard := name
			if files > 1 {
				shard = fmt.Sprintf("%s-%05d-of-%05d", name, i+1, files)
			}
			w.names = append(w.names, shard)
			free = free && !needed[shard]
		}
		if free {
			return w.names
		}
		name = fmt.Sprintf("%s.%d", base, n)
	}
}

// progress tells how much of everything is written.
func (w *modelWriter) progress(done int64) {
	if w.options.Progress != nil {
		w.options.Progress(w.written+done, w.total)
	}
}

// fill makes a file and writes its content.
func (w *modelWriter) fill(target string, content []chunk) error {
	mode, ctx, threads := w.options.Mode, w.options.Context, w.options.Threads
	if mode == 0 {
		mode = 0o644
		if s := w.model.source; s != nil && s.info != nil {
			mode = s.info.Mode().Perm()
		}
	}
	if ctx == nil {
		ctx = context.Background()
	}
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	f, err := newPending(w.disk, target, mode)
	if err == nil {
		w.files = append(w.files, f)
		err = f.fill(!w.options.NoSync, &fileWriter{
			pieces: cut(content), threads: threads, ctx: ctx, progress: w.progress, swept: w.model.Swept,
		})
	}
	if err != nil {
		return advised(err, w.total)
	}
	if last := len(content) - 1; last >= 0 {
		w.written += content[last].offset + content[last].length
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
