package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/ledger"
)

// receiptFile is where a receipt will stand. It is opened before the tap is recorded: after that it would be too late to
// say that nothing can be written there. nil writes none.
type receiptFile struct {
	io.WriteCloser
	made string // the file that was made for it; empty for a device or a stream, which stay
}

// openReceipt makes the file at path, or opens the device that is there; "-" is standard output. A file that is there
// already is refused, whatever it holds: it might be the installation's own.
func (a *app) openReceipt(path string) (*receiptFile, error) {
	if path == "-" {
		return &receiptFile{stays{a.out}, ""}, nil
	}
	const what = "opening the receipt's file"
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		return &receiptFile{f, path}, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() {
		return nil, console.Misuse(what+" "+path, "the file is there already", "name another; nothing is overwritten")
	}
	if f, err = os.OpenFile(path, os.O_WRONLY, 0); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return &receiptFile{f, ""}, nil
}

// stays is a stream that closing leaves open.
type stays struct{ io.Writer }

// Close does nothing.
func (stays) Close() error { return nil }

// drop closes the file and takes away what was made for it. That an empty file stays harms nobody.
func (f *receiptFile) drop() {
	f.Close()
	if f.made != "" {
		os.Remove(f.made)
	}
}

// finish writes the receipt of a recorded tap, or leaves things as they were.
func (f *receiptFile) finish(v validation.Verdict) error {
	if f == nil {
		return nil
	}
	if v.Code != validation.Recorded {
		f.drop()
		return nil
	}
	if err := f.write(v.Evidence()); err != nil {
		return &console.Problem{Code: "receipt_unwritten", What: "writing the receipt of a tap that is recorded", Why: err.Error(), Exit: console.Failure,
			Next: fmt.Sprintf("productid ledger prove -o FILE -- %v %d writes it again", v.ID, v.Counter), Cause: err}
	}
	return nil
}

// write writes a line that ledger verify reads, and closes the file. A part of a line does not stay.
func (f *receiptFile) write(e ledger.Evidence) error {
	if err := json.NewEncoder(f).Encode(e); err != nil {
		f.drop()
		return err
	}
	return f.Close()
}
