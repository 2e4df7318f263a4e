//go:build !unix

package secrets

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// lockFolder keeps every other process that would change the secrets in dir waiting until unlock. A process that ended in
// between leaves a file that is named in the error.
func lockFolder(dir string) (unlock func() error, err error) {
	const patience, pause = 10 * time.Second, 20 * time.Millisecond
	path := filepath.Join(dir, "secrets.lock")
	for waited := time.Duration(0); ; waited += pause {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return func() error { return errors.Join(f.Close(), os.Remove(path)) }, nil
		}
		if !errors.Is(err, fs.ErrExist) || waited > patience {
			return nil, err
		}
		time.Sleep(pause)
	}
}
