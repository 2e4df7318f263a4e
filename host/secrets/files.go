package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile is far beyond any file of secrets.
const maxFile = 1 << 20

// newFile is the name under which a file is written before it gets its own. One that a crash left behind is taken away by the
// next change, for it may hold secrets in the clear (Safe.locked).
const newFile = "secrets.new"

// writeNew stores a new file as a whole or not at all. The finished file gets its name by a link, because a rename would
// overwrite what is there.
func (s Safe) writeNew(path string, content []byte) (err error) {
	temporary := filepath.Join(filepath.Dir(path), newFile)
	defer func() { err = errors.Join(err, removeIfThere(temporary)) }()
	if err := s.writeTemporary(temporary, content); err != nil {
		return err
	}
	if err := os.Link(temporary, path); err != nil {
		return err
	}
	s.passes("linked")
	return syncDir(filepath.Dir(path))
}

// overwrite replaces a file as a whole or not at all, after the new one was read back as text.
func (s Safe) overwrite(path string, content []byte, read func(path string) ([]byte, error), text []byte) (err error) {
	temporary := filepath.Join(filepath.Dir(path), newFile)
	defer func() { err = errors.Join(err, removeIfThere(temporary)) }()
	if err := s.writeTemporary(temporary, content); err != nil {
		return err
	}
	again, err := read(temporary)
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	if !bytes.Equal(again, text) {
		return errors.New("what was written does not read back")
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	s.passes("renamed")
	return syncDir(filepath.Dir(path))
}

func (s Safe) writeTemporary(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	s.passes("opened")
	_, err = f.Write(content)
	s.passes("written")
	err = errors.Join(err, f.Sync(), f.Close())
	s.passes("synced")
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// ErrExposed says that a file of secrets can be read by others than its owner.
var ErrExposed = errors.New("file can be read by others than its owner")

// readPrivate looks at the mode of the file that it has open, not of the one that has its name.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	const others fs.FileMode = 0o077
	if mode := info.Mode().Perm(); mode&others != 0 {
		return nil, fmt.Errorf("%s: %w (mode %04o)", path, ErrExposed, mode)
	}
	return readAll(f)
}

// readAll refuses what is too long to be read as a whole.
func readAll(f io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = errors.New("it is too long to be a file of secrets")
	}
	return text, err
}
