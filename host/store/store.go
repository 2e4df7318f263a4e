// Package store opens databases that keep what they acknowledged, and writes to
// them in groups: one SQLite file, or one schema of a PostgreSQL database.
//
// # Durability
//
// A nil error from [DB.Update] or [Writer.Do] means that the transaction is in the
// write-ahead log and that this log was synced. Nothing less is accepted, because a
// power cut would take back acknowledged commits, and a lost "counter used" makes a
// used tap valid again. Every connection makes its settings and reads them back:
// WAL, synchronous=FULL and fullfsync on SQLite; synchronous_commit=on on
// PostgreSQL, whose fsync and full_page_writes must be on too.
//
// # Three outcomes
//
// An error of a write says which of these holds: [ErrNotWritten], nothing
// changed and the same write may be tried again; [ErrUncertain], the write may
// be durable or not; any other error comes from the caller's own function, for
// that one request, and nothing of that request was kept unless the function
// wrote it.
//
// After a COMMIT that failed on SQLite nobody knows what is on the disk: the
// file takes no further write ([ErrBroken]) and the process is to stop. The
// next start syncs the log and copies it into the file before it serves. A
// connection to PostgreSQL that is lost during COMMIT leaves the same doubt about
// that one transaction, and none about the next: it begins by waiting for a lock
// that the lost one holds until the server has ended it, and reads what became of
// it. Nothing that was read before may be believed after an error, in either case.
//
// # Concurrency
//
// A [DB] and a [Writer] may be used by many goroutines, and a database by many
// processes at once. A lock orders the transactions that write, SQLite's own or that
// of one row of the PostgreSQL schema: each waits for it at its beginning and then
// reads the newest state, which stays so until it ends. Transactions on [DB.Read] see
// one state from their first query to their end.
//
// While a SQLite file is open its process must not open and close the same file
// by other means: closing drops the process's locks (POSIX record locks).
//
// # Dialects
//
// One text of SQL serves both. Migrations are written in SQLite's words, see dialect;
// what is left to the queries is the common part: $1, ON CONFLICT with excluded, an
// alias for each subquery, and no second query before the rows of the first are
// closed. Text may hold any character on both: PostgreSQL has none for U+0000 and
// keeps the noncharacter U+FFFF in its place.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync/atomic"
	"time"
)

// Points that an [Options.Hook] is called with, in the order in which a write
// passes them. They are places to observe, for crash tests: a hook cannot
// change what happens next except by ending the process.
const (
	// PointBegun is after BEGIN: the write lock is held.
	PointBegun = "batch begun"
	// PointApplied is after the caller's function and before COMMIT.
	PointApplied = "batch applied"
	// PointCommitted is after COMMIT, durable, and before any answer.
	PointCommitted = "batch committed"
	// PointAnswered is after the answers of a [Writer]'s batch were handed out.
	PointAnswered = "batch answered"
)

// Options say how a database is opened.
type Options struct {
	// Migrations holds NNN_name.sql files in its root, numbered from 001
	// without a gap. Those that the database has not seen run at Open, in one
	// transaction.
	Migrations fs.FS
	// Schema names the schema of a PostgreSQL database, in lower case, so that
	// several stores share one database. A SQLite file needs none.
	Schema string
	// Existing refuses with ErrMissing to create a file or a schema.
	Existing bool
	// Hook, when set, is called with each point that a write passes, by the
	// goroutine that writes.
	Hook func(point string)
}

// DB is one open database: a single connection that writes and a pool that reads.
type DB struct {
	engine engine
	write  *sql.DB // nil when it only reads
	read   *sql.DB
	hook   func(string)
	broken atomic.Pointer[error]
}

// engine is what SQLite and PostgreSQL do each in its own way.
type engine interface {
	// pools makes the connection that writes and those that read.
	pools(ctx context.Context) (write, read *sql.DB, err error)
	// reader makes connections that read, and changes nothing.
	reader(ctx context.Context) (read *sql.DB, err error)
	// prepare brings the database into the state in which it may serve.
	prepare(ctx context.Context, db *DB, known []migration) error
	// purge makes unreadable what was deleted or overwritten.
	purge(ctx context.Context, write *sql.DB) error
	// notCommitted reports whether an error of COMMIT says that nothing was
	// committed; otherwise nobody knows.
	notCommitted(err error) bool
	// breaks reports whether a COMMIT of unknown outcome is the last.
	breaks() bool
	integrity(ctx context.Context, read *sql.DB) ([]string, error)
	kind() string
}

