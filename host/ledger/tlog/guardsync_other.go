//go:build !linux

package tlog

import "os"

// syncData syncs what was written: where the system has it, also past the drive's cache.
func syncData(f *os.File) error { return f.Sync() }
