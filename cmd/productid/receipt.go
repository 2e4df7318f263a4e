package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/ledger"
)

// receiptFile is where a receipt will stand. It is opened before the tap is recorded: after that it would be too late to
// say that nothing can be written there. What stood in it stays until there is a receipt to write. nil writes none.
type receiptFile struct {
	*os.File
	fresh bool // it was not there before
}

// openReceipt opens the file at path; "" is none.
func openReceipt(path string) (*receiptFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	fresh := err == nil
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, os.O_WRONLY, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the receipt's file, before the tap is recorded: %w", err)
	}
	return &receiptFile{f, fresh}, nil
}

// finish writes the receipt of a recorded tap, or leaves things as they were.
func (f *receiptFile) finish(v validation.Verdict) error {
	if f == nil {
		return nil
	}
	if v.Code != validation.Recorded {
		f.Close() // nothing was written
		if f.fresh {
			os.Remove(f.Name()) // an empty file that stays harms nobody
		}
		return nil
	}
	if err := errors.Join(f.write(v.Evidence()), f.Close()); err != nil {
		return &console.Problem{Code: "receipt_unwritten", What: "writing the receipt of a tap that is recorded", Why: err.Error(), Exit: console.Failure,
			Next: fmt.Sprintf("productid ledger prove -o FILE -- %v %d writes it again", v.ID, v.Counter), Cause: err}
	}
	return nil
}

func (f *receiptFile) write(e ledger.Evidence) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if err := f.Truncate(0); err != nil {
			return err
		}
	}
	_, err = f.Write(append(text, '\n'))
	return err
}
