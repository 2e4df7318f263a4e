package tlog

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// LockFileEx and UnlockFileEx, which package syscall does not have.
var (
	kernel32       = syscall.NewLazyDLL("kernel32.dll")
	procLockFile   = kernel32.NewProc("LockFileEx")
	procUnlockFile = kernel32.NewProc("UnlockFileEx")
)

const (
	lockfileFailImmediately = 1
	lockfileExclusiveLock   = 2
	errorLockViolation      = syscall.Errno(33)
	beyond                  = guardSize // a lock there keeps nobody from reading
)

// tryLock takes the file's lock for this open file, or returns errLocked.
func tryLock(f *os.File) error {
	at := &syscall.Overlapped{Offset: beyond}
	ok, _, err := procLockFile.Call(f.Fd(), lockfileExclusiveLock|lockfileFailImmediately, 0, 1, 0, uintptr(unsafe.Pointer(at)))
	if ok != 0 {
		return nil
	}
	if errors.Is(err, errorLockViolation) {
		return errLocked
	}
	return fmt.Errorf("locking the log's guard: %w", err)
}

func unlock(f *os.File) error {
	at := &syscall.Overlapped{Offset: beyond}
	if ok, _, err := procUnlockFile.Call(f.Fd(), 0, 1, 0, uintptr(unsafe.Pointer(at))); ok == 0 {
		return fmt.Errorf("unlocking the log's guard: %w", err)
	}
	return nil
}