// Open opens or creates a database: the schema o.Schema of the database that a
// name with postgres:// or postgresql:// addresses, else the SQLite file of
// that name, which is a file name and not a data source name. When it returns, all
// that an earlier run acknowledged is durable, whatever became of that run, and all
// migrations have run. A new file is readable by its owner alone; its write-ahead log
// has been copied as far as no reader looks at an older state.
//
// Errors: [ErrNotDurable] when the connection cannot be made to sync, [ErrMissing],
// [ErrCorrupt] when a file is damaged or no database, [ErrForeign] when it is
// a database of something else, [ErrNewerSchema] when a newer program made it,
// [ErrReadOnly] and [ErrUnavailable] of a server. None of them holds a password.
func Open(ctx context.Context, name string, o Options) (*DB, error) {
	migrations, err := readMigrations(o.Migrations)
	if err != nil {
		return nil, err
	}
	db, err := open(ctx, name, o)
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", Name(name), Explain(err))
	}
	if err := db.engine.prepare(ctx, db, migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("opening database %s: %w", Name(name), Explain(err)), db.Close())
	}
	if o.Hook != nil {
		db.hook = o.Hook
	}
	return db, nil
}

// open makes the two pools, which may have no connection yet.
func open(ctx context.Context, name string, o Options) (*DB, error) {
	engine, err := engineOf(name, o)
	if err != nil {
		return nil, err
	}
	db := &DB{engine: engine, hook: func(string) {}}
	if db.write, db.read, err = engine.pools(ctx); err != nil {
		return nil, err
	}
	db.write.SetMaxOpenConns(1)
	readers := 2 * runtime.GOMAXPROCS(0)
	db.read.SetMaxOpenConns(readers)
	db.read.SetMaxIdleConns(readers)
	db.read.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

func engineOf(name string, o Options) (engine, error) {
	if isURL(name) {
		return newPostgres(name, o)
	}
	if err := checkPath(name); err != nil {
		return nil, err
	}
	return sqliteFile{name, o.Existing}, nil
}

// Name returns what of a database's name may be shown and kept in logs: of a URL,
// neither user nor password nor options.
func Name(name string) string {
	if isURL(name) {
		return urlName(name)
	}
	return fmt.Sprintf("%q", name)
}

// Kind says in a few words what the database is.
func (db *DB) Kind() string { return db.engine.kind() }

// Read returns the pool of read-only connections. It sees what was committed,
// by this process and by others, and never waits for a writer.
func (db *DB) Read() *sql.DB { return db.read }

// Prepare compiles a statement once for the writing connection; a transaction
// uses it by tx.StmtContext. It must not be called while the calling goroutine
// is inside a transaction, for it would wait for itself.
func (db *DB) Prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if db.write == nil {
		return nil, ErrReadOnly
	}
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

// broken holds the first ErrBroken of the process.
var broken = make(chan error, 1)

// Broken returns the channel that gives ErrBroken, once, when a SQLite file of this process takes no more writes: whoever runs the
// process ends it then, for there is no other cure.
func Broken() <-chan error { return broken }

// transact is the only place where this package begins and commits.
func (db *DB) transact(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if cause := db.broken.Load(); cause != nil {
		return notWritten(fmt.Errorf("%w: %w", ErrBroken, *cause))
	}
	if db.write == nil {
		return notWritten(ErrReadOnly)
	}
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return notWritten(fmt.Errorf("beginning: %w", Explain(err)))
	}
	db.hook(PointBegun)
	if err := fn(tx); err != nil {
		// The engine may have rolled back by itself, and then says so here.
		_ = tx.Rollback()
		return notWritten(Explain(err))
	}
	db.hook(PointApplied)
	if err := tx.Commit(); err != nil {
		return db.notCommitted(fmt.Errorf("committing: %w", Explain(err)))
	}
	db.hook(PointCommitted)
	return nil
}

// notCommitted says what has become of a transaction whose COMMIT returned err.
func (db *DB) notCommitted(err error) error {
	if db.engine.notCommitted(err) {
		return notWritten(err)
	}
	if db.engine.breaks() && db.broken.CompareAndSwap(nil, &err) {
		select {
		case broken <- fmt.Errorf("%w: %w", ErrBroken, err):
		default: // one is enough to end a process
		}
	}
	return fmt.Errorf("%w: %w", ErrUncertain, err)
}

// Integrity reads a whole SQLite file and returns what SQLite finds wrong with its
// structure, one line each; nothing when it is sound. It says nothing of the
// content. Of a PostgreSQL database it returns nothing: the structure of that is
// pg_amcheck's affair.
func (db *DB) Integrity(ctx context.Context) ([]string, error) {
	findings, err := db.engine.integrity(ctx, db.read)
	if errors.Is(err, ErrCorrupt) { // so damaged that the check itself stopped
		return append(findings, err.Error()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("checking the database's structure: %w", err)
	}
	return findings, nil
}

// Close closes all connections; the last process to close a file also empties
// its write-ahead log. Writers are to be closed before.
func (db *DB) Close() error {
	if db.write == nil {
		return db.read.Close()
	}
	return errors.Join(db.read.Close(), db.write.Close())
}
