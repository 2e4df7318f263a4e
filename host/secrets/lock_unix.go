//go:build unix

package secrets

import (
	"errors"
	"os"
	"syscall"
)

// lockFolder keeps every other process that would change the secrets in dir waiting until unlock, or its own end.
func lockFolder(dir string) (unlock func() error, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err == nil {
			return f.Close, nil // which ends the lock
		}
		if !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
	}
}
