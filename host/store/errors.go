package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// Outcomes of a write.
var (
	// ErrNotWritten: nothing was written; the same write may be tried again.
	ErrNotWritten = errors.New("nothing was written")
	// ErrUncertain: the write may be durable or may not; only reading can tell,
	// in a SQLite file after a restart where the cause is a failed commit.
	ErrUncertain = errors.New("the write may or may not have happened")
	// ErrBroken: a commit failed earlier, so this SQLite file takes no more
	// writes in this process; stop and start again. Comes with ErrNotWritten.
	ErrBroken = errors.New("writing stopped after a commit of unknown outcome, restart the process")
	// ErrClosed: the writer was closed. Comes with ErrNotWritten.
	ErrClosed = errors.New("writer is closed")
	// ErrBusy: another process kept the write lock too long.
	ErrBusy = errors.New("database is locked by another process")
	// ErrUnavailable: the PostgreSQL server does not answer, or not now.
	ErrUnavailable = errors.New("database server is not available")
)

// What can be wrong with a database.
var (
	// ErrNotDurable: the connection does not sync each commit.
	ErrNotDurable = errors.New("connection does not keep what it acknowledges")
	// ErrReadOnly: the PostgreSQL server is a standby, or lets nobody write; or the
	// database was opened by OpenReader.
	ErrReadOnly = errors.New("database takes no writes")
	// ErrMissing: there is no such database, and Options.Existing is set.
	ErrMissing = errors.New("database does not exist")
	// ErrCorrupt: the file is damaged, or is no SQLite database.
	ErrCorrupt = errors.New("file is damaged or no database")
	// ErrForeign: the database was made for something else.
	ErrForeign = errors.New("database was made for something else")
	// ErrNewerSchema: the database was made by a newer program.
	ErrNewerSchema = errors.New("database was made by a newer program")
)

// SQLite's primary result codes, sqlite.org/rescode.html.
const (
	sqliteBusy    = 5
	sqliteCorrupt = 11
	sqliteNotADB  = 26
)

func notWritten(err error) error { return fmt.Errorf("%w: %w", ErrNotWritten, err) }

// Explain puts [ErrBusy], [ErrCorrupt], [ErrUnavailable] or [ErrReadOnly] before an
// error that the engine reported by number or that a lost connection left: for
// errors of queries on [DB.Read]. Errors of writes have been explained.
func Explain(err error) error {
	kind := kindOf(err)
	if kind == nil || errors.Is(err, kind) {
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

func kindOf(err error) error {
	if reported, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteKinds[reported.Code()&0xff]
	}
	if errors.Is(err, ErrNotDurable) || errors.Is(err, ErrReadOnly) {
		return nil // found while connecting
	}
	if reported, ok := errors.AsType[*pgconn.PgError](err); ok {
		return kindOfState(reported.Code)
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	if ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded); ended && !connecting {
		return nil
	}
	_, network := errors.AsType[net.Error](err)
	lost := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, pgconn.ErrConnClosed)
	if connecting || network || lost {
		return ErrUnavailable
	}
	return nil
}

var sqliteKinds = map[int]error{sqliteBusy: ErrBusy, sqliteCorrupt: ErrCorrupt, sqliteNotADB: ErrCorrupt}

// kindOfState sorts PostgreSQL's SQLSTATEs (appendix A of its manual), by
// themselves or by their classes.
func kindOfState(state string) error {
	if kind, ok := postgresKinds[state]; ok {
		return kind
	}
	if len(state) == 5 {
		return postgresKinds[state[:2]]
	}
	return nil
}

var postgresKinds = map[string]error{
	"55P03": ErrBusy,        // lock_timeout
	"40001": ErrBusy,        // serialization_failure
	"40P01": ErrBusy,        // deadlock_detected
	"57014": ErrUnavailable, // statement_timeout
	"25P03": ErrUnavailable, // idle_in_transaction_session_timeout
	"25006": ErrReadOnly,    // read_only_sql_transaction
	"XX001": ErrCorrupt,     // data_corrupted
	"XX002": ErrCorrupt,     // index_corrupted
	"08":    ErrUnavailable, // connection exception
	"53":    ErrUnavailable, // insufficient resources: disk, memory, connections
	"57":    ErrUnavailable, // operator intervention: shutdown, starting up
	"58":    ErrUnavailable, // system error: input and output
}
