package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// source is where a model was read from; for one decoded from memory it is empty.
type source struct {
	path string
	info fs.FileInfo
	file mapping
	root *os.Root // the folder, opened when external data is first wanted

	locations map[string]bool // of all external data that the model refers to

	swept sweepCount

	mu         sync.Mutex
	closed     bool
	attached   map[string]*attachment
	mostMapped int // of the attached files; others are read into memory
}

// mostMapped is how many files of external data are mapped: a system lets a
// process have some ten thousands of mappings (Linux 65,530), which the Go
// runtime needs too, for its heap. No file stays open once it is mapped or read.
const mostMapped = 1 << 14

// attachment is an external data file, opened once and shared by its tensors.
type attachment struct {
	mapping
	info fs.FileInfo
	err  error
}

// Open reads a model from a file, which is mapped into memory where the system
// can do that and must not change until the model is closed. External data is
// read from the file's folder, and only from there.
func Open(path string) (*Model, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("onnx: %s is a folder: name the model's file in it", path)
	}
	s := &source{path: path, info: info, locations: map[string]bool{}, attached: map[string]*attachment{}, mostMapped: mostMapped}
	if s.file, err = mapFile(file, info); err != nil {
		return nil, fmt.Errorf("onnx: reading %s: %w", path, err)
	}
	m := &Model{source: s}
	if err := m.Guard(func() (err error) { m, err = decodeModel(s.file.data, s); return err }); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), s.close())
	}
	return m, nil
}

// Path is the file the model was opened from, "" if it was decoded from memory
// or made by hand.
func (m *Model) Path() string {
	if m.source == nil {
		return ""
	}
	return m.source.path
}

// Close gives the model's file and external data files back. The model, its
// clones and the payloads of its tensors cannot be used afterwards. Closing a
// model that was not opened from a file, or closing it again, does nothing.
func (m *Model) Close() error {
	if m.source == nil {
		return nil
	}
	return m.source.close()
}

func (s *source) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	errs := []error{s.file.unmap()}
	for _, a := range s.attached {
		errs = append(errs, a.unmap())
	}
	if s.root != nil {
		errs = append(errs, s.root.Close())
	}
	return errors.Join(errs...)
}

var errNoFolder = errors.New("the model was read from memory, so there is no folder to find it in")

// external opens a file of external data. Its location is a slash-separated
// path inside the model's folder.
func (s *source) external(location string) (*attachment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("external data: the model is closed")
	}
	if s.path == "" {
		return nil, fmt.Errorf("external data in %q: %w", location, errNoFolder)
	}
	if a := s.attached[location]; a != nil {
		return a, a.err
	}
	a := &attachment{}
	a.err = s.attach(a, location)
	s.attached[location] = a
	return a, a.err
}

// refersTo reports whether a file is the model's source or one with its
// external data. What cannot be found is not that file.
func (s *source) refersTo(info fs.FileInfo) bool {
	if s.info == nil {
		return false
	}
	if os.SameFile(info, s.info) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for location := range s.locations {
		if _, own, err := s.look(location); err == nil && os.SameFile(info, own) {
			return true
		}
	}
	return false
}

// look finds the file at a location without opening it.
func (s *source) look(location string) (name string, info fs.FileInfo, err error) {
	if s.root == nil {
		root, err := os.OpenRoot(filepath.Dir(s.path))
		if err != nil {
			return "", nil, fmt.Errorf("external data: %w", err)
		}
		s.root = root
	}
	if name, err = localName(location); err != nil {
		return "", nil, err
	}
	if info, err = s.root.Stat(name); err != nil {
		return "", nil, fmt.Errorf("external data: %w", err)
	}
	return name, info, nil
}

func (s *source) attach(a *attachment, location string) error {
	// A look before opening keeps a device from being opened at all, and the
	// open does not wait for a writer should a pipe have taken the file's place.
	name, info, err := s.look(location)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("external data: %q is not a regular file", location)
	}
	file, err := s.root.OpenFile(name, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return fmt.Errorf("external data: %w", err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return fmt.Errorf("external data: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("external data: %q is not a regular file", location)
	}
	a.info = info
	if len(s.attached) < s.mostMapped {
		a.mapping, err = mapFile(file, info)
	} else {
		a.data, err = io.ReadAll(file)
	}
	if err != nil {
		return fmt.Errorf("external data: reading %q: %w", location, err)
	}
	return nil
}

// localName turns a location into a name to open inside the model's folder.
// The root would refuse what leaves the folder; a location that tries is refused
// even where it comes back.
func localName(location string) (string, error) {
	var elements []string
	for element := range strings.SplitSeq(location, "/") {
		if element != "." {
			elements = append(elements, element)
		}
	}
	name, err := filepath.Localize(strings.Join(elements, "/"))
	if err != nil || len(elements) == 0 {
		return "", fmt.Errorf("external data: location %q is not a path inside the model's folder", location)
	}
	return name, nil
}
