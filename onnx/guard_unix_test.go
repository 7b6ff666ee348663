//go:build unix

package onnx

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// summed is a promise that is made of another payload's bytes.
type summed struct{ of Payload }

func (s summed) Len() int64 { return 1 }
func (s summed) Bytes() ([]byte, error) {
	b, err := s.of.Bytes()
	sum := byte(0)
	for _, v := range b {
		sum += v
	}
	return []byte{sum}, err
}

// damage is what another program may do to a file that is mapped, and what is
// said of it; "": nothing that matters.
var damage = []struct {
	name string
	do   func(path string) error
	says string
}{
	{"cut short", func(path string) error { return os.Truncate(path, 4096) }, "has 4096 bytes now"},
	{"emptied", func(path string) error { return os.Truncate(path, 0) }, "has 0 bytes now"},
	{"longer", func(path string) error { return os.Truncate(path, 16<<20) }, "has 16777216 bytes now"},
	{"written to", func(path string) error {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = file.WriteAt([]byte{1, 2, 3}, 5000)
		later := time.Now().Add(time.Second) // the clock of a file system may be coarse
		return errors.Join(err, file.Close(), os.Chtimes(path, later, later))
	}, "was written to at"},
	{"replaced", func(path string) error {
		return errors.Join(os.WriteFile(path+".new", []byte("another model"), 0o644), os.Rename(path+".new", path))
	}, ""},
	{"removed", os.Remove, ""},
}

// A model's file, or the one with its external data, is changed by somebody while
// the model is written: that is an error, and nothing is left of what was begun.
func TestSourceChangesWhileItIsWritten(t *testing.T) {
	want := tensorsOf(t, markedModel(1))
	uses := map[string]func(t *testing.T, m *Model, to string) error{
		"written as it is": func(t *testing.T, m *Model, to string) error { return WriteFile(to, m, WriteOptions{NoSync: true}) },
		"written to external data": func(t *testing.T, m *Model, to string) error {
			return WriteFile(to, m.Clone(), WriteOptions{NoSync: true, ExternalData: ExternalAlways})
		},
		"kept promise": func(t *testing.T, m *Model, to string) error {
			c := m.Clone()
			c.Graph = c.Graph.Clone()
			c.Graph.Initializers[1] = NewTensor("sum", Int8, []int64{1}, summed{m.Graph.Initializers[1].Data})
			return WriteFile(to, c, WriteOptions{NoSync: true})
		},
		"encoded": func(t *testing.T, m *Model, to string) error { return Encode(io.Discard, m.Clone()) },
		"read": func(t *testing.T, m *Model, to string) error {
			err := m.Guard(func() error { _, err := m.Graph.Initializers[1].Float32s(); return err })
			return errors.Join(err, m.unchanged())
		},
		"read by another goroutine": func(t *testing.T, m *Model, to string) error {
			err := m.Guard(func() error { return passedOn(t, func() { m.Graph.Initializers[1].Float32s() }) })
			return errors.Join(err, m.unchanged())
		},
	}
	for _, mode := range []ExternalMode{ExternalNever, ExternalAlways} {
		for _, d := range damage {
			for use, do := range uses {
				dir := t.TempDir()
				path := filepath.Join(dir, "in", "in.onnx")
				if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := WriteFile(path, markedModel(1), WriteOptions{ExternalData: mode, NoSync: true}); err != nil {
					t.Fatal(err)
				}
				m := openModel(t, path)
				damaged := path
				if mode == ExternalAlways {
					damaged += ".data"
				}
				if _, err := m.Graph.Initializers[0].Float32s(); err != nil {
					t.Fatal(err)
				}
				if _, err := m.Graph.Initializers[1].RawBytes(); err != nil { // opens external data
					t.Fatal(err)
				}
				if err := d.do(damaged); err != nil {
					t.Fatal(err)
				}
				to := filepath.Join(dir, "out", "out.onnx")
				if err := os.Mkdir(filepath.Dir(to), 0o755); err != nil {
					t.Fatal(err)
				}
				err := do(t, m, to)
				var changed *ChangedError
				switch {
				case d.says == "":
					if err != nil {
						t.Errorf("mode %d, %s, %s: %v", mode, d.name, use, err)
					} else if strings.HasPrefix(use, "written") && !holds(t, to, want) {
						t.Errorf("mode %d, %s, %s: it is not what was opened", mode, d.name, use)
					}
				default: // also where only references to the data are encoded
					if !errors.As(err, &changed) || changed.Path != damaged || !strings.Contains(err.Error(), d.says) {
						t.Errorf("mode %d, %s, %s: error %v", mode, d.name, use, err)
					}
					if files := filesIn(t, filepath.Dir(to)); len(files) > 0 {
						t.Errorf("mode %d, %s, %s: %v is left", mode, d.name, use, files)
					}
				}
				m.Close()
			}
		}
	}
}

// passedOn runs f on a goroutine of its own and panics with what it panicked with.
func passedOn(t *testing.T, f func()) error {
	t.Helper()
	var cause any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { cause = recover() }()
		debug.SetPanicOnFault(true)
		f()
	}()
	<-done
	if cause != nil {
		panic(cause)
	}
	return nil
}

// A file that is cut short before it is read at all is an error too.
func TestFileCutShortWhileItIsDecoded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.onnx")
	if err := WriteFile(path, markedModel(1), WriteOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	s := &source{path: path, info: info, locations: map[string]bool{}, attached: map[string]*attachment{}}
	if s.file, err = mapFile(file, info); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	err = (&Model{source: s}).Guard(func() error { _, err := decodeModel(s.file.data, s); return err })
	if changed := (*ChangedError)(nil); !errors.As(err, &changed) {
		t.Errorf("error %v", err)
	}
}

// Panics that are not about a model's files are nobody else's business.
func TestGuardPassesOtherPanicsOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.onnx")
	if err := WriteFile(path, bigModel(), WriteOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	m := openModel(t, path)
	var nowhere *Tensor
	for name, f := range map[string]func(){
		"value":     func() { panic("a value") },
		"error":     func() { panic(errDisk) },
		"nil":       func() { _ = nowhere.Name },
		"index":     func() { _ = m.Graph.Nodes[len(m.Path())+len(m.Graph.Nodes)] },
		"foreigner": func() { panic(foreignFault{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the panic does not arrive", name)
				}
			}()
			_ = m.Guard(func() error { f(); return nil })
		}()
	}
	if err := m.Guard(func() error { return errDisk }); err != errDisk {
		t.Errorf("error %v", err)
	}
}

// foreignFault is a fault at an address that is not a model's.
type foreignFault struct{}

func (foreignFault) Error() string { return "fault" }
func (foreignFault) RuntimeError() {}
func (foreignFault) Addr() uintptr { return 1 << 40 }
