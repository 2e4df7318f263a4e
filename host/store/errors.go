package store

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// Outcomes of a write.
var (
	// ErrNotWritten: nothing was written; the same write may be tried again.
	ErrNotWritten = errors.New("nothing was written")
	// ErrUncertain: the write may be durable or may not; only reading, after
	// a restart where the cause is a failed commit, can tell.
	ErrUncertain = errors.New("the write may or may not have happened")
	// ErrBroken: a commit failed earlier, so this database takes no more
	// writes in this process; stop and start again. Comes with ErrNotWritten.
	ErrBroken = errors.New("writing stopped after a commit of unknown outcome, restart the process")
	// ErrClosed: the writer was closed. Comes with ErrNotWritten.
	ErrClosed = errors.New("writer is closed")
	// ErrBusy: another process kept the write lock too long.
	ErrBusy = errors.New("database is locked by another process")
)

// What can be wrong with a file.
var (
	// ErrNotDurable: the connection does not sync each commit.
	ErrNotDurable = errors.New("connection does not keep what it acknowledges")
	// ErrCorrupt: the file is damaged, or is no SQLite database.
	ErrCorrupt = errors.New("file is damaged or no database")
	// ErrForeign: the file is a database that was made for something else.
	ErrForeign = errors.New("file was made for something else")
	// ErrNewerSchema: the file was made by a newer program.
	ErrNewerSchema = errors.New("file was made by a newer program")
)

// SQLite's primary result codes, sqlite.org/rescode.html.
const (
	sqliteBusy    = 5
	sqliteCorrupt = 11
	sqliteNotADB  = 26
)

func notWritten(err error) error { return fmt.Errorf("%w: %w", ErrNotWritten, err) }

// Explain puts [ErrBusy] or [ErrCorrupt] before an error that SQLite reported by
// number: for errors of queries on [DB.Read]. Errors of writes have been explained.
func Explain(err error) error {
	var reported *sqlite.Error
	if !errors.As(err, &reported) {
		return err
	}
	switch reported.Code() & 0xff {
	case sqliteBusy:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case sqliteCorrupt, sqliteNotADB:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}
