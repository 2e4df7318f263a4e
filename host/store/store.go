// Package store opens SQLite files that keep what they acknowledged, and
// writes to them in groups.
//
// # Durability
//
// A nil error from [DB.Update] or [Writer.Do] means: the transaction is in the
// write-ahead log and that log was synced (WAL, synchronous=FULL, fullfsync
// where the system has it). Nothing less is accepted: every connection sets
// these and reads them back, because with synchronous=NORMAL a power cut takes
// back acknowledged commits, and a lost "counter used" makes a used tap valid
// again.
//
// # Three outcomes
//
// An error of a write says which of these holds: [ErrNotWritten], nothing
// changed and the same write may be tried again; [ErrUncertain], the write may
// be durable or not; any other error comes from the caller's own function, for
// that one request, and nothing of that request was kept unless the function
// wrote it. After a COMMIT that failed nobody knows what is on the disk: the
// database takes no further write ([ErrBroken]) and the process is to stop. The
// next start syncs the log and copies it into the file before it serves.
//
// # Concurrency
//
// A [DB] and a [Writer] may be used by many goroutines, and a file by many
// processes at once: SQLite's write lock orders them, and a writer waits for
// it. While a file is open its process must not open and close the same file
// by other means: closing drops the process's locks (POSIX record locks).
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"
)

// Points that an [Options.Hook] is called with, in the order in which a write
// passes them. They are places to observe, for crash tests: a hook cannot
// change what happens next except by ending the process.
const (
	// PointBegun is after BEGIN IMMEDIATE: the write lock is held.
	PointBegun = "batch begun"
	// PointApplied is after the caller's function and before COMMIT.
	PointApplied = "batch applied"
	// PointCommitted is after COMMIT, durable, and before any answer.
	PointCommitted = "batch committed"
	// PointAnswered is after the answers of a [Writer]'s batch were handed out.
	PointAnswered = "batch answered"
)

// Options say how a file is opened.
type Options struct {
	// Migrations holds NNN_name.sql files in its root, numbered from 001
	// without a gap. Those that the file has not seen run at Open, in one
	// transaction.
	Migrations fs.FS
	// Hook, when set, is called with each point that a write passes, by the
	// goroutine that writes.
	Hook func(point string)
}

// DB is one open file: a single connection that writes and a pool that reads.
type DB struct {
	path   string
	write  *sql.DB
	read   *sql.DB
	hook   func(string)
	broken atomic.Pointer[error]
}

// Open opens or creates the SQLite file at path, which is a file name and not
// a data source name. When it returns, the write-ahead log of an earlier run
// is synced, has been copied into the file as far as no reader looks at an older
// state, and all migrations have run. A new file is readable by its owner alone.
//
// Errors: [ErrNotDurable] when the connection cannot be made to sync,
// [ErrCorrupt] when the file is damaged or no database, [ErrForeign] when it is
// a database of something else, [ErrNewerSchema] when a newer program made it.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	if err := checkPath(path); err != nil {
		return nil, fmt.Errorf("opening database %q: %w", path, err)
	}
	migrations, err := readMigrations(o.Migrations)
	if err != nil {
		return nil, err
	}
	db, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, err)
	}
	if err := db.prepareFile(ctx, migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("opening database %s: %w", path, Explain(err)), db.Close())
	}
	if o.Hook != nil {
		db.hook = o.Hook
	}
	return db, nil
}

// open makes the file and the two pools; they have no connection yet.
func open(ctx context.Context, path string) (*DB, error) {
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	if err := useWAL(ctx, path); err != nil {
		return nil, err
	}
	write, err := newConnector(path, settings(false))
	if err != nil {
		return nil, err
	}
	read, err := newConnector(path, settings(true))
	if err != nil {
		return nil, err
	}
	db := &DB{path: path, write: sql.OpenDB(write), read: sql.OpenDB(read), hook: func(string) {}}
	db.write.SetMaxOpenConns(1)
	readers := 2 * runtime.GOMAXPROCS(0)
	db.read.SetMaxOpenConns(readers)
	db.read.SetMaxIdleConns(readers)
	return db, nil
}

