package tlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Layout of a guard's file: two slots, of which the one with the larger tree
// counts. Each is written when the other is synced, so that one is whole at any
// moment, also in a power cut.
//
//	slot   "PIDG" 01, be16 length of text, text, SHA-256 of all that, zeros
const (
	guardMagic  = "PIDG\x01"
	offText     = len(guardMagic) + 2
	slotSize    = 4096 // a page, and a sector of a disk: no write of one slot touches the other
	guardSize   = 2 * slotSize
	maxSlotText = slotSize - offText - sha256.Size
)

// ErrBadGuard says that the guard's file is damaged, or is another log's. It is
// never begun anew by itself: who knows that the log is whole removes the file.
var ErrBadGuard = errors.New("log's guard is damaged or another log's")

// errSlot is of a slot whose writing was cut short.
var errSlot = errors.New("slot is not whole")

// guardFile is an open guard: two texts on disk.
type guardFile struct{ *os.File }

// ReadGuard returns the newest checkpoint in a guard's file: what the log held at
// least when it was written. fs.ErrNotExist is in the chain when there is no file, ErrBadGuard when it
// is damaged.
func ReadGuard(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the log's guard: %w", err)
	}
	defer f.Close()
	slots, err := guardFile{f}.read()
	if err != nil {
		return nil, err
	}
	return slots.newest()
}

// createGuard makes the file with both slots written, all or nothing: fs.ErrExist
// in the chain when there is one.
func createGuard(path string, text []byte) (err error) {
	slot, err := encodeSlot(text)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the log's guard: %w", err)
	}
	f, err := os.CreateTemp(dir, ".guard-")
	if err != nil {
		return fmt.Errorf("making the log's guard: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(append(slot, slot...)); err != nil {
		return fmt.Errorf("making the log's guard: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("making the log's guard: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil { // as rename, but never over another
		return fmt.Errorf("making the log's guard: %w", err)
	}
	return syncFolder(dir)
}

// syncFolder makes a new name in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("syncing folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) { // Windows has no such thing
		return fmt.Errorf("syncing folder: %w", err)
	}
	return nil
}

// slots are the bytes of a guard's file.
type slots [guardSize]byte

// read returns the file's bytes as they are.
func (f guardFile) read() (slots, error) {
	var s slots
	n, err := f.ReadAt(s[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return s, fmt.Errorf("reading the log's guard: %w", err)
	}
	if n != guardSize {
		return s, fmt.Errorf("%s has %d bytes, not %d: %w", f.Name(), n, guardSize, ErrBadGuard)
	}
	return s, nil
}

// newest returns the text with the larger tree.
func (s *slots) newest() ([]byte, error) {
	text, _, err := s.pick()
	return text, err
}

// pick returns the text that counts and the slot that the next one goes to.
func (s *slots) pick() (text []byte, next int, err error) {
	a, errA := decodeSlot(s[:slotSize])
	b, errB := decodeSlot(s[slotSize:])
	switch {
	case errA != nil && errB != nil:
		return nil, 0, fmt.Errorf("both slots of the log's guard: %w: %w", errA, ErrBadGuard)
	case errB != nil:
		return a, 1, nil
	case errA != nil:
		return b, 0, nil
	}
	sizeA, errA := sizeOf(a)
	sizeB, errB := sizeOf(b)
	if err := errors.Join(errA, errB); err != nil {
		return nil, 0, fmt.Errorf("text in the log's guard: %w: %w", err, ErrBadGuard)
	}
	if sizeA > sizeB {
		return a, 1, nil
	}
	return b, 0, nil
}

// sizeOf returns the size in a checkpoint's text, whoever signed it.
func sizeOf(text []byte) (uint64, error) {
	lines := strings.SplitN(string(text), "\n", 3)
	if len(lines) < 3 {
		return 0, errors.New("no checkpoint")
	}
	return strconv.ParseUint(lines[1], 10, 64)
}

// write replaces the slot that counts less and syncs it.
func (f guardFile) write(s *slots, text []byte) error {
	slot, err := encodeSlot(text)
	if err != nil {
		return err
	}
	_, next, err := s.pick()
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(slot, int64(next)*slotSize); err != nil {
		return fmt.Errorf("writing the log's guard: %w", err)
	}
	if err := syncData(f.File); err != nil {
		return fmt.Errorf("syncing the log's guard: %w", err)
	}
	return nil
}

func encodeSlot(text []byte) ([]byte, error) {
	if len(text) > maxSlotText {
		return nil, fmt.Errorf("checkpoint of %d bytes does not fit into the log's guard", len(text))
	}
	slot := make([]byte, 0, slotSize)
	slot = append(slot, guardMagic...)
	slot = binary.BigEndian.AppendUint16(slot, uint16(len(text)))
	slot = append(slot, text...)
	sum := sha256.Sum256(slot)
	return append(slot, sum[:]...)[:slotSize], nil
}

func decodeSlot(slot []byte) ([]byte, error) {
	length := int(binary.BigEndian.Uint16(slot[len(guardMagic):]))
	if string(slot[:len(guardMagic)]) != guardMagic || length > maxSlotText {
		return nil, errSlot
	}
	end := offText + length
	if sum := sha256.Sum256(slot[:end]); !bytes.Equal(sum[:], slot[end:][:sha256.Size]) {
		return nil, errSlot
	}
	return bytes.Clone(slot[offText:end]), nil
}

// How long a process waits for another that writes the same guard.
const (
	guardPatience = 15 * time.Second
	guardPause    = 200 * time.Microsecond
)

// errLocked says that another process holds the lock.
var errLocked = errors.New("another process keeps the log's guard locked")

// lock keeps other processes from writing until unlock.
func (f guardFile) lock(ctx context.Context) error {
	for begin := time.Now(); ; time.Sleep(guardPause) {
		err := tryLock(f.File)
		if err == nil || !errors.Is(err, errLocked) || time.Since(begin) > guardPatience {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
