package move

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/productid/productid/pkg/ledger"
)

// Version is the version of the format that this package writes and reads.
const Version = 1

// maxLine is far beyond the longest line that a ledger's message and proof make.
const maxLine = 1 << 19

// Header is the first line of an export.
type Header struct {
	Export int       `json:"export"` // Version
	Kind   string    `json:"kind"`   // of the ledger: "tlog", "stardust"
	Origin string    `json:"origin"` // of the log, or name of the network
	Time   time.Time `json:"time"`   // when it was begun, UTC, whole milliseconds
}

// footer is the last line.
type footer struct {
	Messages uint64 `json:"messages"`
}

// Export writes everything that the ledger holds now, each message with its proof, to a new file, and returns how many messages
// those are. A file that is there gives fs.ErrExist. progress, when set, is told how many were written.
func Export(ctx context.Context, l ledger.Ledger, path string, now time.Time, progress func(done uint64)) (uint64, error) {
	n, err := export(ctx, l, path, now, progress)
	if err != nil {
		return 0, fmt.Errorf("exporting to %s: %w", path, err)
	}
	return n, nil
}

func export(ctx context.Context, l ledger.Ledger, path string, now time.Time, progress func(uint64)) (n uint64, err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return 0, errors.Join(fs.ErrExist, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	w := bufio.NewWriterSize(f, 1<<16)
	if n, err = write(ctx, l, w, now, progress); err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	if err := os.Link(f.Name(), path); err != nil { // a rename would overwrite what was put there meanwhile
		return 0, err
	}
	return n, syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// write writes the lines.
func write(ctx context.Context, l ledger.Ledger, w io.Writer, now time.Time, progress func(uint64)) (n uint64, err error) {
	info, err := l.Info(ctx)
	if err != nil {
		return 0, err
	}
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(Header{Version, info.Kind, info.Origin, now.UTC().Truncate(time.Millisecond)}); err != nil {
		return 0, err
	}
	err = l.Follow(ctx, ledger.Position{}, func(batch []ledger.Entry, _ ledger.Position) error {
		if len(batch) == 0 {
			return ledger.ErrStop
		}
		for _, e := range batch {
			proof, err := l.Prove(ctx, e.Message.Channel(), e.Message.Number())
			if err != nil {
				return fmt.Errorf("proving message %d of channel %v: %w", e.Message.Number(), e.Message.Channel(), err)
			}
			if err := lines.Encode(ledger.Evidence{Message: e.Message, Proof: proof}); err != nil {
				return err
			}
			n++
		}
		if progress != nil {
			progress(n)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, lines.Encode(footer{n})
}

// read reads an export strictly, line by line. each gets a line without its break; its number is counted from 1.
func read(r io.Reader, begin func(Header) error, each func(number uint64, line []byte, e ledger.Evidence) error) error {
	lines := bufio.NewReaderSize(r, maxLine)
	var head Header
	if err := readLine(lines, 1, &head); err != nil {
		return err
	}
	if head.Export != Version || head.Origin == "" || head.Time.Nanosecond()%int(time.Millisecond) != 0 || head.Time.Location() != time.UTC {
		return fmt.Errorf("line 1: %w: no header of version %d", ErrMalformed, Version)
	}
	if err := begin(head); err != nil {
		return err
	}
	for number := uint64(2); ; number++ {
		line, err := nextLine(lines, number)
		if err != nil {
			return err
		}
		if bytes.HasPrefix(line, []byte(`{"messages":`)) {
			return readEnd(lines, number, line)
		}
		e, err := ledger.ParseEvidence(line)
		if err != nil {
			return fmt.Errorf("line %d: %w: %w", number, ErrMalformed, err)
		}
		if err := each(number, line, e); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
}

// readEnd wants the footer to count the lines before it, and nothing behind it.
func readEnd(lines *bufio.Reader, number uint64, line []byte) error {
	var end footer
	if err := exactly(line, number, &end); err != nil {
		return err
	}
	if end.Messages != number-2 {
		return fmt.Errorf("line %d: %w: it says %d messages, and %d stand before it", number, ErrMalformed, end.Messages, number-2)
	}
	if _, err := lines.Peek(1); err != io.EOF {
		return errors.Join(fmt.Errorf("line %d: %w: it is not the last", number, ErrMalformed), err)
	}
	return nil
}

func readLine(lines *bufio.Reader, number uint64, v any) error {
	line, err := nextLine(lines, number)
	if err != nil {
		return err
	}
	return exactly(line, number, v)
}

// nextLine returns the next line without its break. It is good until the next call.
func nextLine(lines *bufio.Reader, number uint64) ([]byte, error) {
	line, err := lines.ReadSlice('\n')
	switch {
	case err == io.EOF:
		return nil, fmt.Errorf("line %d: %w: the file ends in it", number, ErrMalformed)
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("line %d: %w: it is too long", number, ErrMalformed)
	case err != nil:
		return nil, err
	}
	return line[:len(line)-1], nil
}

// exactly reads a line that stands as Export writes it, to the byte.
func exactly(line []byte, number uint64, v any) error {
	var again bytes.Buffer
	lines := json.NewEncoder(&again)
	lines.SetEscapeHTML(false)
	err := json.Unmarshal(line, v)
	if err == nil {
		err = lines.Encode(v)
	}
	if err != nil || !bytes.Equal(bytes.TrimSuffix(again.Bytes(), []byte("\n")), line) {
		return fmt.Errorf("line %d: %w: it is not what an export has there", number, ErrMalformed)
	}
	return nil
}