// createPrivate makes an absent file with mode 0600, where SQLite would leave
// the mode to the umask; the -wal and -shm files take theirs from it. A file
// that exists is not touched, see the package comment on locks.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// prepareFile brings an opened file into the state in which it may serve: what
// an earlier run left in the write-ahead log is synced, whether that run did it or
// not, and the schema is this program's.
func (db *DB) prepareFile(ctx context.Context, migrations []migration) error {
	copied, err := db.checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("copying the write-ahead log into the file: %w", err)
	}
	return db.Update(ctx, func(tx *sql.Tx) error {
		if err := migrate(ctx, tx, migrations); err != nil || copied {
			return err
		}
		// A commit that changes a page syncs the log with all that stands before it. This one changes the file's header.
		_, err := tx.ExecContext(ctx, "PRAGMA user_version = 0")
		return err
	})
}

// checkpoint copies the write-ahead log into the file and syncs both. It reports
// whether all was copied: what a reader in another process still looks at stays.
func (db *DB) checkpoint(ctx context.Context) (all bool, err error) {
	var busy, frames, copied int
	row := db.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	if err := row.Scan(&busy, &frames, &copied); err != nil {
		return false, err
	}
	return busy == 0 && copied == frames, nil
}

// Read returns the pool of read-only connections. It sees what was committed,
// by this process and by others, and never waits for a writer.
func (db *DB) Read() *sql.DB { return db.read }

// Prepare compiles a statement once for the writing connection; a transaction
// uses it by tx.StmtContext. It must not be called while the calling goroutine
// is inside a transaction, for it would wait for itself.
func (db *DB) Prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	return db.write.PrepareContext(ctx, query)
}

// Update runs fn in one transaction of its own and commits it durably. It is
// for rare writes; a [Writer] shares one sync among many. An error of fn rolls
// everything back. Once begun, the transaction does not end with ctx.
func (db *DB) Update(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return notWritten(err)
	}
	return db.transact(context.WithoutCancel(ctx), fn)
}

// transact is the only place where this package begins and commits.
func (db *DB) transact(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if cause := db.broken.Load(); cause != nil {
		return notWritten(fmt.Errorf("%w: %w", ErrBroken, *cause))
	}
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return notWritten(fmt.Errorf("beginning: %w", Explain(err)))
	}
	db.hook(PointBegun)
	if err := fn(tx); err != nil {
		// SQLite may have rolled back by itself, and then says so here.
		_ = tx.Rollback()
		return notWritten(Explain(err))
	}
	db.hook(PointApplied)
	if err := tx.Commit(); err != nil {
		err = fmt.Errorf("committing: %w", Explain(err))
		db.broken.CompareAndSwap(nil, &err)
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	db.hook(PointCommitted)
	return nil
}

// Integrity reads the whole file and returns what SQLite finds wrong with its
// structure, one line each; nothing when it is sound. It says nothing of the
// content.
func (db *DB) Integrity(ctx context.Context) ([]string, error) {
	findings, err := db.integrity(ctx)
	if errors.Is(err, ErrCorrupt) { // so damaged that the check itself stopped
		return append(findings, err.Error()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("checking the file's structure: %w", err)
	}
	return findings, nil
}

func (db *DB) integrity(ctx context.Context) (findings []string, err error) {
	rows, err := db.read.QueryContext(ctx, "PRAGMA integrity_check")
	if err != nil {
		return nil, Explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return findings, Explain(err)
		}
		if line != "ok" {
			findings = append(findings, line)
		}
	}
	return findings, Explain(rows.Err())
}

// Close closes all connections; the last process to close a file also empties
// its write-ahead log. Writers are to be closed before.
func (db *DB) Close() error {
	return errors.Join(db.read.Close(), db.write.Close())
}
