package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// pending is a file that is written under another name beside its target.
type pending struct {
	disk   disk
	file   diskFile
	target string
	closed bool
	placed bool
}

// newPending begins a file. Its name, a dot, the target's and ".tmp", says what
// it is, should the program be killed before it can remove it.
func newPending(d disk, target string, mode fs.FileMode) (*pending, error) {
	file, err := d.create(filepath.Dir(target), "."+filepath.Base(target)+".*.tmp")
	if err != nil {
		return nil, err
	}
	f := &pending{disk: d, file: file, target: target}
	if err := file.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		f.abandon()
		return nil, err
	}
	return f, nil
}

// fill writes the content and closes the file.
func (f *pending) fill(sync bool, content *fileWriter) error {
	content.to = f.file
	var err error
	if length := content.length(); length > pieceLen {
		err = f.file.reserve(length)
	}
	if err == nil {
		err = content.run()
	}
	if err == nil && sync {
		err = f.file.Sync()
	}
	f.closed = true
	return errors.Join(err, f.file.Close())
}

// commit puts the file in its place.
func (f *pending) commit() error {
	if err := f.disk.rename(f.file.Name(), f.target); err != nil {
		return err
	}
	f.placed = true
	return nil
}

// abandon leaves nothing of the file behind.
func (f *pending) abandon() error {
	if !f.closed {
		f.file.Close() // it goes away: what it could not hold does not matter
	}
	name := f.file.Name()
	if f.placed {
		name = f.target
	}
	if err := f.disk.remove(name); err != nil {
		return fmt.Errorf("and %s is left behind: %w", name, err)
	}
	return nil
}

// advised adds to an error of the system what can be done about it.
func advised(err error, bytes int64) error {
	advice := ""
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		advice = fmt.Sprintf("the model takes %d bytes: make room for them, or choose a folder that has it", bytes)
	case errors.Is(err, syscall.EFBIG):
		advice = fmt.Sprintf("the model takes %d bytes, more than one file may have here: raise the limit (ulimit -f), or choose another file system", bytes)
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		advice = "files have to be made and renamed in the folder: choose one where that is allowed"
	case errors.Is(err, os.ErrNotExist):
		advice = "make the folder first, or choose another"
	default:
		return err
	}
	return fmt.Errorf("%w; %s", err, advice)
}
