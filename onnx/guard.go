package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"
)

// ChangedError says that a file that a model is read from was changed, or could
// not be read any more, while the model was in use.
type ChangedError struct {
	Path   string
	Reason string
}

// Error says which file, what became of it, and what to do.
func (e *ChangedError) Error() string {
	return fmt.Sprintf("onnx: %s, which the model is read from, %s: what was read cannot be trusted; try again once nothing else writes to it",
		e.Path, e.Reason)
}

// Guard runs f, which reads bytes that the model's file or its external data
// hold: views, payloads, what promises are made of. These files are mapped into
// memory, and if one is cut short by somebody, or its disk fails, reading it
// ends the program; under Guard it is a *ChangedError. That holds for f's own
// goroutine, and for panics that f passes on from others which have called
// debug.SetPanicOnFault. Any other panic goes on.
func (m *Model) Guard(f func() error) (err error) {
	if m.source == nil || !m.source.anyMapped() {
		return f()
	}
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		cause := recover()
		what := cause
		if cause == nil {
			what = err
		}
		address, ok := faultAddress(what)
		switch mapped := m.source.mappedAt(address); {
		case ok && mapped != nil:
			err = m.source.lost(mapped)
		case cause != nil:
			panic(cause)
		case errors.Is(err, syscall.EFAULT): // as a system call says it
			err = m.source.lost(nil)
		}
	}()
	return f()
}

// passOn panics on the goroutine that waited for another with what that one
// panicked with, if it did.
func passOn(cause any) {
	if cause != nil {
		panic(cause)
	}
}

// faultAddress is the address that could not be read, if that is what a panic or
// an error is about.
func faultAddress(cause any) (address uintptr, ok bool) {
	err, _ := cause.(error)
	var fault interface {
		runtime.Error
		Addr() uintptr
	}
	if !errors.As(err, &fault) {
		return 0, false
	}
	return fault.Addr(), true
}

// opened is a file that is read from, and what it was when it was opened.
type opened struct {
	path string
	info fs.FileInfo
	mapping
}

// changed says what became of a file; nil: nothing. One whose name another file
// has taken meanwhile is still what it was.
func (o *opened) changed() error {
	now, err := os.Stat(o.path)
	switch {
	case err != nil || !os.SameFile(now, o.info):
		return nil
	case now.Size() != o.info.Size():
		return &ChangedError{o.path, fmt.Sprintf("has %d bytes now and had %d when it was opened", now.Size(), o.info.Size())}
	case !now.ModTime().Equal(o.info.ModTime()):
		return &ChangedError{o.path, fmt.Sprintf("was written to at %s", now.ModTime().Format("15:04:05.000"))}
	}
	return nil
}

// files are those that are open, the model's own first.
func (s *source) files() []*opened {
	list := []*opened{{s.path, s.info, s.file}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for location, a := range s.attached {
		if a.err == nil {
			list = append(list, &opened{filepath.Join(filepath.Dir(s.path), filepath.FromSlash(location)), a.info, a.mapping})
		}
	}
	return list
}

// anyMapped reports whether the model was opened from a file: its external data
// may be mapped later.
func (s *source) anyMapped() bool { return s.info != nil }

// mappedAt finds the file that is mapped to where an address points.
func (s *source) mappedAt(address uintptr) *opened {
	for _, o := range s.files() {
		start := uintptr(unsafe.Pointer(unsafe.SliceData(o.data)))
		if o.isMapped() && address >= start && address-start < uintptr(len(o.data)) {
			return o
		}
	}
	return nil
}

// unchanged is an error if a file that the model is read from is not what it was
// when it was opened. One that was read into memory as a whole does not matter.
func (m *Model) unchanged() error {
	if m.source == nil || m.source.info == nil {
		return nil
	}
	for _, o := range m.source.files() {
		if !o.isMapped() {
			continue
		}
		if err := o.changed(); err != nil {
			return err
		}
	}
	return nil
}

// lost is the error for a file that could not be read where it is mapped; nil
// for one among them that is not known.
func (s *source) lost(file *opened) error {
	list := s.files()
	if file != nil {
		list = []*opened{file}
	}
	for _, o := range list {
		if err := o.changed(); err != nil {
			return err
		}
	}
	return &ChangedError{list[0].path, "cannot be read any more, as if its disk had failed"}
}
