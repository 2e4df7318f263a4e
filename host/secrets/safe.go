package secrets

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is the name of the file that holds the secrets.
const File = "secrets.json"

// Safe is the folder where an installation keeps its secrets.
type Safe struct {
	Dir string
}

// Create stores the secrets of a new installation, readable by their owner alone. It never overwrites: what is there gives
// fs.ErrExist, also when another process made it just now.
func (s Safe) Create(all Secrets) error {
	text, err := all.text()
	if err != nil {
		return fmt.Errorf("storing secrets: %w", err)
	}
	if err := writeNew(filepath.Join(s.Dir, File), text); err != nil {
		return fmt.Errorf("storing secrets: %w", err)
	}
	return nil
}

// Load reads the secrets. The error is fs.ErrNotExist when there are none, and ErrExposed when others could have read them.
func (s Safe) Load() (Secrets, error) {
	path := filepath.Join(s.Dir, File)
	text, err := readPrivate(path)
	if err != nil {
		return Secrets{}, fmt.Errorf("loading secrets: %w", err)
	}
	all, err := parse(text)
	if err != nil {
		return Secrets{}, fmt.Errorf("loading secrets from %s: %w", path, err)
	}
	return all, nil
}

// writeNew stores a new file as a whole or not at all. The finished file gets its name by a link, because a rename would
// overwrite what is there.
func writeNew(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	temporary, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(temporary.Name())) }()
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
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
		return nil, fmt.Errorf("%s: %w (mode %04o): make it private with chmod 600, and if others may have read it, make new secrets",
			path, ErrExposed, mode)
	}
	return io.ReadAll(f)
}
