package tlog

import (
	"errors"
	"os"
	"syscall"
)

// syncData syncs what was written into a file whose length did not change. That
// its time changed is not worth a turn of the file system's journal.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
